//! A file's address can't be guessed, and nothing in it is the sender's.
//!
//! Attack: whoever got one address counts on from it and fetches everybody's files; or a sender names a
//! file so that it is written over another, or elsewhere.
//! CWE-340, generation of predictable numbers or identifiers; CWE-22, path traversal.
//! Precedent: First American Financial, 2019 (885 million documents at consecutive addresses).

use core::fmt::Write as _;

/// Proof that a file's name on the disk, which is the secret of its address too, is of our own making: 64
/// hexadecimal digits, since not every file system tells upper case from lower.
#[derive(Clone, PartialEq, Eq)]
pub struct UploadName(String);

impl UploadName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For the range's unsound twins: any name.
    #[must_use]
    pub const fn unproven(name: String) -> Self {
        Self(name)
    }
}

impl core::fmt::Debug for UploadName {
    /// Whoever reads an address in a log has the file.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("UploadName(..)")
    }
}

/// Names the next file, by 256 random bits. What it is called by its sender has no say in that: sound
/// names are made without looking at it.
#[must_use]
pub fn name_upload(random: &[u8; 32], _called: Option<&str>) -> UploadName {
    let mut name = String::with_capacity(2 * random.len());
    for byte in random {
        // Writing to a String can't fail.
        let _ = write!(name, "{byte:02x}");
    }
    UploadName(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};

    fn check(defences: Defences, random: [u8; 32], called: Option<&str>, expected: &str) {
        assert_eq!((defences.name_upload)(&random, called).as_str(), expected);
    }

    #[test]
    fn all_of_the_randomness_is_in_the_name_and_nothing_else() {
        let counted: [u8; 32] = core::array::from_fn(|index| index as u8 * 8);
        let expected = "0008101820283038404850586068707880889098a0a8b0b8c0c8d0d8e0e8f0f8";
        check(SOUND, counted, None, expected);
        check(SOUND, counted, Some("../../opaque-setup"), expected);
        check(SOUND, [255; 32], Some(""), &"ff".repeat(32));
    }

    #[test]
    fn a_name_of_the_senders_leaves_the_folder() {
        let unsound = Defences {
            name_upload: |_, called| UploadName::unproven(called.unwrap_or("1").to_owned()),
            ..SOUND
        };
        check(unsound, [7; 32], Some("../../opaque-setup"), "../../opaque-setup");
        check(unsound, [7; 32], None, "1");
    }

    #[test]
    fn debug_shows_no_address() {
        assert_eq!(format!("{:?}", name_upload(&[7; 32], None)), "UploadName(..)");
    }
}
