//! What a transfer lacks now. Decides, and does nothing.

use super::{Part, Receiving, Recipient, Sending, Stage, Transfer};
use crate::client::Client;
use crate::conversation::Outgoing;
use crate::defences::{AutoAccepted, AutoOffer, DirectAsked, MayDial, MayGoDirect};
use crate::show::IdentityState;
use crate::transfer::RecipientState;
use portcullis_crypto::AuthPublic;
use portcullis_proto::{AccountId, DeviceId, Timestamp, TransferId};

/// The next thing to do for a transfer.
#[derive(Debug)]
pub(super) enum Next {
    /// Ask the server for room, and with it for a token to upload with.
    Reserve,
    /// Ask the server for a token to fetch with.
    AskToFetch,
    /// Have the server's relay carry packets for it.
    RegisterKey,
    /// Tell the server that its bytes are needed no more.
    Release,
    /// Have the shell be there for a device.
    Serve(DeviceId, AuthPublic, MayGoDirect),
    /// Say to a device that it is told no addresses.
    Withhold(DeviceId),
    /// Have the shell upload, from this byte on.
    Upload(String, u64),
    /// Have the shell stop that.
    StopUpload,
    /// Have the shell dial.
    Dial(MayDial),
    /// Have the shell fetch.
    Fetch(String),
    /// Have the shell forget it.
    Forget,
    /// Turn to the server, and say so.
    Relay,
    /// Nobody has answered in time.
    Expire,
    /// Take what was offered without asking.
    Take(AutoAccepted),
    /// Ask the person.
    Ask,
}

impl Transfer {
    /// Whether nobody has taken it, or who has is done with it, and others have said nothing.
    fn is_unanswered(&self) -> bool {
        match &self.part {
            Part::Sends(sending) => sending.offered && self.course.accepted().next().is_none(),
            Part::Receives(receiving) => matches!(receiving.stage, Stage::New | Stage::Asked),
            Part::Watches => false,
        }
    }

    /// Whether it is over here, but the shell or the server does not know yet.
    fn lingers(&self) -> bool {
        let concerned = match &self.part {
            Part::Sends(_) => true,
            // Another device of this account has it, or will have it.
            Part::Receives(receiving) => receiving.stage != Stage::Elsewhere,
            Part::Watches => false,
        };
        self.is_over() && !self.released && concerned
    }
}

impl Client {
    /// Whether something is left to be done for a transfer that is over.
    #[must_use]
    pub fn has_lingering_transfers(&self) -> bool {
        self.transfers.values().any(Transfer::lingers)
    }

    /// What a transfer lacks; nothing if it is over, halted, or waits for somebody else.
    pub(super) fn next(&self, id: TransferId, now: Timestamp) -> Option<Next> {
        let transfer = self.transfers.get(&id)?;
        if transfer.is_over() {
            return self.next_after_end(transfer, now);
        }
        if transfer.is_old(now) && transfer.is_unanswered() {
            return Some(Next::Expire);
        }
        if transfer.halted.is_some() || !self.is_open() {
            return None;
        }
        match &transfer.part {
            Part::Sends(sending) => self.next_of_sender(transfer, sending, now),
            Part::Receives(receiving) => self.next_of_recipient(transfer, receiving, now),
            Part::Watches => None,
        }
    }

    /// The shell forgets it, and the server needs not keep it for this account.
    fn next_after_end(&self, transfer: &Transfer, now: Timestamp) -> Option<Next> {
        if !transfer.lingers() {
            return None;
        }
        if !transfer.moving.forgotten {
            return Some(Next::Forget);
        }
        // The others have to learn why the server has it no more before it has.
        let may = self.may_ask(transfer, now) && !self.has_to_say(transfer);
        may.then_some(Next::Release)
    }

    /// Whether something that is said of it waits to be sent.
    fn has_to_say(&self, transfer: &Transfer) -> bool {
        let about = |outgoing: &Outgoing| {
            let content = &outgoing.content;
            content.id == transfer.message || content.refs.contains(&transfer.message)
        };
        let here = self.conversations.get(&transfer.conversation).filter(|c| c.is_member());
        here.is_some_and(|conversation| conversation.outbox.iter().any(about))
    }

    fn next_of_sender(
        &self,
        transfer: &Transfer,
        sending: &Sending,
        now: Timestamp,
    ) -> Option<Next> {
        let may_ask = self.may_ask(transfer, now) && self.is_ready(transfer);
        if !sending.offered {
            return may_ask.then_some(Next::Reserve);
        }
        let mut relayed = false;
        let may = self.may_go_direct(&self.hearers(transfer));
        for (account, recipient, device) in transfer.course.accepted() {
            let keys = self.keys_of(account, device).filter(|_| recipient.direct);
            match may.zip(keys) {
                Some(_) if transfer.moving.serving.contains(&device) => {}
                Some(_) if transfer.moving.awaited.contains(&device) => {}
                Some(_) if transfer.moving.relayed.is_none() => {
                    return self.may_ask(transfer, now).then_some(Next::RegisterKey);
                }
                Some((may, keys)) => return Some(Next::Serve(device, keys.auth, may)),
                // It would wait for addresses that don't come.
                None if may.is_none()
                    && recipient.direct
                    && self.may_withhold(transfer, device) =>
                {
                    return Some(Next::Withhold(device));
                }
                None => relayed = true,
            }
        }
        let mut recipients = transfer.course.recipients.values();
        let silent = recipients.any(|recipient| recipient.state == RecipientState::Asked);
        let waited = sending.relay_now || now >= transfer.moving.deadline;
        relayed |= silent && waited && !sending.roomless;
        let begin = transfer.upload_begin();
        if transfer.moving.busy {
            let vain = !relayed || begin != transfer.moving.begin;
            return vain.then_some(Next::StopUpload);
        }
        if !relayed || sending.stored {
            return None;
        }
        match &transfer.moving.token {
            Some(token) => Some(Next::Upload(token.clone(), begin)),
            None => may_ask.then_some(Next::Reserve),
        }
    }

    fn next_of_recipient(
        &self,
        transfer: &Transfer,
        receiving: &Receiving,
        now: Timestamp,
    ) -> Option<Next> {
        match receiving.stage {
            Stage::New if self.is_ready(transfer) => {
                let accepted = self.auto_accepts(transfer, now);
                return Some(accepted.map_or(Next::Ask, Next::Take));
            }
            // It begins once the log says that this device was the first of its account to answer.
            Stage::Taken if self.is_first(transfer) => {}
            _ => return None,
        }
        if transfer.moving.busy {
            return None;
        }
        if receiving.relayed {
            let may_ask = self.may_ask(transfer, now) && self.is_ready(transfer);
            return match &transfer.moving.token {
                Some(token) => Some(Next::Fetch(token.clone())),
                None => may_ask.then_some(Next::AskToFetch),
            };
        }
        let Some(ways) = &receiving.ways else {
            return (now >= transfer.moving.deadline).then_some(Next::Relay);
        };
        let may_dial = self.may_go_direct(&[transfer.course.sender]).and_then(|may| {
            (self.defences.may_dial)(may, &ways.tcp, ways.quic.as_ref(), self.config.loopback)
        });
        match may_dial {
            Some(may) if may.is_relayed() && transfer.moving.relayed.is_none() => {
                self.may_ask(transfer, now).then_some(Next::RegisterKey)
            }
            may_dial => Some(may_dial.map_or(Next::Relay, Next::Dial)),
        }
    }

    /// Whether a device may be told so: once, and where the server has room.
    fn may_withhold(&self, transfer: &Transfer, device: DeviceId) -> bool {
        let told = transfer.moving.withheld.contains(&device);
        !transfer.is_roomless() && !told && self.is_ready(transfer)
    }

    /// Whether recipients wait for it who can be reached directly, and whether some can't.
    pub(super) fn ways_of(&self, transfer: &Transfer) -> (bool, bool) {
        let may = self.may_go_direct(&self.hearers(transfer)).is_some();
        let serves = |(account, recipient, device): (AccountId, &Recipient, DeviceId)| {
            may && recipient.direct && self.keys_of(account, device).is_some()
        };
        let direct: Vec<bool> = transfer.course.accepted().map(serves).collect();
        (direct.contains(&true), direct.contains(&false))
    }

    /// Whether this device has accepted, and nobody of its account before it.
    fn is_first(&self, transfer: &Transfer) -> bool {
        self.own_device().is_some_and(|device| transfer.course.is_accepted_by(device))
    }

    /// Whether the server may be asked something for it.
    fn may_ask(&self, transfer: &Transfer, now: Timestamp) -> bool {
        let early = transfer.moving.retry_at.is_some_and(|at| at > now);
        self.is_open() && !transfer.moving.asked && !early
    }

    /// Whether its conversation is there, and read to its end.
    pub(super) fn is_ready(&self, transfer: &Transfer) -> bool {
        let id = transfer.conversation;
        let there = self.conversations.get(&id).filter(|c| c.is_member() && !c.is_behind());
        there.is_some() && !self.is_being_made(id) && self.mls.is_member(id)
    }

    /// Whether these may all learn this device's address.
    pub(super) fn may_go_direct(&self, with: &[AccountId]) -> Option<MayGoDirect> {
        let asked = with.iter().map(|account| DirectAsked {
            identity: self.identity_of(*account),
            allowed: self.people.get(account).is_some_and(|person| person.direct),
            always_relay: self.config.always_relay,
        });
        let asked: Vec<DirectAsked> = asked.collect();
        (self.defences.may_go_direct)(&asked)
    }

    /// Who hears where a sender can be reached: it is said in the conversation.
    pub(super) fn hearers(&self, transfer: &Transfer) -> Vec<AccountId> {
        let mut members = self.members_present(transfer.conversation);
        members.retain(|member| *member != transfer.course.sender);
        members
    }

    /// Whether an offer is taken without asking. A program that only sends takes nothing.
    fn auto_accepts(&self, transfer: &Transfer, now: Timestamp) -> Option<AutoAccepted> {
        let sender = transfer.course.sender;
        let person = self.people.get(&sender)?;
        let limit = person.auto_accept.filter(|_| self.is_reader());
        let offer = AutoOffer {
            identity: self.identity_of(sender),
            all_known: self.is_blocked(transfer.conversation).is_none(),
            limit,
            bytes: transfer.offer.bytes,
            files: transfer.offer.files,
            programs: transfer.offer.holds.programs,
            taken: person.unasked.within_a_day(now),
        };
        (self.defences.auto_accept)(&offer).filter(|_| offer.identity != IdentityState::Own)
    }
}
