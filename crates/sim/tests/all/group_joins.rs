//! A server, or a member with it, that lies to those who add somebody or are about to join: about key
//! packages, welcomes and what a device joins by; or that fills inboxes.

use crate::puppet::*;
use portcullis_client_core::defences::{
    Defences, EntryAccepted, EntryRefused, Joining, Lists, Offered, PackageAccepted,
    PackageRefused, SOUND,
};
use portcullis_client_core::{Command, Event};
use portcullis_crypto::LeafKey;
use portcullis_mls::{Changes, KeyPackageView, Leaf, Mls, Roster, RosterKind};
use portcullis_proto::{
    Bytes, ClaimedPackage, Code, ConversationId, Creates, DeviceId, Draft, Members, Reference,
    Reply, Request, ServerFrame, Timestamp, Welcome, decode_request,
};
use portcullis_sim::{Chance, DeviceIndex, World};

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
    twin.borrow_mut().event(Event::Command(Command::Tell(name("bob").into(), "hello".to_owned())));
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
