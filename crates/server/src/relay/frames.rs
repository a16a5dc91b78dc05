//! The frames of iroh's relay protocol, version 2: a number, which is less than 64 and so one byte of QUIC's variable
//! length, and what belongs to it. Each is one binary message of a WebSocket.
//!
//! Leaves out what only tells a client how the server is, and what lets one skip the challenge by what TLS has
//! agreed on: that is not there behind a proxy.
//!
//! Source: `iroh-relay` 1.4, `protos/common.rs`, `protos/handshake.rs`, `protos/relay.rs`.

use bytes::{BufMut as _, Bytes, BytesMut};
use portcullis_crypto::{EndpointPublic, Signature};

/// The subprotocol of the WebSocket.
pub(super) const VERSION: &str = "iroh-relay-v2";

const CHALLENGE: u8 = 0;
const AUTHENTICATION: u8 = 1;
const CONFIRMED: u8 = 2;
const DENIED: u8 = 3;
const DATAGRAM: u8 = 4;
const DATAGRAMS: u8 = 5;
const DATAGRAM_FROM: u8 = 6;
const DATAGRAMS_FROM: u8 = 7;
const PING: u8 = 9;
const PONG: u8 = 10;

/// An endpoint's public key.
pub(super) type KeyBytes = [u8; 32];

/// What a client is to sign.
pub(super) fn challenge(random: &[u8; 16]) -> Bytes {
    [&[CHALLENGE], &random[..]].concat().into()
}

/// It may have packets carried.
pub(super) fn confirmed() -> Bytes {
    Bytes::from_static(&[CONFIRMED])
}

/// It may not, for this reason, of which there are at most 127 bytes.
pub(super) fn denied(reason: &str) -> Bytes {
    let reason = reason.get(..reason.len().min(127)).unwrap_or_default();
    let length = u8::try_from(reason.len()).unwrap_or_default();
    [&[DENIED, length], reason.as_bytes()].concat().into()
}

/// The key that an answer to a challenge proves.
pub(super) fn proven(answer: &[u8], random: &[u8; 16]) -> Option<KeyBytes> {
    let (head, rest) = answer.split_first()?;
    let (key, rest) = rest.split_first_chunk::<32>()?;
    // The length of what follows.
    let (length, signature) = rest.split_first()?;
    if (*head, usize::from(*length)) != (AUTHENTICATION, signature.len()) {
        return None;
    }
    let signature = Signature::from_bytes(signature.try_into().ok()?);
    EndpointPublic::from_bytes(*key).ok()?.verify_challenge(random, &signature).ok()?;
    Some(*key)
}

/// What a client says after that.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It wants the same back.
    Ping(Bytes),
    /// It has answered.
    Pong,
    /// It wants packets carried.
    Packets(Packets),
}

/// Packets that are to be carried.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packets {
    /// To whom.
    pub(super) to: KeyBytes,
    /// Whether it says how long each of them is.
    many: bool,
    /// That, and the packets.
    rest: Bytes,
}

impl Packets {
    /// The frame that carries them on.
    pub(super) fn from(&self, sender: &KeyBytes) -> Bytes {
        let mut frame = BytesMut::with_capacity(1 + sender.len() + self.rest.len());
        frame.put_u8(if self.many { DATAGRAMS_FROM } else { DATAGRAM_FROM });
        frame.put_slice(sender);
        frame.put_slice(&self.rest);
        frame.freeze()
    }
}

/// Reads what a client says; none for what it does not say.
pub(super) fn read(frame: &Bytes) -> Option<Said> {
    let (head, rest) = frame.split_first()?;
    match *head {
        PING if rest.len() == 8 => Some(Said::Ping(frame.slice(1..))),
        PONG if rest.len() == 8 => Some(Said::Pong),
        DATAGRAM | DATAGRAMS => {
            let to = *rest.first_chunk::<32>()?;
            let (many, rest) = (*head == DATAGRAMS, frame.slice(33..));
            // What they say of congestion, and how long each is, comes first.
            let least = if many { 3 } else { 1 };
            (rest.len() > least).then_some(Said::Packets(Packets { to, many, rest }))
        }
        _ => None,
    }
}

/// The answer to a ping.
pub(super) fn pong(ping: &Bytes) -> Bytes {
    [&[PONG], &ping[..]].concat().into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_clients_say() {
        let check = |frame: &[u8], expected: Option<Said>| {
            assert_eq!(read(&Bytes::copy_from_slice(frame)), expected);
        };
        let to = [7; 32];
        let packets = |many, rest: &[u8]| {
            Some(Said::Packets(Packets { to, many, rest: Bytes::copy_from_slice(rest) }))
        };
        check(&[], None);
        check(
            &[9, 1, 2, 3, 4, 5, 6, 7, 8],
            Some(Said::Ping(Bytes::from_static(&[1, 2, 3, 4, 5, 6, 7, 8]))),
        );
        check(&[9, 1, 2, 3, 4, 5, 6, 7], None);
        check(&[10, 1, 2, 3, 4, 5, 6, 7, 8], Some(Said::Pong));
        check(&[&[4], &to[..], &[1, 50, 51]].concat(), packets(false, &[1, 50, 51]));
        check(&[&[5], &to[..], &[0, 0, 2, 50, 51]].concat(), packets(true, &[0, 0, 2, 50, 51]));
        check(&[&[4], &to[..], &[1]].concat(), None);
        check(&[&[5], &to[..], &[0, 0, 2]].concat(), None);
        check(&[&[4], &to[..31]].concat(), None);
        // What only a server says.
        check(&[&[6], &to[..], &[1, 50]].concat(), None);
        check(&[200, 1], None);
    }

    #[test]
    fn packets_are_carried_on_as_they_are() {
        let check = |head: u8, expected: u8| {
            let frame = [&[head], &[7; 32][..], &[1, 0, 2, 50, 51]].concat();
            let Some(Said::Packets(packets)) = read(&frame.into()) else { unreachable!() };
            assert_eq!(packets.to, [7; 32]);
            let carried = [&[expected], &[8; 32][..], &[1, 0, 2, 50, 51]].concat();
            assert_eq!(packets.from(&[8; 32]), carried);
        };
        check(DATAGRAM, DATAGRAM_FROM);
        check(DATAGRAMS, DATAGRAMS_FROM);
    }

    /// Made by `iroh-relay` 1.4.1 with the key of 32 bytes 42.
    #[test]
    fn what_a_server_says() {
        assert_eq!(challenge(&[5; 16]), [&[0], &[5; 16][..]].concat());
        assert_eq!(confirmed(), [2][..]);
        assert_eq!(denied("no"), [3, 2, b'n', b'o'][..]);
        assert_eq!(denied(&"a".repeat(200)).len(), 129);
        assert_eq!(pong(&Bytes::from_static(&[1; 8])), [10, 1, 1, 1, 1, 1, 1, 1, 1][..]);
    }
}
