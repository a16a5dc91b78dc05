//! What came of the shell's tasks.

use super::{Halted, Part, Stage, Transfer};
use crate::client::{Client, Step};
use crate::conversation::Outgoing;
use crate::effect::Key;
use crate::limits;
use crate::transfer::{Fault, Moved};
use portcullis_proto::{
    AccountId, ConversationId, DeviceId, EndReason, FileStep, Kind, QuicWay, TransferId,
    limits as wire,
};
use std::net::SocketAddr;

impl Client {
    /// Something came of a task.
    pub(crate) fn moved(&mut self, step: &mut Step<'_>, id: TransferId, moved: Moved) {
        let Some(transfer) = self.transfers.get(&id).filter(|transfer| !transfer.is_over()) else {
            return;
        };
        match (&transfer.part, moved) {
            (Part::Sends(_), Moved::Listening { device, tcp, quic }) => {
                self.listens(step, id, device, (tcp, quic));
            }
            (Part::Sends(_), Moved::Unreached(device)) => self.not_reached(id, device),
            (Part::Sends(_), Moved::Uploaded { begin }) => {
                self.change_transfer(id, |transfer| {
                    transfer.moving.busy = false;
                    // Somebody may have said meanwhile that they lack more.
                    let stored = begin <= transfer.upload_begin();
                    transfer.sending().map(|sending| sending.stored = stored)
                });
            }
            (Part::Sends(_), Moved::Changed) => self.end_transfer(step, id, EndReason::Changed),
            (Part::Receives(receiving), Moved::Received { paths })
                if receiving.stage == Stage::Taken =>
            {
                self.change_transfer(id, |transfer| {
                    transfer.receiving().map(|it| it.stage = Stage::Received(paths))
                });
                self.say_step(step, id, FileStep::Received);
            }
            (Part::Receives(receiving), Moved::Lacking { have }) => {
                let relayed = receiving.relayed;
                // The server has lost it, or its sender doesn't know yet what is lacking: said once for each byte.
                if !relayed || have != receiving.have || transfer.moving.tries == 0 {
                    self.turn_to_server(step, id, Some(have));
                }
                if relayed {
                    self.tries_again(step, id);
                }
            }
            (Part::Watches, _) | (_, Moved::Listening { .. } | Moved::Received { .. }) => {}
            (_, Moved::Uploaded { .. } | Moved::Changed) => {}
            (_, Moved::Unreached(_) | Moved::Lacking { .. }) => {}
            (_, Moved::TokenRefused) => self.tries_again(step, id),
            // The offering device reserves it anew.
            (Part::Sends(_), Moved::Failed(Fault::Expired)) => self.tries_again(step, id),
            (_, Moved::Failed(fault)) => self.fails(step, id, fault),
        }
    }

    /// A path broke, or the server wants another token.
    fn tries_again(&mut self, step: &Step<'_>, id: TransferId) {
        self.change_transfer(id, |transfer| transfer.moving.put_off(step.now));
    }

    /// The shell is there for a recipient's device: that learns where.
    fn listens(
        &mut self,
        step: &mut Step<'_>,
        id: TransferId,
        device: DeviceId,
        (mut tcp, quic): (Vec<SocketAddr>, Option<QuicWay>),
    ) {
        tcp.truncate(wire::FILE_ADDRESSES);
        let quic = quic.filter(|quic| quic.key.as_slice().len() == 32).map(|mut quic| {
            quic.addresses.truncate(wire::FILE_ADDRESSES);
            quic
        });
        let waits = self.recipient_with(id, device).is_some();
        if waits && (!tcp.is_empty() || quic.is_some()) {
            self.say_step(step, id, FileStep::Reach { device, tcp, quic });
        } else {
            self.not_reached(id, device);
        }
    }

    /// Takes back what says where this device is, if not all who would hear it may know any more: who is there,
    /// and what is known of them, can change while it waits.
    pub(crate) fn withhold_addresses(&mut self, id: ConversationId) {
        let Some(conversation) = self.conversations.get(&id).filter(|it| !it.in_flight) else {
            return;
        };
        let says_where = |outgoing: &Outgoing| {
            let content = &outgoing.content;
            let Kind::Step(FileStep::Reach { device, tcp, quic }) = &content.kind else {
                return None;
            };
            let says = !tcp.is_empty() || quic.is_some();
            Some((content.id, *content.refs.first()?, *device)).filter(|_| says)
        };
        let waiting: Vec<_> = conversation.outbox.iter().filter_map(says_where).collect();
        for (reference, offer, device) in waiting {
            let mut transfers = self.transfers.values();
            let transfer = transfers.find(|it| it.conversation == id && it.message == offer);
            // Of what somebody else sends it says nothing of this device.
            let may_go = |it: &Transfer| {
                !matches!(it.part, Part::Sends(_))
                    || self.may_go_direct(&self.hearers(it)).is_some()
            };
            if transfer.is_some_and(may_go) {
                continue;
            }
            let transfer = transfer.map(Transfer::id);
            if let Some(conversation) = self.conversations.get_mut(&id) {
                conversation.outbox.retain(|outgoing| outgoing.content.id != reference);
            }
            self.touch(Key::Outbox(id));
            if let Some(transfer) = transfer {
                self.not_reached(transfer, device);
            }
        }
    }

    /// A recipient's device has not come: it gets the files from the server, or, where that has no room, once it is back.
    fn not_reached(&mut self, id: TransferId, device: DeviceId) {
        let account = self.recipient_with(id, device);
        self.change_transfer(id, |transfer| {
            transfer.moving.serving.remove(&device);
            if transfer.is_roomless() {
                transfer.moving.awaited.insert(device);
                return None;
            }
            let recipient = account.and_then(|it| transfer.course.recipients.get_mut(&it));
            recipient.map(|recipient| recipient.direct = false)
        });
    }

    /// The recipient that waits with this device, and may still be reached directly.
    fn recipient_with(&self, id: TransferId, device: DeviceId) -> Option<AccountId> {
        let mut accepted = self.transfers.get(&id)?.course.accepted();
        let found = accepted.find(|(_, recipient, by)| recipient.direct && *by == device)?;
        Some(found.0)
    }

    /// The sender can't be reached: the server has it, or will, from the first byte on that is lacking here. How
    /// much is here is said, if it is known anew.
    pub(super) fn turn_to_server(
        &mut self,
        step: &mut Step<'_>,
        id: TransferId,
        have: Option<u64>,
    ) {
        let have = self.change_transfer(id, |transfer| {
            transfer.moving.busy = false;
            let receiving = transfer.receiving()?;
            receiving.relayed = true;
            receiving.have = have.unwrap_or(receiving.have);
            Some(receiving.have)
        });
        if let Some(have) = have.flatten() {
            self.say_step(step, id, FileStep::Relay { have });
        }
    }

    /// A transfer can't go on. A recipient who can't have it ever says so.
    pub(super) fn fails(&mut self, step: &mut Step<'_>, id: TransferId, fault: Fault) {
        let last = self.change_transfer(id, |transfer| {
            transfer.moving.busy = false;
            let fault = transfer.worsened(fault);
            match &mut transfer.part {
                Part::Receives(receiving) if fault.is_final() => {
                    receiving.stage = Stage::Failed(fault);
                    true
                }
                _ => {
                    transfer.halted = Some(Halted::Failed(fault));
                    false
                }
            }
        });
        if last == Some(true) {
            self.say_step(step, id, FileStep::Ended { reason: EndReason::Failed });
        }
    }

    /// Ends a transfer, for everyone where this device offers it.
    pub(super) fn end_transfer(&mut self, step: &mut Step<'_>, id: TransferId, reason: EndReason) {
        let told = self.change_transfer(id, |transfer| match &mut transfer.part {
            Part::Sends(sending) => {
                transfer.course.ended = Some(reason);
                sending.offered
            }
            Part::Receives(receiving) => {
                receiving.stage = Stage::Ended(reason);
                true
            }
            Part::Watches => false,
        });
        if told == Some(true) {
            self.say_step(step, id, FileStep::Ended { reason });
        }
    }
}

impl Transfer {
    /// What a fault is once it has come too often.
    const fn worsened(&mut self, fault: Fault) -> Fault {
        if !matches!(fault, Fault::Damaged) {
            return fault;
        }
        self.damaged += 1;
        if self.damaged < limits::DAMAGED_TRIES { fault } else { Fault::Corrupt }
    }
}
