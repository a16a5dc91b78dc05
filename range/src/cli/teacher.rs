//! The teacher's verbs, over the Unix socket in the range's folder.

use super::Teaching;
use super::output::{Failure, exactly, text};
use crate::host::{SOCKET, Told, Wish};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

pub(super) fn teach(teaching: Teaching, folder: &Path) -> Result<(), Failure> {
    let wish = match teaching {
        Teaching::Roster { file } => Wish::Roster { csv: list(&file)? },
        Teaching::Codes => Wish::Codes,
        Teaching::Readmit { name } => Wish::Readmit { name },
        Teaching::Progress => Wish::Progress,
        Teaching::Forget { name } => Wish::Forget { name },
        Teaching::Reset { name, flaw } => {
            Wish::Reset { name, slug: flaw.map(|flaw| flaw.as_str().to_owned()) }
        }
        Teaching::Export { format } if format == "ctfd" => Wish::ExportCtfd,
        Teaching::Export { .. } => Wish::ExportCsv,
        Teaching::Page { host } => Wish::Page { host },
    };
    match ask(&wish, folder)? {
        Told::Text(told) if matches!(wish, Wish::ExportCsv | Wish::ExportCtfd) => {
            exactly(told.trim_end())
        }
        Told::Text(told) => text(told.trim_end()),
        Told::Refused(why) => Err(why.into()),
    }
}

/// The text of a class's list.
fn list(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| {
        format!("{}: neither something that `class` does nor a list: {error}", file.display())
    })
}

fn ask(wish: &Wish, folder: &Path) -> Result<Told, String> {
    let path = folder.join(SOCKET);
    let unreachable = |error| format!("no range runs in this folder ({}: {error})", path.display());
    let mut stream = UnixStream::connect(&path).map_err(unreachable)?;
    let mut line = serde_json::to_string(wish).map_err(|error| error.to_string())?;
    line.push('\n');
    stream.write_all(line.as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|error| error.to_string())?;
    serde_json::from_str(&answer).map_err(|error| error.to_string())
}
