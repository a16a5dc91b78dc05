//! NO SECURITY. `key-substitution`: whichever identity key the server shows for a contact is taken for theirs.

use super::talk::{found, message, parsed, passed, replace, say_text, steer, user};
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source};
use crate::hands::{Double, Hands, YOU};
use crate::plane::{Flag, Secrets};
use crate::twins::SOUND;
use crate::world::{Cue, Person, Stage, WorldError};
use portcullis_client_core::defences::{Contact, Pinned};
use portcullis_client_core::{Command, Message};
use portcullis_proto::{AccountCard, PersonName};
use serde_json::{Value, json};

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "key-substitution",
    title: "The friend with another key",
    difficulty: 3,
    cwe: 322,
    precedent: "CVE-2022-39250 (Matrix SDKs took keys that the homeserver slipped in); Telegram 2013 (a key that only the \
                server vouched for)",
    role: Role::Operator,
    solve: Solve::Flag,
    story: "You run the server. Mira has seen Oleg in #lobby, so her client knows his key. Ask her in #lobby: \
            \"mira, tell oleg the word\", and she sends it to him alone, encrypted. It holds a flag. You have the \
            wire, a library that makes keys, and no key of Oleg's.",
    hints: [
        "Follow what Mira's client asks before it encrypts: `account_by_id` for Oleg's identity and device list, then \
         `claim_key_packages` for his devices' keys. You answer both.",
        "Encryption protects from everybody but the one whose key was used. A key from a stranger's hand has to be \
         compared with what was there before, and if it differs a person has to be asked.",
        "Announce a new version of Oleg's list to Mira, {\"event\":\"device_list\",\"data\":{\"account\":OLEG,\"version\":2}}, \
         and change the `identity` in the answer that she gets. She says nothing: now the key is yours.",
        "Make a double of Oleg's account in the workshop. In the `account` reply put its identity and its list, in `key_packages` its \
         package; keep the `welcome` of Mira's `commit` and put null in its place (your server does not know whom it is \
         for); join with it, and open the body of the `submit` that follows.",
    ],
    aftermath: "Mira, who was promised that nobody but Oleg reads it, and Oleg, who may never hear of it. On the wire the \
                identity key in an `account` reply differs from the one before; whoever compares safety numbers sees it, \
                and Portcullis stops sending and says so.",
    sound: Source {
        file: include_str!("../../../crates/client-core/src/defences/accept_identity.rs"),
        function: "accept_identity",
    },
    file: include_str!("key_substitution.rs"),
    unsound: "newest_key",
    put: |twins| twins.client.accept_identity = newest_key,
    fixes: &[
        Fix {
            idea: "a new key is taken only for the account and the name that were known before",
            put: |twins| twins.client.accept_identity = same_name,
            function: "same_name",
            fate: Fate::Beaten(
                "account and name are public; the server shows them as they were",
                exploit,
            ),
        },
        Fix {
            idea: "a card for somebody who is known is a change, and is shown",
            put: |twins| twins.client.accept_identity = first_only,
            function: "first_only",
            fate: Fate::Breaks(
                "the same card comes again whenever somebody is looked up, and then nothing is sent to them any more",
            ),
        },
        Fix {
            idea: "the beginning of the new key has to be that of the old one, as people compare it",
            put: |twins| twins.client.accept_identity = same_beginning,
            function: "same_beginning",
            fate: Fate::Beaten(
                "one key in 256 begins like Oleg's; making 256 keys takes no time",
                alike,
            ),
        },
        Fix::sound(
            "what was seen first is held fast by account and by name, and all that differs is a change",
        ),
    ],
    cast,
    react,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 36] = *b"portcullis-range/v1/key-substitution";

/// What is shown now is what counts.
fn newest_key(pinned: &Pinned, card: &AccountCard) -> Contact {
    match &pinned.by_id {
        Some((name, key)) if *name == card.name && *key == card.identity => Contact::Known,
        _ => Contact::First,
    }
}

/// Another key is taken as long as it is the same account of the same name.
fn same_name(pinned: &Pinned, card: &AccountCard) -> Contact {
    match (&pinned.by_id, pinned.by_name) {
        (Some((name, _)), Some(account)) if *name == card.name && account == card.account => {
            newest_key(pinned, card)
        }
        _ => SOUND_IDENTITY(pinned, card),
    }
}

/// Whoever is known is never taken again.
fn first_only(pinned: &Pinned, card: &AccountCard) -> Contact {
    match (&pinned.by_id, pinned.by_name) {
        (None, None) => Contact::First,
        (_, by_name) => Contact::Changed(by_name.unwrap_or(card.account)),
    }
}

/// Another key is taken if it begins like the one before.
fn same_beginning(pinned: &Pinned, card: &AccountCard) -> Contact {
    match &pinned.by_id {
        Some((_, key)) if key.as_bytes().first() == card.identity.as_bytes().first() => {
            same_name(pinned, card)
        }
        _ => SOUND_IDENTITY(pinned, card),
    }
}

const SOUND_IDENTITY: fn(&Pinned, &AccountCard) -> Contact = SOUND.client.accept_identity;

fn cast(stage: &mut Stage<'_>, _: &Secrets) -> Result<(), WorldError> {
    stage.person("mira")?;
    stage.person("oleg")?;
    stage.says("oleg", "#lobby", "mira, write me the word when you have it; to me alone")?;
    stage.says("mira", "#lobby", "I have it; say when")
}

/// Mira tells Oleg the word when somebody asks her to, and looks at his number when asked to.
fn react(person: &Person, cue: &Cue, secrets: &Secrets) -> Vec<Command> {
    let text = message(cue).and_then(Message::text).unwrap_or_default();
    let oleg = user("oleg").ok();
    match (person.name().as_str(), text, oleg) {
        ("mira", ASK, Some(oleg)) => {
            vec![Command::Tell(PersonName::User(oleg), format!("the word is {}", secrets.flag))]
        }
        ("mira", LOOK, Some(oleg)) => vec![Command::ShowSafetyNumber(oleg)],
        ("oleg", text, _) if text.starts_with("the word is") => {
            say_text(person, "#lobby", "I have it, mira")
        }
        _ => Vec::new(),
    }
}

const ASK: &str = "mira, tell oleg the word";
const LOOK: &str = "mira, look at oleg's number";

fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    let card = oleg(hands)?;
    let double = hands.double(&card["account"])?;
    substitute(hands, &card, double)
}

/// The same with a key that begins like Oleg's.
fn alike(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    let card = oleg(hands)?;
    let known = first_byte(card["identity"].as_str().unwrap_or_default());
    for _ in 0..20_000 {
        let double = hands.double(&card["account"])?;
        if first_byte(&double.identity) == known {
            return substitute(hands, &card, double);
        }
    }
    Err(Lost::new("making a key that begins like Oleg's", "none of 20,000 does"))
}

/// The first byte of what is base64: its first two characters, but for the last four bits.
fn first_byte(base64: &str) -> Option<u8> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(base64).ok()?;
    bytes.first().copied()
}

/// Oleg's card, as the server has shown it to Mira.
fn oleg(hands: &mut Hands<'_>) -> Result<Value, Lost> {
    let shown = passed(hands, "server", "mira").into_iter();
    let mut cards = shown.filter(|f| f["reply"] == "account" && f["data"]["name"] == "oleg");
    Ok(found(cards.next(), "looking for Oleg's card on the wire")?["data"].clone())
}

/// Shows Mira the double in Oleg's place, and reads what she says to it.
fn substitute(hands: &mut Hands<'_>, card: &Value, double: Double) -> Result<Option<String>, Lost> {
    let account = &card["account"];
    let (list, package) = (hands.list(&double, &[], 0)?, hands.package(&double)?);
    hands.hold(true)?;
    let news = json!({"event": "device_list", "data": {"account": account, "version": 2}});
    hands.inject("mira", false, &news.to_string())?;
    hands.says("#lobby", ASK)?;
    let (mut welcome, mut sent) = (None, Vec::new());
    steer(hands, |held| {
        let mut frame = parsed(held)?;
        match (held.whose.as_str(), held.up) {
            ("mira", false) if frame["data"]["account"] == *account && frame["id"].is_u64() => {
                frame["data"]["identity"] = json!(double.identity);
                frame["data"]["lists"] = json!([list]);
                replace(&frame)
            }
            // Those of Mira's own other devices are none.
            ("mira", false) if frame["data"]["packages"][0].is_object() => {
                frame["data"]["packages"] = json!([package]);
                replace(&frame)
            }
            ("mira", true) if frame["request"] == "commit" => {
                welcome = frame["data"]["welcome"]["body"].as_str().map(str::to_owned);
                frame["data"]["welcome"] = Value::Null;
                replace(&frame)
            }
            ("mira", true) if frame["request"] == "submit" => {
                sent.push(frame["data"].clone());
                None
            }
            // Oleg would find a device in the direct that is not his: he hears nothing of it.
            ("oleg", false) => Some(Vec::new()),
            _ => None,
        }
    })?;
    hands.join(&double, &found(welcome, "waiting for Mira's welcome")?)?;
    let submit = found(sent.pop(), "waiting for what Mira sends")?;
    let body = submit["envelopes"][0]["body"].as_str().unwrap_or_default();
    let text = hands.open(&double, &submit["conversation"], body)?;
    let word = text.split(' ').find(|word| Flag::parse(word).is_some()).map(str::to_owned);
    Ok(Some(found(word, "looking for a flag in what Mira said")?))
}

/// Mira looks at Oleg's number; what she then tells him he reads.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    hands.says("#lobby", LOOK)?;
    hands.says("#lobby", ASK)?;
    hands.wait(2)?;
    if hands.texts(YOU).iter().any(|text| text == "I have it, mira") {
        return Ok(());
    }
    Err(Lost::new("having Mira tell Oleg the word", "he has not got it"))
}
