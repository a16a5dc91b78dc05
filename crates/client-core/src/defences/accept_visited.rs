//! What comes in at a foreign classroom server counts only as what a key of its list has signed, in the order in
//! which that key has signed it, and once.
//!
//! Attack: the server, or anybody at it, puts words into somebody's mouth, shows one's words as another's, or
//! plays in again what was said before. A counter tells replays of what was said before this device listened,
//! as long as the key's own connection lasts; a hash of what was shown tells the others.
//! CWE-347, improper verification of a cryptographic signature; CWE-294, capture-replay.
//! Precedent: CVE-2022-39251 (Matrix SDKs: sender not bound to the text); Threema 2023 (replayed messages).

use super::{GuestAccepted, GuestRefused};
use portcullis_proto::Reference;
use portcullis_proto::classroom::{GuestKey, Payload, SignedFrame, Signing};
use std::collections::BTreeMap;

/// What is known of a key whose words come in.
#[derive(Debug)]
pub struct Heard<'a> {
    /// The key, as the server lists it.
    pub guest: &'a GuestKey,
    /// How it has signed before.
    pub signing: Option<Signing>,
    /// The last counter that counted, since the key was listed.
    pub counter: Option<u64>,
    /// What this device was shown before, by any key.
    pub seen: &'a BTreeMap<Reference, u64>,
}

/// Verifies a frame that is said to be from this key.
///
/// # Errors
/// [`GuestRefused`].
pub fn accept_visited(
    heard: &Heard<'_>,
    frame: SignedFrame,
) -> Result<GuestAccepted, GuestRefused> {
    let belongs = match frame.payload() {
        Payload::PublicChat { sender, .. } => heard.guest.is_fingerprint(sender),
        // Whom it names is encrypted, and compared when it is opened.
        Payload::Chat(_) => true,
        Payload::Hello { .. } | Payload::ServerHello { .. } | Payload::Other => false,
    };
    let signing = frame.verify(heard.guest.key(), heard.signing);
    let signing = signing.ok().filter(|_| belongs).ok_or(GuestRefused::NotAuthentic)?;
    let is_late = heard.counter.is_some_and(|last| frame.counter() <= last);
    if is_late || heard.seen.contains_key(&frame.reference(signing)) {
        return Err(GuestRefused::Replayed(heard.guest.name().clone()));
    }
    Ok(GuestAccepted::unproven(heard.guest.clone(), frame, signing))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use portcullis_crypto::ClassicKey;
    use portcullis_crypto::classic::Salt;
    use portcullis_crypto::testing::classic_key;
    use portcullis_proto::Bytes;
    use portcullis_proto::classroom::{
        DialectId, Incoming, pem_of, write_hello, write_public_chat,
    };

    const DIALECT: DialectId = DialectId::BY_THE_TEXT;

    fn key(number: usize) -> ClassicKey {
        classic_key(number).unwrap()
    }

    fn guest(number: usize) -> GuestKey {
        GuestKey::parse(&pem_of(key(number).public().spki(), DIALECT.row().pem)).unwrap()
    }

    fn frame(text: &str) -> SignedFrame {
        let Ok(Incoming::Signed(frame)) = Incoming::read(text) else { unreachable!("{text}") };
        frame
    }

    fn said(number: usize, counter: u64, text: &str) -> String {
        write_public_chat(DIALECT, &key(number), counter, text).unwrap()
    }

    /// What becomes of a frame that is taken for one of key 0, whose last counter is 5.
    fn check(text: &str, seen: &[Reference], expected: Result<(), GuestRefused>) {
        let seen = seen.iter().map(|id| (*id, 1)).collect();
        let guest = guest(0);
        let heard = Heard { guest: &guest, signing: None, counter: Some(5), seen: &seen };
        let accepted = accept_visited(&heard, frame(text)).map(|_| ());
        assert_eq!(accepted, expected, "{text}");
    }

    #[test]
    fn only_what_the_key_has_signed_counts() {
        let own = said(0, 6, "hi");
        check(&own, &[], Ok(()));
        check(&own.replace("hi", "ho"), &[], Err(GuestRefused::NotAuthentic));
        check(&own.replace("\"counter\":6", "\"counter\":7"), &[], Err(GuestRefused::NotAuthentic));
        check(&said(1, 6, "hi"), &[], Err(GuestRefused::NotAuthentic));
        // Signed by the key, and in another's name.
        let name = guest(1).fingerprint(DIALECT.row().fingerprint);
        let data = format!(r#"{{"type":"public_chat","sender":"{name}","message":"hi"}}"#);
        let signature = key(0).sign(Salt::Digest, format!("{data}6").as_bytes()).unwrap();
        let signature = serde_json::to_string(&Bytes(signature)).unwrap();
        let fields = format!(r#""data":{data},"counter":6,"signature":{signature}"#);
        let in_name = format!(r#"{{"type":"signed_data",{fields}}}"#);
        assert!(frame(&in_name).verify(guest(0).key(), None).is_ok());
        check(&in_name, &[], Err(GuestRefused::NotAuthentic));
        let hello = write_hello(DIALECT, &key(0), 6).unwrap();
        check(&hello, &[], Err(GuestRefused::NotAuthentic));
    }

    #[test]
    fn nothing_counts_twice() {
        let replayed = || Err(GuestRefused::Replayed(guest(0).name().clone()));
        check(&said(0, 5, "hi"), &[], replayed());
        check(&said(0, 0, "hi"), &[], replayed());
        let again = said(0, 9, "hi");
        let signing = frame(&again).verify(guest(0).key(), None).unwrap();
        let reference = frame(&again).reference(signing);
        check(&again, &[Reference::from_bytes([1; 16])], Ok(()));
        check(&again, &[reference], replayed());
        check(&again.replace("{\"type\"", "{ \"type\""), &[reference], replayed());
    }
}
