//! What is in a transfer, as far as people are told before they take it: a file or a folder, and whether anything in
//! it is a program. Leaves out whether that is true, which whoever receives it sees from its manifest.

use serde::{Deserialize, Serialize};

use super::{Entry, EntryKind, FileName, Manifest};

/// Ends of the names of what a system starts by a double click, or in place of a program; in small letters. After
/// the lists of Outlook ("Blocked attachments") and of Chromium (`download_file_types.asciipb`), without what only
/// some programs open: of Windows, its scripts, of every system, of Apple, of Linux.
const STARTED: &str = "
    exe com scr pif cpl msi msp msix msixbundle appx appxbundle appinstaller application appref-ms
    lnk url scf reg inf hta msc chm settingcontent-ms
    bat cmd js jse vb vbs vbe ws wsc wsf wsh ps1
    jar jnlp py pyw
    app command terminal pkg dmg webloc fileloc inetloc
    desktop sh csh run appimage deb rpm";

/// End of the names of folders that are programs.
const BUNDLE: &str = "app";

/// What is in a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holds {
    /// How many files and folders are outermost in it.
    pub tops: u32,
    /// The first of them, which it is called after, is a folder.
    pub folder: bool,
    /// Something in it may be run, or is called as what a system starts by a double click.
    pub programs: bool,
}

impl Holds {
    /// One file that is no program.
    pub const FILE: Self = Self { tops: 1, folder: false, programs: false };

    /// Whether that is one file that is no program, which need not be said.
    #[must_use]
    pub fn is_file(&self) -> bool {
        *self == Self::FILE
    }

    /// Whether the numbers of an offer with so many files can be true.
    pub(super) const fn fits(self, files: u32) -> bool {
        let one_file = self.tops == 1 && !self.folder;
        1 <= self.tops && self.tops <= files && (!one_file || files == 1)
    }
}

impl Default for Holds {
    fn default() -> Self {
        Self::FILE
    }
}

impl FileName {
    /// Whether a system starts what is called so.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.end().is_some_and(|end| STARTED.split_whitespace().any(|known| known == end))
    }

    /// What follows the last dot, in small letters.
    fn end(&self) -> Option<String> {
        self.as_str().rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase())
    }
}

impl Entry {
    /// Whether it may be run, or a system starts what is called so.
    fn is_program(&self) -> bool {
        let names = self.path.names();
        let is_called_so = match self.kind {
            EntryKind::Program(_) => true,
            EntryKind::File(_) => names.last().is_some_and(FileName::is_started),
            EntryKind::Folder => false,
        };
        is_called_so || names.iter().any(|name| name.end().as_deref() == Some(BUNDLE))
    }
}

impl Manifest {
    /// What is in the transfer that has this manifest.
    #[must_use]
    pub fn holds(&self) -> Holds {
        let first = self.entries().first();
        let is_folder =
            |entry: &Entry| entry.path.names().len() > 1 || entry.kind == EntryKind::Folder;
        Holds {
            // There are no more than entries, of which there are at most some thousands.
            tops: u32::try_from(self.tops().len()).unwrap_or(u32::MAX),
            folder: first.is_some_and(is_folder),
            programs: self.entries().iter().any(Entry::is_program),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_system_starts() {
        let check = |name: &str, expected: bool| {
            assert_eq!(FileName::parse(name).unwrap().is_started(), expected, "{name}");
        };
        for end in STARTED.split_whitespace() {
            check(&format!("a.{end}"), true);
        }
        check("invoice.pdf.exe", true);
        check("SETUP.EXE", true);
        check(".sh", true);
        check("invoice.exe.pdf", false);
        check("exe", false);
        check("notes.txt", false);
        check("photos", false);
    }

    #[test]
    fn what_is_in_a_manifest() {
        let check = |manifest: &str, tops: u32, folder: bool, programs: bool| {
            let holds = Manifest::decode(manifest.as_bytes()).unwrap().holds();
            assert_eq!(holds, Holds { tops, folder, programs }, "{manifest}");
        };
        check(r#"[{"path":["a"],"file":1}]"#, 1, false, false);
        check(r#"[{"path":["a"],"program":1}]"#, 1, false, true);
        check(r#"[{"path":["a.pdf.exe"],"file":1}]"#, 1, false, true);
        check(r#"[{"path":["a"],"folder":null}]"#, 1, true, false);
        check(r#"[{"path":["a","b"],"file":1},{"path":["a","c"],"file":1}]"#, 1, true, false);
        check(r#"[{"path":["a","b","c.lnk"],"file":1}]"#, 1, true, true);
        check(r#"[{"path":["Game.App","Contents","Game"],"file":1}]"#, 1, true, true);
        // Any other folder is not started by what it is called.
        check(r#"[{"path":["example.com"],"folder":null}]"#, 1, true, false);
        check(r#"[{"path":["example.com","a"],"file":1}]"#, 1, true, false);
        check(r#"[{"path":["a"],"file":1},{"path":["b","c"],"file":1}]"#, 2, false, false);
    }

    #[test]
    fn numbers_that_can_not_be_true() {
        let check = |tops: u32, folder: bool, files: u32, good: bool| {
            let holds = Holds { tops, folder, programs: false };
            assert_eq!(holds.fits(files), good, "{holds:?} {files}");
        };
        check(1, false, 1, true);
        check(1, false, 2, false);
        check(1, true, 2, true);
        check(2, false, 2, true);
        check(3, false, 2, false);
        check(0, true, 2, false);
    }
}
