//! What guests say, taken in: to everybody in `#lobby`, and privately in the log that all who allow guests
//! read, where each device finds out by its own key what is for it.

use crate::client::{Client, Step};
use crate::conversation::Conversation;
use crate::defences::{ChatOpened, ChatRefused, GuestAccepted, GuestRefused};
use crate::effect::Key;
use crate::message::{Body, Message};
use crate::show::{GuestWarning, IdentityState, Show};
use portcullis_proto::classroom::Payload;
use portcullis_proto::{ConversationId, DeviceId, Envelope, PersonName, Reference, Timestamp};

impl Conversation {
    /// Whether it is the log of what guests write privately: read like any other, and never shown.
    pub(crate) fn is_classroom(&self) -> bool {
        self.id() == ConversationId::CLASSROOM
    }
}

impl Client {
    /// An envelope in the guests' name, or in their log.
    pub(crate) fn take_guest(&mut self, step: &mut Step<'_>, envelope: &Envelope) {
        let seen = self.classic.seen.contains(&envelope.reference);
        let accepted = match (self.defences.accept_guest)(envelope, seen) {
            Ok(accepted) => accepted,
            Err(refused) => return warn_of_guest(step, envelope, refused),
        };
        match accepted.frame().payload() {
            Payload::PublicChat { message, .. } => {
                let text = message.clone();
                self.remember_guest(envelope);
                self.take_message(
                    step,
                    said(
                        &accepted,
                        (envelope.conversation, envelope.seq, envelope.reference),
                        envelope.accepted_at,
                        text,
                    ),
                );
            }
            _ => self.take_chat(step, envelope, &accepted),
        }
    }

    fn remember_guest(&mut self, envelope: &Envelope) {
        self.classic.seen.insert(envelope.reference);
        self.touch(Key::GuestSeen(envelope.reference));
    }

    /// A private message: most are for others. What is for this device is kept by the same event that moves the
    /// log on, so it is neither lost nor taken twice.
    fn take_chat(&mut self, step: &mut Step<'_>, envelope: &Envelope, accepted: &GuestAccepted) {
        let Some(own) = &self.classic.own else { return };
        let opened = (self.defences.open_guest_chat)(accepted, &own.key, &own.public);
        let name = || accepted.guest().name().clone();
        let refused = match opened {
            Err(ChatRefused::ForOthers) => return,
            Ok(opened) => {
                self.remember_guest(envelope);
                return self.take_private(step, envelope, accepted, opened);
            }
            Err(ChatRefused::Unreadable) => GuestWarning::Unreadable { name: name() },
            Err(ChatRefused::OtherAuthor) => GuestWarning::OtherAuthor { name: name() },
            Err(ChatRefused::NotAddressed) => GuestWarning::NotAddressed { name: name() },
        };
        self.remember_guest(envelope);
        let talk = self.classic.talks.get(&accepted.guest().id());
        step.warn(talk.map(|talk| talk.conversation), refused);
    }

    fn take_private(
        &mut self,
        step: &mut Step<'_>,
        envelope: &Envelope,
        accepted: &GuestAccepted,
        opened: ChatOpened,
    ) {
        let (text, others, dialect) = opened.into_parts();
        let guest = accepted.guest();
        let seq = self.next_place();
        let Some(talk) = self.begin_talk(step, guest, dialect) else { return };
        // What it shows now counts: its key is the same, and its program may be another.
        (talk.guest, talk.dialect) = (guest.clone(), dialect);
        talk.place = seq;
        talk.unread = talk.unread.saturating_add(1);
        let conversation = talk.conversation;
        self.touch(Key::Guest(guest.id()));
        let message =
            said(accepted, (conversation, seq, envelope.reference), envelope.accepted_at, text);
        self.keep_message(step, &message);
        step.show(Show::Message(message));
        if others > 0 {
            let name = guest.name().clone();
            step.warn(Some(conversation), GuestWarning::Shared { name, others });
        }
        self.show_talk(step, guest.id());
    }
}

fn warn_of_guest(step: &mut Step<'_>, envelope: &Envelope, refused: GuestRefused) {
    let warning = match refused {
        GuestRefused::NotAuthentic => GuestWarning::NotAuthentic { seq: envelope.seq },
        GuestRefused::Replayed(name) => GuestWarning::Replayed { name },
    };
    step.warn(Some(envelope.conversation), warning);
}

/// What a guest said, at its place. Its protocol has no clock, so another's time `at` stands for it.
pub(crate) fn said(
    accepted: &GuestAccepted,
    (conversation, seq, id): (ConversationId, u64, Reference),
    at: Timestamp,
    text: String,
) -> Message {
    let guest = accepted.guest();
    Message {
        conversation,
        seq,
        id,
        account: guest.id(),
        sender: PersonName::Guest(guest.name().clone()),
        device: DeviceId::GATEWAY,
        sent_at: at,
        body: Body::Text { text, reply_to: None },
        identity: IdentityState::Guest,
        own: false,
    }
}
