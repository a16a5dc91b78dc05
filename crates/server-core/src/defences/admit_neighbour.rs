//! A server is linked only where its operator and ours have agreed: its key stands in our configuration
//! beside its address, and the first frame of the link is signed by it.
//!
//! Attack: somebody connects and says "I am the server next door": from then on they hear what our guests
//! say, and may say who is connected there and speak for them.
//! CWE-290, authentication bypass by spoofing.
//! Precedent: CVE-2016-0756 (Prosody's dialback), by which one server could speak for another.

use crate::GuestRefused;
use portcullis_proto::classroom::{GuestKey, Payload, SignedFrame};

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

/// Looks the sender up among the configured servers, by address, and verifies by the key that stands there.
///
/// # Errors
/// [`GuestRefused::Stranger`] for an address that is not configured, [`GuestRefused::BadSignature`].
pub fn admit_neighbour(
    frame: &SignedFrame,
    configured: &[(String, GuestKey)],
) -> Result<NeighbourAdmitted, GuestRefused> {
    let Payload::ServerHello { sender } = frame.payload() else {
        return Err(GuestRefused::NoHello);
    };
    let sender = bare(sender);
    let named =
        configured.iter().position(|(address, _)| bare(address).eq_ignore_ascii_case(sender));
    let place = named.ok_or(GuestRefused::Stranger)?;
    let (_, key) = configured.get(place).ok_or(GuestRefused::Stranger)?;
    frame.verify(key.key(), None).map_err(|_| GuestRefused::BadSignature)?;
    Ok(NeighbourAdmitted { place })
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

    fn pinned(number: usize) -> GuestKey {
        let layout = DialectId::BY_THE_TEXT.row().pem;
        GuestKey::parse(&pem_of(classic_key(number).public().spki(), layout)).unwrap()
    }

    fn signed(text: &str) -> SignedFrame {
        match Incoming::read(text).unwrap() {
            Incoming::Signed(frame) => frame,
            other => unreachable!("{other:?}"),
        }
    }

    /// The server with key `key` says that it is `address`.
    fn check(key: usize, address: &str, expected: Result<usize, GuestRefused>) {
        let configured = [("a:1".to_owned(), pinned(1)), ("b:2".to_owned(), pinned(2))];
        for dialect in DialectId::all() {
            let hello = write_server_hello(dialect, &classic_key(key), 1, address).unwrap();
            let admitted = admit_neighbour(&signed(&hello), &configured);
            assert_eq!(admitted.map(NeighbourAdmitted::place), expected, "{key} {address}");
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

    #[test]
    fn nothing_else_opens_a_link() {
        let chat = write_public_chat(DialectId::BY_THE_TEXT, &classic_key(1), 1, "hi").unwrap();
        let admitted = admit_neighbour(&signed(&chat), &[("a:1".to_owned(), pinned(1))]);
        assert_eq!(admitted, Err(GuestRefused::NoHello));
    }
}
