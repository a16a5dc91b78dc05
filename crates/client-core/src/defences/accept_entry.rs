//! A conversation is entered only where it is what it claims to be, its members have made this account
//! one of them, and every device in it is listed; where this device has been before, one of those whom
//! it knew there has to vouch for it.
//!
//! Attack: the server, or a stranger, makes a conversation that looks like one's own with a friend, or a
//! real one with a listener in it, and sends the welcome; or shows one as it was before somebody was
//! taken out; or makes a group of the same id with all its members and one more, for a device that has
//! lost its place.
//! CWE-345, insufficient verification of data authenticity.
//! Precedent: "Practically-exploitable Cryptographic Vulnerabilities in Matrix" (Albrecht et al. 2023),
//! where the server could put devices and rooms before a client that took them as they came.

use crate::encrypted::{EntryRefused, Joining, Lists};
use portcullis_mls::RosterKind;
use portcullis_proto::{AccountId, ConversationId, ConversationKind};

/// Proof that a conversation may be entered.
#[derive(Debug, Clone, Copy)]
pub struct EntryAccepted(());

impl EntryAccepted {
    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven() -> Self {
        Self(())
    }
}

/// Looks at a conversation before its keys are used.
///
/// # Errors
/// [`EntryRefused`], with the reason.
pub fn accept_entry(
    joining: &Joining<'_>,
    lists: &dyn Lists,
) -> Result<EntryAccepted, EntryRefused> {
    let Joining { conversation, kind, me, roster, leaves, epoch, at_least, by, vouchers } =
        *joining;
    if epoch < at_least {
        return Err(EntryRefused::Old);
    }
    if vouchers.is_some_and(|known| !known.contains(&by.account)) {
        return Err(EntryRefused::Stranger);
    }
    if !roster.members.contains(&me) || roster.leaving.contains(&me) {
        return Err(EntryRefused::NotMember);
    }
    let (own_kind, fits) = match (roster.kind, roster.members.as_slice()) {
        (RosterKind::Direct, [one, other]) => {
            (ConversationKind::Direct, ConversationId::direct(*one, *other) == conversation)
        }
        (RosterKind::Direct, _) => (ConversationKind::Direct, false),
        // An id that is computed is a direct's or an inbox's, known to everyone beforehand.
        (RosterKind::Group, _) => (ConversationKind::Group, !conversation.is_computed()),
    };
    if !fits || kind.is_some_and(|kind| kind != own_kind) {
        return Err(EntryRefused::OtherConversation);
    }
    if !leaves.iter().all(|leaf| roster.members.contains(&leaf.account)) {
        return Err(EntryRefused::Outsider);
    }
    let listed = |account: &AccountId| lists.list(*account).is_some();
    if !leaves.iter().all(|leaf| lists.names(leaf)) || !roster.members.iter().all(listed) {
        return Err(EntryRefused::UnlistedDevice);
    }
    Ok(EntryAccepted(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encrypted::testing::{EVE, MIRA, NINA, OLEG, Scene, leaf};
    use portcullis_mls::Leaf;

    fn check<'a>(
        scene: &'a Scene,
        change: impl FnOnce(&mut Joining<'a>),
        expected: Option<EntryRefused>,
    ) {
        let mut joining = Joining {
            conversation: match scene.before.roster.kind {
                RosterKind::Direct => ConversationId::direct(MIRA, OLEG),
                RosterKind::Group => ConversationId::from_bytes([7; 16]),
            },
            kind: None,
            me: OLEG,
            roster: &scene.before.roster,
            leaves: &scene.before.leaves,
            epoch: scene.before.epoch,
            at_least: 0,
            by: &scene.before.leaves[0],
            vouchers: None,
        };
        change(&mut joining);
        assert_eq!(accept_entry(&joining, &scene.lists).err(), expected);
    }

    #[test]
    fn a_conversation_is_what_it_claims_to_be() {
        let (group, direct) = (Scene::group(), Scene::direct());
        let other = Some(EntryRefused::OtherConversation);
        check(&group, |_| (), None);
        check(&direct, |_| (), None);
        check(&direct, |joining| joining.kind = Some(ConversationKind::Direct), None);
        check(&direct, |joining| joining.kind = Some(ConversationKind::Group), other);
        check(&group, |joining| joining.kind = Some(ConversationKind::Direct), other);
        check(&direct, |j| j.conversation = ConversationId::direct(MIRA, NINA), other);
        check(&group, |j| j.conversation = ConversationId::direct(MIRA, OLEG), other);
        check(&group, |j| j.conversation = ConversationId::inbox(leaf(OLEG, 1).device), other);
        check(&group, |joining| joining.me = NINA, Some(EntryRefused::NotMember));
        check(&group, |joining| joining.at_least = joining.epoch, None);
        check(&group, |joining| joining.at_least = joining.epoch + 1, Some(EntryRefused::Old));
        let mut left = Scene::group();
        left.before.roster.leaving = vec![OLEG];
        check(&left, |_| (), Some(EntryRefused::NotMember));
        let mut three = Scene::direct();
        three.before.roster.members.push(NINA);
        check(&three, |_| (), other);
    }

    #[test]
    fn somebody_who_is_known_there_vouches_for_it() {
        let group = Scene::group();
        let by = |by: Leaf, vouchers: Option<&[AccountId]>, expected| {
            check(&group, |joining| (joining.by, joining.vouchers) = (&by, vouchers), expected);
        };
        let stranger = Some(EntryRefused::Stranger);
        by(leaf(MIRA, 1), Some(&[MIRA, OLEG]), None);
        by(leaf(MIRA, 2), Some(&[MIRA, OLEG]), None);
        by(leaf(NINA, 1), Some(&[MIRA, OLEG]), stranger);
        by(leaf(NINA, 1), Some(&[]), stranger);
        by(leaf(NINA, 1), None, None);
    }

    #[test]
    fn nobody_listens_unseen() {
        let with = |listener, expected| {
            let mut scene = Scene::group();
            scene.before.leaves.push(listener);
            check(&scene, |_| (), expected);
        };
        with(leaf(OLEG, 2), None);
        with(leaf(OLEG, 9), Some(EntryRefused::UnlistedDevice));
        with(leaf(NINA, 1), Some(EntryRefused::Outsider));
        with(leaf(EVE, 1), Some(EntryRefused::Outsider));
        let mut invented = Scene::group();
        invented.before.roster.members.push(EVE);
        check(&invented, |_| (), Some(EntryRefused::UnlistedDevice));
    }
}
