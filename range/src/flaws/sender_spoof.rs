//! NO SECURITY. `sender-spoof`: the server relays the sender that the client claims.

use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source, still};
use crate::hands::{Hands, YOU};
use crate::plane::Secrets;
use crate::world::{Happened, Stage, WorldError, learners};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_proto::{Code, ConversationId, Refusal};
use portcullis_server_core::defences::{Claimed, Sender};
use portcullis_server_core::{Context, Session};
use serde_json::json;

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "sender-spoof",
    title: "Signed, somebody else",
    difficulty: 1,
    cwe: 290,
    precedent: "CVE-2017-5589 and CVE-2016-11065: clients and servers that believed the sender in the message",
    role: Role::User,
    solve: Solve::State(broken),
    story: "The till in #lobby pays out whenever the server's log says that Mira has spoken. You are not Mira. \
            Have the server file an envelope under her device whose bytes hold your word, NONCE.",
    hints: [
        "Look at a `submit` of your own client: how many times does it say who is speaking?",
        "Whoever speaks is known to the server from the login. What a message says of its sender is a claim.",
        "`submit` has a field `device`. Try what happens if it is not yours.",
        "Fetch #lobby, take the `device` of an envelope of Mira's, and submit \
         {\"conversation\":LOBBY,\"epoch\":0,\"device\":HERS,\"envelopes\":[{\"reference\":32 HEX DIGITS,\"body\":BASE64 OF YOUR WORD}]}.",
    ],
    aftermath: "Everybody who believes the server's log: moderators, bots, courts. Clients of Portcullis would show a \
                warning, since the signature inside is not Mira's; on the wire the two names in one frame differ \
                from those of the session.",
    sound: Source {
        file: include_str!("../../../crates/server-core/src/defences/stamp_sender.rs"),
        function: "stamp_sender",
    },
    file: include_str!("sender_spoof.rs"),
    unsound: "as_claimed",
    put: |twins| twins.server.stamp_sender = as_claimed,
    fixes: &[
        Fix {
            idea: "the device that the client names must be of somebody who is in the conversation",
            put: |twins| twins.server.stamp_sender = somebody_here,
            function: "somebody_here",
            fate: Fate::Beaten("Mira is in the conversation; that was never the question", exploit),
        },
        Fix::sound("both are the session's, and a claim that differs is refused"),
        Fix {
            idea: "devices that were taken out of their list are refused",
            put: |twins| twins.server.stamp_sender = unless_revoked,
            function: "unless_revoked",
            fate: Fate::Beaten("Mira's device is in use, so it passes", exploit),
        },
        Fix {
            idea: "whoever names a device at all is refused",
            put: |twins| twins.server.stamp_sender = no_claims,
            function: "no_claims",
            fate: Fate::Breaks("every client names its own device, so nobody can speak any more"),
        },
    ],
    cast,
    react: still,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 32] = *b"portcullis-range/v1/sender-spoof";

/// Whoever the client says it is.
fn as_claimed(
    context: &Context<'_>,
    session: &Session,
    Claimed(claimed): Claimed,
) -> Result<Sender, Refusal> {
    session.holder().ok_or_else(stranger)?;
    let device = context.tx.device(claimed)?.ok_or_else(stranger)?;
    Ok(Sender::unproven(device.account, device.id))
}

/// Whoever the client says it is, if they are in the lobby, where everybody is.
fn somebody_here(
    context: &Context<'_>,
    session: &Session,
    Claimed(claimed): Claimed,
) -> Result<Sender, Refusal> {
    session.holder().ok_or_else(stranger)?;
    let device = context.tx.device(claimed)?.ok_or_else(stranger)?;
    context.tx.membership(device.account, ConversationId::LOBBY)?.ok_or_else(stranger)?;
    Ok(Sender::unproven(device.account, device.id))
}

/// Whoever the client says it is, unless that device was taken out of its list.
fn unless_revoked(
    context: &Context<'_>,
    session: &Session,
    Claimed(claimed): Claimed,
) -> Result<Sender, Refusal> {
    session.holder().ok_or_else(stranger)?;
    let device = context.tx.device(claimed)?.filter(|device| !device.revoked);
    let device = device.ok_or_else(stranger)?;
    Ok(Sender::unproven(device.account, device.id))
}

/// Nobody who names a device.
fn no_claims(_: &Context<'_>, _: &Session, _: Claimed) -> Result<Sender, Refusal> {
    Err(stranger())
}

fn stranger() -> Refusal {
    Refusal::new(Code::Forbidden, "there is no such device")
}

fn cast(stage: &mut Stage<'_>, _: &Secrets) -> Result<(), WorldError> {
    stage.person("mira")?;
    stage.person("till")?;
    stage.says("till", "#lobby", "I pay whomever Mira names; I go by the server's log")?;
    stage.says("mira", "#lobby", "thank you, till; today nobody")
}

/// The log says that somebody else's device has sent what the learner did, and it holds their word.
fn broken(happened: &[Happened], secrets: &Secrets) -> bool {
    let own = learners(happened);
    happened.iter().any(|happened| match happened {
        Happened::Stored { by, envelope } => {
            let holds = String::from_utf8_lossy(envelope.body.as_slice()).contains(&secrets.nonce);
            by.is_learner() && holds && !own.contains(&(envelope.account, envelope.device))
        }
        _ => false,
    })
}

const LOBBY: &str = "236c6f62627900000000000000000000";

/// Submits in the name of the device that spoke last.
fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    let line = hands.session()?;
    let page =
        hands.ask(line, "fetch", &json!({"conversation": LOBBY, "after": 0, "limit": 64}))?;
    let mira = page["envelopes"].as_array().and_then(|envelopes| envelopes.last()).cloned();
    let mira = mira.ok_or_else(|| Lost::new("reading #lobby", "nobody has spoken"))?;
    let body = STANDARD.encode(format!("pay {} to me", hands.nonce()));
    let envelope = json!({"reference": "0123456789abcdef0123456789abcdef", "body": body});
    let submit = json!({
        "conversation": LOBBY, "epoch": 0, "device": mira["device"], "envelopes": [envelope]
    });
    hands.ask(line, "submit", &submit)?;
    Ok(None)
}

/// People speak for themselves, and are heard.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    hands.says("#lobby", "good morning")?;
    let mut heard = hands.messages("mira").into_iter();
    let heard = heard.find(|message| message.text() == Some("good morning"));
    let heard = heard.ok_or_else(|| Lost::new("saying good morning", "Mira has not heard it"))?;
    if heard.sender.to_string() != YOU {
        return Err(Lost::new(
            "saying good morning",
            format!("Mira thinks it was {}", heard.sender),
        ));
    }
    Ok(())
}
