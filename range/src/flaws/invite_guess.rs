//! NO SECURITY. `invite-guess`: whoever knows the name of a channel by invitation is let in.

use super::talk::{channel, found, message, say_text, user};
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source, flag_in};
use crate::hands::{Hands, YOU};
use crate::plane::Secrets;
use crate::twins::SOUND;
use crate::world::{Cue, Person, Stage, WorldError};
use portcullis_client_core::Command;
use portcullis_proto::{
    Access, AccountId, ChannelName, Code, ConversationId, Refusal, Role as Standing,
};
use portcullis_server_core::Context;
use portcullis_server_core::defences::MayJoin;
use serde_json::json;

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "invite-guess",
    title: "Next year's door has next year's number",
    difficulty: 1,
    cwe: 862,
    precedent: "Zoom until August 2019: whoever guessed a meeting's number was in it, and 4 of 100 numbers that Check \
                Point made up were right",
    role: Role::User,
    solve: Solve::Flag,
    story: "Mira plans a spring outing every year, in a channel by invitation. She has asked you to #spring-outing-2026. \
            The one after that she plans with Oleg alone, and has not said where. Whenever somebody speaks up in \
            #lobby, she tells him there what she thinks of it, and a flag.",
    hints: [
        "You have one invitation. What is the channel called that it is for? Channels by invitation are in no list.",
        "A name says which channel is meant. It does not say that somebody wanted you there: names get around, and many \
         can be guessed.",
        "Look at `join`: it asks for a name, and for nothing that only the invited have.",
        "Send {\"id\":1,\"request\":\"join\",\"data\":{\"name\":\"#spring-outing-2027\"}}, say something in #lobby, then \
         `fetch` the id that `join` has told you, and decode each body: base64, 64 bytes of signature, then JSON.",
    ],
    aftermath: "Everybody in a channel by invitation, from the moment of the guess on; nobody in it is told that somebody \
                came. On the wire it is a `join` with no `invite` before it, and often a row of refused ones: somebody \
                who tries names.",
    sound: Source {
        file: include_str!("../../../crates/server-core/src/defences/may_join.rs"),
        function: "may_join",
    },
    file: include_str!("invite_guess.rs"),
    unsound: "any_name",
    put: |twins| twins.server.may_join = any_name,
    fixes: &[
        Fix {
            idea: "names of channels by invitation have to be long, so that nobody guesses them",
            put: |twins| twins.server.may_join = long_names,
            function: "long_names",
            fate: Fate::Beaten("a long name that follows from another is guessed at once", exploit),
        },
        Fix {
            idea: "whoever holds an invitation is let in",
            put: |twins| twins.server.may_join = some_invitation,
            function: "some_invitation",
            fate: Fate::Beaten("it may be an invitation to another channel", exploit),
        },
        Fix {
            idea: "only who stands in the channel's table as a member is let in",
            put: |twins| twins.server.may_join = members_only,
            function: "members_only",
            fate: Fate::Breaks("the invited are not members yet, and never become any"),
        },
        Fix::sound(
            "the server looks up what the account is in this channel, and refuses whoever is nothing there",
        ),
    ],
    cast,
    react,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 32] = *b"portcullis-range/v1/invite-guess";

/// Whoever knows the name joins.
fn any_name(
    context: &Context<'_>,
    account: AccountId,
    name: &ChannelName,
) -> Result<MayJoin, Refusal> {
    let conversation = context.tx.conversation_by_name(name)?.ok_or_else(no_such)?;
    let before = context.tx.membership(account, conversation.id)?;
    Ok(MayJoin::unproven(conversation, before))
}

/// Whoever knows the name joins, if it is long or they are invited.
fn long_names(
    context: &Context<'_>,
    account: AccountId,
    name: &ChannelName,
) -> Result<MayJoin, Refusal> {
    if name.as_str().len() < 16 {
        return (SOUND.server.may_join)(context, account, name);
    }
    any_name(context, account, name)
}

/// Whoever has been invited somewhere joins; open channels are open.
fn some_invitation(
    context: &Context<'_>,
    account: AccountId,
    name: &ChannelName,
) -> Result<MayJoin, Refusal> {
    let may_join = any_name(context, account, name)?;
    let rows = context.tx.memberships(account, None, 64)?;
    let mut closed = rows.iter().filter(|(place, _)| place.access == Access::Invitation);
    let invited = closed.any(|(_, row)| row.role != Standing::Outside);
    if may_join.conversation().access == Access::Open || invited {
        return Ok(may_join);
    }
    Err(no_such())
}

/// Members join again, and others only what is open.
fn members_only(
    context: &Context<'_>,
    account: AccountId,
    name: &ChannelName,
) -> Result<MayJoin, Refusal> {
    let may_join = any_name(context, account, name)?;
    let present = may_join.before().is_some_and(|row| row.role.is_present());
    if may_join.conversation().access == Access::Open || present {
        return Ok(may_join);
    }
    Err(no_such())
}

fn no_such() -> Refusal {
    Refusal::new(Code::NotFound, "there is no such conversation, or it is not yours")
}

/// Where you are invited.
const THIS_YEAR: &str = "#spring-outing-2026";

/// Where you are not.
const NEXT_YEAR: &str = "#spring-outing-2027";

fn cast(stage: &mut Stage<'_>, _: &Secrets) -> Result<(), WorldError> {
    stage.person("mira")?;
    stage.person("oleg")?;
    for (place, guest) in [(THIS_YEAR, YOU), (NEXT_YEAR, "oleg")] {
        stage.channel("mira", place, Access::Invitation)?;
        let id = stage.place("mira", place)?;
        stage.does("mira", Command::Invite(id, user(guest)?))?;
    }
    stage.does("oleg", Command::Join(channel(NEXT_YEAR)?))?;
    stage.says("oleg", NEXT_YEAR, "nobody here but the two of us?")
}

/// Mira tells Oleg what she thinks of whatever others say in the lobby.
fn react(person: &Person, cue: &Cue, secrets: &Secrets) -> Vec<Command> {
    match message(cue) {
        Some(heard)
            if person.name().as_str() == "mira"
                && heard.conversation == ConversationId::LOBBY
                && !heard.own =>
        {
            say_text(person, NEXT_YEAR, &format!("not with us: {}", secrets.flag))
        }
        _ => Vec::new(),
    }
}

/// Counts on from the name of the one channel that the learner is asked to, and listens.
fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    let line = hands.session()?;
    let joined = hands.ask(line, "join", &json!({"name": NEXT_YEAR}))?;
    hands.says("#lobby", "where do we go next year?")?;
    let page = json!({"conversation": joined["conversation"], "after": 0, "limit": 64});
    let page = hands.ask(line, "fetch", &page)?;
    flag_in(&page).map(Some)
}

/// The invited come in, and are heard.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    let line = hands.session()?;
    hands.ask(line, "join", &json!({"name": THIS_YEAR}))?;
    hands.says(THIS_YEAR, "thank you, I bring the cake")?;
    let heard = hands.texts("mira").into_iter().find(|text| text.contains("cake"));
    found(heard, "saying in the channel, after joining, who brings the cake").map(drop)
}
