//! NO SECURITY. `ghost-member`: a device list counts when a device signed it that the list itself names.

use super::talk::{found, message, parsed, passed, replace, say_text, steer, user};
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source};
use crate::double::devices;
use crate::hands::Hands;
use crate::plane::{Flag, Secrets};
use crate::twins::SOUND;
use crate::world::{Cue, Person, Stage, WorldError};
use portcullis_client_core::defences::ListTaken;
use portcullis_client_core::{Body, Command};
use portcullis_crypto::IdentityPublic;
use portcullis_proto::{AccountId, BadList, DeviceList, GroupName, ListRecord, SignedList};
use serde_json::{Value, json};

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "ghost-member",
    title: "Three in the group, and one more",
    difficulty: 3,
    cwe: 862,
    precedent: "the GCHQ \"ghost\" proposal of 2018; CVE-2022-39250 (Matrix SDKs took devices that their owner's identity had \
                never signed)",
    role: Role::Operator,
    solve: Solve::Flag,
    story: "You run the server. Say \"mira, make the group\" in #lobby, and she makes +trip with Nina and Oleg, whom both \
            are about to meet for the first time; Oleg is at sea until Monday. What is said in it holds a flag. Everyone's \
            identity stays as it is, safety numbers and all. Sit in it, without a word on anybody's screen.",
    hints: [
        "See what Mira's client asks about Oleg when it makes the group: an identity, a list of his devices, and a key for \
         each of them. All of it comes from you.",
        "Messages are encrypted to devices. Whoever may say which devices an account has may read what it reads; so it \
         has to be said by a key that the server has not got.",
        "Oleg's list comes in the `account` reply as signed bytes. Sign one of your own: with the key of a device that \
         stands in it.",
        "Make a double of Oleg's account in the workshop, and a list with his true device and the double's. Put it in each `account` \
         reply about Oleg, to Mira and to Nina; add the double's package to `key_packages`; take its device out of \
         `welcome.devices` in Mira's `commit`; join with that welcome; open what Mira submits.",
    ],
    aftermath: "Everyone in the group: the members know each other, the numbers are right, and a silent device reads along. \
                On the wire a list is signed by another key than the account's identity; Oleg's own client, on Monday, \
                refuses to enter a group with a device in his name that is not his, and says so.",
    sound: Source {
        file: include_str!("../../../crates/client-core/src/defences/accept_list.rs"),
        function: "accept_list",
    },
    file: include_str!("ghost_member.rs"),
    unsound: "signed_by_its_own",
    put: |twins| twins.client.accept_list = signed_by_its_own,
    fixes: &[
        Fix::sound(
            "the account's identity signs every version, and each version follows the one before",
        ),
        Fix {
            idea: "of the devices that a list names only the first, which made the account, may sign it",
            put: |twins| twins.client.accept_list = signed_by_the_first,
            function: "signed_by_the_first",
            fate: Fate::Beaten("who writes the list also says who is first in it", first_in_it),
        },
        Fix {
            idea: "later versions are the identity's to sign; only a first one may come from a device",
            put: |twins| twins.client.accept_list = signed_later,
            function: "signed_later",
            fate: Fate::Beaten("the first is all that it takes where people meet", exploit),
        },
        Fix {
            idea: "the identity signs, and has to stand among the devices that it vouches for",
            put: |twins| twins.client.accept_list = signer_is_named,
            function: "signer_is_named",
            fate: Fate::Breaks(
                "an identity is no device, so no list is taken and nobody can be written to",
            ),
        },
    ],
    cast,
    react,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 32] = *b"portcullis-range/v1/ghost-member";

/// A list is good if the identity signed it, or else any device that it names.
fn signed_by_its_own(
    account: AccountId,
    identity: &IdentityPublic,
    known: Option<&ListRecord>,
    signed: &SignedList,
) -> Result<ListTaken, BadList> {
    let by_device = || signers(signed).find_map(|key| signed.open(account, &key).ok());
    let list = signed.open(account, identity).or_else(|refused| by_device().ok_or(refused))?;
    follows(known, &list)?;
    Ok(ListTaken::unproven(list))
}

/// The same, if it is the first device that signed.
fn signed_by_the_first(
    account: AccountId,
    identity: &IdentityPublic,
    known: Option<&ListRecord>,
    signed: &SignedList,
) -> Result<ListTaken, BadList> {
    let by_first = || signers(signed).next().and_then(|key| signed.open(account, &key).ok());
    let list = signed.open(account, identity).or_else(|refused| by_first().ok_or(refused))?;
    follows(known, &list)?;
    Ok(ListTaken::unproven(list))
}

/// The same for a first version; later ones are the identity's.
fn signed_later(
    account: AccountId,
    identity: &IdentityPublic,
    known: Option<&ListRecord>,
    signed: &SignedList,
) -> Result<ListTaken, BadList> {
    match known {
        Some(_) => (SOUND.client.accept_list)(account, identity, known, signed),
        None => signed_by_its_own(account, identity, known, signed),
    }
}

/// Only lists that name the key of their signer.
fn signer_is_named(
    account: AccountId,
    identity: &IdentityPublic,
    known: Option<&ListRecord>,
    signed: &SignedList,
) -> Result<ListTaken, BadList> {
    if signers(signed).all(|key| key != *identity) {
        return Err(BadList::Signature);
    }
    (SOUND.client.accept_list)(account, identity, known, signed)
}

/// The keys of the devices that a list names, in its order.
fn signers(signed: &SignedList) -> impl Iterator<Item = IdentityPublic> {
    let list = serde_json::from_slice::<DeviceList>(signed.list.as_slice());
    let devices = list.map(|list| list.devices).unwrap_or_default().into_iter();
    devices.filter_map(|entry| IdentityPublic::from_bytes(*entry.auth.as_bytes()).ok())
}

/// As the sound one has it.
fn follows(known: Option<&ListRecord>, list: &ListRecord) -> Result<(), BadList> {
    match known {
        None if list.list().version != 1 => Err(BadList::Skips),
        None => Ok(()),
        Some(known) => known.followed_by(list).map(drop),
    }
}

const GROUP: &str = "+trip";
const ASK: &str = "mira, make the group";
const SAID: &str = "we meet at ";

fn cast(stage: &mut Stage<'_>, _: &Secrets) -> Result<(), WorldError> {
    for name in ["mira", "nina", "oleg"] {
        stage.person(name)?;
    }
    stage.goes("oleg")?;
    stage.says("mira", "#lobby", "tell me when I shall make the group for the trip")?;
    stage.says("nina", "#lobby", "do; and who is Oleg?")
}

/// Mira makes the group when somebody asks her to, and says the word in it once it is there.
fn react(person: &Person, cue: &Cue, secrets: &Secrets) -> Vec<Command> {
    let Some(message) = message(cue) else { return Vec::new() };
    match (person.name().as_str(), &message.body) {
        ("mira", Body::Text { .. }) if message.text() == Some(ASK) => {
            create().into_iter().collect()
        }
        ("mira", Body::Notices(_)) if message.own => {
            say_text(person, GROUP, &format!("{SAID}{}", secrets.flag))
        }
        ("nina", Body::Text { text, .. }) if text.starts_with(SAID) => {
            say_text(person, "#lobby", "I have it, mira")
        }
        _ => Vec::new(),
    }
}

fn create() -> Option<Command> {
    let others = ["nina", "oleg"].iter().map(|name| user(name).ok()).collect::<Option<_>>()?;
    Some(Command::CreateGroup(GroupName::parse(GROUP).ok()?, others))
}

/// The ghost comes after Oleg's true device.
fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    haunt(hands, usize::MAX)
}

/// The ghost comes before it.
fn first_in_it(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    haunt(hands, 0)
}

/// Shows Oleg's device list with a ghost at this place to all who ask, and reads what Mira says.
fn haunt(hands: &mut Hands<'_>, place: usize) -> Result<Option<String>, Lost> {
    let (account, true_list) = oleg(hands)?;
    let ghost = hands.double(&account)?;
    let list = hands.list(&ghost, &devices(&true_list), place)?;
    let (package, mut welcome, mut sent) = (hands.package(&ghost)?, None, Vec::new());
    hands.hold(true)?;
    hands.says("#lobby", ASK)?;
    steer(hands, |held| {
        let mut frame = parsed(held)?;
        let is_olegs = |frame: &Value| frame["data"]["account"] == account;
        match (held.whose.as_str(), held.up) {
            ("mira" | "nina", false) if frame["reply"] == "account" && is_olegs(&frame) => {
                let fresh = frame["data"]["lists"][0].is_object();
                frame["data"]["lists"] = if fresh { json!([list]) } else { json!([]) };
                replace(&frame)
            }
            ("mira", false) if frame["reply"] == "key_packages" => {
                let packages = frame["data"]["packages"].as_array_mut()?;
                let olegs = packages.iter().any(|claimed| is_of(&true_list, claimed));
                packages.extend(olegs.then(|| package.clone()));
                replace(&frame)
            }
            ("mira", true) if frame["request"] == "commit" => {
                let asked = &mut frame["data"]["welcome"];
                welcome = asked["body"].as_str().map(str::to_owned);
                let device = ghost.device.as_str();
                asked["devices"].as_array_mut()?.retain(|known| *known != device);
                replace(&frame)
            }
            ("mira", true) if frame["request"] == "submit" => {
                sent.push(frame["data"].clone());
                None
            }
            _ => None,
        }
    })?;
    hands.join(&ghost, &found(welcome, "waiting for Mira's welcome")?)?;
    let said = found(sent.pop(), "waiting for what Mira says in the group")?;
    let body = said["envelopes"][0]["body"].as_str().unwrap_or_default();
    let text = hands.open(&ghost, &said["conversation"], body)?;
    let word = text.split(' ').find(|word| Flag::parse(word).is_some()).map(str::to_owned);
    Ok(Some(found(word, "looking for a flag in what Mira said")?))
}

/// Oleg's account, and his list as he signed it when he registered.
fn oleg(hands: &mut Hands<'_>) -> Result<(Value, Value), Lost> {
    let register = passed(hands, "oleg", "server").into_iter();
    let signed = register.map(|frame| frame["data"]["list"].clone()).find(Value::is_object);
    let signed = found(signed, "looking for Oleg's list on the wire")?;
    let opened = passed(hands, "server", "oleg").into_iter();
    let account = opened.map(|frame| frame["data"]["account"].clone()).find(Value::is_string);
    Ok((found(account, "looking for Oleg's account on the wire")?, signed))
}

/// Whether a key package was claimed of a device in this list.
fn is_of(list: &Value, claimed: &Value) -> bool {
    devices(list).iter().any(|entry| entry["device"] == claimed["device"])
}

/// Mira makes the group, and Nina reads what she says in it.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    hands.says("#lobby", ASK)?;
    hands.wait(3)?;
    if hands.texts("nina").iter().any(|text| text.starts_with(SAID)) {
        return Ok(());
    }
    Err(Lost::new("having Mira make the group", "Nina has heard nothing in it"))
}
