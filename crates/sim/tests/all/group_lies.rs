//! A server that lies about directs and groups: it lets somebody listen, invents devices, withholds,
//! replays and forks. The clients notice, say so in these words, and send nothing readable. What it hands
//! to those who are about to join is among the [joins](crate::group_joins).

use crate::puppet::*;
use portcullis_client_core::defences::{Committed, Defences, Kept, Lists, SOUND};
use portcullis_client_core::{Command, Event, GroupView, Show};
use portcullis_crypto::{AuthKey, IdentityKey, LeafKey};
use portcullis_mls::Changes;
use portcullis_proto::{
    Access, AccountId, Bytes, ChannelName, ConversationId, ConversationKind, ConversationSummary,
    DeviceEntry, DeviceId, DeviceName, Envelope, Event as ServerEvent, Reply, Request, Role,
    ServerFrame, Timestamp, decode_request,
};
use portcullis_server_core::store::{Membership, Span, Store as _};
use portcullis_sim::{Chance, World};

const LOST_PLACE: &str =
    "This device's keys for the conversation no longer fit the others'. It joins again by itself.";

/// The words with which a device says that it stays where it is.
const CHANGED: &str = "The server has changed what you have already read, at or before number ";

fn device_of(view: &GroupView, account: AccountId) -> DeviceId {
    view.leaves.iter().find(|leaf| leaf.account == account).unwrap().device
}

#[test]
fn an_account_that_the_server_adds_reads_nothing() {
    let (mut world, id) = group();
    let before = view(&world, ALICE, id);
    let membership = Membership { role: Role::Member, spans: vec![Span { from: 1, to: None }] };
    let carol = account(&world, "carol");
    world.store.begin().unwrap();
    world.store.put_membership(carol, id, &membership).unwrap();
    world.store.commit().unwrap();
    let link = world.link_of(CAROL).unwrap();
    world.cut(link);
    let _ = world.settle();
    understood(&mut world, id, "for three");
    let words = "This conversation is not entered: its members have not made you one of them.";
    assert!(warned(&world, CAROL).iter().all(|warning| warning == words));
    assert!(warned(&world, CAROL).contains(&words.to_owned()));
    assert_eq!((view(&world, CAROL, id), view(&world, ALICE, id)), (None, before));
    // Not with a tampered client either: the server gives what it has, and her commit to the others.
    let mut puppet = Puppet::copy(&world, CAROL);
    assert!(log(&world, id).iter().all(|e| puppet.mls.process(id, e.body.as_slice()).is_err()));
    let before = view(&world, ALICE, id);
    let info = world.log().group_info(id).unwrap().unwrap().body;
    let made = puppet.mls.join_external(&info.0).unwrap();
    relay(&mut world, id, (puppet.account, puppet.device), &made.commit);
    for who in HONEST {
        let words = "A change of this conversation by carol does not count here: it brings in a device that is no member's.";
        assert_eq!(warned(&world, who)[0], words);
        assert_eq!(essence(view(&world, who, id).as_ref()), essence(before.as_ref()));
    }
}

#[test]
fn a_device_that_the_server_invents_does_not_come_by_itself() {
    let (mut world, id) = group();
    let may_commit = |committed: &Committed<'_>, lists: &dyn Lists| {
        instead(committed, |harmless| (SOUND.may_commit)(harmless, lists))
    };
    let before = view(&world, BOB, id);
    let mut listener = listener(account(&world, "alice"));
    let info = world.log().group_info(id).unwrap().unwrap().body;
    let made = listener.join_external(&info.0).unwrap();
    let twin = Twin::of(&mut world, BOB, Defences { may_commit, ..SOUND });
    let maker = (account(&world, "alice"), DeviceId::from_bytes([66; 16]));
    relay(&mut world, id, maker, &made.commit);
    for who in HONEST {
        let words = "A change of this conversation by alice does not count here: it brings in a device that is no member's.";
        assert_eq!(warned(&world, who)[0], words);
        assert_eq!(essence(view(&world, who, id).as_ref()), essence(before.as_ref()));
    }
    let came = |show: &Show| matches!(show, Show::Message(said) if said.device == maker.1);
    assert!(twin.borrow().shows.iter().any(came), "it listens to the twin");
}

#[test]
fn a_commit_that_the_server_gives_to_somebody_else_does_not_count() {
    let (mut world, id) = group();
    let keep_account = |committed: &Committed<'_>| instead(committed, SOUND.keep_account);
    let twin = Twin::of(&mut world, ALICE, Defences { keep_account, ..SOUND });
    let before = view(&world, ALICE, id);
    let mut puppet = Puppet::copy(&world, MALLORY);
    let bob = account(&world, "bob");
    let bob = (bob, device_of(before.as_ref().unwrap(), bob));
    let next = log(&world, id).len() as u64 + 1;
    change_envelopes(&mut world, ALICE, id, move |mut envelopes| {
        for envelope in envelopes.iter_mut().filter(|envelope| envelope.seq == next) {
            (envelope.account, envelope.device) = bob;
        }
        envelopes
    });
    puppet.commits(&mut world, id, &Changes::default());
    let words = "A change of this conversation by bob does not count here: it gives one member's place to another.";
    assert_eq!(warned(&world, ALICE)[0], words);
    assert_eq!(essence(view(&world, ALICE, id).as_ref()), essence(before.as_ref()));
    puppet.mls.merge_pending(id).unwrap();
    assert!(twin.borrow().followed(puppet.mls.view(id)), "the twin takes it for Bob's");
}

#[test]
fn a_withheld_commit_is_missed_and_read_later() {
    let (mut world, id) = group();
    let next = log(&world, id).len() as u64 + 1;
    change_envelopes(&mut world, BOB, id, move |envelopes| {
        envelopes.into_iter().filter(|envelope| envelope.seq != next).collect()
    });
    does(&mut world, ALICE, Command::Rename(id, group_name("+new")));
    say(&mut world, ALICE, id, "in the new epoch");
    let words = format!("The server sent message number {} where number {next} belongs.", next + 1);
    assert_warned(&world, BOB, &[&words]);
    assert_eq!(find(&world, BOB, "+new"), None);
    world.liar = None;
    let link = world.link_of(BOB).unwrap();
    world.cut(link);
    world.settle().unwrap();
    assert_eq!(find(&world, BOB, "+new"), Some(id));
    assert!(texts(&world, BOB, id).contains(&"in the new epoch".to_owned()));
    understood(&mut world, id, "as before");
}

#[test]
fn a_commit_that_is_left_out_and_closed_over_is_noticed() {
    let (mut world, id) = group();
    let next = log(&world, id).len() as u64 + 1;
    change_envelopes(&mut world, BOB, id, move |envelopes| {
        let kept = envelopes.into_iter().filter(|envelope| envelope.seq != next);
        kept.map(|mut envelope| {
            envelope.seq -= u64::from(envelope.seq > next);
            envelope
        })
        .collect()
    });
    does(&mut world, ALICE, Command::Rename(id, group_name("+new")));
    say(&mut world, ALICE, id, "in the new epoch");
    let changed = format!("{CHANGED}{}.", next + 1);
    let unreadable = |author: &str, seq: u64| {
        format!(
            "Message number {seq} of {author} can't be opened, so it is not shown: it was changed on its way, or this device has lost its place."
        )
    };
    let (one, two) = (unreadable("alice", next), unreadable("mallory", next + 1));
    assert_warned(&world, BOB, &[&one, &two, LOST_PLACE, &changed]);
    // An honest server does not make good what an earlier one has said: that is shown again.
    world.liar = None;
    let link = world.link_of(BOB).unwrap();
    world.cut(link);
    let _ = world.settle();
    assert_warned(&world, BOB, &[&one, &two, LOST_PLACE, &changed, &changed]);
    assert!(!texts(&world, BOB, id).contains(&"in the new epoch".to_owned()));
}

#[test]
fn two_commits_for_one_epoch_show() {
    let (mut world, id) = group();
    let next = log(&world, id).len() as u64 + 1;
    let mut puppet = Puppet::copy(&world, MALLORY);
    let made = puppet.mls.commit(id, &Changes::default()).unwrap();
    let maker = (puppet.account, puppet.device);
    change_envelopes(&mut world, BOB, id, move |mut envelopes| {
        for envelope in envelopes.iter_mut().filter(|envelope| envelope.seq == next) {
            (envelope.account, envelope.device) = maker;
            envelope.body = Bytes(made.commit.clone());
        }
        envelopes
    });
    does(&mut world, ALICE, Command::Rename(id, group_name("+new")));
    let code = |world: &World, who| view(world, who, id).unwrap().authenticator;
    assert_ne!(code(&world, ALICE), code(&world, BOB), "whoever compares the codes sees it");
    say(&mut world, ALICE, id, "on the one side");
    let unreadable = format!(
        "Message number {} of alice can't be opened, so it is not shown: it was changed on its way, or this device has lost its place.",
        next + 1
    );
    let warned = warned(&world, BOB);
    assert_eq!(warned.first(), Some(&unreadable));
    assert!(warned.contains(&LOST_PLACE.to_owned()));
    assert!(warned.last().unwrap().starts_with(CHANGED));
    assert!(!texts(&world, BOB, id).contains(&"on the one side".to_owned()));
}

pub(crate) fn summary(conversation: ConversationId, kind: ConversationKind) -> ConversationSummary {
    ConversationSummary {
        conversation,
        kind,
        name: Some(ChannelName::parse("#tea").unwrap()),
        with: None,
        access: Access::Open,
        role: Role::Member,
        epoch: 0,
        since: 1,
        head: 0,
        members: None,
    }
}

const KIND_CHANGED: &str = "The server says that a conversation is of another kind than before, or with somebody else; it is not believed.";

/// Whether a text stands in anything that was sent, as it is or in what an envelope carries.
pub(crate) fn is_readable(sends: &[String], text: &str) -> bool {
    let carried = |frame: &String| match decode_request(frame).unwrap().1 {
        Request::Submit { envelopes, .. } => {
            envelopes.into_iter().map(|draft| draft.body.0).collect::<Vec<_>>()
        }
        Request::Commit { envelope, .. } => vec![envelope.body.0],
        _ => Vec::new(),
    };
    let bodies = sends.iter().flat_map(carried);
    let mut all = bodies.chain(sends.iter().map(|frame| frame.clone().into_bytes()));
    all.any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}

#[test]
fn a_direct_that_is_called_a_channel_stays_encrypted() {
    let mut world = people();
    tell(&mut world, ALICE, "bob", "hello");
    let id = find(&world, ALICE, "bob").unwrap();
    let twin = Twin::of(&mut world, ALICE, SOUND);
    let mut told = false;
    lie(&mut world, ALICE, move |frame| {
        let kind = ServerEvent::Conversation(summary(id, ConversationKind::Channel));
        let lie = (!std::mem::replace(&mut told, true)).then_some(ServerFrame::Event(kind));
        lie.into_iter().chain([frame]).collect()
    });
    tell(&mut world, BOB, "alice", "and back");
    assert_warned(&world, ALICE, &[KIND_CHANGED]);
    let secret = "the key is under the mat";
    twin.borrow_mut().event(Event::Command(Command::Tell(name("bob").into(), secret.to_owned())));
    tell(&mut world, ALICE, "bob", secret);
    assert!(!is_readable(&twin.borrow().sends, secret));
    assert!(twin.borrow().sends.last().unwrap().contains("submit"), "it was said");
    assert_eq!(texts(&world, BOB, id).last().map(String::as_str), Some(secret));
}

#[test]
fn a_direct_with_bob_is_not_shown_as_one_with_carol() {
    let mut world = people();
    tell(&mut world, ALICE, "bob", "hello");
    let id = find(&world, ALICE, "bob").unwrap();
    let careless = Defences { keep_kind: |_, _, _| Ok(Kept::Kind), ..SOUND };
    let twin = Twin::of(&mut world, ALICE, careless);
    let carol = account(&world, "carol");
    lie(&mut world, ALICE, move |frame| {
        let with = Some(portcullis_proto::AccountName { account: carol, name: name("carol") });
        let direct = summary(id, ConversationKind::Direct);
        let said = ConversationSummary { name: None, with, ..direct };
        vec![ServerFrame::Event(ServerEvent::Conversation(said)), frame]
    });
    tell(&mut world, BOB, "alice", "and back");
    assert!(warned(&world, ALICE).iter().all(|words| words == KIND_CHANGED));
    assert_eq!(find(&world, ALICE, "carol"), None);
    assert_eq!(find(&world, ALICE, "bob"), Some(id));
    assert_eq!(twin.borrow().find("carol"), Some(id), "what is for Carol goes to Bob");
}

#[test]
fn a_replayed_message_is_not_shown_again_and_disturbs_nobody() {
    let (mut world, id) = group();
    let all = log(&world, id);
    let alice = account(&world, "alice");
    let hers = |envelope: &&Envelope| {
        envelope.account == alice && !portcullis_mls::is_commit(envelope.body.as_slice())
    };
    let old = all.iter().rev().find(hers).unwrap().clone();
    let before = view(&world, BOB, id);
    let next = all.len() as u64 + 1;
    insert(&mut world, BOB, next, old);
    say(&mut world, ALICE, id, "all well?");
    let words = "A message of alice came a second time; it is not shown again.";
    assert_eq!(warned(&world, BOB)[0], words);
    assert_eq!(texts(&world, BOB, id), ["hello", "hello", "hello", "all well?"]);
    assert_eq!(view(&world, BOB, id), before);
}

/// A device that the server made up.
fn invented() -> DeviceEntry {
    DeviceEntry {
        device: DeviceId::from_bytes([66; 16]),
        name: DeviceName::parse("spy").unwrap(),
        auth: AuthKey::generate(Chance::new(66).rng()).public(),
        leaf: LeafKey::generate(Chance::new(66).rng()).public(),
        added_at: Timestamp(0),
    }
}

#[test]
fn a_device_that_nobody_has_signed_is_added_by_nobody() {
    let (mut world, id) = group();
    let before = view(&world, BOB, id);
    let alice = account(&world, "alice");
    let package = Bytes(listener(alice).key_package(LATER, false).unwrap());
    let newest = world.log().newest_list(alice).unwrap().unwrap().signed;
    lie(&mut world, BOB, move |frame| match frame {
        ServerFrame::Reply(reply, Reply::ListVersions { versions }) => {
            let versions = versions.into_iter().map(|version| version + 1).collect();
            vec![ServerFrame::Reply(reply, Reply::ListVersions { versions })]
        }
        ServerFrame::Reply(reply, Reply::Account(mut card)) if card.account == alice => {
            let operator = IdentityKey::generate(Chance::new(5).rng());
            let last = newest.open(alice, &card.identity).unwrap();
            let mut list = last.list().clone();
            list.version += 1;
            list.previous = last.hash();
            list.devices.push(invented());
            card.lists.push(list.sign(&operator));
            vec![ServerFrame::Reply(reply, Reply::Account(card))]
        }
        ServerFrame::Reply(reply, Reply::KeyPackages { mut packages }) => {
            packages.iter_mut().for_each(|claimed| claimed.package = Some(package.clone()));
            vec![ServerFrame::Reply(reply, Reply::KeyPackages { packages })]
        }
        frame => vec![frame],
    });
    let link = world.link_of(BOB).unwrap();
    world.cut(link);
    let _ = world.settle();
    say(&mut world, BOB, id, "all well?");
    let words =
        "The server shows a list of alice's devices that alice has not signed; it is not used.";
    assert_eq!(warned(&world, BOB)[0], words);
    assert!(warned(&world, BOB).iter().all(|warning| warning == words));
    assert_eq!(texts(&world, ALICE, id).last().map(String::as_str), Some("all well?"));
    assert_eq!(view(&world, BOB, id), before);
    assert_eq!(view(&world, ALICE, id), before);
}
