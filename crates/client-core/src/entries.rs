//! Taking verified contents in: each is checked against the log that its author saw and the messages
//! that it speaks of, then kept and shown.

use crate::client::{Client, Step};
use crate::conversation::{Conversation, Known};
use crate::defences::{ChangeRefused, Target};
use crate::effect::{Key, Write};
use crate::message::{Body, FilesOffered, FilesStep, FilesTold, Message, Notice};
use crate::records;
use crate::show::{IdentityState, Show, Warning};
use portcullis_proto::{AccountId, Content, ConversationId, Envelope, Kind, Reference};
use zeroize::Zeroizing;

impl Client {
    /// A content whose author is certain.
    pub(crate) fn take_content(
        &mut self,
        step: &mut Step<'_>,
        envelope: &Envelope,
        content: &Content,
    ) {
        let id = envelope.conversation;
        let author = self.author(envelope);
        let Some(conversation) = self.conversations.get(&id) else {
            return;
        };
        let here = conversation.chain_at(content.after.seq);
        if !(self.defences.same_log)(here, content.after, envelope.seq) {
            let at = content.after.seq;
            step.warn(Some(id), Warning::Forked { author: author.clone(), at });
        }
        let known = conversation.target(envelope.reference).is_some();
        if let Kind::Mark { delivered, read } = content.kind {
            return self.marked(step, envelope, delivered, read);
        }
        if known {
            // Who could give a message another's id could change what the other said.
            return step.warn(Some(id), Warning::Replayed { author });
        }
        let counts = match &content.kind {
            Kind::Offer(offer) => self.hear_offer(step, envelope, offer),
            Kind::Step(said) => self.hear_step(step, envelope, content, said),
            _ => true,
        };
        let mut body = self.body_of(id, content).filter(|_| counts);
        let knows_all = self.conversations.get(&id).is_some_and(Conversation::knows_all);
        if let Err(refused) = self.check_change(id, envelope.account, content) {
            // Two devices of one author may take the same message back at once, and others may well have
            // seen what was said before this device came.
            let is_honest = refused == ChangeRefused::Deleted
                || (refused == ChangeRefused::Unknown && !knows_all);
            if !is_honest {
                let seq = envelope.seq;
                step.warn(Some(id), Warning::RefusedChange { author, seq, refused });
            }
            // What answers a message that is not known here is still worth reading.
            match &mut body {
                Some(Body::Text { .. }) if is_honest => {}
                Some(Body::Text { reply_to, .. }) => *reply_to = None,
                _ => return,
            }
        }
        if let Some(body) = body {
            let message = self.message(envelope, content.sent_at, body);
            self.take_message(step, message);
        }
    }

    /// Whether a content may change what it speaks of.
    pub(crate) fn check_change(
        &self,
        id: ConversationId,
        author: AccountId,
        content: &Content,
    ) -> Result<(), ChangeRefused> {
        let about = matches!(
            content.kind,
            Kind::Edit { .. } | Kind::Delete | Kind::Reaction { .. } | Kind::Text(_)
        );
        let Some(target) = content.refs.first().filter(|_| about) else {
            return Ok(());
        };
        let conversation = self.conversations.get(&id);
        let target = conversation.and_then(|conversation| conversation.target(*target));
        (self.defences.accept_change)(target, author, &content.kind).map(drop)
    }

    /// An entry for the log's place of an envelope.
    pub(crate) fn message(
        &self,
        envelope: &Envelope,
        sent_at: portcullis_proto::Timestamp,
        body: Body,
    ) -> Message {
        let device = self.own.as_ref().and_then(|own| own.device.as_ref()).map(|own| own.id);
        Message {
            conversation: envelope.conversation,
            seq: envelope.seq,
            id: envelope.reference,
            account: envelope.account,
            sender: self.author(envelope).into(),
            device: envelope.device,
            sent_at,
            body,
            identity: self.identity_of(envelope.account),
            own: Some(envelope.device) == device,
        }
    }

    /// Keeps an entry and shows it.
    pub(crate) fn take_message(&mut self, step: &mut Step<'_>, message: Message) {
        self.keep_message(step, &message);
        let of_others = message.identity != IdentityState::Own;
        let said = of_others && !matches!(message.body, Body::Notices(_));
        let unread = of_others
            && matches!(message.body, Body::Text { .. } | Body::Offer(_) | Body::Unknown(_));
        if let Some(conversation) = self.conversations.get_mut(&message.conversation) {
            conversation.unread = conversation.unread.saturating_add(u64::from(unread));
            if said && let Some(encrypted) = &mut conversation.encrypted {
                encrypted.last_said = message.seq;
            }
        }
        step.show(Show::Message(message));
    }

    /// Keeps an entry, and what later ones may say of it.
    pub(crate) fn keep_message(&mut self, step: &mut Step<'_>, message: &Message) {
        let key = Key::Message(message.conversation, message.seq);
        let value = Zeroizing::new(records::write_message(message));
        step.out.messages.push(Write { key, value: Some(value) });
        if let Some(conversation) = self.conversations.get_mut(&message.conversation) {
            conversation.remember(message);
        }
    }

    /// What is shown of a content; nothing of a mark, or of a step that is between devices.
    pub(crate) fn body_of(&self, id: ConversationId, content: &Content) -> Option<Body> {
        let Kind::Step(step) = &content.kind else {
            return body_of(content);
        };
        let offer = content.refs.first().copied()?;
        let title = self.transfer_of(id, offer)?.offer.title.clone();
        FilesTold::of(step).map(|told| Body::Step(FilesStep { offer, title, told }))
    }
}

fn body_of(content: &Content) -> Option<Body> {
    let target = || content.refs.first().copied();
    match &content.kind {
        Kind::Text(text) => Some(Body::Text { text: text.clone(), reply_to: target() }),
        Kind::Edit { text } => Some(Body::Edit { target: target()?, text: text.clone() }),
        Kind::Delete => Some(Body::Delete { target: target()? }),
        Kind::Reaction { emoji } => {
            Some(Body::Reaction { target: target()?, emoji: emoji.clone() })
        }
        Kind::Mark { .. } | Kind::Step(_) => None,
        Kind::Offer(offer) => Some(Body::Offer(FilesOffered::from(offer.as_ref()))),
        Kind::Unknown(name) => Some(Body::Unknown(name.clone())),
    }
}

impl Conversation {
    /// What is known of an earlier message here.
    fn target(&self, id: Reference) -> Option<Target> {
        let known = self.recent.iter().rev().find(|known| known.id == id)?;
        Some(Target { account: known.account, deleted: known.deleted, offer: known.offer })
    }

    /// Whether every message that was ever said here is known, so that one which is not was never said.
    fn knows_all(&self) -> bool {
        let from_the_first = match self.encrypted {
            Some(_) => self.saw_it_made,
            None => self.base == 0,
        };
        from_the_first && self.recent.len() < crate::limits::CHANGEABLE
    }

    /// Remembers what later changes are checked against.
    pub(crate) fn remember(&mut self, message: &Message) {
        match &message.body {
            Body::Text { .. } | Body::Offer(_) | Body::Unknown(_) => {
                let (id, account) = (message.id, message.account);
                let offer = matches!(message.body, Body::Offer(_));
                self.recent.push_back(Known { id, account, deleted: false, offer });
                if self.recent.len() > crate::limits::CHANGEABLE {
                    self.recent.pop_front();
                }
            }
            Body::Delete { target } => {
                for known in self.recent.iter_mut().filter(|known| known.id == *target) {
                    known.deleted = true;
                }
            }
            Body::Notices(told) => {
                self.saw_it_made |= told.iter().any(|told| matches!(told, Notice::Created(_)));
            }
            Body::Edit { .. } | Body::Reaction { .. } | Body::Step(_) => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use portcullis_proto::{
        Access, ConversationKind, ConversationSummary, DeviceId, Role, Timestamp, UserName,
    };

    fn entry(seq: u64, body: Body) -> Message {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&seq.to_be_bytes());
        Message {
            conversation: ConversationId::LOBBY,
            seq,
            id: Reference::from_bytes(id),
            account: AccountId::from_bytes([1; 16]),
            sender: UserName::parse("alice").unwrap().into(),
            device: DeviceId::from_bytes([2; 16]),
            sent_at: Timestamp(0),
            body,
            identity: IdentityState::NotVerified,
            own: false,
        }
    }

    fn check(
        kind: ConversationKind,
        base: u64,
        first: Option<Notice>,
        texts: usize,
        expected: bool,
    ) {
        let mut conversation = Conversation::new(ConversationSummary {
            conversation: ConversationId::LOBBY,
            kind,
            name: None,
            with: None,
            access: Access::Open,
            role: Role::Member,
            epoch: 0,
            since: 1,
            head: 0,
            members: None,
        });
        conversation.base = base;
        let first = first.map(|notice| entry(1, Body::Notices(vec![notice])));
        let text = || Body::Text { text: String::new(), reply_to: None };
        let texts = (2..).take(texts).map(|seq| entry(seq, text()));
        first.into_iter().chain(texts).for_each(|message| conversation.remember(&message));
        assert_eq!(conversation.knows_all(), expected, "{kind:?} from {base}");
    }

    /// Only a device that has read all from the first message on can tell that one was never said.
    #[test]
    fn what_a_device_can_have_missed() {
        use ConversationKind::{Channel, Group};
        const ALL: usize = crate::limits::CHANGEABLE;
        let made = || Some(Notice::Created(Vec::new()));
        let added = || Some(Notice::Added(Vec::new()));
        check(Channel, 0, None, 3, true);
        check(Channel, 0, None, ALL, false);
        check(Channel, 7, None, 3, false);
        check(Group, 0, made(), 3, true);
        check(Group, 0, made(), ALL, false);
        check(Group, 0, added(), 3, false);
        check(Group, 0, Some(Notice::DeviceJoined), 3, false);
        check(Group, 0, None, 3, false);
    }
}
