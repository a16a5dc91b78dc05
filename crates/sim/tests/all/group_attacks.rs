//! Members of a group whose clients were tampered with. What each of them tries is refused in words, the
//! others' keys stay as they are, and the conversation goes on; and it succeeds with a twin of a victim
//! that lacks the one defence against it.
//!
//! Leaves out a leaf that changes its account in its own commit: nothing but the library itself builds
//! one, and `portcullis-mls` keeps it to itself. Its own tests build one and see that it is noticed; the
//! tests of `keep_account` see that it is refused then. What a lying server can do to the same end is
//! among the [lies](crate::group_lies).

use crate::puppet::*;
use portcullis_client_core::defences::{Committed, Defences, Lists, SOUND, Target};
use portcullis_client_core::{Body, Command, GroupView, Show};
use portcullis_crypto::LeafKey;
use portcullis_mls::{Changes, Mls, MlsError, RosterKind};
use portcullis_proto::{
    AccountId, Bytes, Code, Content, ConversationId, DeviceId, Draft, Kind, Reference, Reply,
    Request,
};
use portcullis_sim::{Chance, DeviceIndex, World};

/// What Mallory does with the keys of her device, to which of the others.
type Deed = fn(&World, &Puppet, ConversationId) -> Changes;

const RIGHTS: &str = "they may not do that";
const UNLISTED: &str = "it adds a device that its owner has not signed";
const OUTSIDER: &str = "it brings in a device that is no member's";
const BROKEN: &str = "it does not fit the keys of this conversation";
const CONTEXT: &str = "it changes how the conversation is protected";

fn commits_unchecked() -> Defences {
    let may_commit = |committed: &Committed<'_>, lists: &dyn Lists| {
        instead(committed, |harmless| (SOUND.may_commit)(harmless, lists))
    };
    Defences { may_commit, ..SOUND }
}

fn leaves_unchecked() -> Defences {
    let accept_leaves = |committed: &Committed<'_>, lists: &dyn Lists| {
        instead(committed, |harmless| (SOUND.accept_leaves)(harmless, lists))
    };
    Defences { accept_leaves, ..SOUND }
}

fn context_unchecked() -> Defences {
    let keep_context = |committed: &Committed<'_>| instead(committed, SOUND.keep_context);
    Defences { keep_context, ..SOUND }
}

/// Whatever speaks of a message is taken for its author's own.
fn changes_unchecked() -> Defences {
    Defences {
        accept_change: |_, account, kind| {
            (SOUND.accept_change)(
                Some(Target { account, deleted: false, offer: false }),
                account,
                kind,
            )
        },
        ..SOUND
    }
}

/// Mallory's commit is refused by all, and changes nothing; the victim's twin follows her.
fn check(victim: DeviceIndex, weak: Defences, reason: &str, deed: Deed) {
    let (mut world, id) = group();
    let twin = Twin::of(&mut world, victim, weak);
    let before = view(&world, ALICE, id);
    let mut puppet = Puppet::copy(&world, MALLORY);
    let changes = deed(&world, &puppet, id);
    puppet.commits(&mut world, id, &changes);
    refused(&world, id, before.as_ref(), reason);
    puppet.mls.merge_pending(id).unwrap();
    assert!(twin.borrow().followed(puppet.mls.view(id)), "the twin follows her");
    goes_on(&mut world, id, before.as_ref());
}

fn refused(world: &World, id: ConversationId, before: Option<&GroupView>, reason: &str) {
    let words = format!("A change of this conversation by mallory does not count here: {reason}.");
    for who in HONEST {
        // Mallory's own client goes on where she has led it, which does not count either.
        let about = |words: &&String| words.starts_with("A change of this conversation by mallory");
        assert_eq!(warned(world, who).iter().find(about), Some(&words));
        assert_eq!(essence(view(world, who, id).as_ref()), essence(before));
        assert!(!warned(world, who).iter().any(|words| words.contains("no longer fit")));
    }
}

/// The others still understand each other, in the same epoch with the same members.
fn goes_on(world: &mut World, id: ConversationId, before: Option<&GroupView>) {
    say(world, ALICE, id, "all well?");
    say(world, BOB, id, "all well.");
    for who in HONEST {
        assert!(texts(world, who, id).ends_with(&["all well?".into(), "all well.".into()]));
        assert_eq!(essence(view(world, who, id).as_ref()), essence(before));
        assert_eq!(view(world, who, id), view(world, ALICE, id));
    }
}

fn device_of(puppet: &Puppet, id: ConversationId, account: AccountId) -> DeviceId {
    let leaves = puppet.mls.view(id).unwrap().leaves;
    leaves.iter().find(|leaf| leaf.account == account).unwrap().device
}

/// Takes an account out of the group.
fn without(puppet: &Puppet, id: ConversationId, gone: AccountId) -> Changes {
    let me = puppet.account;
    let roster = puppet.roster(id, |roster| {
        roster.members.retain(|account| *account != gone);
        roster.owner = roster.owner.filter(|owner| *owner != gone).or(Some(me));
    });
    let remove = vec![device_of(puppet, id, gone)];
    Changes { remove, roster: Some(roster), ..Changes::default() }
}

/// A key package of a device that nobody has signed.
fn invented(account: AccountId) -> Vec<u8> {
    let key = LeafKey::generate(Chance::new(66).rng());
    Mls::new(account, DeviceId::from_bytes([66; 16]), key).key_package(LATER, false).unwrap()
}

#[test]
fn a_member_removes_the_owner() {
    check(BOB, commits_unchecked(), RIGHTS, |world, puppet, id| {
        without(puppet, id, account(world, "alice"))
    });
}

#[test]
fn a_member_removes_another() {
    check(ALICE, commits_unchecked(), RIGHTS, |world, puppet, id| {
        without(puppet, id, account(world, "bob"))
    });
}

#[test]
fn a_member_takes_out_a_device_that_is_in_use() {
    check(ALICE, commits_unchecked(), RIGHTS, |world, puppet, id| {
        let remove = vec![device_of(puppet, id, account(world, "bob"))];
        Changes { remove, ..Changes::default() }
    });
}

#[test]
fn a_member_changes_what_is_the_owner_s_or_another_s() {
    let rows: [Deed; 4] = [
        |_, puppet, id| {
            let roster = puppet.roster(id, |roster| roster.name = Some(group_name("+mine")));
            Changes { roster: Some(roster), ..Changes::default() }
        },
        |_, puppet, id| {
            let me = Some(puppet.account);
            let roster = puppet.roster(id, |roster| roster.owner = me);
            Changes { roster: Some(roster), ..Changes::default() }
        },
        |_, puppet, id| {
            let roster = puppet.roster(id, |roster| roster.members.swap(0, 2));
            Changes { roster: Some(roster), ..Changes::default() }
        },
        |world, puppet, id| {
            let bob = account(world, "bob");
            let roster = puppet.roster(id, |roster| roster.leaving.push(bob));
            Changes { roster: Some(roster), ..Changes::default() }
        },
    ];
    rows.into_iter().for_each(|deed| check(ALICE, commits_unchecked(), RIGHTS, deed));
}

#[test]
fn a_member_adds_a_device_that_no_list_names() {
    check(ALICE, leaves_unchecked(), UNLISTED, |world, _, _| {
        let add = vec![invented(account(world, "bob"))];
        Changes { add, ..Changes::default() }
    });
}

#[test]
fn a_member_adds_an_account_that_there_is_not() {
    check(ALICE, leaves_unchecked(), UNLISTED, |_, puppet, id| {
        let nobody = AccountId::from_bytes([66; 16]);
        let roster = puppet.roster(id, |roster| roster.members.push(nobody));
        Changes { add: vec![invented(nobody)], roster: Some(roster), ..Changes::default() }
    });
}

#[test]
fn a_member_adds_a_device_of_somebody_who_is_not_to_be_a_member() {
    check(BOB, leaves_unchecked(), OUTSIDER, |world, _, _| {
        let mut carol = Puppet::copy(world, CAROL);
        let add = vec![carol.mls.key_package(LATER, false).unwrap()];
        Changes { add, ..Changes::default() }
    });
}

#[test]
fn a_member_makes_a_direct_of_a_group() {
    check(ALICE, context_unchecked(), CONTEXT, |_, puppet, id| {
        let roster = puppet.roster(id, |roster| roster.kind = RosterKind::Direct);
        Changes { roster: Some(roster), ..Changes::default() }
    });
}

#[test]
fn a_member_sends_a_commit_of_another_group() {
    let (mut world, id) = group();
    let before = view(&world, ALICE, id);
    let mut puppet = Puppet::copy(&world, MALLORY);
    let other = ConversationId::from_bytes([9; 16]);
    let roster = puppet.roster(id, |_| ());
    puppet.mls.create(other, &roster).unwrap();
    let made = puppet.mls.commit(other, &Changes::default()).unwrap();
    puppet.sends(&mut world, id, &made);
    refused(&world, id, before.as_ref(), BROKEN);
    goes_on(&mut world, id, before.as_ref());
}

#[test]
fn whoever_has_left_commits_no_more() {
    let (mut world, id) = group();
    let mut puppet = Puppet::copy(&world, MALLORY);
    let me = puppet.account;
    let roster = puppet.roster(id, |roster| roster.leaving.push(me));
    let changes = Changes { roster: Some(roster), ..Changes::default() };
    puppet.commits(&mut world, id, &changes);
    puppet.mls.merge_pending(id).unwrap();
    let before = view(&world, ALICE, id);
    assert_eq!(before, puppet.mls.view(id), "that she leaves is her right");
    let twin = Twin::of(&mut world, BOB, commits_unchecked());
    puppet.commits(&mut world, id, &Changes::default());
    refused(&world, id, before.as_ref(), OUTSIDER);
    puppet.mls.merge_pending(id).unwrap();
    assert_eq!(twin.borrow().group(id), puppet.mls.view(id));
    // The next to speak takes her device out.
    say(&mut world, ALICE, id, "all well?");
    assert_eq!(texts(&world, BOB, id).last().map(String::as_str), Some("all well?"));
    assert_eq!(view(&world, BOB, id), view(&world, ALICE, id));
    assert!(!view(&world, BOB, id).unwrap().leaves.iter().any(|leaf| leaf.account == me));
}

/// Mallory says something of this message; gives what Bob and his careless twin show of it.
fn says_of(world: &mut World, id: ConversationId, kind: Kind, target: Reference) -> [Vec<Body>; 2] {
    let twin = Twin::of(world, BOB, changes_unchecked());
    let shown_before = world.devices[BOB.0].shows.len();
    let after = world.devices[MALLORY.0].client().unwrap().seen(id).unwrap();
    let reference = Reference::fresh(world.now, world.chance.rng());
    let (refs, sent_at) = (vec![target], world.now);
    let content = Content { id: reference, kind, refs, sent_at, after, place: None };
    Puppet::copy(world, MALLORY).says(world, id, &content);
    let bodies = |shows: &[Show]| -> Vec<Body> {
        let of_hers = shows.iter().filter_map(|show| match show {
            Show::Message(message) if message.id == reference => Some(message.body.clone()),
            _ => None,
        });
        of_hers.collect()
    };
    [bodies(&world.devices[BOB.0].shows[shown_before..]), bodies(&twin.borrow().shows)]
}

#[test]
fn nobody_changes_what_another_said() {
    let text = || "pay mallory".to_owned();
    type Make = fn(String) -> Kind;
    let rows: [Make; 2] = [|text| Kind::Edit { text }, |_| Kind::Delete];
    for make in rows {
        let (mut world, id) = group();
        let target = said(&world, MALLORY, id, "alice");
        let [sound, weak] = says_of(&mut world, id, make(text()), target);
        assert_eq!((sound.len(), weak.len()), (0, 1));
        let words =
            "mallory tried to change a message, which does not count: somebody else said it.";
        HONEST.iter().for_each(|who| assert_eq!(warned(&world, *who), [words]));
    }
}

#[test]
fn an_answer_to_a_message_of_another_conversation_stands_alone() {
    let (mut world, id) = group();
    tell(&mut world, MALLORY, "bob", "between us");
    let direct = ConversationId::direct(account(&world, "bob"), account(&world, "mallory"));
    let target = said(&world, MALLORY, direct, "mallory");
    let text = || "that is so".to_owned();
    let [sound, weak] = says_of(&mut world, id, Kind::Text(text()), target);
    assert_eq!(sound, [Body::Text { text: text(), reply_to: None }]);
    assert_eq!(weak, [Body::Text { text: text(), reply_to: Some(target) }]);
    let words = "mallory tried to change a message, which does not count: it speaks of a message that is not known here.";
    HONEST.iter().for_each(|who| assert_eq!(warned(&world, *who), [words]));
}

/// The bodies of all that the server has of a conversation, from a number on.
fn bodies(world: &World, id: ConversationId, after: usize) -> Vec<Vec<u8>> {
    log(world, id).into_iter().skip(after).map(|envelope| envelope.body.0).collect()
}

/// An MLS message that says another epoch: 2 bytes version, 2 of the form, 17 of the group.
fn in_epoch(mut body: Vec<u8>, epoch: u64) -> Vec<u8> {
    body[21..29].copy_from_slice(&epoch.to_be_bytes());
    body
}

#[test]
fn a_removed_member_reads_nothing_more_even_with_the_server_s_help() {
    let (mut world, id) = group();
    let mut puppet = Puppet::copy(&world, MALLORY);
    let before = bodies(&world, id, 0).len();
    does(&mut world, ALICE, Command::Remove(id, name("mallory")));
    say(&mut world, ALICE, id, "without mallory");
    let epoch = puppet.mls.view(id).unwrap().epoch;
    let later = bodies(&world, id, before);
    let (removal, messages) = later.split_first().unwrap();
    for body in messages {
        let elsewhere = MlsError::Epoch { message: epoch + 1, group: epoch };
        assert_eq!(puppet.mls.process(id, body).err(), Some(elsewhere));
        let forced = puppet.mls.process(id, &in_epoch(body.clone(), epoch));
        assert_eq!(forced.err(), Some(MlsError::NotAuthentic));
    }
    assert!(puppet.mls.process(id, removal).is_ok());
    puppet.mls.merge_staged(id).unwrap();
    assert!(messages.iter().all(|body| puppet.mls.process(id, body).is_err()));
    assert!(!texts(&world, MALLORY, id).contains(&"without mallory".to_owned()));
}

#[test]
fn the_server_gives_a_removed_member_nothing_more_and_takes_nothing() {
    let (mut world, id) = group();
    let mut puppet = Puppet::copy(&world, MALLORY);
    let before = bodies(&world, id, 0).len();
    does(&mut world, ALICE, Command::Remove(id, name("mallory")));
    say(&mut world, ALICE, id, "without mallory");
    let mut line = Line::open(&mut world, &puppet);
    let fetch = Request::Fetch { conversation: id, after: 0, limit: 256 };
    let Ok(Reply::Fetched(page)) = line.ask(&world, fetch) else {
        panic!("she reads up to where she was taken out");
    };
    assert_eq!((page.envelopes.len(), page.head), (before + 1, before as u64 + 1));
    let (reference, device) = (Reference::from_bytes([1; 16]), puppet.device);
    let body = Bytes(puppet.mls.encrypt(id, b"still here").unwrap());
    let envelopes = vec![Draft { reference, body }];
    let made = puppet.mls.commit(id, &Changes::default()).unwrap();
    let head = bodies(&world, id, 0).len();
    for epoch in [1, 2] {
        let envelopes = envelopes.clone();
        let refused = [
            Request::Submit { conversation: id, epoch, device, envelopes },
            commit(id, epoch, device, reference, &made),
            Request::GroupInfo { conversation: id },
        ];
        for request in refused {
            assert_eq!(line.ask(&world, request).unwrap_err().code, Code::NotFound);
        }
    }
    assert_eq!(bodies(&world, id, 0).len(), head);
}

#[test]
fn a_removed_member_does_not_come_back_by_itself() {
    let (mut world, id) = group();
    let mut puppet = Puppet::copy(&world, MALLORY);
    does(&mut world, ALICE, Command::Remove(id, name("mallory")));
    let before = view(&world, ALICE, id);
    // The server hands her what it keeps for members, and her commit to them.
    let info = world.log().group_info(id).unwrap().unwrap().body;
    let made = puppet.mls.join_external(&info.0).unwrap();
    relay(&mut world, id, (puppet.account, puppet.device), &made.commit);
    refused(&world, id, before.as_ref(), OUTSIDER);
}
