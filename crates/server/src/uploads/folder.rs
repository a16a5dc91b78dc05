//! The folder of the files, as a start finds it. It is the server's alone, and its file names are the
//! server's own: 64 hexadecimal digits, and a mark while a file is still coming.

use std::fs::DirBuilder;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use portcullis_proto::Timestamp;

use super::Settings;
use super::ledger::{Entry, Ledger};
use crate::clock::timestamp;

/// What the name of a file that is coming ends with.
pub(super) const COMING: &str = ".part";

/// Makes the folder, if there is none; removes what has expired or never came to its end, and notes the
/// rest. Whatever else somebody has put there stays and is handed to nobody.
pub(super) fn open(settings: &Settings) -> io::Result<Ledger> {
    make(&settings.folder)?;
    let (mut ledger, now) = (Ledger::default(), timestamp(SystemTime::now()));
    for found in std::fs::read_dir(&settings.folder)? {
        let found = found?;
        let Ok(name) = found.file_name().into_string() else { continue };
        if name.strip_suffix(COMING).is_some_and(is_ours) {
            std::fs::remove_file(found.path())?;
            continue;
        }
        let metadata = found.metadata()?;
        if !is_ours(&name) || !metadata.is_file() {
            continue;
        }
        let expires_at = expiry(metadata.modified()?, settings);
        if expires_at <= now {
            std::fs::remove_file(found.path())?;
        } else {
            ledger.note(name, Entry { bytes: metadata.len(), expires_at });
        }
    }
    Ok(ledger)
}

/// When a file expires that was whole at `modified`.
pub(super) fn expiry(modified: SystemTime, settings: &Settings) -> Timestamp {
    let keep = u64::try_from(settings.keep.as_millis()).unwrap_or(u64::MAX);
    // A clock that was set back must not keep a file for longer.
    let since = timestamp(modified.min(SystemTime::now()));
    Timestamp(since.0.saturating_add(keep))
}

/// Makes a folder for its owner alone.
fn make(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn is_ours(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use crate::gateway::PublicUrl;
    use std::time::Duration;

    #[test]
    fn a_start_keeps_what_is_whole_and_fresh() {
        let folder = tempfile::tempdir().unwrap();
        let base = PublicUrl::local(1);
        let settings = Settings::new(folder.path().join("uploads"), base);
        open(&settings).unwrap();
        let check = |name: &str, age: Duration, is_known: bool, stays: bool| {
            let path = settings.folder.join(name);
            let file = std::fs::File::create(&path).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
            let ledger = open(&settings).unwrap();
            let found = ledger.find(name, timestamp(SystemTime::now()));
            assert_eq!((found.is_some(), path.exists()), (is_known, stays), "{name}");
        };
        let (fresh, old) = (Duration::ZERO, settings.keep);
        let name = |digit: &str| digit.repeat(64);
        check(&name("a"), fresh, true, true);
        check(&name("b"), old, false, false);
        check(&name("c"), old - Duration::from_secs(60), true, true);
        check(&(name("d") + COMING), fresh, false, false);
        check(&name("E"), fresh, false, true);
        check("notes.txt", old, false, true);
        check("notes.txt.part", old, false, true);
    }
}
