//! Writes frames, as a client of a dialect would write them.
//!
//! The data stands in the frame as it is signed, and where keys are sorted they are sorted in the frame
//! too, so that a reader finds the signed bytes whether it renders the data anew or takes it as it came.

use super::chat::Outgoing;
use super::dialect::{Accepts, Dialect};
use super::frame::{Form, MadeFor, ServerList, to_base64};
use super::json::{Json, Object};
use super::key::GuestKey;
use super::pem::pem_of;
use super::signing::{Letters, Order, Recipe, Spacing, Style};
use portcullis_crypto::classic::{ClassicError, ClassicKey, classic_seal};
use std::borrow::Cow;

/// How the protocol's text shows frames: as `JSON.stringify` renders them.
const PLAIN: Style =
    Style { order: Order::AsSent, spacing: Spacing::None, letters: Letters::AsTheyAre };

/// The first frame of a client.
///
/// # Errors
/// [`ClassicError`] if signing fails.
pub fn write_hello(
    dialect: impl Into<Dialect>,
    key: &ClassicKey,
    counter: u64,
) -> Result<String, ClassicError> {
    let row = dialect.into();
    let pem = pem_of(key.public().spki(), row.pem);
    sign(&row, key, counter, vec![field("type", "hello"), field("public_key", &pem)])
}

/// Says something to everybody.
///
/// # Errors
/// [`ClassicError`] if signing fails.
pub fn write_public_chat(
    dialect: impl Into<Dialect>,
    key: &ClassicKey,
    counter: u64,
    message: &str,
) -> Result<String, ClassicError> {
    let row = dialect.into();
    let sender = own_fingerprint(&row, key);
    let fields =
        [field("type", "public_chat"), field("sender", &sender), field("message", message)];
    sign(&row, key, counter, fields.into())
}

/// Says something to some recipients alone.
///
/// # Errors
/// [`ClassicError`] if encrypting or signing fails.
pub fn write_chat(
    dialect: impl Into<Dialect>,
    key: &ClassicKey,
    counter: u64,
    outgoing: &Outgoing<'_>,
) -> Result<String, ClassicError> {
    let row = dialect.into();
    let recipients = outgoing.to.iter().map(|(guest, _)| guest.fingerprint(row.fingerprint));
    let participants: Vec<_> =
        core::iter::once(own_fingerprint(&row, key)).chain(recipients).collect();
    let mut inner = String::new();
    row.inner.write(&participants, outgoing.text).write(PLAIN, &mut inner);
    let iv = outgoing.iv.get(..row.iv_bytes).unwrap_or(outgoing.iv);
    let sealed = to_base64(&classic_seal(outgoing.key, iv, inner.as_bytes())?);
    let iv = to_base64(iv);
    let encrypt = |(guest, _): &(&GuestKey, &str)| {
        guest.key().encrypt(outgoing.key).map(|key| Json::Text(to_base64(&key).into()))
    };
    let keys = outgoing.to.iter().map(encrypt).collect::<Result<_, _>>()?;
    let destinations = outgoing.to.iter().map(|(_, server)| Json::of(server)).collect();
    let fields = vec![
        field("type", "chat"),
        ("destination_servers".into(), Json::List(destinations)),
        field("iv", &iv),
        ("symm_keys".into(), Json::List(keys)),
        field("chat", &sealed),
    ];
    sign(&row, key, counter, fields)
}

/// The first frame of a server that connects to another; `address` is its own.
/// What it is made for is not in the protocol's text, and whoever knows nothing of it ignores it.
///
/// # Errors
/// [`ClassicError`] if signing fails.
pub fn write_server_hello(
    dialect: impl Into<Dialect>,
    key: &ClassicKey,
    counter: u64,
    address: &str,
    made_for: Option<&MadeFor>,
) -> Result<String, ClassicError> {
    let mut fields = vec![field("type", "server_hello"), field("sender", address)];
    if let Some(MadeFor { recipient, challenge }) = made_for {
        fields.extend([field("recipient", recipient), field("challenge", challenge)]);
    }
    sign(&dialect.into(), key, counter, fields)
}

/// Asks who is connected.
#[must_use]
pub fn write_list_request() -> String {
    plain(vec![field("type", "client_list_request")])
}

/// Says who is connected, by server.
#[must_use]
pub fn write_list(servers: &[ServerList]) -> String {
    let servers = Json::List(servers.iter().map(listed).collect());
    plain(vec![field("type", "client_list"), ("servers".into(), servers)])
}

fn listed(server: &ServerList) -> Json<'_> {
    let clients = texts(server.clients.iter().map(String::as_str));
    Json::Object(vec![field("address", &server.address), ("clients".into(), clients)])
}

/// Asks a server who is connected to it.
#[must_use]
pub fn write_update_request() -> String {
    plain(vec![field("type", "client_update_request")])
}

/// Says who is connected to this server, by their PEMs as received.
#[must_use]
pub fn write_update<'a>(clients: impl IntoIterator<Item = &'a str>) -> String {
    plain(vec![field("type", "client_update"), ("clients".into(), texts(clients))])
}

fn sign(
    row: &Dialect,
    key: &ClassicKey,
    counter: u64,
    fields: Object<'_>,
) -> Result<String, ClassicError> {
    let style = match row.signing.recipe {
        Recipe::AsSent => row.style,
        Recipe::Anew(style, _) => style,
    };
    let (mut text, data) = (String::new(), Json::Object(fields));
    data.write(style, &mut text);
    let signed = row.signing.recipe.signed(&text, &data, counter);
    let signature = to_base64(&key.sign(row.signing.salt, &signed)?);
    let counter = counter.to_string();
    let data = match (row.form, row.accepts) {
        (Form::Text, Accepts::AsSent) => Json::of(&text),
        (Form::Object, _) | (_, Accepts::Object) => Json::Token(&text),
    };
    Ok(plain(vec![
        field("type", "signed_data"),
        ("data".into(), data),
        ("counter".into(), Json::Token(&counter)),
        field("signature", &signature),
    ]))
}

/// As clients of the dialect compute it from the PEM that it lists of us.
fn own_fingerprint(row: &Dialect, key: &ClassicKey) -> String {
    let public = key.public();
    row.fingerprint.compute(&pem_of(public.spki(), row.pem), public.spki())
}

fn plain(fields: Object<'_>) -> String {
    let mut text = String::new();
    Json::Object(fields).write(PLAIN, &mut text);
    text
}

fn field<'a>(name: &'static str, value: &'a str) -> (Cow<'a, str>, Json<'a>) {
    (name.into(), Json::of(value))
}

fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Json<'a> {
    Json::List(texts.into_iter().map(Json::of).collect())
}
