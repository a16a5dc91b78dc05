//! Offers, transfers and a client for the tests of this crate.

use super::{Course, Moving, Part, Receiving, Stage, Transfer};
use crate::client::Client;
use crate::{Config, History, defences};
use portcullis_crypto::{FileKey, Hash, Secret, Stretch};
use portcullis_proto::{
    AccountId, ConversationId, DeviceId, DeviceName, FileName, FileOffer, Holds, Reference,
    Timestamp, TransferId,
};

/// An offer of one small file; the number makes its id.
pub(crate) fn offer(number: u64) -> FileOffer {
    FileOffer {
        transfer: TransferId::from_bytes(u128::from(number).to_be_bytes()),
        key: FileKey::from_secret(Secret::from_bytes([6; 32])),
        root: Hash::from_bytes([7; 32]),
        bytes: 1_200_000,
        manifest: 120,
        title: FileName::closest("report.pdf"),
        files: 1,
        holds: Holds::FILE,
    }
}

/// What somebody has offered; the later, the higher the number.
pub(super) fn received(number: u64, stage: Stage) -> Transfer {
    let sender = (AccountId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
    Transfer {
        offer: offer(number),
        conversation: ConversationId::from_bytes([3; 16]),
        message: Reference::from_bytes(u128::from(number).to_be_bytes()),
        at: Timestamp(number),
        place: String::new(),
        course: Course::begin(sender, [AccountId::from_bytes([4; 16])]),
        part: Part::Receives(Receiving { stage, ..Receiving::new() }),
        halted: None,
        released: false,
        moving: Moving::default(),
        secret: None,
        damaged: 0,
    }
}

/// A client whose home is empty.
pub(super) fn client() -> Client {
    #[allow(clippy::unwrap_used, reason = "tests")]
    let device_name = DeviceName::parse("test").unwrap();
    let config = Config {
        device_name,
        stretch_floor: Stretch::LIGHT,
        history: History::All,
        read_marks: true,
        always_relay: false,
        loopback: false,
        stock: crate::limits::KEY_PACKAGES,
    };
    Client::new(config, defences::SOUND)
}
