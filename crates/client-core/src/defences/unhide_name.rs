//! Nothing that arrives is hidden: what is outermost in a transfer gets a name that a folder shows, with `_` where
//! the sender's begins with a dot. Inside a folder that arrives, names stay as they are.
//!
//! Attack: a member sends a file that a program reads unasked where it finds it, such as `.bash_profile` or the
//! folder `.ssh`, to somebody whose chosen folder is a home; or one that is never seen again.
//! CWE-73, external control of a file's name or path; CWE-434.
//! Precedent: CVE-2010-2252 (wget let a server name a download `.wgetrc`); CVE-2010-2251 and CVE-2010-2253 (`lftpget`
//! and `lwp-download`, in the same way).

use portcullis_proto::FileName;

/// Proof that a folder shows what is called so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameShown {
    name: FileName,
}

impl NameShown {
    /// The name.
    #[must_use]
    pub const fn name(&self) -> &FileName {
        &self.name
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(name: FileName) -> Self {
        Self { name }
    }
}

/// The name under which something outermost that a sender calls so gets its place.
#[must_use]
pub fn unhide_name(name: &FileName) -> NameShown {
    let name = match name.as_str().strip_prefix('.') {
        Some(rest) => FileName::closest(&format!("_{rest}")),
        None => name.clone(),
    };
    NameShown { name }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};

    fn check(defences: &Defences, name: &str, expected: &str) {
        let shown = (defences.unhide_name)(&FileName::parse(name).unwrap());
        assert_eq!(shown.name().as_str(), expected, "{name}");
    }

    #[test]
    fn names_and_what_a_folder_shows() {
        let check = |name, expected| check(&SOUND, name, expected);
        check("report.pdf", "report.pdf");
        check("_notes", "_notes");
        check(".bash_profile", "_bash_profile");
        check(".ssh", "_ssh");
        check("..profile", "_.profile");
        check("...a", "_..a");
        let long = "a".repeat(254);
        check(&format!(".{long}"), &format!("_{long}"));
    }

    #[test]
    fn without_it_a_shell_reads_what_a_sender_wrote() {
        let twin = Defences { unhide_name: |name| NameShown::unproven(name.clone()), ..SOUND };
        check(&twin, ".bash_profile", ".bash_profile");
        check(&SOUND, ".bash_profile", "_bash_profile");
    }
}
