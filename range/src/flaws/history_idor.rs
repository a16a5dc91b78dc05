//! NO SECURITY. `history-idor`: reading a conversation asks for a login, and not for membership.

use super::talk::{channel, user};
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source, flag_in, is_said};
use crate::hands::{Hands, YOU};
use crate::plane::Secrets;
use crate::world::{Cue, Person, Stage, WorldError};
use portcullis_client_core::Command;
use portcullis_proto::{Access, Code, ConversationId, ConversationName, Refusal, Role as Standing};
use portcullis_server_core::defences::MayRead;
use portcullis_server_core::{Context, Session};
use serde_json::json;

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "history-idor",
    title: "The door that asks for a ticket, and not for which hall",
    difficulty: 1,
    cwe: 639,
    precedent: "CVE-2023-2787: Mattermost gave out threads without a check of membership",
    role: Role::User,
    solve: Solve::Flag,
    story: "Mira and Oleg plan a surprise in #den, a channel by invitation. You were in it until you left. What \
            they have said since is none of your business, and it holds a flag.",
    hints: [
        "Log in, and list your conversations. #den is not among them, but your own client was in it, and what it was \
         told then still names it: `wire history-idor --all`.",
        "A server that knows who you are does not know yet what you may see. Each thing has to be checked by itself.",
        "Look at `fetch`: which of its fields decides what you get, and who chooses that field?",
        "In `wire history-idor --all` look for the reply to your client's `join`: with the name #den stands the id of \
         the `conversation`. On the door `session` send \
         {\"id\":1,\"request\":\"fetch\",\"data\":{\"conversation\":ID,\"after\":0,\"limit\":64}} and decode each body: base64, \
         64 bytes of signature, then JSON.",
    ],
    aftermath: "Everybody in every channel by invitation. On the wire it looks like any other `fetch`: only who asks \
                is wrong, so the server's own log of refusals stays empty, and that is what to watch for.",
    sound: Source {
        file: include_str!("../../../crates/server-core/src/defences/may_read.rs"),
        function: "may_read",
    },
    file: include_str!("history_idor.rs"),
    unsound: "any_login",
    put: |twins| twins.server.may_read = any_login,
    fixes: &[
        Fix {
            idea: "whoever has no row in the table of memberships is refused",
            put: |twins| twins.server.may_read = any_row,
            function: "any_row",
            fate: Fate::Beaten(
                "who has left has a row as well: it says what they may still read",
                exploit,
            ),
        },
        Fix {
            idea: "only present members are let in",
            put: |twins| twins.server.may_read = present_members,
            function: "present_members",
            fate: Fate::Beaten(
                "who comes back reads what was said while they were away",
                come_back,
            ),
        },
        Fix::sound(
            "the server looks up when the account was a member, and gives out no more than that",
        ),
        Fix {
            idea: "only the owner reads history",
            put: |twins| twins.server.may_read = owner_only,
            function: "owner_only",
            fate: Fate::Breaks("members no longer read what was said to them"),
        },
    ],
    cast,
    react,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 32] = *b"portcullis-range/v1/history-idor";

/// Whoever has logged in reads whatever they can name.
fn any_login(
    context: &Context<'_>,
    session: &Session,
    conversation: ConversationId,
) -> Result<MayRead, Refusal> {
    let (account, _) = session.holder().ok_or_else(no_such)?;
    let conversation = context.tx.conversation(conversation)?.ok_or_else(no_such)?;
    Ok(MayRead::unproven(account, conversation))
}

/// Whoever has a row in the table of memberships reads everything.
fn any_row(
    context: &Context<'_>,
    session: &Session,
    conversation: ConversationId,
) -> Result<MayRead, Refusal> {
    whose_row(context, session, conversation, |_| true)
}

/// Present members read everything.
fn present_members(
    context: &Context<'_>,
    session: &Session,
    conversation: ConversationId,
) -> Result<MayRead, Refusal> {
    let present = |role| matches!(role, Standing::Member | Standing::Owner);
    whose_row(context, session, conversation, present)
}

/// Owners read everything, others nothing.
fn owner_only(
    context: &Context<'_>,
    session: &Session,
    conversation: ConversationId,
) -> Result<MayRead, Refusal> {
    whose_row(context, session, conversation, |role| role == Standing::Owner)
}

/// Whoever has a row with such a role reads everything; inboxes have no rows.
fn whose_row(
    context: &Context<'_>,
    session: &Session,
    conversation: ConversationId,
    fits: fn(Standing) -> bool,
) -> Result<MayRead, Refusal> {
    let (account, device) = session.holder().ok_or_else(no_such)?;
    let row = context.tx.membership(account, conversation)?;
    let fits = row.is_some_and(|row| fits(row.role));
    if !fits && conversation != ConversationId::inbox(device) {
        return Err(no_such());
    }
    any_login(context, session, conversation)
}

fn no_such() -> Refusal {
    Refusal::new(Code::NotFound, "there is no such conversation, or it is not yours")
}

fn cast(stage: &mut Stage<'_>, secrets: &Secrets) -> Result<(), WorldError> {
    stage.person("mira")?;
    stage.person("oleg")?;
    stage.channel("mira", "#den", Access::Invitation)?;
    for guest in ["oleg", YOU] {
        let den = stage.place("mira", "#den")?;
        stage.does("mira", Command::Invite(den, user(guest)?))?;
        stage.does(guest, Command::Join(channel("#den")?))?;
    }
    stage.says("mira", "#den", "welcome, both")?;
    let den = stage.place(YOU, "#den")?;
    stage.does(YOU, Command::Leave(den))?;
    stage.says("oleg", "#den", "now that we are alone: what do we give them?")?;
    stage.says("mira", "#den", &format!("this, of course: {}", secrets.flag))
}

/// Mira lets you in again if you ask in the lobby.
fn react(person: &Person, cue: &Cue, _: &Secrets) -> Vec<Command> {
    let den = ConversationName::parse("#den").ok().and_then(|name| person.find(&name));
    match (den, user(YOU)) {
        (Some(den), Ok(you))
            if person.name().as_str() == "mira" && is_said(cue, "may I come back?") =>
        {
            vec![Command::Invite(den, you)]
        }
        _ => Vec::new(),
    }
}

/// Asks for the channel by its id, which the learner's own client once listed.
fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    let den = den_id(hands)?;
    let line = hands.session()?;
    let page = json!({"conversation": den, "after": 0, "limit": 64});
    let page = hands.ask(line, "fetch", &page)?;
    flag_in(&page).map(Some)
}

/// The same after coming back: present, and yet what was said in between is not meant for one's ears.
fn come_back(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    hands.says("#lobby", "may I come back?")?;
    let line = hands.session()?;
    hands.ask(line, "join", &json!({"name": "#den"}))?;
    exploit(hands)
}

/// Everyone reads what is said where they are.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    hands.says("#lobby", "good morning")?;
    let line = hands.session()?;
    let lobby = json!({"conversation": ConversationId::LOBBY, "after": 0, "limit": 8});
    let page = hands.ask(line, "fetch", &lobby)?;
    match page["envelopes"].as_array().map(Vec::len) {
        Some(1) => Ok(()),
        other => Err(Lost::new("reading the lobby, where I am", format!("{other:?} envelopes"))),
    }
}

/// The id of the channel, as the server told the learner's client when they were in it.
fn den_id(hands: &mut Hands<'_>) -> Result<String, Lost> {
    let overheard = hands.own_frames();
    let named = overheard.iter().find(|frame| frame["data"]["name"] == "#den");
    let id = named.and_then(|frame| frame["data"]["conversation"].as_str().map(str::to_owned));
    id.ok_or_else(|| {
        Lost::new("finding the id of #den in my own client's frames", "it is not there")
    })
}
