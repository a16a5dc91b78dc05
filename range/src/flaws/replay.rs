//! NO SECURITY. `replay`: a message that was signed once counts as often as it comes.

use super::talk::{channel, found, message, passed, say, say_text, signed, user};
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source};
use crate::hands::{Hands, YOU};
use crate::plane::Secrets;
use crate::world::{Cue, Happened, Person, Stage, WorldError};
use portcullis_client_core::defences::Numbered;
use portcullis_client_core::{Body, Command, Message, Saying, Show};
use portcullis_proto::{Access, Reference};
use serde_json::{Value, json};

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "replay",
    title: "One stamp, two coins",
    difficulty: 1,
    cwe: 294,
    precedent: "CVE-2017-13077 (handshakes played again); Threema 2023 (messages played again)",
    role: Role::Operator,
    solve: Solve::State(broken),
    story: "You run the server. In #counter whoever asks Mira for a coin gets her stamp, a signed reaction, and the \
            till pays a coin for each stamp that it sees. Ask for one in a message that holds your word, NONCE, and \
            be paid twice for the one stamp. You can't sign for Mira; you need not.",
    hints: [
        "Look at what reaches the till after you have said \"a coin for NONCE, please\": which frame made it pay?",
        "A signature says who wrote something, and never how often it was meant. Something signed has to count \
         itself, and whoever reads it has to keep count.",
        "Decode the body of Mira's envelopes (base64, 64 bytes of signature, JSON): `n` goes up by one each time. \
         See what the till makes of an `n` that it knows.",
        "Inject the till's frame {\"event\":\"envelope\",\"data\":{…}} with Mira's stamp once more, downwards, with \
         `seq` set to the number after the last; `seq` is the server's and not signed.",
    ],
    aftermath: "Whoever pays for what was signed: tills, polls, door openers. On the wire one body passes twice, under \
                two numbers; and since the till's log is now one longer than others', the next true message is \
                followed by a warning that the server has changed what was read.",
    sound: Source {
        file: include_str!("../../../crates/client-core/src/defences/accept_number.rs"),
        function: "accept_number",
    },
    file: include_str!("replay.rs"),
    unsound: "any_number",
    put: |twins| twins.client.accept_number = any_number,
    fixes: &[
        Fix {
            idea: "the first number is 1, each that follows is one more, and all else was played again",
            put: |twins| twins.client.accept_number = from_the_first,
            function: "from_the_first",
            fate: Fate::Breaks(
                "who joins later has not seen the first, and would never read Mira again",
            ),
        },
        Fix {
            idea: "what has the number of the message before is refused",
            put: |twins| twins.client.accept_number = not_twice_in_a_row,
            function: "not_twice_in_a_row",
            fate: Fate::Beaten("once Mira has said something else, the stamp counts again", later),
        },
        Fix {
            idea: "a number that is smaller than the last is refused",
            put: |twins| twins.client.accept_number = not_smaller,
            function: "not_smaller",
            fate: Fate::Beaten("the same number is not smaller", exploit),
        },
        Fix::sound(
            "a number that is not larger than the last is refused, and one that is left out is told",
        ),
    ],
    cast,
    react,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 26] = *b"portcullis-range/v1/replay";

/// What is missing is told; what comes again is simply the next.
fn any_number(last: Option<u64>, n: u64) -> Numbered {
    match last {
        Some(last) if n > last.saturating_add(1) => Numbered::Gap(n - last - 1),
        _ => Numbered::Next,
    }
}

/// One more than the last, from 1 on.
fn from_the_first(last: Option<u64>, n: u64) -> Numbered {
    match last {
        None if n == 1 => Numbered::Next,
        Some(last) if last.checked_add(1) == Some(n) => Numbered::Next,
        _ => Numbered::Replay,
    }
}

/// Not the last number again.
fn not_twice_in_a_row(last: Option<u64>, n: u64) -> Numbered {
    if last == Some(n) {
        return Numbered::Replay;
    }
    any_number(last, n)
}

/// Not a number below the last.
fn not_smaller(last: Option<u64>, n: u64) -> Numbered {
    if last.is_some_and(|last| n < last) {
        return Numbered::Replay;
    }
    any_number(last, n)
}

const HERE: &str = "#counter";
const STAMP: &str = "coin";

/// The till joins after Mira has spoken, as people do.
fn cast(stage: &mut Stage<'_>, _: &Secrets) -> Result<(), WorldError> {
    stage.person("mira")?;
    stage.person("till")?;
    stage.channel("mira", HERE, Access::Invitation)?;
    stage.says("mira", HERE, "the till comes in a moment")?;
    for guest in ["till", YOU] {
        let counter = stage.place("mira", HERE)?;
        stage.does("mira", Command::Invite(counter, user(guest)?))?;
        stage.does(guest, Command::Join(channel(HERE)?))?;
    }
    stage.says("mira", HERE, "ask for a coin, and I stamp it; one for each message")
}

/// Mira stamps what asks for a coin; the till pays for each of her stamps.
fn react(person: &Person, cue: &Cue, _: &Secrets) -> Vec<Command> {
    let Some(message) = message(cue).filter(|message| !message.own) else { return Vec::new() };
    match (person.name().as_str(), &message.body) {
        ("mira", Body::Text { text, .. }) if text.contains("a coin for") => {
            say(person, HERE, Saying::Reaction { target: message.id, emoji: STAMP.to_owned() })
        }
        ("mira", Body::Text { text, .. }) if text.contains("thank you") => {
            say_text(person, HERE, "you are welcome")
        }
        ("till", Body::Reaction { .. }) if is_stamp(message) => {
            say_text(person, HERE, "a coin, as stamped by Mira")
        }
        _ => Vec::new(),
    }
}

fn is_stamp(message: &Message) -> bool {
    let stamped = matches!(&message.body, Body::Reaction { emoji, .. } if emoji == STAMP);
    stamped && message.sender.to_string() == "mira"
}

/// The till was shown one and the same stamp twice, on a message that holds the learner's word.
fn broken(happened: &[Happened], secrets: &Secrets) -> bool {
    let shown: Vec<&Message> = happened
        .iter()
        .filter_map(|happened| match happened {
            Happened::Shown { to, show } if to.as_str() == "till" => match &**show {
                Show::Message(message) => Some(message),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let asks = |target: Reference| {
        let mut asked = shown.iter().filter(|message| message.id == target);
        asked.any(|message| message.text().is_some_and(|text| text.contains(&secrets.nonce)))
    };
    let stamps = shown.iter().filter(|message| is_stamp(message));
    let stamps = stamps.filter_map(|message| match message.body {
        Body::Reaction { target, .. } if asks(target) => Some(message.id),
        _ => None,
    });
    let stamps: Vec<Reference> = stamps.collect();
    let mut distinct = stamps.clone();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.len() < stamps.len()
}

/// Plays the stamp to the till once more.
fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    ask(hands)?;
    play_again(hands)
}

/// The same after Mira has said something else.
fn later(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    ask(hands)?;
    hands.says(HERE, "thank you, mira")?;
    play_again(hands)
}

fn ask(hands: &mut Hands<'_>) -> Result<(), Lost> {
    let order = format!("a coin for {}, please", hands.nonce());
    hands.says(HERE, &order)
}

fn play_again(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    let heard = passed(hands, "server", "till");
    let envelopes = heard.iter().filter(|frame| frame["event"] == "envelope");
    let envelopes: Vec<&Value> = envelopes.collect();
    let stamp = envelopes.iter().rev().find(|frame| {
        signed(&frame["data"]).is_some_and(|content| content.to_string().contains(STAMP_KIND))
    });
    let mut stamp = (*found(stamp, "looking for the stamp among the till's frames")?).clone();
    let last = envelopes.iter().filter_map(|frame| frame["data"]["seq"].as_u64()).max();
    stamp["data"]["seq"] = json!(last.unwrap_or_default() + 1);
    hands.inject("till", false, &stamp.to_string())?;
    Ok(None)
}

/// What only the content of a reaction holds.
const STAMP_KIND: &str = "reaction";

/// Who asks is paid once for each time.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    for round in 1..=2 {
        ask(hands)?;
        let said = hands.texts(YOU).into_iter().filter(|text| text.starts_with("a coin, as"));
        let paid = said.count();
        if paid != round {
            return Err(Lost::new("asking for a coin", format!("{paid} coins after {round}")));
        }
    }
    Ok(())
}
