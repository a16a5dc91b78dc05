//! An offer of files: what its recipients need to fetch them and to be sure of them.

use portcullis_crypto::{FileKey, Hash, Secret, Shape};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

use super::{FileName, Holds};
use crate::bytes::fixed;
use crate::{Bytes, TransferId, limits};

/// An offer of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOffer {
    /// The transfer; its sealed bytes have the same name on the server.
    pub transfer: TransferId,
    /// What seals it, and nothing else.
    pub key: FileKey,
    /// The hash of all sealed chunks (see [`portcullis_crypto::FileRoot`]).
    pub root: Hash,
    /// Bytes of the stream, before padding.
    pub bytes: u64,
    /// Bytes of the manifest at its beginning.
    pub manifest: u32,
    /// What to call it: the first file's or folder's name.
    pub title: FileName,
    /// How many files and empty folders it has.
    pub files: u32,
    /// What is in it.
    pub holds: Holds,
}

impl FileOffer {
    /// How the padded stream is cut into chunks.
    #[must_use]
    pub fn shape(&self) -> Option<Shape> {
        Shape::of(padded(self.bytes))
    }

    /// Bytes of all that goes over the wire: a hash for each chunk, and the sealed chunks.
    #[must_use]
    pub fn blob_bytes(&self) -> Option<u64> {
        self.shape().map(blob_bytes)
    }

    /// Bytes of the files.
    #[must_use]
    pub const fn content_bytes(&self) -> u64 {
        self.bytes.saturating_sub(self.manifest as u64)
    }

    /// Whether its numbers can be true at all.
    fn is_well_formed(&self) -> bool {
        let most = limits::TRANSFER_BYTES + limits::MANIFEST_BYTES as u64;
        (1..=limits::MANIFEST_BYTES as u64).contains(&u64::from(self.manifest))
            && u64::from(self.manifest) <= self.bytes
            && self.bytes <= most
            && (1..=limits::FILE_ENTRIES as u64).contains(&u64::from(self.files))
            && self.holds.fits(self.files)
    }
}

/// Bytes that a file of this shape takes on any path: hashes, then sealed chunks.
pub(crate) const fn blob_bytes(shape: Shape) -> u64 {
    shape.chunks() * portcullis_crypto::ChunkHash::BYTES as u64 + shape.sealed_bytes()
}

/// The size that a stream is padded to, so that it tells little: at most 12 % more, 3 % at 1 GiB.
///
/// Padmé (Nikitin, Barman, Lueks, Underwood, Hubaux, Ford: "Reducing Metadata Leakage from Encrypted Files
/// and Communication with PURBs", 2019, section 4), from 4 KiB on.
#[must_use]
pub(crate) fn padded(bytes: u64) -> u64 {
    let bytes = bytes.max(4096);
    let magnitude = bytes.ilog2();
    let kept = magnitude.ilog2() + 1;
    let step = 1_u64 << (magnitude - kept);
    bytes.checked_next_multiple_of(step).unwrap_or(bytes)
}

/// An offer as JSON.
#[derive(Serialize, Deserialize)]
pub(crate) struct OfferWire<'a> {
    transfer: TransferId,
    key: Bytes,
    #[serde(with = "fixed")]
    root: Hash,
    bytes: u64,
    manifest: u32,
    title: Cow<'a, FileName>,
    files: u32,
    #[serde(default, skip_serializing_if = "Holds::is_file")]
    holds: Holds,
}

impl<'a> OfferWire<'a> {
    pub(crate) fn of(offer: &'a FileOffer) -> Self {
        Self {
            transfer: offer.transfer,
            key: Bytes(offer.key.secret().expose().to_vec()),
            root: offer.root,
            bytes: offer.bytes,
            manifest: offer.manifest,
            title: Cow::Borrowed(&offer.title),
            files: offer.files,
            holds: offer.holds,
        }
    }

    /// Nothing where the key has another length, or the numbers can't be true.
    pub(crate) fn offer(self) -> Option<FileOffer> {
        // What can be seen is not left to be said.
        let programs = self.holds.programs || !self.holds.folder && self.title.is_started();
        let offer = FileOffer {
            transfer: self.transfer,
            key: FileKey::from_secret(Secret::from_slice(self.key.as_slice())?),
            root: self.root,
            bytes: self.bytes,
            manifest: self.manifest,
            title: self.title.into_owned(),
            files: self.files,
            holds: Holds { programs, ..self.holds },
        };
        offer.is_well_formed().then_some(offer)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn offer() -> FileOffer {
        FileOffer {
            transfer: TransferId::from_bytes([5; 16]),
            key: FileKey::from_secret(Secret::from_bytes([6; 32])),
            root: Hash::from_bytes([7; 32]),
            bytes: 1_200_000,
            manifest: 120,
            title: FileName::parse("report.pdf").unwrap(),
            files: 1,
            holds: Holds::FILE,
        }
    }

    #[test]
    fn sizes_tell_little() {
        let check = |bytes: u64, expected: u64| assert_eq!(padded(bytes), expected, "{bytes}");
        check(0, 4096);
        check(4096, 4096);
        check(4097, 4352);
        check(9, 4096);
        check(1_000_000, 1_015_808);
        check(1 << 30, 1 << 30);
        check((1 << 30) + 1, (1 << 30) + (1 << 25));
        for bytes in (0..60).map(|shift| 5000_u64 << shift).take_while(|bytes| *bytes < 1 << 62) {
            let more = padded(bytes + 1) - bytes;
            assert!(more <= bytes / 8, "{bytes} {more}");
        }
    }

    #[test]
    fn offers_whose_numbers_can_not_be_true() {
        let check = |change: fn(&mut FileOffer), good: bool| {
            let mut changed = offer();
            change(&mut changed);
            assert_eq!(OfferWire::of(&changed).offer().is_some(), good, "{changed:?}");
        };
        check(|_| (), true);
        check(|offer| offer.bytes = 120, true);
        check(|offer| offer.bytes = 119, false);
        check(|offer| offer.bytes = u64::MAX, false);
        check(|offer| offer.manifest = 0, false);
        check(|offer| offer.manifest = u32::MAX, false);
        check(|offer| offer.files = 0, false);
        check(|offer| offer.files = u32::MAX, false);
        check(|offer| offer.files = 2, false);
        check(|offer| (offer.files, offer.holds.folder) = (2, true), true);
    }

    #[test]
    fn a_program_s_name_says_what_it_is() {
        let check = |title: &str, folder: bool, expected: bool| {
            let (title, holds) = (FileName::parse(title).unwrap(), Holds { folder, ..Holds::FILE });
            let read = OfferWire::of(&FileOffer { title, holds, ..offer() }).offer().unwrap();
            assert_eq!(read.holds.programs, expected, "{}", read.title);
        };
        check("invoice.pdf", false, false);
        check("invoice.pdf.exe", false, true);
        check("example.com", true, false);
    }

    #[test]
    fn the_largest_offer_has_a_shape() {
        let mut largest = offer();
        largest.bytes = limits::TRANSFER_BYTES + limits::MANIFEST_BYTES as u64;
        assert!(OfferWire::of(&largest).offer().unwrap().blob_bytes().is_some());
    }

    #[test]
    fn debug_shows_no_key() {
        assert!(format!("{:?}", offer()).contains("FileKey(..)"));
    }
}
