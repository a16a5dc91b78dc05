//! sendme (n0), which people use for the same today: QUIC by iroh, and BLAKE3 over what was sent. It is measured as far as
//! it is installed; nothing here needs it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::process::{Killed, processor_time};
use super::table::{Cost, Row};
use super::{Result, floor, program};

/// Without the relays of others, as it is between two machines that reach each other.
const ALONE: [&str; 3] = ["--relay", "disabled", "--no-progress"];

/// From the command to send to the file that is there; what it keeps of it meanwhile lies in the same folder.
pub(crate) fn row(source: &Path, folder: &Path) -> Result<Option<Row>> {
    let Some(program) = program("sendme") else { return Ok(None) };
    let folders = [folder.join("sendme-from"), folder.join("sendme-to")];
    for folder in &folders {
        std::fs::create_dir(folder)?;
    }
    let (start, before) = (Instant::now(), processor_time()?);
    let mut sending = Command::new(&program);
    sending.arg("send").args(ALONE).arg(source).current_dir(&folders[0]);
    let mut sending = Killed(sending.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?);
    let said = BufReader::new(sending.0.stdout.take().ok_or("no output")?);
    let ticket =
        said.lines().find_map(|line| Some(line.ok()?.split_once("receive ")?.1.to_owned()));
    let ticket = ticket.ok_or("no ticket")?;
    let mut receiving = Command::new(&program);
    receiving.arg("receive").args(ALONE).arg(ticket).current_dir(&folders[1]);
    let received = receiving.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let time = start.elapsed();
    // Its processor time is known once it has ended.
    drop(sending);
    let processor = processor_time()?.saturating_sub(before);
    floor::is_same(source, &folders[1].join(source.file_name().ok_or("no name")?))?;
    for folder in folders {
        std::fs::remove_dir_all(folder)?;
    }
    let row = Row::new("sendme: the whole way, not made durable", Cost { time, processor });
    Ok(received.success().then_some(row))
}
