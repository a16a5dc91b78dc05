//! A server is linked only where its operator and ours have agreed: its key stands in our configuration
//! beside its address, and the first frame of the link is signed by it, for us and on this connection. What
//! follows the protocol's text can't say for whom it is, so it has to come from where that address leads.
//!
//! Attack: somebody connects and says "I am the server next door", or repeats what that server has said to him
//! when it linked with his: from then on they hear what our guests say, and may say who is connected there and
//! speak for them.
//! CWE-290, authentication bypass by spoofing; CWE-294, by capture-replay.
//! Precedent: CVE-2016-0756 (Prosody's dialback), by which one server could speak for another; G. Lowe, "An
//! attack on the Needham-Schroeder public-key authentication protocol" (1995): signed, but not for whom.

use crate::GuestRefused;
use crate::guests::same_server;
use portcullis_proto::classroom::{GuestKey, MadeFor, Payload, SignedFrame};
use std::net::IpAddr;

/// A server to be linked with, as its `server_hello` is judged.
#[derive(Debug, Clone)]
pub struct Pinned {
    /// Its address, as it names itself.
    pub address: String,
    /// Its key.
    pub key: GuestKey,
    /// Where its address leads.
    pub hosts: Vec<IpAddr>,
    /// The counter of the `server_hello` of its connection to us, while there is one.
    pub up: Option<u64>,
}

/// Where a `server_hello` has come in.
#[derive(Debug, Clone, Copy)]
pub struct Arrived<'a> {
    /// This server, as others name it.
    pub own: &'a str,
    /// What the connection was given to sign; no other ever was.
    pub challenge: Option<&'a str>,
    /// Where the connection comes from.
    pub from: IpAddr,
}

/// Proof that a connection is a linked server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeighbourAdmitted {
    place: usize,
}

impl NeighbourAdmitted {
    /// Which of the configured servers it is, counted from 0.
    #[must_use]
    pub const fn place(self) -> usize {
        self.place
    }

    /// A connection that we have opened ourselves, to the address in our configuration: the operator answers for who is
    /// found there, and with `wss` its certificate does.
    #[must_use]
    pub const fn dialled(place: usize) -> Self {
        Self { place }
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(place: usize) -> Self {
        Self { place }
    }
}

/// Looks the sender up among the configured servers, by address, and verifies by the key that stands there; then
/// whether the frame was made for us.
///
/// # Errors
/// [`GuestRefused::Stranger`] for an address that is not configured, or one that does not lead to where the frame came
/// from; [`GuestRefused::BadSignature`]; [`GuestRefused::Elsewhere`] for a frame that was made for another server;
/// [`GuestRefused::Replay`] for one of another connection; [`GuestRefused::Counter`].
pub fn admit_neighbour(
    frame: &SignedFrame,
    configured: &[Pinned],
    arrived: Arrived<'_>,
) -> Result<NeighbourAdmitted, GuestRefused> {
    let Payload::ServerHello { sender, made_for } = frame.payload() else {
        return Err(GuestRefused::NoHello);
    };
    let sender = bare(sender);
    let named =
        configured.iter().position(|pinned| bare(&pinned.address).eq_ignore_ascii_case(sender));
    let place = named.ok_or(GuestRefused::Stranger)?;
    let pinned = configured.get(place).ok_or(GuestRefused::Stranger)?;
    frame.verify(pinned.key.key(), None).map_err(|_| GuestRefused::BadSignature)?;
    match made_for {
        Some(made_for) => is_for_us(made_for, arrived)?,
        None => is_likely_its_own(frame.counter(), pinned, arrived)?,
    }
    Ok(NeighbourAdmitted { place })
}

/// Whatever was made for another server or on another connection is a copy.
fn is_for_us(made_for: &MadeFor, arrived: Arrived<'_>) -> Result<(), GuestRefused> {
    if !same_server(&made_for.recipient, arrived.own) {
        return Err(GuestRefused::Elsewhere);
    }
    match arrived.challenge {
        Some(challenge) if made_for.challenge == challenge => Ok(()),
        _ => Err(GuestRefused::Replay),
    }
}

/// A frame by the protocol's text may be a copy of one that was made for any server. A copy comes from elsewhere; and
/// where both share an address, it takes no connection's place. The counter is asked for only then: servers that start
/// anew begin at 0.
fn is_likely_its_own(
    counter: u64,
    pinned: &Pinned,
    arrived: Arrived<'_>,
) -> Result<(), GuestRefused> {
    let from = arrived.from.to_canonical();
    if !pinned.hosts.iter().any(|host| host.to_canonical() == from) {
        return Err(GuestRefused::Stranger);
    }
    match pinned.up {
        Some(last) if counter <= last => Err(GuestRefused::Counter),
        _ => Ok(()),
    }
}

/// An address without a scheme and a slash at the end: servers differ in whether they say them.
fn bare(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.trim_end_matches('/')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::classic_key;
    use portcullis_proto::classroom::{
        DialectId, Incoming, pem_of, write_public_chat, write_server_hello,
    };

    const OWN: &str = "localhost:9";
    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn pinned(number: usize, address: &str) -> Pinned {
        let layout = DialectId::BY_THE_TEXT.row().pem;
        let pem = pem_of(classic_key(number).public().spki(), layout);
        let (address, key) = (address.to_owned(), GuestKey::parse(&pem).unwrap());
        Pinned { address, key, hosts: vec![HOME], up: None }
    }

    fn signed(text: &str) -> SignedFrame {
        match Incoming::read(text).unwrap() {
            Incoming::Signed(frame) => frame,
            other => unreachable!("{other:?}"),
        }
    }

    fn at(from: IpAddr) -> Arrived<'static> {
        Arrived { own: OWN, challenge: Some("fresh"), from }
    }

    fn made_for(recipient: &str, challenge: &str) -> Option<MadeFor> {
        Some(MadeFor { recipient: recipient.to_owned(), challenge: challenge.to_owned() })
    }

    /// The server with key `key` says that it is `address`.
    fn check(key: usize, address: &str, expected: Result<usize, GuestRefused>) {
        let configured = [pinned(1, "a:1"), pinned(2, "b:2")];
        for dialect in DialectId::all() {
            for made_for in [None, made_for(OWN, "fresh")] {
                let key = classic_key(key);
                let hello = write_server_hello(dialect, &key, 1, address, made_for.as_ref());
                let admitted = admit_neighbour(&signed(&hello.unwrap()), &configured, at(HOME));
                assert_eq!(admitted.map(NeighbourAdmitted::place), expected, "{address}");
            }
        }
    }

    #[test]
    fn only_the_pinned_key_speaks_for_an_address() {
        check(1, "a:1", Ok(0));
        check(2, "b:2", Ok(1));
        check(2, "ws://B:2/", Ok(1));
        check(2, "a:1", Err(GuestRefused::BadSignature));
        check(0, "a:1", Err(GuestRefused::BadSignature));
        check(1, "c:3", Err(GuestRefused::Stranger));
        check(1, "", Err(GuestRefused::Stranger));
    }

    /// As it was before: signed by the pinned key is enough.
    fn believes(
        frame: &SignedFrame,
        configured: &[Pinned],
        _: Arrived<'_>,
    ) -> Result<NeighbourAdmitted, GuestRefused> {
        let key = &configured.first().ok_or(GuestRefused::Stranger)?.key;
        frame.verify(key.key(), None).map_err(|_| GuestRefused::BadSignature)?;
        Ok(NeighbourAdmitted::unproven(0))
    }

    /// What server a has signed at counter 5 arrives somewhere, perhaps while a connection is up.
    fn check_copy(
        made_for: Option<MadeFor>,
        arrived: Arrived<'_>,
        up: Option<u64>,
        expected: Result<(), GuestRefused>,
    ) {
        let configured = [Pinned { up, ..pinned(1, "a:1") }];
        let (text, key) = (DialectId::BY_THE_TEXT, classic_key(1));
        let hello = signed(&write_server_hello(text, &key, 5, "a:1", made_for.as_ref()).unwrap());
        let admitted = admit_neighbour(&hello, &configured, arrived).map(drop);
        assert_eq!(admitted, expected, "{made_for:?} {arrived:?} {up:?}");
        assert!(believes(&hello, &configured, arrived).is_ok(), "the attack wins without");
    }

    #[test]
    fn a_copy_of_what_was_said_to_another_server_opens_no_link() {
        let none = Arrived { challenge: None, ..at(HOME) };
        for from in [HOME, ELSEWHERE] {
            // Also while an older connection is up, which may be dead.
            for up in [None, Some(4), Some(5), Some(u64::MAX)] {
                check_copy(made_for(OWN, "fresh"), at(from), up, Ok(()));
            }
            check_copy(made_for("127.0.0.1:9", "fresh"), at(from), None, Ok(()));
            let elsewhere = Err(GuestRefused::Elsewhere);
            check_copy(made_for("r:3", "fresh"), at(from), None, elsewhere);
            check_copy(made_for("", "fresh"), at(from), None, elsewhere);
            check_copy(made_for(OWN, "older"), at(from), None, Err(GuestRefused::Replay));
            check_copy(made_for(OWN, ""), at(from), None, Err(GuestRefused::Replay));
        }
        check_copy(made_for(OWN, ""), none, None, Err(GuestRefused::Replay));
    }

    /// By the text a server says nothing of that.
    #[test]
    fn who_follows_the_text_comes_from_where_its_address_leads() {
        let mapped = at("::ffff:192.0.2.1".parse().unwrap());
        for up in [None, Some(4)] {
            check_copy(None, at(HOME), up, Ok(()));
            check_copy(None, mapped, up, Ok(()));
            check_copy(None, at(ELSEWHERE), up, Err(GuestRefused::Stranger));
        }
        for up in [Some(5), Some(6)] {
            check_copy(None, at(HOME), up, Err(GuestRefused::Counter));
        }
    }

    #[test]
    fn nothing_else_opens_a_link() {
        let chat = write_public_chat(DialectId::BY_THE_TEXT, &classic_key(1), 1, "hi").unwrap();
        let admitted = admit_neighbour(&signed(&chat), &[pinned(1, "a:1")], at(HOME));
        assert_eq!(admitted, Err(GuestRefused::NoHello));
    }
}
