//! NO SECURITY. `no-tag`: orders are encrypted in counter mode, and nothing proves that they were not altered.

use super::at_desk::{at, was_read};
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source, still};
use crate::hands::Hands;
use crate::lesson::{Act, Actor, Cue, Header, Key, Nonce, Sealed, bound, mac};
use crate::plane::Secrets;
use crate::world::{Decision, Happened, Held, Line, Stage, WorldError, is_forged};
use portcullis_proto::Bytes;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "no-tag",
    title: "Ten becomes ninety-nine",
    difficulty: 2,
    cwe: 353,
    precedent: "CVE-2023-22899: Zip4j did not always check the code of what it decrypted; Bridgefy (2020) had none",
    role: Role::Network,
    solve: Solve::State(broken),
    story: "Mira orders payments at #bank, encrypted with AES in counter mode. Whoever asks her \"10 to SOMEBODY\" gets \
            ten: she orders \"pay from HER ACCOUNT 10 to SOMEBODY\", and the bank says aloud what it has done. You sit on \
            the network between her and the desk, and have no key. Ask her for 10 to NONCE, and have the bank read that it \
            should pay another sum.",
    hints: [
        "Hold the wire, ask Mira for \"10 to NONCE\", and look at her `post` of the kind `order`: is the body longer than what she says?",
        "Counter mode adds a stream of bits to the text. Who flips a bit of what was encrypted flips the same bit of the text.",
        "What the bank says aloud shows the text of an order, and so which bytes of the body hold the 1 and the 0.",
        "With at = text.index(\" 10 to \"): decode the body, body[at + 1] ^= ord('1') ^ ord('9'), \
         body[at + 2] ^= ord('0') ^ ord('9'), encode it, and let the frame go on so.",
    ],
    aftermath: "The bank, and Mira who is charged. On the wire nothing is odd but that the frame that left Mira is not the \
                one that came to the desk: only who sees both ends can tell.",
    sound: Source { file: include_str!("../lesson/suite.rs"), function: "order_tag" },
    file: include_str!("no_tag.rs"),
    unsound: "no_code",
    put: |twins| twins.lesson.order_tag = no_code,
    fixes: &[
        Fix {
            idea: "a digest of what was encrypted goes with the order",
            put: |twins| twins.lesson.order_tag = digest,
            function: "digest",
            fate: Fate::Beaten("anybody can make a digest: there is no key in it", redigest),
        },
        Fix {
            idea: "a code with the key is made over the sender, the place and the nonce",
            put: |twins| twins.lesson.order_tag = code_of_the_envelope,
            function: "code_of_the_envelope",
            fate: Fate::Beaten("what is inside the envelope can still be altered", exploit),
        },
        Fix {
            idea: "a code with the key is made over the command, since that is what does harm",
            put: |twins| twins.lesson.order_tag = code_of_the_command,
            function: "code_of_the_command",
            fate: Fate::Beaten("\"pay\" stays as it is; the sum does not", exploit),
        },
        Fix::sound("a code with a key of its own is made over all of it, after it was encrypted"),
    ],
    cast,
    react: still,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 26] = *b"portcullis-range/v1/no-tag";

/// No code at all: the bank decrypts whatever comes, and a text comes out of anything.
/// It is encrypted, is it not?
fn no_code(_: &Key, _: &Header, _: &Nonce, _: &[u8]) -> Vec<u8> {
    Vec::new()
}

/// A digest of what was encrypted.
fn digest(_: &Key, _: &Header, _: &Nonce, sealed: &[u8]) -> Vec<u8> {
    Sha256::digest(sealed).to_vec()
}

/// A code over what stands around the order.
fn code_of_the_envelope(key: &Key, header: &Header, nonce: &Nonce, _: &[u8]) -> Vec<u8> {
    mac(&key.derive(b"order tag"), &[&bound(header), nonce]).to_vec()
}

/// A code over what stands around the order, and over its command: the first four bytes.
fn code_of_the_command(key: &Key, header: &Header, nonce: &Nonce, sealed: &[u8]) -> Vec<u8> {
    let command = sealed.get(..4).unwrap_or(sealed);
    mac(&key.derive(b"order tag"), &[&bound(header), nonce, command]).to_vec()
}

fn cast(stage: &mut Stage<'_>, _: &Secrets) -> Result<(), WorldError> {
    stage.actor("mira", mira)?;
    stage.actor("bank", bank)?;
    stage.share(&["#bank"], &["mira", "bank"])
}

/// Mira gives ten to whomever somebody asks her for.
fn mira(_: &Actor, cue: &Cue, secrets: &Secrets) -> Vec<Act> {
    match cue {
        Cue::Asked(text) if text.starts_with("10 to ") && text.len() < 60 => {
            at("#bank", format!("pay from {} {text}", account(secrets)), Act::Order)
        }
        _ => Vec::new(),
    }
}

/// Mira's account, whose name is longer with some than with others.
fn account(secrets: &Secrets) -> String {
    secrets.word("account", 4 + secrets.below("length of the account", 9))
}

/// The bank does what Mira orders, and says so.
fn bank(_: &Actor, cue: &Cue, _: &Secrets) -> Vec<Act> {
    match cue {
        Cue::Read { sender, text, .. } => {
            vec![Act::Answer(format!("done for {sender}: {text}"))]
        }
        _ => Vec::new(),
    }
}

fn broken(happened: &[Happened], secrets: &Secrets) -> bool {
    is_forged(happened, &secrets.nonce)
}

fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    alter(hands, |order| order.tag.clone())
}

/// The same, and makes the digest anew.
fn redigest(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    alter(hands, |order| Bytes(Sha256::digest(order.body.as_slice()).to_vec()))
}

/// Has ten paid to somebody, and hears what the bank says of it.
fn order_aloud(hands: &mut Hands<'_>, desk: Line) -> Result<String, Lost> {
    let ask = json!({"to": "mira", "text": "10 to nobody"});
    hands.send(desk, &json!({"id": 1, "request": "ask", "data": ask}).to_string())?;
    let heard = hands.hear(desk);
    let aloud = heard.iter().find(|frame| frame["event"] == "answer");
    let aloud = aloud.and_then(|frame| frame["data"]["text"].as_str()?.split_once(": "));
    let aloud = aloud.map(|(_, order)| order.to_owned());
    aloud.ok_or_else(|| Lost::new("hearing what the bank has done", format!("{heard:?}")))
}

fn place_of_the_sum(order: &str) -> Result<usize, Lost> {
    let before = order.find(" 10 to ");
    before.map(|place| place + 1).ok_or_else(|| Lost::new("looking for the sum", order))
}

/// Holds the wire, asks for ten, and lets everything pass but the order, which is altered.
fn alter(hands: &mut Hands<'_>, tag: fn(&Sealed) -> Bytes) -> Result<Option<String>, Lost> {
    let desk = hands.desk()?;
    let sum = place_of_the_sum(&order_aloud(hands, desk)?)?;
    let ask = json!({"to": "mira", "text": format!("10 to {}", hands.nonce())});
    hands.hold(true)?;
    hands.send(desk, &json!({"id": 1, "request": "ask", "data": ask}).to_string())?;
    while let Some(held) = hands.held().into_iter().next() {
        let decision =
            altered(&held, sum, tag).map_or(Decision::Pass, |text| Decision::Replace(vec![text]));
        hands.decide(held.id, decision)?;
    }
    hands.hold(false)?;
    Ok(None)
}

/// Mira's order with another sum; none where the frame is something else.
fn altered(held: &Held, sum: usize, tag: fn(&Sealed) -> Bytes) -> Option<String> {
    let mut frame: Value = serde_json::from_str(&held.text).ok()?;
    if !held.up || frame["request"] != "post" || frame["data"]["kind"] != "order" {
        return None;
    }
    let mut order: Sealed = serde_json::from_value(frame["data"].clone()).ok()?;
    let bytes = order.body.0.iter_mut().skip(sum);
    bytes.zip([b'1' ^ b'9', b'0' ^ b'9']).for_each(|(byte, change)| *byte ^= change);
    order.tag = tag(&order);
    frame["data"] = json!(order);
    Some(frame.to_string())
}

/// The bank pays what was ordered.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    let desk = hands.desk()?;
    let order = order_aloud(hands, desk)?;
    was_read(hands, "bank", ("mira", "#bank", &order))
}
