//! Giving keys up: what is remembered of a conversation without them, so that nobody can put another
//! one in its place, or bring back how it was.

use super::Encrypted;
use crate::client::{Client, Step};
use crate::effect::Key;
use crate::show::GroupWarning;
use portcullis_mls::{GroupView, Roster};
use portcullis_proto::{AccountId, ConversationId, UserName};
use serde::{Deserialize, Serialize};

/// Whom a device without keys knows to be in a conversation, until somebody is understood again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// What the members agreed on.
    pub(crate) roster: Roster,
    /// Why there are no keys.
    pub(crate) why: Gone,
}

/// Why a device has given its keys up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Gone {
    /// They did not fit, or the server says that the account is out. Only its members can tell.
    Lost,
    /// The account was taken out, or has left, by a commit. Whoever brings it in again says so.
    Out,
    /// The device has become another one. It knows what an older copy of the home knew.
    Retired,
}

impl Encrypted {
    /// Remembers what the keys said, which are to be given up.
    pub(crate) fn remember(&mut self, view: &GroupView, why: Gone) {
        let reached = match why {
            // It may be the others who are behind.
            Gone::Lost | Gone::Retired => self.floor.unwrap_or(view.epoch),
            Gone::Out => view.epoch.saturating_add(1),
        };
        self.floor = self.floor.max(Some(reached));
        self.still_knows(why);
        if self.entry.is_none() {
            self.known = Some(Known { roster: view.roster.clone(), why });
        }
    }

    /// What was known before is known still, for another reason.
    pub(crate) fn still_knows(&mut self, why: Gone) {
        if let Some(known) = &mut self.known {
            known.why = why;
        }
    }

    /// The members of whom one has to vouch for what this device enters; none where anybody may.
    pub(crate) fn vouchers(&self, welcomed: bool) -> Option<&[AccountId]> {
        let known = self.known.as_ref()?;
        let needed = match known.why {
            Gone::Lost => true,
            // A welcome names who sent it, and what it stands for is shown with that name.
            Gone::Out => !welcomed,
            Gone::Retired => false,
        };
        needed.then_some(known.roster.members.as_slice())
    }

    /// Devices that were taken out can't stray.
    pub(crate) fn only_listening(&mut self, view: &GroupView) {
        self.strayed.retain(|device| view.leaves.iter().any(|leaf| leaf.device == *device));
        if self.strayed.is_empty() && self.entry.is_none() {
            self.floor = None;
        }
    }

    /// Somebody was understood: these are the keys that others have.
    pub(crate) fn understood(&mut self) {
        self.entry = None;
        self.known = None;
    }
}

impl Client {
    /// Gives a conversation's keys up.
    pub(crate) fn forget_keys(&mut self, id: ConversationId, why: Gone) {
        let view = self.mls.view(id);
        self.mls.forget(id);
        if let (Some(encrypted), Some(view)) = (self.encrypted_mut(id), view) {
            encrypted.remember(&view, why);
        }
        if why == Gone::Out {
            self.give_transfers_up(Some(id));
        }
        self.touch(Key::Conversation(id));
    }

    /// Forgets a conversation of which nobody has spoken but a welcome. False where somebody has: a
    /// stranger's welcome takes nobody's place.
    pub(crate) fn forget_hearsay(&mut self, id: ConversationId) -> bool {
        let hearsay = self.conversations.get(&id).is_some_and(|conversation| {
            let encrypted = conversation.encrypted.as_ref();
            let alone = encrypted.is_some_and(Encrypted::is_hearsay);
            alone && !conversation.is_present() && conversation.read.is_none()
        });
        if hearsay {
            self.mls.forget(id);
            self.conversations.remove(&id);
            self.touch(Key::Conversation(id));
        }
        hearsay
    }

    /// The device is given up, and all keys with it.
    pub(crate) fn forget_all_keys(&mut self) {
        let ids: Vec<ConversationId> = self.conversations.keys().copied().collect();
        for id in ids {
            self.forget_keys(id, Gone::Retired);
            if let Some(encrypted) = self.encrypted_mut(id) {
                encrypted.still_knows(Gone::Retired);
                encrypted.forget_device();
            }
        }
        self.mls.clear();
    }

    /// Says who has come and gone since this device had keys last, by what it has entered now.
    pub(crate) fn tell_difference(&self, step: &mut Step<'_>, id: ConversationId) {
        let encrypted = self.conversations.get(&id).and_then(|c| c.encrypted.as_ref());
        let known = encrypted.and_then(|encrypted| encrypted.known.as_ref());
        let (Some(known), Some(view)) = (known, self.mls.view(id)) else {
            return;
        };
        let (was, is) = (&known.roster, &view.roster);
        let came = self.names(&is.members, |account| !was.members.contains(account));
        let went = self.names(&was.members, |account| !is.members.contains(account));
        if !came.is_empty() || !went.is_empty() {
            step.warn(Some(id), GroupWarning::MembersChanged { came, went });
        }
        if let Some(owner) = is.owner.filter(|owner| was.owner != Some(*owner)) {
            let name = self.name_of(owner).unwrap_or_else(crate::people::nobody);
            step.warn(Some(id), GroupWarning::OwnerChanged { name });
        }
    }

    fn names(&self, of: &[AccountId], wanted: impl Fn(&AccountId) -> bool) -> Vec<UserName> {
        let me = self.own_account();
        let some = of.iter().filter(|account| Some(**account) != me && wanted(account));
        some.map(|account| self.name_of(*account).unwrap_or_else(crate::people::nobody)).collect()
    }
}
