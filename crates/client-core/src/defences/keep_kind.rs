//! What a conversation is never changes: an encrypted one stays so, and a direct is with whom its id
//! says.
//!
//! Attack: the server calls a direct a channel, so that the next message goes out readable; or shows
//! another person's name beside it.
//! CWE-757, selection of a less-secure algorithm during negotiation.
//! Precedent: CVE-2021-40824 and the Matrix room-encryption downgrades before it, where state that the
//! server controls decided whether to encrypt.

use crate::Warning;
use portcullis_proto::{AccountId, ConversationId, ConversationKind, ConversationSummary};

/// What is done with what the server says of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is taken.
    Kind,
    /// It is of no use to this version.
    Ignored,
}

/// Compares what the server says with what is known.
///
/// # Errors
/// The warning that the person has to see.
pub fn keep_kind(
    me: Option<AccountId>,
    known: Option<ConversationKind>,
    summary: &ConversationSummary,
) -> Result<Kept, Warning> {
    if known.is_some_and(|known| known != summary.kind) {
        return Err(Warning::KindChanged);
    }
    match summary.kind {
        // The id of a direct that is still to be made is known to the server as well.
        ConversationKind::Channel | ConversationKind::Group
            if summary.conversation.is_computed() =>
        {
            Err(Warning::KindChanged)
        }
        // What guests write has a place of its own, and nothing else has.
        _ if summary.conversation == ConversationId::CLASSROOM => match summary.kind {
            ConversationKind::Channel => Ok(Kept::Kind),
            _ => Err(Warning::KindChanged),
        },
        ConversationKind::Channel if summary.name.is_some() => Ok(Kept::Kind),
        ConversationKind::Group => Ok(Kept::Kind),
        ConversationKind::Direct => {
            let ids = me.zip(summary.with.as_ref().map(|with| with.account));
            let fits = ids.map(|(me, with)| ConversationId::direct(me, with));
            if fits == Some(summary.conversation) {
                Ok(Kept::Kind)
            } else {
                Err(Warning::KindChanged)
            }
        }
        _ => Ok(Kept::Ignored),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use portcullis_proto::{Access, AccountName, ChannelName, Role, UserName};

    const ME: AccountId = AccountId::from_bytes([1; 16]);
    const OLEG: AccountId = AccountId::from_bytes([2; 16]);
    const NINA: AccountId = AccountId::from_bytes([3; 16]);

    fn summary(kind: ConversationKind, conversation: ConversationId) -> ConversationSummary {
        let with = AccountName { account: OLEG, name: UserName::parse("oleg").unwrap() };
        ConversationSummary {
            conversation,
            kind,
            name: (kind == ConversationKind::Channel).then(ChannelName::lobby),
            with: (kind == ConversationKind::Direct).then_some(with),
            access: Access::Invitation,
            role: Role::Member,
            epoch: 0,
            since: 1,
            head: 0,
            members: None,
        }
    }

    #[test]
    fn what_a_conversation_is_stays() {
        use ConversationKind::{Channel, Direct, Group, Inbox, Unknown};
        let ours = ConversationId::direct(ME, OLEG);
        let check = |known, kind, id, expected| {
            assert_eq!(keep_kind(Some(ME), known, &summary(kind, id)), expected);
        };
        let changed = Err(Warning::KindChanged);
        check(None, Direct, ours, Ok(Kept::Kind));
        check(Some(Direct), Direct, ours, Ok(Kept::Kind));
        check(None, Group, ConversationId::from_bytes([7; 16]), Ok(Kept::Kind));
        check(None, Channel, ConversationId::from_bytes([7; 16]), Ok(Kept::Kind));
        check(None, Channel, ours, changed.clone());
        check(None, Group, ours, changed.clone());
        check(None, Channel, ConversationId::LOBBY, Ok(Kept::Kind));
        check(None, Channel, ConversationId::CLASSROOM, Ok(Kept::Kind));
        check(None, Group, ConversationId::CLASSROOM, changed.clone());
        check(None, Unknown, ours, Ok(Kept::Ignored));
        check(None, Inbox, ours, Ok(Kept::Ignored));
        check(Some(Direct), Channel, ours, changed.clone());
        check(Some(Group), Channel, ours, changed.clone());
        check(Some(Channel), Group, ours, changed.clone());
        check(None, Direct, ConversationId::direct(ME, NINA), changed.clone());
        check(None, Direct, ConversationId::direct(OLEG, NINA), changed);
    }
}
