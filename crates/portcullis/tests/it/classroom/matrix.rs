//! Two clients of every family, on one server at one time: each pair lists itself, talks publicly and
//! privately, and exchanges files, both ways; and what goes across families does.
#![allow(clippy::print_stdout, reason = "the tables are there to be read")]

use super::address;
use super::client::Client;
use super::family::{Accepts, FAMILIES, Family};
use super::http::{download, upload};
use super::key::Key;
use super::wire::Root;
use crate::program::World;
use crate::tls::certificate;
use tempfile::TempDir;

/// Goes through quotes, escapes and all planes of Unicode.
const TRICKY: &str = "\"é\" \\ <b>\u{2028}\u{1f600}</b>\nnext";

#[test]
fn every_family_has_all_of_it() {
    let folder = TempDir::new().unwrap();
    let [certificate, key] = certificate(folder.path(), "server");
    let [cert, key] = [&certificate, &key].map(|path| path.to_str().unwrap());
    // One family speaks inside TLS alone and the others without: on one port.
    let mut world = World::new(&["--tls-cert", cert, "--tls-key", key]);
    let _server = world.serve();
    let server = &address(&world);
    let root = Root::read(&certificate);
    let trusts = |family: &Family| family.speaks_tls.then_some(&root);
    let join = |number: usize| {
        let family = FAMILIES[number / 2];
        let key = Key::number(number);
        let mut client = Client::connect_by(family, key, server, trusts(family));
        client.hello();
        client
    };
    let mut clients: Vec<_> = (0..2 * FAMILIES.len()).map(join).collect();
    let mut pems: Vec<_> = clients.iter().map(Client::pem).collect();
    pems.sort();

    println!("{:<15} list public private file", "");
    for number in 0..FAMILIES.len() {
        let pair: &mut [Client; 2] = (&mut clients[2 * number..][..2]).try_into().unwrap();
        let cells = [
            lists(pair, &pems),
            talks_publicly(pair, number),
            talks_privately(pair, number),
            exchanges_files(pair, server, trusts(FAMILIES[number])),
        ];
        let [list, public, private, file] = cells.map(|cell| if cell { "yes" } else { "NO" });
        let name = FAMILIES[number].name;
        println!("{name:<15} {list:<4} {public:<6} {private:<7} {file:<4}");
        assert_eq!(cells, [true; 4], "{name}");
    }
    across(&mut clients);
}

/// Each sees all PEMs as they were said, at the address of the server.
fn lists(pair: &mut [Client; 2], pems: &[String]) -> bool {
    pair.iter_mut().all(|client| {
        // Those who came last may be verified last.
        client.list_until(|listed| pems.iter().all(|pem| listed.contains(pem)));
        let people = client.list();
        pems.iter().all(|pem| people.iter().filter(|person| person.pem == *pem).count() == 1)
            && people.iter().all(|person| person.server.starts_with("localhost:"))
    })
}

fn both_ways(
    pair: &mut [Client; 2],
    mut says: impl FnMut(&mut Client, &mut Client) -> bool,
) -> bool {
    let [one, other] = pair;
    says(one, other) && says(other, one)
}

fn talks_publicly(pair: &mut [Client; 2], number: usize) -> bool {
    both_ways(pair, |speaker, listener| {
        let text = format!("{TRICKY} {number} {}", speaker.fingerprint());
        let frame = speaker.say_public(&text);
        let (said, arrived) = listener.hear_public(&text);
        said.verified
            && said.sender == speaker.fingerprint()
            && is_relayed(&frame, &arrived, listener.family)
    })
}

fn talks_privately(pair: &mut [Client; 2], number: usize) -> bool {
    both_ways(pair, |speaker, listener| {
        let text = format!("{TRICKY} {number}");
        let frame = speaker.say_private(&listener.pem(), &text);
        let (said, arrived) = listener.hear_private(&text);
        let participants = [speaker.fingerprint(), listener.fingerprint()];
        said.verified
            && said.participants == participants
            && is_relayed(&frame, &arrived, listener.family)
    })
}

/// The address goes by a private message, as people send it.
fn exchanges_files(pair: &mut [Client; 2], server: &str, root: Option<&Root>) -> bool {
    both_ways(pair, |speaker, listener| {
        let file: Vec<u8> = (0..=255).cycle().take(70_000).collect();
        let url = upload(server, root, speaker.family, "notes é.txt", &file);
        speaker.say_private(&listener.pem(), &url);
        listener.hear_private(&url);
        let answer = download(server, &url);
        answer.status == 200 && answer.body == file
    })
}

/// A frame arrives byte for byte, except where its receiver takes objects alone.
fn is_relayed(sent: &str, arrived: &str, receiver: &Family) -> bool {
    sent == arrived || (receiver.accepts == Accepts::Object && arrived.contains("\"data\":{"))
}

/// What a family hears of another: those that insist on verifying can't, for no two families make
/// fingerprints alike; a frame gets through where its form is taken, or the server mends it.
fn hears(listener: &Family, speaker: &Family) -> bool {
    let takes = match listener.accepts {
        Accepts::Both | Accepts::Object => true,
        Accepts::Text => speaker.sends_text,
    };
    std::ptr::eq(listener, speaker) || (takes && !listener.insists)
}

/// From every family to every other.
fn across(clients: &mut [Client]) {
    println!("\n{:<15} is heard by", "");
    for speaker in 0..FAMILIES.len() {
        let text = format!("from {}", FAMILIES[speaker].name);
        let frame = clients[2 * speaker].say_public(&text);
        let mut heard_by = Vec::new();
        for listener in 0..FAMILIES.len() {
            let client = &mut clients[2 * listener + 1];
            let family = client.family;
            if hears(family, FAMILIES[speaker]) {
                let (said, arrived) = client.hear_public(&text);
                assert_eq!(said.verified, listener == speaker, "{arrived}");
                assert!(is_relayed(&frame, &arrived, family), "{arrived}");
                heard_by.push(family.name);
            } else {
                // It gets there, and is not taken.
                client.wait(&text, |heard| {
                    heard.frame.contains(&text) && is_relayed(&frame, &heard.frame, family)
                });
            }
        }
        println!("{:<15} {}", FAMILIES[speaker].name, heard_by.join(", "));
    }
}
