//! The course of a transfer as its conversation tells it: who offers, and what each recipient and the sender have
//! said since. It is the same on every device that has read the log. Leaves out what a device does about it.

use crate::defences::StepAccepted;
use crate::transfer::RecipientState;
use portcullis_proto::{AccountId, DeviceId, EndReason, FileStep};
use std::collections::BTreeMap;

/// What was said of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// The account that offers.
    pub sender: AccountId,
    /// Its device that does, and no other of its devices.
    pub device: DeviceId,
    /// The other members when it was offered.
    pub recipients: BTreeMap<AccountId, Recipient>,
    /// Why the sender has ended it, if it has.
    pub ended: Option<EndReason>,
}

/// How far it has come for a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipient {
    /// What it has said.
    pub state: RecipientState,
    /// Its device that has said so: what one of them answers, counts for all of them.
    pub device: Option<DeviceId>,
    /// Its device may be reached directly.
    pub direct: bool,
    /// So many of the blob's first bytes it had when it turned to the server.
    pub have: u64,
}

impl Recipient {
    const ASKED: Self = Self { state: RecipientState::Asked, device: None, direct: false, have: 0 };
}

impl Course {
    /// It was offered to these.
    pub fn begin(
        (sender, device): (AccountId, DeviceId),
        recipients: impl IntoIterator<Item = AccountId>,
    ) -> Self {
        let asked = recipients.into_iter().map(|account| (account, Recipient::ASKED));
        Self { sender, device, recipients: asked.collect(), ended: None }
    }

    /// Somebody says what they may say.
    pub(crate) fn take(&mut self, said: StepAccepted<'_>) {
        let (account, device) = said.by();
        let of_sender = account == self.sender;
        let Some(recipient) = self.recipients.get_mut(&account).filter(|_| !of_sender) else {
            if let FileStep::Ended { reason } = said.step() {
                self.ended = Some(*reason);
            }
            return;
        };
        let state = match said.step() {
            FileStep::Accepted { direct } => {
                recipient.direct = *direct;
                RecipientState::Accepted
            }
            FileStep::Declined { full: true } => RecipientState::Full,
            FileStep::Declined { full: false } => RecipientState::Declined,
            FileStep::Received => RecipientState::Received,
            FileStep::Ended { reason } => RecipientState::Ended(*reason),
            FileStep::Relay { have } => {
                (recipient.direct, recipient.have) = (false, *have);
                recipient.state
            }
            FileStep::Reach { .. } => recipient.state,
        };
        recipient.state = state;
        recipient.device = Some(device);
    }

    /// What a recipient has answered does not count.
    pub(crate) fn ask_again(&mut self, account: AccountId) {
        if let Some(recipient) = self.recipients.get_mut(&account) {
            *recipient = Recipient::ASKED;
        }
    }

    /// Whether this device has accepted it for its account, and has not come to an end.
    #[must_use]
    pub fn is_accepted_by(&self, device: DeviceId) -> bool {
        self.accepted().any(|(_, _, by)| by == device)
    }

    /// The recipients that wait for it, with their devices.
    pub(crate) fn accepted(&self) -> impl Iterator<Item = (AccountId, &Recipient, DeviceId)> {
        let accepted = self.recipients.iter().filter(|(_, r)| r.state == RecipientState::Accepted);
        accepted.filter_map(|(account, r)| Some((*account, r, r.device?)))
    }

    /// The first byte of the blob that anybody lacks: nobody's word counts for another.
    pub(crate) fn lacked_from(&self) -> u64 {
        let lacking = self.recipients.values().filter(|recipient| !recipient.state.is_settled());
        lacking.map(|recipient| recipient.have).min().unwrap_or(0)
    }

    /// Whether nothing more is to come: the sender has ended it, or every recipient is done with it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let done = self.recipients.values().all(|recipient| recipient.state.is_settled());
        self.ended.is_some() || (done && !self.recipients.is_empty())
    }

    /// Whoever is no longer a member waits for nothing. True if that changes anything.
    pub(crate) fn keep_members(&mut self, members: &[AccountId]) -> bool {
        let mut changed = false;
        for (account, recipient) in &mut self.recipients {
            if !members.contains(account) && !recipient.state.is_settled() {
                recipient.state = RecipientState::Ended(EndReason::Cancelled);
                changed = true;
            }
        }
        changed
    }
}
