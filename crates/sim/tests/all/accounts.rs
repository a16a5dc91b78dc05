//! What people do with accounts, devices and channels, on an honest server.

use portcullis_client_core::{Command, IdentityState, Saying, Show};
use portcullis_crypto::{Password, Stretch};
use portcullis_proto::{Access, ChannelName, Code, ConversationId, ConversationName, UserName};
use portcullis_sim::{DeviceIndex, World};

const LOBBY: ConversationId = ConversationId::LOBBY;

fn name(text: &str) -> UserName {
    UserName::parse(text).unwrap()
}

fn channel(text: &str) -> ChannelName {
    ChannelName::parse(text).unwrap()
}

fn world(people: &[&str]) -> World {
    let mut world = World::new(7, Stretch::LIGHT).unwrap();
    for person in people {
        world.add_device(&name(person));
        world.settle().unwrap();
    }
    world
}

fn does(world: &mut World, who: DeviceIndex, command: Command) {
    world.command(who, command);
    world.settle().unwrap();
}

fn say(world: &mut World, who: DeviceIndex, conversation: ConversationId, text: &str) {
    does(world, who, Command::Say { conversation, what: Saying::Text(text.into()) });
}

fn shows(world: &World, who: DeviceIndex) -> &[Show] {
    &world.devices[who.0].shows
}

fn texts(world: &World, who: DeviceIndex, conversation: ConversationId) -> Vec<String> {
    let messages = world.devices[who.0].messages().into_iter();
    let here = messages.filter(|message| message.conversation == conversation);
    here.filter_map(|message| message.text().map(str::to_owned)).collect()
}

fn find(world: &World, who: DeviceIndex, named: &str) -> Option<ConversationId> {
    world.devices[who.0].client()?.find(&ConversationName::parse(named).unwrap())
}

fn refusals(world: &World, who: DeviceIndex) -> Vec<Code> {
    let refused = |show: &Show| match show {
        Show::Refused { refusal, .. } => Some(refusal.code),
        _ => None,
    };
    shows(world, who).iter().filter_map(refused).collect()
}

const ALICE: DeviceIndex = DeviceIndex(0);
const BOB: DeviceIndex = DeviceIndex(1);

#[test]
fn a_second_device_reads_what_was_said_before_and_speaks() {
    let mut world = world(&["alice", "bob"]);
    say(&mut world, ALICE, LOBBY, "before");
    let second = world.add_device(&name("alice"));
    world.settle().unwrap();
    say(&mut world, second, LOBBY, "from the phone");
    for who in [ALICE, BOB, second] {
        assert_eq!(texts(&world, who, LOBBY), ["before", "from the phone"]);
    }
    let words = |who: DeviceIndex| -> Vec<String> {
        world.devices[who.0].warnings().map(ToString::to_string).collect()
    };
    assert_eq!(words(BOB), ["alice has added a device: device 2."]);
    assert_eq!(
        words(ALICE),
        [
            "A device was added to your account: device 2. If that was not you, remove it (/devices revoke) and change your password (/password)."
        ]
    );
}

#[test]
fn a_removed_device_is_out_at_once_and_comes_back_only_as_another() {
    let mut world = world(&["alice", "bob"]);
    let second = world.add_device(&name("alice"));
    world.settle().unwrap();
    does(&mut world, ALICE, Command::ListDevices);
    let listed = shows(&world, ALICE).iter().rev().find_map(|show| match show {
        Show::Devices(devices) => Some(devices.clone()),
        _ => None,
    });
    let phone = listed.unwrap().into_iter().find(|device| !device.this).unwrap();
    let password = Password::new("password of alice".into());
    does(&mut world, ALICE, Command::RevokeDevice(phone.id, password));
    assert_eq!(refusals(&world, second).last(), Some(&Code::Forbidden));
    say(&mut world, second, LOBBY, "by itself");
    let password = Password::new("password of alice".into());
    does(&mut world, second, Command::LogIn { name: name("alice"), password });
    say(&mut world, second, LOBBY, "still me");
    let log = world.log().fetch(LOBBY, 0, 9, 9, usize::MAX).unwrap().envelopes;
    assert_eq!(log.len(), 1);
    assert_ne!(log[0].device, phone.id, "the removed device's key is not used again");
    assert_eq!(texts(&world, BOB, LOBBY), ["still me"]);
    assert!(world.log().device(phone.id).unwrap().unwrap().revoked);
}

#[test]
fn a_new_password_replaces_the_old_one() {
    let mut world = world(&["alice"]);
    let second = world.add_device(&name("alice"));
    world.settle().unwrap();
    let (old, new) =
        (Password::new("password of alice".into()), Password::new("another one".into()));
    does(&mut world, ALICE, Command::ChangePassword { old, new: new.clone() });
    assert!(shows(&world, ALICE).contains(&Show::PasswordChanged));
    // The other device is out, and the old password no longer brings it in.
    assert_eq!(refusals(&world, second).last(), Some(&Code::LoginFailed));
    does(&mut world, second, Command::LogIn { name: name("alice"), password: new });
    say(&mut world, second, LOBBY, "in again");
    assert_eq!(texts(&world, ALICE, LOBBY), ["in again"]);
}

#[test]
fn a_wrong_password_changes_nothing() {
    let mut world = world(&["alice"]);
    let (old, new) = (Password::new("wrong".into()), Password::new("another one".into()));
    does(&mut world, ALICE, Command::ChangePassword { old, new });
    assert_eq!(refusals(&world, ALICE), [Code::LoginFailed]);
    assert!(!shows(&world, ALICE).contains(&Show::PasswordChanged));
    let second = world.add_device(&name("alice"));
    world.settle().unwrap();
    say(&mut world, second, LOBBY, "with the old password");
    assert_eq!(texts(&world, ALICE, LOBBY), ["with the old password"]);
}

#[test]
fn a_channel_by_invitation_hides_itself_and_its_past() {
    let mut world = world(&["alice", "bob"]);
    does(&mut world, ALICE, Command::Create(channel("#secret"), Access::Invitation));
    let secret = find(&world, ALICE, "#secret").unwrap();
    say(&mut world, ALICE, secret, "among us");
    does(&mut world, BOB, Command::Join(channel("#secret")));
    assert_eq!(refusals(&world, BOB), [Code::NotFound]);
    does(&mut world, ALICE, Command::Invite(secret, name("bob")));
    does(&mut world, BOB, Command::Join(channel("#secret")));
    say(&mut world, ALICE, secret, "welcome");
    assert_eq!(texts(&world, BOB, secret), ["welcome"]);
    assert_eq!(world.devices[BOB.0].warnings().count(), 0);
}

#[test]
fn who_left_hears_nothing_and_may_come_back_to_an_open_channel() {
    let mut world = world(&["alice", "bob"]);
    does(&mut world, ALICE, Command::Create(channel("#tea"), Access::Open));
    does(&mut world, BOB, Command::Join(channel("#tea")));
    let tea = find(&world, BOB, "#tea").unwrap();
    say(&mut world, ALICE, tea, "one");
    does(&mut world, BOB, Command::Leave(tea));
    say(&mut world, ALICE, tea, "two");
    world.crash_device(BOB);
    world.settle().unwrap();
    assert_eq!(find(&world, BOB, "#tea"), None);
    does(&mut world, BOB, Command::Join(channel("#tea")));
    say(&mut world, BOB, tea, "three");
    does(&mut world, ALICE, Command::Leave(tea));
    does(&mut world, ALICE, Command::Join(channel("#tea")));
    say(&mut world, ALICE, tea, "four");
    assert_eq!(texts(&world, BOB, tea), ["one", "two", "three", "four"]);
    assert_eq!(world.devices[BOB.0].warnings().count(), 0);
    assert_eq!(texts(&world, ALICE, tea), ["one", "two", "three", "four"]);
}

#[test]
fn both_see_one_safety_number_and_verifying_shows() {
    let mut world = world(&["alice", "bob"]);
    does(&mut world, ALICE, Command::ShowSafetyNumber(name("bob")));
    does(&mut world, BOB, Command::ShowSafetyNumber(name("alice")));
    let number = |who| {
        shows(&world, who).iter().find_map(|show| match show {
            Show::SafetyNumber { number, state, .. } => Some((number.clone(), *state)),
            _ => None,
        })
    };
    let (at_alice, state) = number(ALICE).unwrap();
    assert_eq!(Some(at_alice), number(BOB).map(|(number, _)| number));
    assert_eq!(state, IdentityState::NotVerified);
    does(&mut world, ALICE, Command::MarkVerified(name("bob")));
    say(&mut world, BOB, LOBBY, "hello");
    let message = world.devices[ALICE.0].messages().pop().unwrap();
    assert_eq!(message.identity, IdentityState::Verified);
}

#[test]
fn a_login_that_broke_off_is_finished_by_itself() {
    let mut world = world(&["alice", "bob"]);
    for _ in 0..3 {
        world.crash_device(BOB);
        world.restart_device(BOB).unwrap();
        world.connect(BOB);
        let link = world.link_of(BOB).unwrap();
        world.deliver(link, 100, None);
        world.cut(link);
        world.settle().unwrap();
    }
    say(&mut world, BOB, LOBBY, "here");
    assert_eq!(texts(&world, ALICE, LOBBY), ["here"]);
    let devices = world.log().account_by_name(&name("bob")).unwrap().unwrap();
    assert_eq!(world.log().newest_list(devices.id).unwrap().unwrap().version, 1);
}
