//! The record of a transfer. What is under way in a session is not part of it.

use super::{Course, Halted, Moving, Part, Receiving, Recipient, Sending, Stage, Transfer, Ways};
use crate::records::twin::{Convert, convert, twin};
use crate::transfer::{Fault, RecipientState};
use portcullis_crypto::{FileKey, Hash, Secret};
use portcullis_proto::{
    AccountId, Bytes, ConversationId, DeviceId, EndReason, FileName, FileOffer, Holds, QuicWay,
    Reference, Timestamp, TransferId,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// What is kept of a transfer.
#[derive(Serialize, Deserialize)]
pub(crate) struct TransferRecord {
    offer: OfferRecord,
    conversation: ConversationId,
    message: Reference,
    at: Timestamp,
    place: String,
    sender: AccountId,
    device: DeviceId,
    recipients: Vec<(AccountId, RecipientStateRecord, Option<DeviceId>, bool)>,
    /// What some of them have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    have: BTreeMap<AccountId, u64>,
    ended: Option<EndReason>,
    part: PartRecord,
    halted: Option<HaltedRecord>,
    released: bool,
    /// How often something else came than what was offered.
    #[serde(default, skip_serializing_if = "is_zero")]
    damaged: u32,
}

#[derive(Serialize, Deserialize)]
struct OfferRecord {
    transfer: TransferId,
    key: Bytes,
    root: Bytes,
    bytes: u64,
    manifest: u32,
    title: FileName,
    files: u32,
    #[serde(default, skip_serializing_if = "Holds::is_file")]
    holds: Holds,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PartRecord {
    Sends {
        offered: bool,
        relay_now: bool,
        stored: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        roomless: bool,
    },
    Receives {
        stage: StageRecord,
        tcp: Vec<SocketAddr>,
        quic: Option<QuicWay>,
        relayed: bool,
        answered_at: Option<u64>,
        #[serde(default, skip_serializing_if = "is_zero")]
        have: u64,
    },
    Watches,
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

twin!(StageRecord, Stage {
    New,
    Asked,
    Taken,
    Received(paths: Vec<String>),
    Declined,
    Elsewhere,
    Ended(reason: EndReason),
    Failed(fault: FaultRecord),
});

twin!(HaltedRecord, Halted { Paused, Failed(fault: FaultRecord) });

twin!(
    FaultRecord,
    Fault { NoSpace, Forbidden, NotFound, Busy, Disk, Damaged, Corrupt, Manifest, Expired, NoRoom }
);

twin!(RecipientStateRecord, RecipientState {
    Asked,
    Accepted,
    Declined,
    Full,
    Received,
    Ended(reason: EndReason),
});

impl Convert<FaultRecord> for Fault {
    fn convert(self) -> FaultRecord {
        self.into()
    }
}

impl Convert<Fault> for FaultRecord {
    fn convert(self) -> Fault {
        self.into()
    }
}

/// What is kept of a transfer.
pub(crate) fn transfer_record(transfer: &Transfer) -> TransferRecord {
    let offer = &transfer.offer;
    let recipients = transfer.course.recipients.iter();
    let have = recipients.clone().filter(|(_, recipient)| recipient.have > 0);
    TransferRecord {
        offer: OfferRecord {
            transfer: offer.transfer,
            key: Bytes(offer.key.secret().expose().to_vec()),
            root: Bytes(offer.root.as_bytes().to_vec()),
            bytes: offer.bytes,
            manifest: offer.manifest,
            title: offer.title.clone(),
            files: offer.files,
            holds: offer.holds,
        },
        conversation: transfer.conversation,
        message: transfer.message,
        at: transfer.at,
        place: transfer.place.clone(),
        sender: transfer.course.sender,
        device: transfer.course.device,
        recipients: recipients.map(|(id, r)| (*id, r.state.into(), r.device, r.direct)).collect(),
        have: have.map(|(id, recipient)| (*id, recipient.have)).collect(),
        ended: transfer.course.ended,
        part: part_record(&transfer.part),
        halted: transfer.halted.map(Into::into),
        released: transfer.released,
        damaged: transfer.damaged,
    }
}

fn part_record(part: &Part) -> PartRecord {
    match part {
        Part::Sends(Sending { offered, relay_now, stored, roomless }) => {
            let (offered, relay_now) = (*offered, *relay_now);
            PartRecord::Sends { offered, relay_now, stored: *stored, roomless: *roomless }
        }
        Part::Receives(Receiving { stage, ways, relayed, answered_at, have }) => {
            let ways = ways.clone();
            let (tcp, quic) = ways.map(|ways| (ways.tcp, ways.quic)).unwrap_or_default();
            let stage = stage.clone().into();
            let (relayed, answered_at, have) = (*relayed, *answered_at, *have);
            PartRecord::Receives { stage, tcp, quic, relayed, answered_at, have }
        }
        Part::Watches => PartRecord::Watches,
    }
}

/// The transfer of a record; none if no client wrote it.
pub(crate) fn read_transfer(id: TransferId, record: TransferRecord) -> Option<Transfer> {
    let root: [u8; 32] = record.offer.root.as_slice().try_into().ok()?;
    let offer = FileOffer {
        transfer: record.offer.transfer,
        key: FileKey::from_secret(Secret::from_slice(record.offer.key.as_slice())?),
        root: Hash::from_bytes(root),
        bytes: record.offer.bytes,
        manifest: record.offer.manifest,
        title: record.offer.title,
        files: record.offer.files,
        holds: record.offer.holds,
    };
    let recipients = record.recipients.into_iter().map(|(account, state, device, direct)| {
        let have = record.have.get(&account).copied().unwrap_or(0);
        (account, Recipient { state: state.into(), device, direct, have })
    });
    let course = Course {
        sender: record.sender,
        device: record.device,
        recipients: recipients.collect(),
        ended: record.ended,
    };
    (offer.transfer == id && offer.blob_bytes().is_some()).then(|| Transfer {
        offer,
        conversation: record.conversation,
        message: record.message,
        at: record.at,
        place: record.place,
        course,
        part: read_part(record.part),
        halted: record.halted.map(Into::into),
        released: record.released,
        moving: Moving::default(),
        secret: None,
        damaged: record.damaged,
    })
}

fn read_part(record: PartRecord) -> Part {
    match record {
        PartRecord::Sends { offered, relay_now, stored, roomless } => {
            Part::Sends(Sending { offered, relay_now, stored, roomless })
        }
        PartRecord::Receives { stage, tcp, quic, relayed, answered_at, have } => {
            let some = !tcp.is_empty() || quic.is_some();
            let ways = some.then_some(Ways { tcp, quic });
            Part::Receives(Receiving { stage: stage.into(), ways, relayed, answered_at, have })
        }
        PartRecord::Watches => Part::Watches,
    }
}
