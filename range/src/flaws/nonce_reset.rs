//! NO SECURITY. `nonce-reset`: the number in the nonce is counted in memory, and begins anew at every connection.

use super::at_desk::{at, idle, posts, question, was_read};
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source, still};
use crate::hands::Hands;
use crate::lesson::{Act, Actor, Cue, Numbers, Sealed};
use crate::plane::Secrets;
use crate::world::{Stage, WorldError};

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "nonce-reset",
    title: "The counter that forgets",
    difficulty: 3,
    cwe: 323,
    precedent: "CVE-2017-13077 (KRACK: WPA2 began its nonces anew); RUSTSEC-2023-0068",
    role: Role::Network,
    solve: Solve::Answer(word),
    story: "Mira and Oleg talk at #watch, under AES-GCM. When she came she said \"the watch begins, and all is well\", and \
            whoever asks her \"are you there?\" makes her say \"yes, I am here\" at #watch. You are on the network, and may \
            break her connection. She makes it again, and says what she had to say: a word. Submit the word.",
    hints: [
        "Break Mira's connection, fetch `posts`, and compare the nonces.",
        "Under one key and one nonce AES-GCM adds the same stream of bits to both texts. Two of them give away their sum.",
        "You know one of the two texts, and that texts are filled up to 256 bytes by 0x80 and zeros. The last 16 bytes of \
         a body are its code.",
        "Find two posts with one nonce; secret = body1 XOR body2 XOR (known + 0x80 + zeros), byte by byte.",
    ],
    aftermath: "Mira and Oleg; and whoever knows two messages under one nonce can make new ones as well. On the wire: a \
                nonce that was there before, right after a new connection.",
    sound: Source { file: include_str!("../lesson/suite.rs"), function: "take_number" },
    file: include_str!("nonce_reset.rs"),
    unsound: "since_connect",
    put: |twins| twins.lesson.take_number = since_connect,
    fixes: &[
        Fix {
            idea: "every connection has sixteen numbers more before it",
            put: |twins| twins.lesson.take_number = sixteen_apart,
            function: "sixteen_apart",
            fate: Fate::Beaten("make her say more than sixteen things first", talkative),
        },
        Fix {
            idea: "the count begins at the seconds of the clock",
            put: |twins| twins.lesson.take_number = by_the_clock,
            function: "by_the_clock",
            fate: Fate::Beaten("break the connection within the same second", exploit),
        },
        Fix::sound(
            "the highest number that was used stands on the disk, and the next one follows it",
        ),
        Fix {
            idea: "the number is put on the disk after every hundredth message, to spare the disk",
            put: |twins| twins.lesson.take_number = by_the_hundred,
            function: "by_the_hundred",
            fate: Fate::Beaten("up to ninety-nine numbers come again", exploit),
        },
    ],
    cast,
    react: still,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 31] = *b"portcullis-range/v1/nonce-reset";

const FIRST: &str = "the watch begins, and all is well";
const HERE: &str = "yes, I am here";

/// How many messages there were on this connection: no file is needed for that.
fn since_connect(numbers: &Numbers) -> u64 {
    let before = numbers.since_connect;
    before.saturating_add(1)
}

/// The same, and sixteen more for each connection before.
fn sixteen_apart(numbers: &Numbers) -> u64 {
    let room = numbers.connects.saturating_mul(16);
    room.saturating_add(numbers.since_connect)
}

/// The same, from the seconds of the clock on.
fn by_the_clock(numbers: &Numbers) -> u64 {
    let start = numbers.seconds;
    start.saturating_add(numbers.since_connect)
}

/// The same, from the last full hundred on, which stands on the disk.
fn by_the_hundred(numbers: &Numbers) -> u64 {
    let on_disk = numbers.stored - numbers.stored % 100;
    on_disk.saturating_add(numbers.since_connect).saturating_add(1)
}

fn word(secrets: &Secrets) -> String {
    secrets.word("what Mira has to say", 10)
}

fn cast(stage: &mut Stage<'_>, _: &Secrets) -> Result<(), WorldError> {
    stage.actor("mira", mira)?;
    stage.actor("oleg", idle)?;
    stage.share(&["#watch"], &["mira", "oleg"])?;
    at("#watch", FIRST, Act::Say).into_iter().try_for_each(|act| stage.acts("mira", act))
}

/// Mira says that she is there, and after a break what she had to say.
fn mira(_: &Actor, cue: &Cue, secrets: &Secrets) -> Vec<Act> {
    match cue {
        Cue::Back(_) => at(
            "#watch",
            format!("before we are cut off again, the word is {}", word(secrets)),
            Act::Say,
        ),
        Cue::Asked(text) if text == "are you there?" => at("#watch", HERE, Act::Say),
        _ => Vec::new(),
    }
}

fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    read_after(hands, 0)
}

/// Makes Mira say more than sixteen things first.
fn talkative(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    read_after(hands, 16)
}

/// Breaks the connection, and takes two messages with one nonce from each other.
fn read_after(hands: &mut Hands<'_>, questions: usize) -> Result<Option<String>, Lost> {
    let desk = hands.desk()?;
    for _ in 0..questions {
        question(hands, desk, "mira", "are you there?")?;
    }
    hands.sever("mira")?;
    let posts = posts(hands, desk)?;
    let nothing = || Lost::new("looking for a nonce that comes twice", "there is none");
    let (secret, known) = posts.split_last().ok_or_else(nothing)?;
    let twin = known.iter().position(|post| post.nonce == secret.nonce).ok_or_else(nothing)?;
    let text = difference(
        secret,
        known.get(twin).ok_or_else(nothing)?,
        if twin == 0 { FIRST } else { HERE },
    );
    let (_, word) = text.rsplit_once(' ').ok_or_else(|| Lost::new("reading the text", &text))?;
    Ok(Some(word.to_owned()))
}

/// The text of a message, from another under the same nonce whose text is known.
fn difference(secret: &Sealed, other: &Sealed, known: &str) -> String {
    let padded = known.bytes().chain([0x80]).chain(std::iter::repeat(0));
    let bodies = secret.body.as_slice().iter().zip(other.body.as_slice());
    let text = bodies.zip(padded).map(|((one, other), known)| one ^ other ^ known);
    String::from_utf8_lossy(&text.take_while(|byte| *byte != 0x80).collect::<Vec<_>>()).into_owned()
}

/// Oleg reads what Mira says, before a break and after it.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    let desk = hands.desk()?;
    question(hands, desk, "mira", "are you there?")?;
    was_read(hands, "oleg", ("mira", "#watch", HERE))?;
    let before = hands.read_by("oleg").len();
    hands.sever("mira")?;
    match hands.read_by("oleg").len() - before {
        1 => Ok(()),
        other => Err(Lost::new("what Mira says after a break", format!("{other} messages"))),
    }
}
