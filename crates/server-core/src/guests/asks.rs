//! What guests ask, once it is verified that they did.

use std::sync::Arc;

use portcullis_proto::classroom::{GuestBody, Payload, SignedFrame};
use portcullis_proto::{AccountId, ConversationId, Draft, Event, Refusal, Role};

use super::{GuestAsk, GuestOutput, GuestRefused};
use crate::defences::{FrameAdmitted, HelloAdmitted, Sharing};
use crate::requests::log::place;
use crate::store::{Membership, Span, StoreError};
use crate::{Audience, ConnectionId, Context, Effect, Output, Peer, Rate, RateKey, limits};

/// What becomes of it: released only once the batch is durable, in this order.
pub(crate) type Outputs = Vec<Output>;

/// Carries out what a connection asks, or refuses it. A refusal leaves nothing in the store once the caller has
/// rolled back to its savepoint; the rates count it all the same.
pub(crate) fn ask(
    context: &mut Context<'_>,
    connection: ConnectionId,
    peer: Peer,
    ask: GuestAsk,
) -> Result<Outputs, GuestRefused> {
    match ask {
        GuestAsk::Hello(hello) => come(context, connection, peer, &hello),
        GuestAsk::Say(admitted) => say(context, connection, peer, admitted),
        GuestAsk::List => list(context, connection, peer),
        GuestAsk::Neighbour { admitted, server, clients, itself } => {
            context.guests.neighbour((connection, admitted), (&server, itself), clients)?;
            Ok(Vec::new())
        }
    }
}

fn come(
    context: &mut Context<'_>,
    connection: ConnectionId,
    peer: Peer,
    hello: &HelloAdmitted,
) -> Result<Outputs, GuestRefused> {
    let (guest, dialect) = (hello.key().id(), hello.dialect());
    (context.defences.share_address)(context, Sharing::Hello, (guest, peer), 1)?;
    let displaced = context.guests.came(connection, peer.address(), hello)?;
    let joined = Output::Guest(GuestOutput::Joined { connection, guest, dialect });
    let dropped = displaced.map(|connection| Output::Drop { connection });
    Ok(dropped.into_iter().chain([joined]).collect())
}

/// Lets an account read what guests write privately, from now on.
pub(crate) fn join_classroom(context: &mut Context<'_>, account: AccountId) -> Result<(), Refusal> {
    let id = ConversationId::CLASSROOM;
    let end = context.tx.conversation(id)?.ok_or(StoreError::Corrupt)?.end.seq;
    let member = Membership { role: Role::Member, spans: vec![Span { from: end + 1, to: None }] };
    context.tx.put_membership(account, id, &member)?;
    context.guests.forget_list();
    Ok(())
}

/// Keeps what a guest says where accounts read it, and sends it to the other guests. A frame's reference is a
/// hash of what was signed, and a device uses a reference once: so the store tells a replay, for ever.
fn say(
    context: &mut Context<'_>,
    connection: ConnectionId,
    peer: Peer,
    admitted: FrameAdmitted,
) -> Result<Outputs, GuestRefused> {
    let guest = admitted.guest().id();
    let own = context.guests.holds(connection, guest).ok_or(GuestRefused::Stranger)?;
    let cost = cost(&admitted);
    // A linked server's guests share its link's address.
    (context.defences.share_address)(context, Sharing::Say, (guest, peer), cost)?;
    let here = !own || concerns_us(context, &admitted)?;
    let mut outputs = Vec::new();
    let dialect = admitted.dialect();
    if own && context.guests.speaks(guest, dialect) {
        outputs.push(Output::Guest(GuestOutput::Joined { connection, guest, dialect }));
    }
    if here {
        let conversation = match admitted.frame().payload() {
            Payload::PublicChat { .. } => ConversationId::LOBBY,
            _ => ConversationId::CLASSROOM,
        };
        let event = append(context, conversation, &admitted)?;
        let to = Audience::Conversation(conversation);
        outputs.push(Output::Effect(Effect::Deliver { to, event }));
    }
    if own {
        context.guests.spoke(connection);
        if context.guests.tell_before(guest) {
            outputs.push(Output::Guest(GuestOutput::ListChanged));
        }
    }
    let frame = Arc::clone(admitted.frame());
    let relay = GuestOutput::Relay { except: connection, frame, here, onward: own };
    outputs.push(Output::Guest(relay));
    Ok(outputs)
}

/// Whether a frame of a guest here is for anybody here: what is public is, and a `chat` that names this server,
/// or none. One that names only servers that nobody here is linked with goes nowhere.
fn concerns_us(context: &Context<'_>, admitted: &FrameAdmitted) -> Result<bool, GuestRefused> {
    let destinations = match admitted.frame().payload() {
        Payload::Chat(chat) => chat.destinations.as_slice(),
        _ => &[],
    };
    let policy = context.instance.guests.as_ref().ok_or(GuestRefused::Unavailable)?;
    if destinations.is_empty() || destinations.iter().any(|to| same_server(to, &policy.address)) {
        return Ok(true);
    }
    let linked = destinations.iter().any(|to| context.guests.is_linked(to));
    linked.then_some(false).ok_or(GuestRefused::Elsewhere)
}

/// Clients copy the address from a list; some put a scheme before it, or call this machine by another name.
pub(crate) fn same_server(named: &str, address: &str) -> bool {
    fn parts(address: &str) -> (&str, &str) {
        let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
        let rest = rest.trim_end_matches('/');
        let (host, port) = rest.rsplit_once(':').unwrap_or((rest, ""));
        let here =
            ["localhost", "127.0.0.1", "[::1]"].iter().any(|it| host.eq_ignore_ascii_case(it));
        (if here { "localhost" } else { host }, port)
    }
    let ((host, port), (own_host, own_port)) = (parts(named), parts(address));
    host.eq_ignore_ascii_case(own_host) && port == own_port
}

fn append(
    context: &Context<'_>,
    id: ConversationId,
    admitted: &FrameAdmitted,
) -> Result<Event, GuestRefused> {
    let conversation = context.tx.conversation(id)?.ok_or(StoreError::Corrupt)?;
    let frame = SignedFrame::clone(admitted.frame());
    let body = GuestBody { key: admitted.guest().clone(), frame }.to_body();
    let draft = Draft { reference: admitted.reference(), body };
    let mut stored =
        place(context, admitted.into(), &conversation, conversation.epoch, vec![draft]);
    context.tx.append(id, &stored)?;
    let placed = stored.pop().ok_or(StoreError::Corrupt)?;
    Ok(Event::Envelope(placed.envelope))
}

/// A frame costs the more the more have to look at it, and the larger it is.
fn cost(admitted: &FrameAdmitted) -> u32 {
    let destinations = match admitted.frame().payload() {
        Payload::Chat(chat) => {
            let keys = chat.sealed.as_ref().map_or(0, |sealed| sealed.keys.len());
            keys.max(chat.destinations.len())
        }
        _ => 0,
    };
    let cost = 1
        + destinations / limits::GUEST_DESTINATIONS_PER_TOKEN
        + admitted.frame().text().len() / limits::GUEST_BYTES_PER_TOKEN;
    u32::try_from(cost).unwrap_or(u32::MAX)
}

fn list(
    context: &mut Context<'_>,
    connection: ConnectionId,
    peer: Peer,
) -> Result<Outputs, GuestRefused> {
    match context.guests.guest_of(connection) {
        Some(guest) => {
            (context.defences.share_address)(context, Sharing::List, (guest, peer), 1)?;
        }
        // Who has not said hello shares one small bucket at an address, before what is left of all guests'.
        None => {
            for rate in [Rate::GuestList, Rate::GuestListAtAddress] {
                let by_address = (rate, RateKey::Address(peer.address()));
                (context.defences.admit_rate)(context, by_address, 1)?;
            }
        }
    }
    let tx = context.tx;
    let list = context.guests.list(|| {
        let rows = tx.classic_keys(ConversationId::CLASSROOM, limits::GUEST_LIST_DEVICES)?;
        Ok::<_, StoreError>(rows.into_iter().map(|row| row.key).collect())
    })?;
    Ok(vec![Output::Guest(GuestOutput::List { connection, list })])
}
