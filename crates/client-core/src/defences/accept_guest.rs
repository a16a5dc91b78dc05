//! What a guest says counts only as what its key has signed, where it belongs, and once.
//!
//! Attack: the server puts words into a guest's mouth, shows one guest's words as another's, shows what was
//! written privately in the lobby, or plays something in again that was said before: a guest's protocol
//! names no place, and its counters begin anew with each connection.
//! CWE-347, improper verification of a cryptographic signature; CWE-294, capture-replay; CWE-345.
//! Precedent: CVE-2022-39251 (Matrix SDKs: sender not bound to the text); Threema 2023 (replayed messages).

use portcullis_proto::classroom::{GuestBody, GuestKey, Payload, SignedFrame, Signing};
use portcullis_proto::{AccountId, ConversationId, DeviceId, Envelope, GuestName, Reference};
use std::collections::BTreeMap;

/// Proof that a guest has said something, here, and that it was not shown before.
#[derive(Debug, Clone)]
pub struct GuestAccepted {
    guest: GuestKey,
    frame: SignedFrame,
    signing: Signing,
}

impl GuestAccepted {
    /// Who.
    #[must_use]
    pub const fn guest(&self) -> &GuestKey {
        &self.guest
    }

    /// What: a `public_chat` in the lobby, a `chat` in the log of what is private.
    #[must_use]
    pub const fn frame(&self) -> &SignedFrame {
        &self.frame
    }

    /// How it signs.
    #[must_use]
    pub const fn signing(&self) -> Signing {
        self.signing
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(guest: GuestKey, frame: SignedFrame, signing: Signing) -> Self {
        Self { guest, frame, signing }
    }
}

/// Why something in a guest's name does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestRefused {
    /// No guest has signed it, or not for this place.
    NotAuthentic,
    /// This guest has, and it was shown before.
    Replayed(GuestName),
}

/// Verifies an envelope in the guests' name; `seen` is whether one of its reference was shown before.
///
/// # Errors
/// [`GuestRefused`].
pub fn accept_guest(envelope: &Envelope, seen: bool) -> Result<GuestAccepted, GuestRefused> {
    let refused = || GuestRefused::NotAuthentic;
    if (envelope.account, envelope.device) != (AccountId::GATEWAY, DeviceId::GATEWAY) {
        return Err(refused());
    }
    let GuestBody { key: guest, frame } =
        GuestBody::from_body(&envelope.body).map_err(|_| refused())?;
    let belongs = match frame.payload() {
        Payload::PublicChat { sender, .. } => {
            envelope.conversation == ConversationId::LOBBY && guest.is_fingerprint(sender)
        }
        Payload::Chat(_) => envelope.conversation == ConversationId::CLASSROOM,
        Payload::Hello { .. } | Payload::ServerHello { .. } | Payload::Other => false,
    };
    if !belongs {
        return Err(refused());
    }
    let signing = frame.verify(guest.key(), None).map_err(|_| refused())?;
    // The reference tells a replay, so it may be no other than what was signed gives.
    if frame.reference(signing) != envelope.reference {
        return Err(refused());
    }
    if seen {
        return Err(GuestRefused::Replayed(guest.name().clone()));
    }
    Ok(GuestAccepted { guest, frame, signing })
}

/// What is known of a key whose words come in.
#[derive(Debug)]
pub struct Heard<'a> {
    /// The key, as the server lists it.
    pub guest: &'a GuestKey,
    /// The last counter that counted, since the key was listed.
    pub counter: Option<u64>,
    /// What this device was shown before, by any key.
    pub seen: &'a BTreeMap<Reference, u64>,
}

/// The same for a frame that comes straight from a foreign classroom server, and is said to be from this key. Its
/// counter tells replays of what was said before this device listened, as long as the key's own connection
/// lasts; its hash tells the others.
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
    let signing = frame.verify(heard.guest.key(), None);
    let signing = signing.ok().filter(|_| belongs).ok_or(GuestRefused::NotAuthentic)?;
    let is_late = heard.counter.is_some_and(|last| frame.counter() <= last);
    if is_late || heard.seen.contains_key(&frame.reference(signing)) {
        return Err(GuestRefused::Replayed(heard.guest.name().clone()));
    }
    Ok(GuestAccepted { guest: heard.guest.clone(), frame, signing })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use portcullis_crypto::testing::classic_key;
    use portcullis_proto::Timestamp;
    use portcullis_proto::classroom::{
        DialectId, Incoming, Outgoing, PemLayout, pem_of, write_chat, write_hello,
        write_public_chat,
    };

    const OTHER: [u8; 16] = [9; 16];
    const TEXT: DialectId = DialectId::BY_THE_TEXT;

    fn guest(number: usize) -> GuestKey {
        let spki = classic_key(number).unwrap().public().spki().to_vec();
        GuestKey::parse(&pem_of(&spki, PemLayout::ALL[0])).unwrap()
    }

    fn public(number: usize) -> String {
        write_public_chat(TEXT, &classic_key(number).unwrap(), 1, "pay 10").unwrap()
    }

    fn private(number: usize) -> String {
        let to = guest(2);
        let outgoing =
            Outgoing { to: &[(&to, "here")], text: "pay 10", iv: &[1; 16], key: &[2; 16] };
        write_chat(TEXT, &classic_key(number).unwrap(), 1, &outgoing).unwrap()
    }

    /// What a server that keeps to the rules makes of a frame of guest 0.
    fn envelope(conversation: ConversationId, frame: &str) -> Envelope {
        let Incoming::Signed(frame) = Incoming::read(frame).unwrap() else { unreachable!() };
        let signing = frame.verify(guest(0).key(), None);
        let reference = signing.map(|signing| frame.reference(signing));
        Envelope {
            conversation,
            seq: 1,
            account: AccountId::GATEWAY,
            device: DeviceId::GATEWAY,
            epoch: 0,
            reference: reference.unwrap_or(Reference::from_bytes(OTHER)),
            accepted_at: Timestamp(1),
            body: GuestBody { key: guest(0), frame }.to_body(),
        }
    }

    fn check(envelope: &Envelope, expected: Option<GuestRefused>) {
        assert_eq!(accept_guest(envelope, false).err(), expected);
    }

    #[test]
    fn only_what_a_guest_signed_for_this_place_counts() {
        let refused = Some(GuestRefused::NotAuthentic);
        let (lobby, classroom) = (ConversationId::LOBBY, ConversationId::CLASSROOM);
        let elsewhere = ConversationId::from_bytes(OTHER);
        let honest = envelope(lobby, &public(0));
        check(&honest, None);
        check(&envelope(classroom, &private(0)), None);
        check(&envelope(lobby, &private(0)), refused.clone());
        check(&envelope(classroom, &public(0)), refused.clone());
        check(&envelope(elsewhere, &public(0)), refused.clone());
        let hello = write_hello(TEXT, &classic_key(0).unwrap(), 1).unwrap();
        check(&envelope(lobby, &hello), refused.clone());
        check(&envelope(classroom, &hello), refused.clone());
        // Somebody else's words, and other words.
        check(&envelope(lobby, &public(1)), refused.clone());
        check(&envelope(classroom, &private(1)), refused.clone());
        check(&envelope(lobby, &public(0).replace("pay 10", "pay 99")), refused.clone());
        // The server relabels it.
        check(
            &Envelope { account: AccountId::from_bytes(OTHER), ..honest.clone() },
            refused.clone(),
        );
        check(&Envelope { device: DeviceId::from_bytes(OTHER), ..honest.clone() }, refused.clone());
        let body = Vec::new().into();
        check(&Envelope { body, ..honest }, refused);
    }

    #[test]
    fn a_guest_speaks_in_its_own_name() {
        let as_shown = guest(0).fingerprint(TEXT.row().fingerprint);
        let other = guest(1).fingerprint(TEXT.row().fingerprint);
        let frame = public(0);
        assert!(frame.contains(&as_shown));
        // Signed with the right key, so that nothing but the name is wrong.
        let data = frame.split("\"data\":\"").nth(1).unwrap().split("\",\"counter").next().unwrap();
        let data = data.replace("\\\"", "\"").replace(&as_shown, &other);
        let key = classic_key(0).unwrap();
        let signature = key.sign(TEXT.row().signing.salt, format!("{data}1").as_bytes()).unwrap();
        let signature = serde_json::to_value(portcullis_proto::Bytes(signature)).unwrap();
        let forged = serde_json::json!({
            "type": "signed_data", "data": data, "counter": 1, "signature": signature,
        });
        let forged = envelope(ConversationId::LOBBY, &forged.to_string());
        assert_ne!(forged.reference, Reference::from_bytes(OTHER), "it is signed");
        check(&forged, Some(GuestRefused::NotAuthentic));
    }

    #[test]
    fn nothing_is_shown_twice() {
        let honest = envelope(ConversationId::LOBBY, &public(0));
        let replayed = GuestRefused::Replayed(guest(0).name().clone());
        assert_eq!(accept_guest(&honest, true).err(), Some(replayed));
        // Under another reference it would look new.
        let reference = Reference::from_bytes(OTHER);
        check(&Envelope { reference, ..honest }, Some(GuestRefused::NotAuthentic));
    }

    fn frame(text: &str) -> SignedFrame {
        let Ok(Incoming::Signed(frame)) = Incoming::read(text) else { unreachable!("{text}") };
        frame
    }

    fn said(number: usize, counter: u64, text: &str) -> String {
        write_public_chat(TEXT, &classic_key(number).unwrap(), counter, text).unwrap()
    }

    /// What becomes of a frame that is taken for one of key 0, whose last counter is 5.
    fn check_visited(text: &str, seen: &[Reference], expected: Result<(), GuestRefused>) {
        let seen = seen.iter().map(|id| (*id, 1)).collect();
        let guest = guest(0);
        let heard = Heard { guest: &guest, counter: Some(5), seen: &seen };
        let accepted = accept_visited(&heard, frame(text)).map(|_| ());
        assert_eq!(accepted, expected, "{text}");
    }

    #[test]
    fn on_a_visit_only_what_the_named_key_has_signed_counts() {
        let own = said(0, 6, "hi");
        check_visited(&own, &[], Ok(()));
        check_visited(&own.replace("hi", "ho"), &[], Err(GuestRefused::NotAuthentic));
        check_visited(
            &own.replace("\"counter\":6", "\"counter\":7"),
            &[],
            Err(GuestRefused::NotAuthentic),
        );
        check_visited(&said(1, 6, "hi"), &[], Err(GuestRefused::NotAuthentic));
        // Signed by the key, and in another's name.
        let name = guest(1).fingerprint(TEXT.row().fingerprint);
        let data = format!(r#"{{"type":"public_chat","sender":"{name}","message":"hi"}}"#);
        let signature = classic_key(0)
            .unwrap()
            .sign(TEXT.row().signing.salt, format!("{data}6").as_bytes())
            .unwrap();
        let signature = serde_json::to_string(&portcullis_proto::Bytes(signature)).unwrap();
        let fields = format!(r#""data":{data},"counter":6,"signature":{signature}"#);
        let in_name = format!(r#"{{"type":"signed_data",{fields}}}"#);
        assert!(frame(&in_name).verify(guest(0).key(), None).is_ok());
        check_visited(&in_name, &[], Err(GuestRefused::NotAuthentic));
        let hello = write_hello(TEXT, &classic_key(0).unwrap(), 6).unwrap();
        check_visited(&hello, &[], Err(GuestRefused::NotAuthentic));
    }

    #[test]
    fn on_a_visit_nothing_is_shown_twice() {
        let replayed = || Err(GuestRefused::Replayed(guest(0).name().clone()));
        check_visited(&said(0, 5, "hi"), &[], replayed());
        check_visited(&said(0, 0, "hi"), &[], replayed());
        let again = said(0, 9, "hi");
        let signing = frame(&again).verify(guest(0).key(), None).unwrap();
        let reference = frame(&again).reference(signing);
        check_visited(&again, &[Reference::from_bytes([1; 16])], Ok(()));
        check_visited(&again, &[reference], replayed());
        check_visited(&again.replace("{\"type\"", "{ \"type\""), &[reference], replayed());
    }
}
