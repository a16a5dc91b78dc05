//! Offers of files and what is said of them, for people to read. Leaves out the keys.

use portcullis_proto::{EndReason, FileName, FileOffer, FileStep, Holds, Reference, TransferId};
use std::fmt;

/// Files that are offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesOffered {
    /// The transfer.
    pub transfer: TransferId,
    /// The name of the first file or folder.
    pub title: FileName,
    /// How many files and empty folders there are.
    pub files: u32,
    /// Bytes of the files.
    pub bytes: u64,
    /// What is in it.
    pub holds: Holds,
}

/// What somebody says of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesStep {
    /// The message that offers.
    pub offer: Reference,
    /// What is offered.
    pub title: FileName,
    /// What is said of it.
    pub told: FilesTold,
}

/// The steps of a transfer that people are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilesTold {
    /// A recipient wants it.
    Accepted,
    /// A recipient doesn't.
    Declined,
    /// Nobody was asked where too many of the sender's offers wait.
    Full,
    /// A recipient has all of it.
    Received,
    /// It has ended before its time: for all by the sender, for itself by a recipient.
    Ended(EndReason),
}

impl FilesTold {
    /// What people are told of a step, if anything.
    pub(crate) const fn of(step: &FileStep) -> Option<Self> {
        match step {
            FileStep::Accepted { .. } => Some(Self::Accepted),
            FileStep::Declined { full: true } => Some(Self::Full),
            FileStep::Declined { full: false } => Some(Self::Declined),
            FileStep::Received => Some(Self::Received),
            FileStep::Ended { reason } => Some(Self::Ended(*reason)),
            FileStep::Reach { .. } | FileStep::Relay { .. } => None,
        }
    }
}

impl From<&FileOffer> for FilesOffered {
    fn from(offer: &FileOffer) -> Self {
        Self {
            transfer: offer.transfer,
            title: offer.title.clone(),
            files: offer.files,
            bytes: offer.content_bytes(),
            holds: offer.holds,
        }
    }
}

/// The words that follow the sender's name.
impl fmt::Display for FilesOffered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { title, files, bytes, holds, .. } = self;
        let kind = kind_of(*files, *holds).map(|kind| kind + ", ").unwrap_or_default();
        write!(f, "offers {} ({kind}{})", titled(title, *holds), size(*bytes))
    }
}

/// The words that follow the sender's name.
impl fmt::Display for FilesStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = quoted(&self.title);
        match self.told {
            FilesTold::Accepted => write!(f, "accepted {title}"),
            FilesTold::Declined => write!(f, "declined {title}"),
            FilesTold::Full => {
                write!(f, "was not asked for {title}: too many of these offers wait for an answer")
            }
            FilesTold::Received => write!(f, "has received {title}"),
            FilesTold::Ended(EndReason::Cancelled) => write!(f, "cancelled {title}"),
            FilesTold::Ended(EndReason::Changed) => {
                write!(f, "can't send {title}: the files have changed since they were offered")
            }
            FilesTold::Ended(EndReason::Failed) => write!(f, "could not get {title}"),
            FilesTold::Ended(reason @ EndReason::NoRoom) => {
                write!(f, "can't send {title}: {reason}")
            }
            FilesTold::Ended(reason @ EndReason::Expired) => {
                write!(f, "takes {title} back: {reason}")
            }
        }
    }
}

/// A file's name among other words: in quotation marks, which no name has, unless it is plainly one word. So a name is
/// not taken for what the program says.
#[must_use]
pub fn quoted(name: &FileName) -> String {
    let name = name.as_str();
    let is_plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-');
    if name.chars().all(is_plain) { name.to_owned() } else { format!("\"{name}\"") }
}

/// What is offered, by name: `report.pdf`, `photos/`, `report.pdf and 3 more`.
#[must_use]
pub fn titled(title: &FileName, holds: Holds) -> String {
    let folder = if holds.folder { "/" } else { "" };
    let more = match holds.tops {
        0 | 1 => String::new(),
        tops => format!(" and {} more", tops - 1),
    };
    format!("{}{folder}{more}", quoted(title))
}

/// What it is that is offered, where that is more than a file: `program`, `folder, 214 files`.
#[must_use]
pub fn kind_of(files: u32, holds: Holds) -> Option<String> {
    let Holds { tops, folder, programs } = holds;
    let count = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
    let kind = match (tops, folder) {
        (0 | 1, false) if files <= 1 => return programs.then(|| "program".to_owned()),
        (0 | 1, true) => format!("folder, {count}"),
        _ => count,
    };
    Some(if programs { format!("{kind}, with programs") } else { kind })
}

/// A size as people read it, in steps of a thousand.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = "bytes";
    for larger in UNITS {
        // What would be shown as 1000.0 of a unit is 1.0 of the next.
        if tenths < 10_000 {
            break;
        }
        tenths = (tenths + 500) / 1000;
        unit = larger;
    }
    match unit {
        "bytes" => format!("{bytes} bytes"),
        unit => format!("{}.{} {unit}", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_read_them() {
        let check = |bytes: u64, expected: &str| assert_eq!(size(bytes), expected);
        check(0, "0 bytes");
        check(999, "999 bytes");
        check(1000, "1.0 kB");
        check(1_234_567, "1.2 MB");
        check(999_949, "999.9 kB");
        check(999_950, "1.0 MB");
        check(999_999, "1.0 MB");
        check(1 << 40, "1.1 TB");
        check(u64::MAX, "18.4 EB");
    }

    #[test]
    fn names_among_words() {
        let check = |name: &str, expected: &str| {
            assert_eq!(quoted(&FileName::parse(name).unwrap()), expected);
        };
        check("report-2.final_1.pdf", "report-2.final_1.pdf");
        check("Übersicht", "Übersicht");
        check("my report.pdf", "\"my report.pdf\"");
        check("a (1.2 MB), verified", "\"a (1.2 MB), verified\"");
        check("a·b", "\"a·b\"");
        check("it's", "\"it's\"");
    }

    #[test]
    fn offers_and_steps_in_words() {
        let title = || FileName::parse("report.pdf").unwrap();
        let offered = |files, (tops, folder, programs), expected: &str| {
            let (transfer, bytes) = (TransferId::from_bytes([1; 16]), 1_200_000);
            let holds = Holds { tops, folder, programs };
            let offered = FilesOffered { transfer, title: title(), files, bytes, holds };
            assert_eq!(offered.to_string(), expected);
        };
        offered(1, (1, false, false), "offers report.pdf (1.2 MB)");
        offered(1, (1, false, true), "offers report.pdf (program, 1.2 MB)");
        offered(7, (1, true, false), "offers report.pdf/ (folder, 7 files, 1.2 MB)");
        offered(1, (1, true, true), "offers report.pdf/ (folder, 1 file, with programs, 1.2 MB)");
        offered(7, (4, false, false), "offers report.pdf and 3 more (7 files, 1.2 MB)");
        offered(
            7,
            (4, true, true),
            "offers report.pdf/ and 3 more (7 files, with programs, 1.2 MB)",
        );
        let check = |told, expected: &str| {
            let offer = Reference::from_bytes([1; 16]);
            assert_eq!(FilesStep { offer, title: title(), told }.to_string(), expected);
        };
        check(FilesTold::Accepted, "accepted report.pdf");
        check(FilesTold::Declined, "declined report.pdf");
        check(FilesTold::Received, "has received report.pdf");
        check(FilesTold::Ended(EndReason::Cancelled), "cancelled report.pdf");
        check(FilesTold::Ended(EndReason::Failed), "could not get report.pdf");
        let full = "was not asked for report.pdf: too many of these offers wait for an answer";
        check(FilesTold::Full, full);
        let no_room = "can't send report.pdf: there is no room for it on the server";
        check(FilesTold::Ended(EndReason::NoRoom), no_room);
        let expired = "takes report.pdf back: it was not answered in time";
        check(FilesTold::Ended(EndReason::Expired), expired);
        let changed = "can't send report.pdf: the files have changed since they were offered";
        check(FilesTold::Ended(EndReason::Changed), changed);
    }
}
