//! NO SECURITY. `user-enumeration`: a login with a name that nobody has is answered sooner.

use super::talk::found;
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source, still};
use crate::hands::{Hands, YOU};
use crate::plane::Secrets;
use crate::twins::SOUND;
use crate::work;
use crate::world::{Line, Stage, WorldError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_crypto::{ClientLogin, Password};
use portcullis_proto::{Code, Refusal, RequestKind, UserName};
use portcullis_server_core::Context;
use portcullis_server_core::defences::LoginTarget;
use portcullis_sim::Chance;
use serde_json::json;

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "user-enumeration",
    title: "The clock that knows who lives here",
    difficulty: 2,
    cwe: 208,
    precedent: "CVE-2018-15473: OpenSSH gave up early on names that it did not know, so names could be tried one by one",
    role: Role::User,
    solve: Solve::Answer(answer),
    story: "Twenty people are said to have an account on this server, which keeps that to itself: no list of users, no \
            look-up by name, no registration. They are ada bela cora dora egon fritz gina hugo irma jana karl lena \
            mona nora otto paul rosa sven tara udo. Who has one? Submit twenty letters in that order, y or n. You may \
            try to log in as anybody; the world's clock stands beside each frame on your wire.",
    hints: [
        "Send `login_start` for a name that you know to exist (your own) and for one that you have made up. Compare the \
         two answers, and then when they came.",
        "An answer tells by what it says, and by what it took. Whoever may learn nothing of something must get the same \
         answer, and the server must do the same for it.",
        "Before the challenge is made the record of the account is unsealed, which takes some milliseconds of the \
         world's time. What would there be to unseal for a name that nobody has?",
        "For each name send {\"id\":N,\"request\":\"login_start\",\"data\":{\"name\":NAME,\"request\":BASE64}} on a \
         connection without a login (any well-formed OPAQUE request will do, always the same one), and see on your wire \
         how long after the question its answer passed. Those that take as long as your own name have an account.",
    ],
    aftermath: "Everyone whose being there is nobody's business: members of a party, patients, dissidents; and those whose \
                passwords are tried next. On the wire many logins begin, for ever other names, and none is finished.",
    sound: Source {
        file: include_str!("../../../crates/server-core/src/defences/find_login.rs"),
        function: "find_login",
    },
    file: include_str!("user_enumeration.rs"),
    unsound: "unseal_if_known",
    put: |twins| twins.server.find_login = unseal_if_known,
    fixes: &[
        Fix {
            idea: "for names that nobody has the server waits for a random while",
            put: |twins| twins.server.find_login = wait_at_random,
            function: "wait_at_random",
            fate: Fate::Beaten(
                "what varies from try to try is nobody; what is always the same is somebody",
                patient,
            ),
        },
        Fix::sound(
            "known or not, a login goes the same way; where there is no record a made-up one stands in for it",
        ),
        Fix {
            idea: "for names that nobody has an empty record is unsealed",
            put: |twins| twins.server.find_login = unseal_empty,
            function: "unseal_empty",
            fate: Fate::Beaten("an empty record is unsealed a little sooner", exploit),
        },
        Fix {
            idea: "names are told nothing before the password has been proven",
            put: |twins| twins.server.find_login = not_before_proof,
            function: "not_before_proof",
            fate: Fate::Breaks("the proof is made from the server's answer, so nobody gets in"),
        },
    ],
    cast,
    react: still,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 36] = *b"portcullis-range/v1/user-enumeration";

/// Milliseconds that it takes to unseal a record of this many bytes.
const fn cost(bytes: usize) -> u64 {
    8 + bytes as u64 / 8
}

/// Unseals the record of an account; where there is none, there is nothing to unseal.
fn unseal_if_known(context: &Context<'_>, name: &UserName) -> Result<LoginTarget, Refusal> {
    if let Some(account) = context.tx.account_by_name(name)? {
        let record = account.login.record.as_slice();
        work::spend(cost(record.len()), record);
    }
    (SOUND.server.find_login)(context, name)
}

/// The same, and a random while for the others.
fn wait_at_random(context: &Context<'_>, name: &UserName) -> Result<LoginTarget, Refusal> {
    if context.tx.account_by_name(name)?.is_none() {
        let draw = work::spend(0, format!("{name} {}", context.now.0).as_bytes());
        let while_ = draw.as_bytes().first().copied().unwrap_or_default();
        work::spend(1 + u64::from(while_), b"");
    }
    unseal_if_known(context, name)
}

/// The same, and an empty record for the others.
fn unseal_empty(context: &Context<'_>, name: &UserName) -> Result<LoginTarget, Refusal> {
    if context.tx.account_by_name(name)?.is_none() {
        work::spend(cost(0), b"");
    }
    unseal_if_known(context, name)
}

/// Nobody, since nobody has proven anything yet.
fn not_before_proof(context: &Context<'_>, name: &UserName) -> Result<LoginTarget, Refusal> {
    let target = unseal_if_known(context, name)?;
    if target.record().is_some() {
        return Err(Refusal::new(Code::LoginFailed, "prove the password first"));
    }
    Ok(target)
}

const NAMES: [&str; 20] = [
    "ada", "bela", "cora", "dora", "egon", "fritz", "gina", "hugo", "irma", "jana", "karl", "lena",
    "mona", "nora", "otto", "paul", "rosa", "sven", "tara", "udo",
];

fn is_here(name: &str, secrets: &Secrets) -> bool {
    secrets.below(name, 2) == 1
}

/// Chance finds it once in 2^20 times.
fn answer(secrets: &Secrets) -> String {
    NAMES.iter().map(|name| if is_here(name, secrets) { 'y' } else { 'n' }).collect()
}

fn cast(stage: &mut Stage<'_>, secrets: &Secrets) -> Result<(), WorldError> {
    let here = NAMES.iter().filter(|name| is_here(name, secrets));
    here.copied().try_for_each(|name| stage.account(name))?;
    stage.shuts(&[
        RequestKind::Users,
        RequestKind::AccountByName,
        RequestKind::Invite,
        RequestKind::RegisterStart,
    ]);
    Ok(())
}

/// Whoever takes as long as the learner's own name is somebody.
fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    tell_apart(hands, 1)
}

/// The same, each name several times: a coincidence is none twice.
fn patient(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    tell_apart(hands, 4)
}

fn tell_apart(hands: &mut Hands<'_>, tries: usize) -> Result<Option<String>, Lost> {
    let line = hands.connect()?;
    let known = took(hands, line, YOU)?;
    let mut told = String::new();
    for name in NAMES {
        let mut always = true;
        for _ in 0..tries {
            always &= took(hands, line, name)? == known;
        }
        told.push(if always { 'y' } else { 'n' });
    }
    Ok(Some(told))
}

/// The milliseconds until a login for this name is answered.
fn took(hands: &mut Hands<'_>, line: Line, name: &str) -> Result<u64, Lost> {
    let password = Password::new("guess".to_owned());
    let (_, request) = ClientLogin::start(&password, Chance::new(1).rng())
        .map_err(|error| Lost::new("beginning a login", error))?;
    let start = json!({"name": name, "request": STANDARD.encode(request)});
    hands.ask(line, "login_start", &start)?;
    let heard = hands.overheard();
    let asked = heard.iter().rev().find(|heard| heard.frame["request"] == "login_start");
    let asked = found(asked, "looking for the question on the wire")?;
    let mut answers = heard.iter().rev().filter(|heard| heard.frame["reply"].is_string());
    let answer = answers.find(|heard| heard.frame["id"] == asked.frame["id"]);
    Ok(found(answer, "looking for the answer on the wire")?.at - asked.at)
}

/// Whoever has an account logs in; whoever has none gets a challenge as well.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    hands.session()?;
    let line = hands.connect()?;
    took(hands, line, "nobody-of-this-name").map(drop)
}
