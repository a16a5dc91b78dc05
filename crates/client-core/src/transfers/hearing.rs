//! Offers and steps that stand in the log: others' when they are read, own ones when they are acknowledged.

use super::{Course, Moving, Part, Receiving, Recipient, Sending, Stage, Transfer, Ways};
use crate::client::{Client, Step};
use crate::defences::{OfferAccepted, OfferMade, OfferRefused, StepRefused};
use crate::effect::Key;
use crate::limits;
use crate::show::FileWarning;
use crate::transfer::{RecipientState, Task};
use portcullis_proto::{
    AccountId, Content, ConversationId, DeviceId, EndReason, Envelope, FileOffer, FileStep, Kind,
    Reference, TransferId,
};

impl Client {
    /// Somebody offers files. False where that does not count.
    pub(crate) fn hear_offer(
        &mut self,
        step: &mut Step<'_>,
        envelope: &Envelope,
        offer: &FileOffer,
    ) -> bool {
        let (id, by) = (envelope.conversation, envelope.account);
        let encrypted = self.conversations.get(&id).is_some_and(|c| c.encrypted.is_some());
        let members = self.members_present(id);
        let waits = |transfer: &&Transfer| transfer.course.sender == by && transfer.is_waiting();
        let made = OfferMade {
            offer,
            encrypted,
            of_member: members.contains(&by),
            known: self.transfers.contains_key(&offer.transfer),
            waiting: self.transfers.values().filter(waits).count(),
        };
        let accepted = match (self.defences.accept_offer)(&made) {
            Ok(accepted) => accepted,
            Err(refused) => return self.refuse_offer(step, envelope, refused),
        };
        if !self.make_room_for_transfer(Some(by)) {
            return self.refuse_offer(step, envelope, OfferRefused::TooMany);
        }
        self.begin_transfer(step, envelope, &accepted, members);
        true
    }

    fn refuse_offer(
        &mut self,
        step: &mut Step<'_>,
        envelope: &Envelope,
        refused: OfferRefused,
    ) -> bool {
        if refused == OfferRefused::TooMany {
            self.decline_unasked(envelope);
        }
        let author = self.author(envelope);
        let warning = FileWarning::RefusedOffer { author, refused };
        self.warn_once(step, envelope.conversation, warning.into());
        false
    }

    /// The sender is told that nobody is asked, as often as anybody can need to hear it.
    fn decline_unasked(&mut self, envelope: &Envelope) {
        let (id, by) = (envelope.conversation, envelope.account);
        if self.own_account() == Some(by) || self.may_speak(id).is_err() {
            return;
        }
        let said = self.declined_unasked.entry(by).or_default();
        *said += 1;
        if *said <= limits::OFFERS_WAITING {
            self.declines.push((id, envelope.reference));
        }
    }

    /// Says what is to be said so, once all that came has been read.
    pub(super) fn say_declines(&mut self, step: &mut Step<'_>) {
        for (id, offer) in std::mem::take(&mut self.declines) {
            let reference = Reference::fresh(step.now, step.rng);
            let kind = Kind::Step(FileStep::Declined { full: true });
            self.put_unchecked(step, id, (reference, kind, vec![offer]));
        }
    }

    fn begin_transfer(
        &mut self,
        step: &Step<'_>,
        envelope: &Envelope,
        accepted: &OfferAccepted<'_>,
        members: Vec<AccountId>,
    ) {
        let sender = envelope.account;
        let part = match self.own_account() == Some(sender) {
            true => Part::Watches,
            false => Part::Receives(Receiving::new()),
        };
        let recipients = members.into_iter().filter(|account| *account != sender);
        let mut transfer = Transfer {
            offer: accepted.offer().clone(),
            conversation: envelope.conversation,
            message: envelope.reference,
            at: step.now,
            place: String::new(),
            course: Course::begin((sender, envelope.device), recipients),
            moving: Moving::begin(step.now, &part),
            secret: None,
            damaged: 0,
            part,
            halted: None,
            released: false,
        };
        if transfer.part == Part::Watches {
            transfer.forget_key();
        }
        self.touch(Key::Transfer(transfer.id()));
        self.transfers.insert(transfer.id(), transfer);
    }

    /// Own files, which are to be offered once there is room for them on the server.
    pub(super) fn begin_own(
        &mut self,
        step: &mut Step<'_>,
        (conversation, offer): (ConversationId, FileOffer),
        (place, relay_now): (String, bool),
        (account, device): (AccountId, DeviceId),
    ) {
        let part = Part::Sends(Sending { relay_now, ..Sending::default() });
        let transfer = Transfer {
            offer,
            conversation,
            message: Reference::fresh(step.now, step.rng),
            at: step.now,
            place,
            // To whom it is offered is known when it is encrypted for them.
            course: Course::begin((account, device), []),
            moving: Moving::begin(step.now, &part),
            secret: None,
            damaged: 0,
            part,
            halted: None,
            released: false,
        };
        self.touch(Key::Transfer(transfer.id()));
        self.transfers.insert(transfer.id(), transfer);
    }

    /// An own offer is encrypted for those who are members now.
    pub(crate) fn offered_to_members(&mut self, step: &Step<'_>, id: TransferId) {
        let Some(transfer) = self.transfers.get(&id) else {
            return;
        };
        let (sender, device) = (transfer.course.sender, transfer.course.device);
        let members = self.members_present(transfer.conversation);
        let recipients = members.into_iter().filter(|account| *account != sender);
        self.change_transfer(id, |transfer| {
            let ended = transfer.course.ended;
            transfer.course = Course { ended, ..Course::begin((sender, device), recipients) };
            if transfer.course.recipients.is_empty() {
                // All others have gone meanwhile.
                transfer.course.ended = ended.or(Some(EndReason::Failed));
            }
            transfer.moving.deadline = step.now.plus_millis(limits::ANSWER_MILLIS);
        });
    }

    pub(super) fn members_present(&self, id: ConversationId) -> Vec<AccountId> {
        let Some(mut roster) = self.mls.view(id).map(|view| view.roster) else {
            return Vec::new();
        };
        roster.members.retain(|account| !roster.leaving.contains(account));
        roster.members
    }

    /// Somebody says something of a transfer. False where that does not count.
    pub(crate) fn hear_step(
        &mut self,
        step: &mut Step<'_>,
        envelope: &Envelope,
        content: &Content,
        said: &FileStep,
    ) -> bool {
        let by = (envelope.account, envelope.device);
        self.doubt_own_answer(envelope, content);
        match self.step_stands(step, envelope.conversation, by, (content, said)) {
            Ok(()) => true,
            Err(StepRefused::NotTheirs) => {
                let author = self.author(envelope);
                let refused = StepRefused::NotTheirs;
                let warning = FileWarning::RefusedStep { author, refused };
                self.warn_once(step, envelope.conversation, warning.into());
                false
            }
            // It was said before its author could know, or of what is not known here any more.
            Err(StepRefused::Unknown | StepRefused::Late) => false,
        }
    }

    /// An own message stands in the log.
    pub(crate) fn own_step_stands(
        &mut self,
        step: &mut Step<'_>,
        (id, seq): (ConversationId, u64),
        content: &Content,
    ) {
        let by = self.own_account().zip(self.own_device());
        let (Kind::Step(said), Some(by)) = (&content.kind, by) else {
            return;
        };
        if self.step_stands(step, id, by, (content, said)).is_err() {
            // Somebody was faster, and what they said has been followed.
            return;
        }
        let about = content.refs.first().and_then(|offer| self.transfer_of(id, *offer));
        let about = about.map(Transfer::id);
        if let (FileStep::Accepted { .. } | FileStep::Declined { .. }, Some(about)) = (said, about)
        {
            self.change_transfer(about, |t| t.receiving().map(|it| it.answered_at = Some(seq)));
        }
    }

    /// An answer of another device of this account may stand before that of this device, and be read after that
    /// was acknowledged. The first one counts.
    fn doubt_own_answer(&mut self, envelope: &Envelope, content: &Content) {
        let me = envelope.account;
        let offer = content.refs.first();
        let about = offer.and_then(|offer| self.transfer_of(envelope.conversation, *offer));
        let own = about.is_some_and(|transfer| match &transfer.part {
            Part::Receives(receiving) => receiving.answered_at.is_some_and(|at| at > envelope.seq),
            _ => false,
        });
        if let Some(id) = about.map(Transfer::id).filter(|_| own && self.own_account() == Some(me))
        {
            self.change_transfer(id, |transfer| transfer.course.ask_again(me));
        }
    }

    fn step_stands(
        &mut self,
        step: &mut Step<'_>,
        conversation: ConversationId,
        by: (AccountId, DeviceId),
        (content, said): (&Content, &FileStep),
    ) -> Result<(), StepRefused> {
        let offer = content.refs.first();
        let transfer = offer.and_then(|offer| self.transfer_of(conversation, *offer));
        let course = transfer.map(|transfer| &transfer.course);
        let accepted = (self.defences.accept_step)(course, by, said)?;
        let id = transfer.map(Transfer::id).ok_or(StepRefused::Unknown)?;
        self.change_transfer(id, |transfer| {
            let relayed = transfer.course.recipients.get(&by.0).is_some_and(|it| !it.direct);
            transfer.course.take(accepted);
            if matches!(said, FileStep::Relay { .. }) {
                transfer.lacks_a_way(by, relayed);
            }
        });
        self.follow(step, id, by, said);
        Ok(())
    }

    /// What this device makes of a step that counts.
    fn follow(
        &mut self,
        step: &mut Step<'_>,
        id: TransferId,
        (account, device): (AccountId, DeviceId),
        said: &FileStep,
    ) {
        let me = self.own_account() == Some(account);
        let this = self.own_device();
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return;
        };
        let over = transfer.is_over();
        let of_sender = account == transfer.course.sender;
        let own = self.own.as_ref().and_then(|own| transfer.course.recipients.get(&own.account));
        let took_it = |own: &Recipient| {
            own.state == RecipientState::Accepted
                || matches!(own.state, RecipientState::Ended(_)) && me
        };
        let took_it = own.is_some_and(took_it);
        transfer.moving.serving.retain(|served| transfer.course.is_accepted_by(*served));
        let Part::Receives(receiving) = &mut transfer.part else {
            return;
        };
        match said {
            FileStep::Accepted { .. } | FileStep::Declined { .. } if me && Some(device) != this => {
                let before = std::mem::replace(&mut receiving.stage, Stage::Elsewhere);
                if before == Stage::Taken {
                    self.tell_shell(step, id, Task::Forget);
                }
                self.change_transfer(id, Transfer::forget_key);
            }
            FileStep::Accepted { .. } if me => {
                transfer.moving.deadline = step.now.plus_millis(limits::REACH_MILLIS);
            }
            // No address is no news for a device that has some: it finds out by itself, and knows then what it lacks.
            FileStep::Reach { tcp, quic: None, .. }
                if tcp.is_empty() && receiving.ways.is_some() => {}
            FileStep::Reach { device, tcp, quic } if Some(*device) == this => {
                receiving.ways = Some(Ways { tcp: tcp.clone(), quic: quic.clone() });
                // Who had turned to the server is told so where that has no room.
                receiving.relayed = false;
                transfer.moving.busy = false;
            }
            // Where the server had it no more, it is known now why.
            FileStep::Ended { reason }
                if of_sender && (!over || matches!(receiving.stage, Stage::Failed(_))) =>
            {
                receiving.stage = Stage::Ended(*reason);
            }
            // What another device of this account had taken is over for this one too.
            FileStep::Ended { reason } if receiving.stage == Stage::Elsewhere && took_it => {
                receiving.stage = Stage::Ended(*reason);
            }
            _ => {}
        }
    }
}

impl Transfer {
    /// Whether it waits for an answer of this account.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(&self.part, Part::Receives(r) if matches!(r.stage, Stage::New | Stage::Asked))
    }
}

impl RecipientState {
    /// Whether nothing follows any more for this recipient.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Declined | Self::Full | Self::Received | Self::Ended(_))
    }
}
