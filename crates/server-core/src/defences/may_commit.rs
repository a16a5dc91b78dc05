//! Who changes an encrypted conversation: its present members, each within its role.
//!
//! Attack: somebody outside, or who was removed, appends a commit, and the conversation stands in an epoch
//! that none of its members can reach; a member removes the owner, takes its place, or welcomes the
//! devices of people whom it concerns nothing, until their inboxes are full.
//! CWE-863, incorrect authorization.
//! Precedent: mdk#44 (Least Authority's audit, critical: commits were merged without asking whether the
//! committer may do what they do); Rösler, Mainka and Schwenk, "More is Less" (2018), section 4.

use crate::Context;
use crate::defences::Sender;
use crate::defences::may_read::not_found;
use crate::roster::{Change, Roster, role_in};
use crate::store::Conversation;
use portcullis_proto::{
    AccountId, Code, ConversationId, ConversationKind, Creates, DeviceId, Members, Refusal, Role,
    limits,
};

/// What a commit asks for.
#[derive(Debug, Clone, Copy)]
pub struct Proposed<'a> {
    /// Where.
    pub conversation: ConversationId,
    /// What the conversation is, where the commit makes it.
    pub creates: Option<Creates>,
    /// What it changes in the list of members.
    pub members: &'a Members,
    /// The devices that it welcomes.
    pub welcomed: &'a [DeviceId],
}

/// A device in use, whose account is a member after the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Welcomed {
    /// Which.
    pub id: DeviceId,
    /// Whose.
    pub account: AccountId,
}

/// Proof that a sender may commit, and what the commit changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayCommit {
    sender: Sender,
    conversation: Conversation,
    is_new: bool,
    changes: Vec<Change>,
    welcomed: Vec<Welcomed>,
}

impl MayCommit {
    /// Who commits.
    #[must_use]
    pub const fn sender(&self) -> Sender {
        self.sender
    }

    /// Where, as it is before the commit.
    #[must_use]
    pub const fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// Whether the commit makes the conversation.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whose places change, each account once.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The accounts that become members.
    pub fn entering(&self) -> impl Iterator<Item = AccountId> {
        let entering = |c: &&Change| !c.was_present() && c.role.is_present();
        self.changes.iter().filter(entering).map(|change| change.account)
    }

    /// The devices that are welcomed.
    #[must_use]
    pub fn welcomed(&self) -> &[Welcomed] {
        &self.welcomed
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(
        sender: Sender,
        conversation: Conversation,
        is_new: bool,
        changes: Vec<Change>,
        welcomed: Vec<Welcomed>,
    ) -> Self {
        Self { sender, conversation, is_new, changes, welcomed }
    }
}

/// Looks up what the sender is in the conversation, and whether that suffices for all that the commit
/// does: any member adds; only the owner removes others or names another owner; everyone may leave; a
/// direct is its two accounts' for ever.
///
/// # Errors
/// [`Code::NotFound`] alike for a conversation that does not exist and for one that is not the account's;
/// [`Code::Forbidden`] for what it may not do there; [`Code::EpochChanged`] and [`Code::NameTaken`] for a
/// direct and a group that exist already; [`Code::TooLarge`] past a limit.
pub fn may_commit(
    context: &Context<'_>,
    sender: Sender,
    proposed: &Proposed<'_>,
) -> Result<MayCommit, Refusal> {
    check_form(proposed)?;
    let own = sender.account();
    let (conversation, first) = match proposed.creates {
        Some(creates) => made(context, own, proposed.conversation, creates)?,
        None => (known(context, own, proposed.conversation)?, Vec::new()),
    };
    let mut roster = Roster::new(context.tx, &conversation);
    for (account, role) in first {
        roster.set(account, role)?;
    }
    apply(&mut roster, own, proposed.members)?;
    check_size(&roster)?;
    let mut welcomed = Vec::with_capacity(proposed.welcomed.len());
    for device in proposed.welcomed {
        welcomed.push(welcome(context, &roster, *device)?);
    }
    let changes = roster.into_changes();
    let is_new = proposed.creates.is_some();
    Ok(MayCommit { sender, conversation, is_new, changes, welcomed })
}

/// No name stands twice, and none is both added and removed.
fn check_form(proposed: &Proposed<'_>) -> Result<(), Refusal> {
    let Members { added, removed, .. } = proposed.members;
    let mut accounts: Vec<_> = added.iter().chain(removed).collect();
    let mut devices = proposed.welcomed.to_vec();
    let all = (accounts.len(), devices.len());
    if all.0 > 2 * limits::GROUP_DEVICES || all.1 > limits::COMMIT_DEVICES {
        return Err(Refusal::new(Code::TooLarge, "one commit can't add as many"));
    }
    accounts.sort_unstable();
    accounts.dedup();
    devices.sort_unstable();
    devices.dedup();
    let message = "an account or a device is named twice";
    let once = (accounts.len(), devices.len()) == all;
    once.then_some(()).ok_or_else(|| Refusal::new(Code::Malformed, message))
}

/// An encrypted conversation that the account is in.
fn known(
    context: &Context<'_>,
    own: AccountId,
    id: ConversationId,
) -> Result<Conversation, Refusal> {
    let membership = context.tx.membership(own, id)?;
    if !role_in(membership.as_ref()).is_present() {
        return Err(not_found());
    }
    let conversation = context.tx.conversation(id)?.ok_or_else(not_found)?;
    match conversation.kind {
        ConversationKind::Direct | ConversationKind::Group => Ok(conversation),
        _ => Err(forbidden("only directs and groups are changed by commits")),
    }
}

/// A conversation that does not exist yet, and who is in it from the beginning.
fn made(
    context: &Context<'_>,
    own: AccountId,
    id: ConversationId,
    creates: Creates,
) -> Result<(Conversation, Vec<(AccountId, Role)>), Refusal> {
    let exists = context.tx.conversation(id)?.is_some();
    match creates {
        Creates::Direct { with } => {
            if with == own || id != ConversationId::direct(own, with) {
                return Err(forbidden("this is not the id of a direct with this account"));
            }
            context.tx.account(with)?.ok_or_else(no_account)?;
            if exists {
                let message = "this direct exists already; catch up and make it again";
                return Err(Refusal::new(Code::EpochChanged, message));
            }
            let both = vec![(own, Role::Member), (with, Role::Member)];
            Ok((Conversation::direct(own, with), both))
        }
        // Otherwise a group could stand in the place of somebody's inbox or direct.
        Creates::Group {} if id.is_computed() => {
            Err(forbidden("an id of this form belongs to a direct or an inbox"))
        }
        Creates::Group {} if exists => {
            Err(Refusal::new(Code::NameTaken, "there is a conversation of this id"))
        }
        Creates::Group {} => Ok((Conversation::group(id), vec![(own, Role::Owner)])),
    }
}

/// Applies what the commit changes, as far as the sender may do it.
fn apply(roster: &mut Roster<'_>, own: AccountId, members: &Members) -> Result<(), Refusal> {
    let is_direct = roster.kind() == ConversationKind::Direct;
    let is_owner = roster.role(own)? == Role::Owner;
    for account in &members.added {
        if roster.role(*account)?.is_present() {
            continue;
        }
        if is_direct {
            return Err(forbidden("a direct is its two accounts' for ever"));
        }
        if !roster.has_account(*account)? {
            return Err(no_account());
        }
        roster.set(*account, Role::Member)?;
    }
    for account in &members.removed {
        if !roster.role(*account)?.is_present() {
            continue;
        }
        if is_direct || !(is_owner || *account == own) {
            return Err(forbidden("only the owner of a group removes others"));
        }
        roster.set(*account, Role::Outside)?;
    }
    match members.owner {
        Some(_) if !is_owner => Err(forbidden("only the owner of a group names another")),
        Some(next) => name_owner(roster, own, next),
        None if is_owner && roster.role(own)? == Role::Outside && roster.count()? > 0 => {
            Err(forbidden("name another owner before you leave"))
        }
        None => Ok(()),
    }
}

fn name_owner(roster: &mut Roster<'_>, own: AccountId, next: AccountId) -> Result<(), Refusal> {
    if !roster.role(next)?.is_present() {
        return Err(forbidden("the owner of a group is one of its members"));
    }
    if roster.role(own)?.is_present() {
        roster.set(own, Role::Member)?;
    }
    Ok(roster.set(next, Role::Owner)?)
}

fn check_size(roster: &Roster<'_>) -> Result<(), Refusal> {
    let fits = roster.count()? <= limits::GROUP_DEVICES as u64;
    fits.then_some(())
        .ok_or_else(|| Refusal::new(Code::TooLarge, "a group can't have as many members"))
}

fn welcome(context: &Context<'_>, roster: &Roster<'_>, id: DeviceId) -> Result<Welcomed, Refusal> {
    let device = context.tx.device(id)?.filter(|device| !device.revoked);
    if let Some(device) = device
        && roster.role(device.account)?.is_present()
    {
        return Ok(Welcomed { id, account: device.account });
    }
    Err(forbidden("only devices of members are welcomed"))
}

fn forbidden(message: &'static str) -> Refusal {
    Refusal::new(Code::Forbidden, message)
}

fn no_account() -> Refusal {
    Refusal::new(Code::NotFound, "there is no such account")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::ConnectionId;
    use crate::defences::{Defences, SOUND};
    use crate::store::Store as _;
    use crate::testing::{Person, World, adding, creating, naming, removing, welcoming};
    use portcullis_proto::{Request, Timestamp};

    const GROUP: ConversationId = ConversationId::from_bytes([7; 16]);

    /// Mira's group with oleg, and her direct with him; nina is in neither.
    struct Stage {
        world: World,
        mira: Person,
        oleg: Person,
        nina: Person,
    }

    impl Stage {
        fn new(defences: Defences) -> Self {
            let mut world = World::with(defences);
            let [mira, oleg, nina] = ["mira", "oleg", "nina"].map(|name| world.person(name));
            world.ask(mira.connection, mira.make_group(GROUP, 1, &[&oleg])).unwrap();
            world.ask(mira.connection, mira.make_direct(&oleg, 2)).unwrap();
            Self { world, mira, oleg, nina }
        }

        fn direct(&self) -> ConversationId {
            ConversationId::direct(self.mira.account, self.oleg.account)
        }

        /// Oleg was in the group, and was removed from it: its epoch is 2.
        fn remove_oleg(&mut self) {
            let commit = self.mira.commit(GROUP, 1, 3, removing(&[&self.oleg]));
            self.world.ask(self.mira.connection, commit).unwrap();
        }
    }

    /// Who commits what.
    type Act = fn(&mut Stage) -> (ConnectionId, Request);

    fn act(defences: Defences, act: Act) -> Result<(), Code> {
        let mut stage = Stage::new(defences);
        let (connection, request) = act(&mut stage);
        stage.world.attempt(connection, request).map(|_| ())
    }

    /// Does what the commit says, whoever says it.
    fn obeys(
        context: &Context<'_>,
        sender: Sender,
        proposed: &Proposed<'_>,
    ) -> Result<MayCommit, Refusal> {
        let found = context.tx.conversation(proposed.conversation)?;
        let is_new = found.is_none();
        let conversation = found.unwrap_or_else(|| Conversation::group(proposed.conversation));
        let Members { added, removed, owner } = proposed.members;
        let change = |account: &AccountId, role| {
            let before = context.tx.membership(*account, proposed.conversation)?;
            Ok(Change { account: *account, before, role })
        };
        let added = added.iter().map(|account| change(account, Role::Member));
        let removed = removed.iter().map(|account| change(account, Role::Outside));
        let owner = owner.iter().map(|account| change(account, Role::Owner));
        let changes = added.chain(removed).chain(owner).collect::<Result<_, Refusal>>()?;
        let welcomed =
            proposed.welcomed.iter().map(|id| Welcomed { id: *id, account: sender.account() });
        Ok(MayCommit::unproven(sender, conversation, is_new, changes, welcomed.collect()))
    }

    const HONEST: &[(&str, Act)] = &[
        ("a member changes its devices", |s| {
            (s.oleg.connection, s.oleg.commit(GROUP, 1, 9, Members::default()))
        }),
        ("a member adds and welcomes", |s| {
            let commit = s.oleg.commit(GROUP, 1, 9, adding(&[&s.nina]));
            (s.oleg.connection, welcoming(&[&s.nina], commit))
        }),
        ("who is in it already is added", |s| {
            (s.oleg.connection, s.oleg.commit(GROUP, 1, 9, adding(&[&s.mira])))
        }),
        ("who is not in it is removed", |s| {
            (s.oleg.connection, s.oleg.commit(GROUP, 1, 9, removing(&[&s.nina])))
        }),
        ("a member leaves", |s| {
            (s.oleg.connection, s.oleg.commit(GROUP, 1, 9, removing(&[&s.oleg])))
        }),
        ("the owner removes", |s| {
            (s.mira.connection, s.mira.commit(GROUP, 1, 9, removing(&[&s.oleg])))
        }),
        ("the owner names another", |s| {
            (s.mira.connection, s.mira.commit(GROUP, 1, 9, naming(&s.oleg)))
        }),
        ("the owner names another and leaves", |s| {
            let members = Members { owner: Some(s.oleg.account), ..removing(&[&s.mira]) };
            (s.mira.connection, s.mira.commit(GROUP, 1, 9, members))
        }),
        ("the owner names a newcomer", |s| {
            let members = Members { owner: Some(s.nina.account), ..adding(&[&s.nina]) };
            (s.mira.connection, s.mira.commit(GROUP, 1, 9, members))
        }),
        ("the last one leaves", |s| {
            s.remove_oleg();
            (s.mira.connection, s.mira.commit(GROUP, 2, 9, removing(&[&s.mira])))
        }),
        ("a removed one is added again", |s| {
            s.remove_oleg();
            let commit = s.mira.commit(GROUP, 2, 9, adding(&[&s.oleg]));
            (s.mira.connection, welcoming(&[&s.oleg], commit))
        }),
        ("one of a direct changes its devices", |s| {
            let commit = s.oleg.commit(s.direct(), 1, 9, Members::default());
            (s.oleg.connection, welcoming(&[&s.mira], commit))
        }),
    ];

    /// What a server carries out that asks no questions.
    const UNAUTHORISED: &[(&str, Code, Act)] = &[
        ("a stranger commits", Code::NotFound, |s| {
            (s.nina.connection, s.nina.commit(GROUP, 1, 9, Members::default()))
        }),
        ("a stranger lets itself in", Code::NotFound, |s| {
            (s.nina.connection, s.nina.commit(GROUP, 1, 9, adding(&[&s.nina])))
        }),
        ("a removed one comes back", Code::NotFound, |s| {
            s.remove_oleg();
            (s.oleg.connection, s.oleg.commit(GROUP, 2, 9, adding(&[&s.oleg])))
        }),
        ("a stranger commits to a direct", Code::NotFound, |s| {
            (s.nina.connection, s.nina.commit(s.direct(), 1, 9, Members::default()))
        }),
        ("a member removes the owner", Code::Forbidden, |s| {
            (s.oleg.connection, s.oleg.commit(GROUP, 1, 9, removing(&[&s.mira])))
        }),
        ("a member makes itself owner", Code::Forbidden, |s| {
            (s.oleg.connection, s.oleg.commit(GROUP, 1, 9, naming(&s.oleg)))
        }),
        ("a stranger becomes owner", Code::Forbidden, |s| {
            (s.mira.connection, s.mira.commit(GROUP, 1, 9, naming(&s.nina)))
        }),
        ("the owner leaves others without one", Code::Forbidden, |s| {
            (s.mira.connection, s.mira.commit(GROUP, 1, 9, removing(&[&s.mira])))
        }),
        ("a direct grows", Code::Forbidden, |s| {
            (s.mira.connection, s.mira.commit(s.direct(), 1, 9, adding(&[&s.nina])))
        }),
        ("a direct is left", Code::Forbidden, |s| {
            (s.mira.connection, s.mira.commit(s.direct(), 1, 9, removing(&[&s.mira])))
        }),
        ("a direct gets an owner", Code::Forbidden, |s| {
            (s.mira.connection, s.mira.commit(s.direct(), 1, 9, naming(&s.mira)))
        }),
        ("a channel gets an epoch", Code::Forbidden, |s| {
            (s.mira.connection, s.mira.commit(ConversationId::LOBBY, 0, 9, Members::default()))
        }),
        ("a stranger's inbox is written to", Code::Forbidden, |s| {
            let commit = s.mira.commit(GROUP, 1, 9, Members::default());
            (s.mira.connection, welcoming(&[&s.nina], commit))
        }),
        ("who is removed is welcomed", Code::Forbidden, |s| {
            let commit = s.mira.commit(GROUP, 1, 9, removing(&[&s.oleg]));
            (s.mira.connection, welcoming(&[&s.oleg], commit))
        }),
        ("a group stands in the place of an inbox", Code::Forbidden, |s| {
            let place = ConversationId::inbox(s.oleg.device);
            (s.nina.connection, s.nina.make_group(place, 9, &[]))
        }),
        ("a group stands in the place of a direct", Code::Forbidden, |s| {
            let place = ConversationId::direct(s.oleg.account, s.nina.account);
            (s.mira.connection, s.mira.make_group(place, 9, &[]))
        }),
        ("a direct stands elsewhere", Code::Forbidden, |s| {
            let commit =
                s.mira.commit(ConversationId::from_bytes([8; 16]), 0, 9, Members::default());
            (s.mira.connection, creating(Creates::Direct { with: s.nina.account }, commit))
        }),
        ("a direct with oneself", Code::Forbidden, |s| {
            (s.mira.connection, s.mira.make_direct(&s.mira, 9))
        }),
    ];

    #[test]
    fn a_commit_changes_what_its_sender_may_change() {
        let unsound = Defences { may_commit: obeys, ..SOUND };
        for (what, honest) in HONEST {
            assert_eq!(act(SOUND, *honest), Ok(()), "{what}");
        }
        for (what, code, attack) in UNAUTHORISED {
            assert_eq!(act(SOUND, *attack), Err(*code), "{what}");
            assert_eq!(act(unsound, *attack), Ok(()), "{what}");
        }
    }

    #[test]
    fn what_can_not_be() {
        let rows: &[(Code, Act)] = &[
            (Code::NameTaken, |s| (s.nina.connection, s.nina.make_group(GROUP, 9, &[]))),
            (Code::NameTaken, |s| {
                (s.nina.connection, s.nina.make_group(ConversationId::LOBBY, 9, &[]))
            }),
            (Code::EpochChanged, |s| (s.oleg.connection, s.oleg.make_direct(&s.mira, 9))),
            (Code::NotFound, |s| {
                let nobody = Person { account: AccountId::from_bytes([9; 16]), ..s.nina.clone() };
                (s.mira.connection, s.mira.make_direct(&nobody, 9))
            }),
            (Code::NotFound, |s| {
                let nobody = Person { account: AccountId::from_bytes([9; 16]), ..s.nina.clone() };
                (s.mira.connection, s.mira.commit(GROUP, 1, 9, adding(&[&nobody])))
            }),
            (Code::NotFound, |s| {
                let nowhere = ConversationId::from_bytes([8; 16]);
                (s.mira.connection, s.mira.commit(nowhere, 0, 9, Members::default()))
            }),
            (Code::Malformed, |s| {
                (s.mira.connection, s.mira.commit(GROUP, 1, 9, adding(&[&s.nina, &s.nina])))
            }),
            (Code::Malformed, |s| {
                let removed = vec![s.oleg.account];
                let both = Members { removed, ..adding(&[&s.oleg]) };
                (s.mira.connection, s.mira.commit(GROUP, 1, 9, both))
            }),
            (Code::Malformed, |s| {
                let commit = s.mira.commit(GROUP, 1, 9, Members::default());
                (s.mira.connection, welcoming(&[&s.oleg, &s.oleg], commit))
            }),
            (Code::TooLarge, |s| {
                let many = vec![&s.oleg; limits::COMMIT_DEVICES + 1];
                let commit = s.mira.commit(GROUP, 1, 9, Members::default());
                (s.mira.connection, welcoming(&many, commit))
            }),
            (Code::Forbidden, |s| {
                let nobody = Person { device: DeviceId::from_bytes([9; 16]), ..s.oleg.clone() };
                let commit = s.mira.commit(GROUP, 1, 9, Members::default());
                (s.mira.connection, welcoming(&[&nobody], commit))
            }),
            (Code::Forbidden, |s| {
                let second = s.world.enrol(&mut s.oleg);
                let list = s.oleg.next_list(|list| {
                    list.devices.retain(|entry| entry.device != second.device);
                    list.revoked.push(second.entry().revoke(Timestamp(9)));
                });
                s.world.ask(s.oleg.connection, Request::PublishList { list }).unwrap();
                let commit = s.mira.commit(GROUP, 1, 9, Members::default());
                (s.mira.connection, welcoming(&[&second], commit))
            }),
        ];
        for (code, attempt) in rows {
            assert_eq!(act(SOUND, *attempt), Err(*code));
        }
    }

    #[test]
    fn a_group_has_as_many_members_as_it_may() {
        let check = |more: usize, expected: Result<(), Code>| {
            let mut stage = Stage::new(SOUND);
            let some = limits::GROUP_DEVICES - 2;
            let account = |number: usize| {
                let mut id = [0x11; 16];
                id[..8].copy_from_slice(&number.to_le_bytes());
                AccountId::from_bytes(id)
            };
            let template = stage.world.store.inner.account(stage.mira.account).unwrap().unwrap();
            stage.world.operate(|store| {
                (0..=some).try_for_each(|number| {
                    let name = crate::testing::user(&format!("user{number}"));
                    let id = account(number);
                    store.insert_account(&crate::store::Account { id, name, ..template.clone() })
                })
            });
            let added = (0..some - 1 + more).map(account).collect();
            let commit = stage.mira.commit(GROUP, 1, 9, Members { added, ..Members::default() });
            let done = stage.world.attempt(stage.mira.connection, commit);
            assert_eq!(done.map(|_| ()), expected);
        };
        check(0, Ok(()));
        check(1, Ok(()));
        check(2, Err(Code::TooLarge));
    }

    #[test]
    fn a_closed_door_looks_like_a_wall() {
        let mut stage = Stage::new(SOUND);
        let unknown = ConversationId::from_bytes([9; 16]);
        let asked = |id| stage.nina.commit(id, 1, 9, Members::default());
        let (closed, wall) = (asked(GROUP), asked(unknown));
        let closed = stage.world.ask(stage.nina.connection, closed).unwrap_err();
        assert_eq!(stage.world.ask(stage.nina.connection, wall), Err(closed));
    }
}
