//! NO SECURITY. `missing-aad`: the text is authenticated, and not who says it and where.

use super::at_desk::{at, idle, posts, question, was_read};
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source, still};
use crate::hands::Hands;
use crate::lesson::{Act, Actor, Cue, Header, Sealed};
use crate::plane::Secrets;
use crate::world::{Happened, Line, Stage, WorldError, is_forged};
use portcullis_proto::{ChannelName, UserName};
use serde_json::json;

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "missing-aad",
    title: "A joke in the wrong room",
    difficulty: 3,
    cwe: 345,
    precedent: "CVE-2022-39251: Matrix clients took a message for one of another sender",
    role: Role::Operator,
    solve: Solve::State(broken),
    story: "You run the desk. Mira and Oleg talk at #jokes and at #orders, with the till as a third, under one key that you \
            don't have. Ask Mira something in the open, and she laughs about it at #jokes, word for word. Have the till \
            read, as said by her at #orders, something that holds your word, NONCE.",
    hints: [
        "Ask Mira \"pay NONCE\", fetch `posts`, and see what of her message you can read: `kind`, `from`, `place`, `nonce`.",
        "A receiver believes what stands around a sealed text as much as the text. So it has to be sealed with it.",
        "AES-GCM takes additional data, which is authenticated and not encrypted. Does anybody notice if `place` changes?",
        "Take her post from `posts`, set its place to \"#orders\", and send it as a `post` of your own.",
    ],
    aftermath: "Mira, who has never said that there. On the wire one body comes twice, with two different headers: a desk \
                that only passes messages on never does that.",
    sound: Source { file: include_str!("../lesson/suite.rs"), function: "bound" },
    file: include_str!("missing_aad.rs"),
    unsound: "nothing",
    put: |twins| twins.lesson.bound = nothing,
    fixes: &[
        Fix {
            idea: "the sender is bound to the text",
            put: |twins| twins.lesson.bound = the_sender,
            function: "the_sender",
            fate: Fate::Beaten("what she says in one place is still moved to another", exploit),
        },
        Fix::sound("sender, place and kind are bound to the text, each behind its length"),
        Fix {
            idea: "the place is bound to the text",
            put: |twins| twins.lesson.bound = the_place,
            function: "the_place",
            fate: Fate::Beaten("what Oleg says there becomes Mira's", in_her_name),
        },
        Fix {
            idea: "how long the two names are is bound to the text",
            put: |twins| twins.lesson.bound = the_lengths,
            function: "the_lengths",
            fate: Fate::Beaten("Mira's name is as long as Oleg's", in_her_name),
        },
    ],
    cast,
    react: still,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 31] = *b"portcullis-range/v1/missing-aad";

/// Nothing at all: the text is authenticated, so what more could there be?
/// The header is for the desk, which needs it to pass the message on.
fn nothing(_: &Header) -> Vec<u8> {
    Vec::new()
}

/// Who says it.
fn the_sender(header: &Header) -> Vec<u8> {
    header.from.as_str().as_bytes().to_vec()
}

/// Where it is said.
fn the_place(header: &Header) -> Vec<u8> {
    header.place.as_str().as_bytes().to_vec()
}

/// How long the names are.
fn the_lengths(header: &Header) -> Vec<u8> {
    let lengths = [header.from.as_str().len(), header.place.as_str().len()];
    lengths.iter().flat_map(|length| length.to_be_bytes()).collect()
}

fn cast(stage: &mut Stage<'_>, _: &Secrets) -> Result<(), WorldError> {
    stage.actor("mira", mira)?;
    stage.actor("oleg", oleg)?;
    stage.actor("till", idle)?;
    stage.share(&["#jokes", "#orders"], &["mira", "oleg", "till"])
}

/// Mira laughs about what she is asked.
fn mira(_: &Actor, cue: &Cue, _: &Secrets) -> Vec<Act> {
    laugh("#jokes", cue)
}

/// Oleg complains where the orders are given.
fn oleg(_: &Actor, cue: &Cue, _: &Secrets) -> Vec<Act> {
    laugh("#orders", cue)
}

fn laugh(place: &str, cue: &Cue) -> Vec<Act> {
    match cue {
        Cue::Asked(text) if text.len() < 100 => at(place, text.clone(), Act::Say),
        _ => Vec::new(),
    }
}

fn broken(happened: &[Happened], secrets: &Secrets) -> bool {
    is_forged(happened, &secrets.nonce)
}

/// Moves what Mira has said to another place.
fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    let desk = hands.desk()?;
    let said = have_said(hands, desk, "mira")?;
    let place = ChannelName::parse("#orders").map_err(|error| Lost::new("the place", error))?;
    pass(hands, desk, &Sealed { place, ..said })
}

/// Gives what Oleg has said another sender.
fn in_her_name(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    let desk = hands.desk()?;
    let said = have_said(hands, desk, "oleg")?;
    let from = UserName::parse("mira").map_err(|error| Lost::new("the sender", error))?;
    pass(hands, desk, &Sealed { from, ..said })
}

fn have_said(hands: &mut Hands<'_>, desk: Line, whom: &str) -> Result<Sealed, Lost> {
    let text = format!("pay {}", hands.nonce());
    question(hands, desk, whom, &text)?;
    let last = posts(hands, desk)?.pop();
    last.ok_or_else(|| Lost::new("having something said", "nothing was passed"))
}

fn pass(hands: &mut Hands<'_>, desk: Line, sealed: &Sealed) -> Result<Option<String>, Lost> {
    hands.ask(desk, "post", &json!(sealed))?;
    Ok(None)
}

/// The till reads who says what and where.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    let desk = hands.desk()?;
    question(hands, desk, "mira", "knock, knock")?;
    question(hands, desk, "oleg", "two coffees")?;
    was_read(hands, "till", ("mira", "#jokes", "knock, knock"))?;
    was_read(hands, "till", ("oleg", "#orders", "two coffees"))
}
