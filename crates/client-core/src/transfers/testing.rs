//! An offer for the tests of this crate.

use portcullis_crypto::{FileKey, Hash, Secret};
use portcullis_proto::{FileName, FileOffer, TransferId};

/// An offer of one small file; the number makes its id.
pub(crate) fn offer(number: u8) -> FileOffer {
    let title = FileName::closest("report.pdf");
    FileOffer {
        transfer: TransferId::from_bytes([number; 16]),
        key: FileKey::from_secret(Secret::from_bytes([6; 32])),
        root: Hash::from_bytes([7; 32]),
        bytes: 1_200_000,
        manifest: 120,
        title,
        files: 1,
    }
}
