//! Transfers as they are shown.

use super::{Halted, Part, Receiving, Recipient, Stage, Transfer};
use crate::client::{Client, Step};
use crate::effect::Key;
use crate::limits;
use crate::show::Show;
use crate::transfer::{RecipientState, TransferState, TransferView};
use portcullis_proto::{EndReason, Timestamp, TransferId, UserName};

impl Client {
    /// Shows all transfers, the newest last.
    pub(crate) fn show_transfers(&self, step: &mut Step<'_>) {
        step.show(Show::Transfers(self.transfers()));
    }

    /// All transfers of this device, the newest last.
    #[must_use]
    pub fn transfers(&self) -> Vec<TransferView> {
        let mut all: Vec<&Transfer> = self.transfers.values().collect();
        all.sort_by_key(|transfer| (transfer.at, transfer.id()));
        all.into_iter().filter_map(|transfer| self.transfer_view(transfer)).collect()
    }

    /// Shows the transfers that this event has changed.
    pub(super) fn show_changed_transfers(&self, step: &mut Step<'_>) {
        let changed = self.dirty.iter().filter_map(|key| match key {
            Key::Transfer(id) => Some(*id),
            _ => None,
        });
        changed.for_each(|id| self.show_transfer(step, id));
    }

    pub(super) fn show_transfer(&self, step: &mut Step<'_>, id: TransferId) {
        let view = self.transfers.get(&id).and_then(|transfer| self.transfer_view(transfer));
        step.out.shows.extend(view.map(|view| Show::Transfer(Box::new(view))));
    }

    /// What another device of this account offers is that one's to show.
    fn transfer_view(&self, transfer: &Transfer) -> Option<TransferView> {
        let name = |account| self.name_of(account).unwrap_or_else(crate::people::nobody);
        let recipients = transfer.course.recipients.iter();
        let recipients: Vec<(UserName, RecipientState)> =
            recipients.map(|(account, recipient)| (name(*account), recipient.state)).collect();
        let (own, state) = match &transfer.part {
            Part::Sends(_) => (true, transfer.state_of_sender()),
            Part::Receives(receiving) => (false, transfer.state_of_recipient(receiving)),
            Part::Watches => return None,
        };
        Some(TransferView {
            transfer: transfer.id(),
            conversation: transfer.conversation,
            message: transfer.message,
            sender: name(transfer.course.sender),
            own,
            title: transfer.offer.title.clone(),
            files: transfer.offer.files,
            bytes: transfer.offer.content_bytes(),
            holds: transfer.offer.holds,
            place: transfer.place.clone(),
            state,
            roomless: transfer.is_roomless(),
            expires: transfer.expires(),
            recipients: if own { recipients } else { Vec::new() },
        })
    }
}

impl Transfer {
    /// Until when it waits for an answer, if it does.
    fn expires(&self) -> Option<Timestamp> {
        let asked = |recipient: &Recipient| recipient.state == RecipientState::Asked;
        let waits = match &self.part {
            Part::Sends(_) => !self.is_over() && self.course.recipients.values().any(asked),
            _ => self.is_waiting(),
        };
        waits.then(|| self.at.plus_millis(limits::OFFER_MILLIS))
    }

    fn state_of_sender(&self) -> TransferState {
        match self.course.ended {
            // Those who have answered have it, or have not.
            Some(EndReason::Expired) => return self.outcome(),
            Some(reason) => return TransferState::Ended(reason),
            None if self.course.is_settled() => return self.outcome(),
            None => {}
        }
        match self.halted {
            Some(Halted::Paused) => TransferState::Paused,
            Some(Halted::Failed(fault)) => TransferState::Failed(fault),
            None if self.moving.busy => TransferState::Relayed,
            None if !self.moving.serving.is_empty() => TransferState::Direct,
            None if matches!(&self.part, Part::Sends(sending) if sending.stored) => {
                TransferState::Stored
            }
            None => TransferState::Waiting,
        }
    }

    /// What became of it for all recipients: done if anybody has it.
    fn outcome(&self) -> TransferState {
        let states = || self.course.recipients.values().map(|recipient| recipient.state);
        if states().any(|state| state == RecipientState::Received) {
            return TransferState::Done(Vec::new());
        }
        if states().all(|it| matches!(it, RecipientState::Declined | RecipientState::Full)) {
            return TransferState::Declined;
        }
        let reason = states().find_map(|state| match state {
            RecipientState::Ended(reason) => Some(reason),
            _ => None,
        });
        TransferState::Ended(self.course.ended.or(reason).unwrap_or(EndReason::Failed))
    }

    fn state_of_recipient(&self, receiving: &Receiving) -> TransferState {
        match (&receiving.stage, &self.halted) {
            (Stage::New | Stage::Asked, _) => TransferState::Offered,
            (Stage::Received(paths), _) => TransferState::Done(paths.clone()),
            (Stage::Declined | Stage::Elsewhere, _) => TransferState::Declined,
            (Stage::Ended(reason), _) => TransferState::Ended(*reason),
            (Stage::Failed(fault), _) | (Stage::Taken, Some(Halted::Failed(fault))) => {
                TransferState::Failed(*fault)
            }
            (Stage::Taken, Some(Halted::Paused)) => TransferState::Paused,
            (Stage::Taken, None) if !self.moving.busy => TransferState::Waiting,
            (Stage::Taken, None) if receiving.relayed => TransferState::Relayed,
            (Stage::Taken, None) => TransferState::Direct,
        }
    }
}
