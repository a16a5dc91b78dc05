//! A server that lies about directs and groups: it lets somebody listen, invents devices, keys and
//! welcomes, withholds, replays and forks. The clients notice, say so in these words, and send nothing
//! readable.

use crate::puppet::{
    ALICE, BOB, CAROL, HONEST, Line, MALLORY, Puppet, Twin, account, change_envelopes, commit,
    does, find, group, group_name, instead, leave, lie, log, name, people, relay, say, tell, texts,
    view, warned,
};
use portcullis_client_core::defences::{
    Committed, Defences, EntryAccepted, EntryRefused, Joining, Kept, Lists, Offered,
    PackageAccepted, PackageRefused, SOUND,
};
use portcullis_client_core::{Command, Event, GroupView, Show};
use portcullis_crypto::LeafKey;
use portcullis_mls::{Changes, KeyPackageView, Leaf, Mls, Roster, RosterKind};
use portcullis_proto::{
    Access, AccountId, Bytes, ChannelName, ClaimedPackage, Code, ConversationId, ConversationKind,
    ConversationSummary, Creates, DeviceId, Draft, Event as ServerEvent, Members, Reference, Reply,
    Request, Role, ServerFrame, Timestamp, Welcome, decode_request,
};
use portcullis_server_core::store::{Membership, Span, Store as _};
use portcullis_sim::{Chance, DeviceIndex, World};

/// In time for every key package.
const LATER: Timestamp = Timestamp(1_800_000_000_000);

fn assert_warned(world: &World, who: DeviceIndex, expected: &[&str]) {
    assert_eq!(warned(world, who), expected, "{who:?}");
}

const LOST_PLACE: &str =
    "This device's keys for the conversation no longer fit the others'. It joins again by itself.";

/// The words with which a device says that it stays where it is.
const CHANGED: &str = "The server has changed what you have already read, at or before number ";

/// A device that the server, or somebody with it, has made up in an account's name.
fn listener(account: AccountId) -> Mls {
    let key = LeafKey::generate(Chance::new(66).rng());
    Mls::new(account, DeviceId::from_bytes([66; 16]), key)
}

/// Alice says this; Bob has it, and both have the same keys.
fn understood(world: &mut World, id: ConversationId, text: &str) {
    say(world, ALICE, id, text);
    assert_eq!(texts(world, BOB, id).last().map(String::as_str), Some(text));
    assert_eq!(view(world, ALICE, id), view(world, BOB, id));
}

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
        assert_eq!(view(&world, who, id), before);
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
        assert_eq!(view(&world, who, id), before);
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
    assert_warned(&world, ALICE, &[words]);
    assert_eq!(view(&world, ALICE, id), before);
    assert_eq!(twin.borrow().group(id), view(&world, BOB, id), "the twin takes it for Bob's");
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
    let changed = format!("{CHANGED}{next}.");
    assert_warned(&world, BOB, &[LOST_PLACE, &changed]);
    // An honest server does not make good what an earlier one has said: that is shown again.
    world.liar = None;
    let link = world.link_of(BOB).unwrap();
    world.cut(link);
    let _ = world.settle();
    assert_warned(&world, BOB, &[LOST_PLACE, &changed, &changed]);
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

/// What a server offers in the place of a key package of Bob's device.
type Offer = fn(&mut World, &mut Puppet) -> Vec<u8>;

#[test]
fn key_packages_of_no_use_are_not_used() {
    let rows: [(&str, Offer); 4] = [
        ("it has expired", |world, bob| bob.mls.key_package(world.now, false).unwrap()),
        ("it is another device's", |world, _| {
            Puppet::copy(world, CAROL).mls.key_package(LATER, false).unwrap()
        }),
        ("its device is not in the signed list", |_, bob| {
            let key = LeafKey::generate(Chance::new(66).rng());
            Mls::new(bob.account, bob.device, key).key_package(LATER, false).unwrap()
        }),
        ("it can't be read", |_, _| b"a key".to_vec()),
    ];
    for (reason, offer) in rows {
        let mut world = people();
        let mut bob = Puppet::copy(&world, BOB);
        let package = Bytes(offer(&mut world, &mut bob));
        offers(&mut world, ALICE, bob.device, package);
        tell(&mut world, ALICE, "bob", "hello");
        let words =
            format!("The server offered a key for a device of bob that is not used: {reason}.");
        assert_warned(&world, ALICE, &[&words]);
        assert_warned(&world, BOB, &[]);
        let id = find(&world, ALICE, "bob").unwrap();
        tell(&mut world, ALICE, "bob", "and again");
        assert_eq!(texts(&world, BOB, id).last().map(String::as_str), Some("and again"));
        assert_eq!(view(&world, ALICE, id), view(&world, BOB, id), "Bob has come by himself");
    }
}

/// Hands this out in the place of a device's key packages.
fn offers(world: &mut World, to: DeviceIndex, of: DeviceId, package: Bytes) {
    lie(world, to, move |frame| match frame {
        ServerFrame::Reply(id, Reply::KeyPackages { mut packages }) => {
            for claimed in packages.iter_mut().filter(|claimed| claimed.device == of) {
                *claimed = ClaimedPackage { device: of, package: Some(package.clone()) };
            }
            vec![ServerFrame::Reply(id, Reply::KeyPackages { packages })]
        }
        frame => vec![frame],
    });
}

/// Takes every key package, as if it were the one that the list names.
fn any_package(offered: &Offered<'_>, now: Timestamp) -> Result<PackageAccepted, PackageRefused> {
    let entry = offered.list.and_then(|list| list.in_use(offered.device)).unwrap();
    let (account, device) = (offered.account, offered.device);
    let leaf = Leaf { account, device, key: entry.leaf };
    let expires_at = now.plus_millis(1);
    let package = KeyPackageView { leaf, expires_at, last_resort: false };
    (SOUND.accept_key_package)(&Offered { package: Some(&package), ..*offered }, now)
}

#[test]
fn without_a_look_at_key_packages_the_server_would_listen() {
    let mut world = people();
    let bob = Puppet::copy(&world, BOB);
    let key = LeafKey::generate(Chance::new(66).rng());
    let mut thief = Mls::new(bob.account, bob.device, key);
    let package = Bytes(thief.key_package(LATER, false).unwrap());
    let defences = Defences { accept_key_package: any_package, ..SOUND };
    let twin = Twin::of(&mut world, ALICE, defences);
    offers(&mut world, ALICE, bob.device, package);
    twin.borrow_mut().event(Event::Command(Command::Tell(name("bob"), "hello".to_owned())));
    tell(&mut world, ALICE, "bob", "hello");
    let id = ConversationId::direct(account(&world, "alice"), bob.account);
    let welcomes = |frame: &String| match decode_request(frame).unwrap().1 {
        Request::Commit { welcome: Some(welcome), .. } => Some(welcome.body),
        _ => None,
    };
    let welcome = twin.borrow().sends.iter().find_map(welcomes).unwrap();
    assert_eq!(thief.join_welcome(welcome.as_slice()), Ok(id));
}

#[test]
fn a_key_package_that_was_used_brings_nobody_in_and_bob_comes_by_himself() {
    let mut world = people();
    let bob = Puppet::copy(&world, BOB);
    let used = bob.used_package(&mut world);
    offers(&mut world, ALICE, bob.device, used);
    tell(&mut world, ALICE, "bob", "hello");
    let words = "Somebody sent keys to this device that it can't open; if they are for a conversation of yours, it joins by itself.";
    assert_warned(&world, BOB, &[words]);
    let id = find(&world, ALICE, "bob").unwrap();
    understood(&mut world, id, "and again");
}

fn summary(conversation: ConversationId, kind: ConversationKind) -> ConversationSummary {
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
fn is_readable(sends: &[String], text: &str) -> bool {
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
    twin.borrow_mut().event(Event::Command(Command::Tell(name("bob"), secret.to_owned())));
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

const NOT_FOR_US: &str = "Somebody sent keys to this device that it can't open; if they are for a conversation of yours, it joins by itself.";

#[test]
fn a_welcome_for_somebody_else_and_an_old_one_are_of_no_use() {
    let (mut world, id) = group();
    let bob = Puppet::copy(&world, BOB);
    let welcome = log(&world, ConversationId::inbox(bob.device)).remove(0).body.0;
    for who in [CAROL, BOB] {
        let before = view(&world, who, id);
        leave(&mut world, who, vec![welcome.clone()]);
        say(&mut world, ALICE, ConversationId::LOBBY, "good morning");
        assert_warned(&world, who, &[NOT_FOR_US]);
        assert_eq!(view(&world, who, id), before);
    }
    understood(&mut world, id, "as before");
}

/// A group that Mallory makes on her own, to which she welcomes Bob.
fn snare(world: &mut World, change: fn(&World, &mut Roster)) -> ConversationId {
    let (mut puppet, bob) = (Puppet::copy(world, MALLORY), Puppet::copy(world, BOB));
    let mut line = Line::open(world, &puppet);
    let claim = Request::ClaimKeyPackages { account: bob.account };
    let Ok(Reply::KeyPackages { packages }) = line.ask(world, claim) else {
        panic!("no key packages");
    };
    let id = ConversationId::from_bytes([9; 16]);
    let mut roster = Roster {
        kind: RosterKind::Group,
        name: Some(group_name("+trap")),
        owner: Some(puppet.account),
        members: vec![puppet.account, bob.account],
        leaving: Vec::new(),
    };
    change(world, &mut roster);
    puppet.mls.create(id, &roster).unwrap();
    let mut add: Vec<_> =
        packages.into_iter().filter_map(|claimed| claimed.package).map(|bytes| bytes.0).collect();
    let listened = roster.members.get(2).map(|account| listener(*account));
    add.extend(listened.map(|mut listener| listener.key_package(LATER, false).unwrap()));
    let made = puppet.mls.commit(id, &Changes { add, ..Changes::default() }).unwrap();
    let mut request = commit(id, 0, puppet.device, Reference::from_bytes([9; 16]), &made);
    if let Request::Commit { creates, welcome, members, .. } = &mut request {
        *creates = Some(Creates::Group {});
        *welcome =
            made.welcome.map(|body| Welcome { devices: vec![bob.device], body: Bytes(body) });
        members.added = vec![bob.account];
    }
    line.ask(world, request).unwrap();
    id
}

/// Enters wherever it is welcomed.
fn any_entry(joining: &Joining<'_>, lists: &dyn Lists) -> Result<EntryAccepted, EntryRefused> {
    let members = vec![joining.me];
    let roster = Roster { kind: RosterKind::Group, members, ..joining.roster.clone() };
    let harmless = Joining { kind: None, roster: &roster, leaves: &[], ..*joining };
    (SOUND.accept_entry)(&harmless, lists)
}

#[test]
fn a_welcome_into_a_snare_is_refused() {
    type Change = fn(&World, &mut Roster);
    let rows: [(&str, Change); 3] = [
        ("its members have not made you one of them", |_, roster| roster.members.truncate(1)),
        ("it is not the conversation that it claims to be", |_, roster| {
            (roster.kind, roster.owner, roster.name) = (RosterKind::Direct, None, None);
        }),
        ("a device listens there that its owner has not signed", |world, roster| {
            roster.members.push(account(world, "alice"));
        }),
    ];
    for (reason, change) in rows {
        let mut world = people();
        let id = snare(&mut world, change);
        let twin = Twin::of(&mut world, BOB, Defences { accept_entry: any_entry, ..SOUND });
        let words =
            format!("mallory invited you to a conversation, which is not entered: {reason}.");
        assert_eq!(warned(&world, BOB).first(), Some(&words));
        assert_eq!(view(&world, BOB, id), None);
        assert!(twin.borrow().group(id).is_some(), "the twin walks into it");
    }
}

#[test]
fn a_listener_in_what_a_new_device_joins_by_is_refused() {
    let (mut world, id) = group();
    // Mallory adds it without sending the commit, and gives the server what a device joins by.
    let mut puppet = Puppet::copy(&world, MALLORY);
    let add = vec![listener(account(&world, "alice")).key_package(LATER, false).unwrap()];
    let made = puppet.mls.commit(id, &Changes { add, ..Changes::default() }).unwrap();
    let phone = DeviceIndex(4);
    lie(&mut world, phone, move |frame| match frame {
        ServerFrame::Reply(reply, Reply::GroupInfo { epoch, .. }) => {
            let group_info = Bytes(made.group_info.clone());
            vec![ServerFrame::Reply(reply, Reply::GroupInfo { epoch, group_info })]
        }
        frame => vec![frame],
    });
    world.add_device(&name("bob"));
    let _ = world.settle();
    let words =
        "This conversation is not entered: a device listens there that its owner has not signed.";
    assert!(!warned(&world, phone).is_empty());
    assert!(warned(&world, phone).iter().all(|warning| warning == words));
    assert_eq!(view(&world, phone, id), None);
    let lies = world.liar.take();
    let twin = {
        world.liar = lies;
        Twin::of(&mut world, phone, Defences { accept_entry: any_entry, ..SOUND })
    };
    assert!(twin.borrow().group(id).is_some(), "the twin joins it");
    assert_eq!(warned(&world, phone).last().map(String::as_str), Some(words));
}

#[test]
fn welcomes_without_end_are_refused_by_an_honest_server() {
    let mut world = people();
    let (puppet, bob) = (Puppet::copy(&world, MALLORY), Puppet::copy(&world, BOB));
    let mut line = Line::open(&mut world, &puppet);
    let conversation = ConversationId::from_bytes([9; 16]);
    let mut accepted = 0;
    for number in 0..10_000_u64 {
        let mut reference = [9; 16];
        reference[..8].copy_from_slice(&number.to_be_bytes());
        let body = Bytes(b"a welcome".to_vec());
        let added = if number == 0 { vec![bob.account] } else { Vec::new() };
        let request = Request::Commit {
            conversation,
            epoch: accepted,
            device: puppet.device,
            creates: (number == 0).then_some(Creates::Group {}),
            envelope: Draft { reference: Reference::from_bytes(reference), body: body.clone() },
            welcome: Some(Welcome { devices: vec![bob.device], body }),
            group_info: Bytes(b"a group".to_vec()),
            members: Members { added, ..Members::default() },
        };
        match line.ask(&world, request) {
            Ok(_) => accepted += 1,
            Err(refusal) => assert_eq!(refusal.code, Code::RateLimited),
        }
    }
    assert_eq!(accepted, 20);
    assert_eq!(log(&world, ConversationId::inbox(bob.device)).len(), 20);
    let link = world.link_of(BOB).unwrap();
    world.cut(link);
    let _ = world.settle();
    let words = "The server sent something that can't be read.";
    assert!(warned(&world, BOB).iter().all(|warning| warning == words));
    tell(&mut world, ALICE, "bob", "all well?");
    let id = find(&world, ALICE, "bob").unwrap();
    assert_eq!(texts(&world, BOB, id), ["all well?"]);
    for who in [ALICE, CAROL] {
        assert_warned(&world, who, &[]);
    }
}

#[test]
fn an_inbox_full_of_nothing_costs_one_warning_and_no_requests() {
    let (mut world, id) = group();
    let twin = Twin::of(&mut world, BOB, SOUND);
    let before = twin.borrow().sends.len();
    leave(&mut world, BOB, vec![b"nothing".to_vec(); 10_000]);
    say(&mut world, ALICE, id, "all well?");
    assert_warned(&world, BOB, &["The server sent something that can't be read."]);
    assert_eq!(texts(&world, BOB, id).last().map(String::as_str), Some("all well?"));
    assert!(twin.borrow().sends.len() - before <= 2, "a mark, and one more at most");
    understood(&mut world, id, "as before");
}
