//! Lines as people type them, and the commands that they are.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::command::{Access, COMMANDS, Command, Entry, OF_VISITORS, TransferVerb, find, parse};
use portcullis_proto::{ChannelName, DeviceName, GroupName, PersonName, UserName};

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn person(name: &str) -> PersonName {
    PersonName::parse(name).unwrap()
}

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

fn group(name: &str) -> GroupName {
    GroupName::parse(name).unwrap()
}

fn two() -> Vec<UserName> {
    vec![user("bob"), user("carol")]
}

#[test]
fn what_is_understood() {
    for (line, expected) in [
        ("hello", Command::Say("hello".into())),
        ("  two\nlines", Command::Say("  two\nlines".into())),
        ("//list", Command::Say("/list".into())),
        ("/list", Command::List),
        ("/WHO", Command::List),
        ("/list  ", Command::List),
        ("/all good  morning ", Command::All("good  morning".into())),
        ("/all a\nb", Command::All("a\nb".into())),
        ("/join #Dev", Command::Join(channel("#dev"))),
        ("/j dev", Command::Join(channel("#dev"))),
        ("/create #dev", Command::Create(channel("#dev"), Access::Open)),
        ("/create dev invitation", Command::Create(channel("#dev"), Access::Invitation)),
        ("/msg Bob hi  there\nyou", Command::Tell(person("bob"), "hi  there\nyou".into())),
        ("/tell @bob", Command::Tell(person("bob"), String::new())),
        ("/msg ~ABCDefgh23456722 hi", Command::Tell(person("~abcdefgh23456722"), "hi".into())),
        ("/group Team bob @carol", Command::Group(group("+team"), two())),
        ("/group +team bob, carol", Command::Group(group("+team"), two())),
        ("/reply yes, from nine", Command::Reply(1, "yes, from nine".into())),
        ("/r 3 yes", Command::Reply(3, "yes".into())),
        ("/reply 1 2 apples", Command::Reply(1, "2 apples".into())),
        ("/reply 2nd time", Command::Reply(1, "2nd time".into())),
        ("/edit 2 better", Command::Edit(2, "better".into())),
        ("/edit", Command::Edit(1, String::new())),
        ("/delete", Command::Delete(1)),
        ("/delete 12", Command::Delete(12)),
        ("/react 👍🏽", Command::React(1, "👍🏽".into())),
        ("/react 4 +1", Command::React(4, "+1".into())),
        ("/history", Command::History(None)),
        ("/history 2", Command::History(Some(2))),
        ("/invite @Bob", Command::Invite(vec![user("bob")])),
        ("/invite bob carol", Command::Invite(two())),
        ("/members", Command::Members),
        ("/kick bob", Command::Kick(user("bob"))),
        ("/rename Team-2", Command::Rename(group("+team-2"))),
        ("/owner bob", Command::Owner(user("bob"))),
        ("/verify bob", Command::Verify(user("bob"), false)),
        ("/verify bob yes", Command::Verify(user("bob"), true)),
        ("/accept bob", Command::Accept(user("bob"))),
        ("/guests", Command::Guests(None)),
        ("/guests on", Command::Guests(Some(true))),
        ("/guests off", Command::Guests(Some(false))),
        ("/devices", Command::Devices),
        ("/devices revoke old laptop", Command::Revoke(DeviceName::parse("old laptop").unwrap())),
        ("/password", Command::Password),
        ("/leave", Command::Leave),
        ("/help", Command::Help),
        ("/q", Command::Quit),
    ] {
        assert_eq!(parse(line), Ok(expected), "{line}");
    }
}

#[test]
fn what_is_understood_about_files() {
    for (line, expected) in [
        ("/file a.pdf", Command::File(vec!["a.pdf".into()])),
        (
            "/file bob 'my report.pdf' \"a b\" c\\ d",
            Command::File(["bob", "my report.pdf", "a b", "c d"].map(str::to_owned).to_vec()),
        ),
        ("/get", Command::Get(None, None)),
        ("/get 2", Command::Get(Some(2), None)),
        ("/get 2 ~/my\\ files", Command::Get(Some(2), Some("~/my files".into()))),
        ("/get 'a b'", Command::Get(None, Some("a b".into()))),
        ("/decline", Command::Decline(None)),
        ("/transfers", Command::Transfers(None)),
        ("/transfers pause 3", Command::Transfers(Some((TransferVerb::Pause, Some(3))))),
        ("/transfers cancel", Command::Transfers(Some((TransferVerb::Cancel, None)))),
        ("/autoaccept bob 50M", Command::AutoAccept(user("bob"), Some(50_000_000))),
        ("/autoaccept bob 7kb", Command::AutoAccept(user("bob"), Some(7_000))),
        ("/autoaccept bob 9", Command::AutoAccept(user("bob"), Some(9))),
        ("/autoaccept bob off", Command::AutoAccept(user("bob"), None)),
        ("/direct bob on", Command::Direct(user("bob"), true)),
    ] {
        assert_eq!(parse(line), Ok(expected), "{line}");
    }
}

#[test]
fn the_table_is_of_a_piece() {
    for entry in COMMANDS {
        assert!(entry.usage.starts_with(&format!("/{}", entry.name)), "{}", entry.name);
        let same = |other: &&Entry| [other.name, other.alias].contains(&entry.name);
        assert_eq!(COMMANDS.iter().filter(same).count(), 1, "{}", entry.name);
    }
    for (name, usage, _) in OF_VISITORS {
        assert!(find(name).is_some() && usage.starts_with(&format!("/{name}")), "{name}");
    }
}
