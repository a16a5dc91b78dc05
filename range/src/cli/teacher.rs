//! The teacher's verbs, over the Unix socket in the range's folder.

use super::output::{Failure, exactly, text};
use super::{Folder, Teaching, range_folder};
use crate::host::{SOCKET, Told, Wish};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

pub(super) fn teach(teaching: Teaching) -> Result<(), Failure> {
    let (wish, folder) = match teaching {
        Teaching::Roster { file, folder } => {
            let csv = fs::read_to_string(&file);
            (
                Wish::Roster { csv: csv.map_err(|error| format!("{}: {error}", file.display()))? },
                folder,
            )
        }
        Teaching::Codes { folder } => (Wish::Codes, folder),
        Teaching::Readmit { name, folder } => (Wish::Readmit { name }, folder),
        Teaching::Progress { folder } => (Wish::Progress, folder),
        Teaching::Forget { name, folder } => (Wish::Forget { name }, folder),
        Teaching::Reset { name, flaw, folder } => (Wish::Reset { name, slug: flaw }, folder),
        Teaching::Export { format, folder } if format == "ctfd" => (Wish::ExportCtfd, folder),
        Teaching::Export { folder, .. } => (Wish::ExportCsv, folder),
        Teaching::Page { host, folder } => (Wish::Page { host }, folder),
    };
    match ask(&wish, folder)? {
        Told::Text(told) if matches!(wish, Wish::ExportCsv | Wish::ExportCtfd) => {
            exactly(told.trim_end())
        }
        Told::Text(told) => text(told.trim_end()),
        Told::Refused(why) => Err(why.into()),
    }
}

fn ask(wish: &Wish, folder: Folder) -> Result<Told, String> {
    let path = range_folder(folder)?.join(SOCKET);
    let unreachable = |error| format!("no range runs in this folder ({}: {error})", path.display());
    let mut stream = UnixStream::connect(&path).map_err(unreachable)?;
    let mut line = serde_json::to_string(wish).map_err(|error| error.to_string())?;
    line.push('\n');
    stream.write_all(line.as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|error| error.to_string())?;
    serde_json::from_str(&answer).map_err(|error| error.to_string())
}
