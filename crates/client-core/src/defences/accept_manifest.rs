//! The list of what is in a transfer counts only if it is what people were told when they took it: as many files, of
//! so many bytes, called so, a folder where they were told of one, and no program where they weren't.
//!
//! Attack: a member offers a report, and what arrives is a folder, or something that runs at a double click, which
//! whoever was told of it would never have taken.
//! CWE-451, user interface misrepresentation of critical information; CWE-434.
//! Precedent: "ILOVEYOU" (2000), a script that mail clients showed as a text; CVE-2024-21412 (Windows opened a link
//! that was shown as a picture).

use portcullis_proto::{FileOffer, Holds, Manifest};

/// Proof that a manifest is what its offer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestAccepted {
    manifest: Manifest,
}

impl ManifestAccepted {
    /// The manifest.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(manifest: Manifest) -> Self {
        Self { manifest }
    }
}

/// It is none, or not what was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManifestRefused;

/// Reads a manifest, and compares it with its offer.
///
/// # Errors
/// [`ManifestRefused`].
pub fn accept_manifest(
    offer: &FileOffer,
    encoded: &[u8],
) -> Result<ManifestAccepted, ManifestRefused> {
    let manifest = Manifest::decode(encoded).map_err(|_| ManifestRefused)?;
    let (told, holds) = (offer.holds, manifest.holds());
    // Programs that it has none of do no harm: another version may call more by that word.
    let as_told = holds == Holds { programs: holds.programs, ..told };
    let fits = encoded.len() == offer.manifest as usize
        && manifest.entries().len() == offer.files as usize
        && manifest.bytes() == offer.content_bytes()
        && manifest.tops().first().is_some_and(|top| **top == offer.title)
        && as_told
        && (told.programs || !holds.programs);
    if fits { Ok(ManifestAccepted { manifest }) } else { Err(ManifestRefused) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use crate::transfers::testing;
    use portcullis_proto::FileName;

    const PROGRAM: &str = r#"[{"path":["a.pdf"],"program":7}]"#;

    /// An offer of what is in a manifest, but for a change.
    fn offer(encoded: &str, change: impl FnOnce(&mut FileOffer)) -> FileOffer {
        let manifest = Manifest::decode(encoded.as_bytes()).unwrap();
        let mut offer = FileOffer {
            bytes: encoded.len() as u64 + manifest.bytes(),
            manifest: u32::try_from(encoded.len()).unwrap(),
            title: (*manifest.tops().first().unwrap()).clone(),
            files: u32::try_from(manifest.entries().len()).unwrap(),
            holds: manifest.holds(),
            ..testing::offer(1)
        };
        change(&mut offer);
        offer
    }

    fn check(defences: &Defences, offer: &FileOffer, encoded: &str, good: bool) {
        let accepted = (defences.accept_manifest)(offer, encoded.as_bytes());
        assert_eq!(accepted.is_ok(), good, "{:?} {encoded}", offer.holds);
    }

    #[test]
    fn only_what_people_were_told_of_is_accepted() {
        let check = |encoded: &str, change: fn(&mut FileOffer), good: bool| {
            check(&SOUND, &offer(encoded, change), encoded, good);
        };
        const FILE: &str = r#"[{"path":["a.pdf"],"file":7}]"#;
        const FOLDER: &str = r#"[{"path":["a","b"],"file":7},{"path":["a","c.js"],"file":0}]"#;
        for encoded in [FILE, PROGRAM, FOLDER] {
            check(encoded, |_| (), true);
            check(encoded, |offer| offer.bytes += 1, false);
            check(encoded, |offer| offer.files += 1, false);
            check(encoded, |offer| offer.manifest -= 1, false);
            check(encoded, |offer| offer.title = FileName::closest("b.pdf"), false);
            check(encoded, |offer| offer.holds.tops += 1, false);
            check(encoded, |offer| offer.holds.folder = !offer.holds.folder, false);
        }
        check(FILE, |offer| offer.holds.programs = true, true);
        check(PROGRAM, |offer| offer.holds.programs = false, false);
        check(FOLDER, |offer| offer.holds.programs = false, false);
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let encoded = r#"[{"path":[".."],"file":7}]"#;
        let offer = offer(r#"[{"path":["aa"],"file":7}]"#, |_| ());
        check(&SOUND, &offer, encoded, false);
    }

    #[test]
    fn a_twin_that_only_reads_lets_a_document_be_a_program() {
        let twin = Defences {
            accept_manifest: |_, encoded| {
                let manifest = Manifest::decode(encoded).map_err(|_| ManifestRefused)?;
                Ok(ManifestAccepted::unproven(manifest))
            },
            ..SOUND
        };
        let document = offer(PROGRAM, |offer| offer.holds = Holds::FILE);
        check(&twin, &document, PROGRAM, true);
        check(&SOUND, &document, PROGRAM, false);
    }
}
