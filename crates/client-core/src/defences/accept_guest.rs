//! What a guest says counts only as what its key has signed, where it belongs, and once.
//!
//! Attack: the server puts words into a guest's mouth, shows one guest's words as another's, shows what was
//! written privately in the lobby, or plays something in again that was said before: a guest's protocol
//! names no place, and its counters begin anew with each connection.
//! CWE-347, improper verification of a cryptographic signature; CWE-294, capture-replay; CWE-345.
//! Precedent: CVE-2022-39251 (Matrix SDKs: sender not bound to the text); Threema 2023 (replayed messages).

use portcullis_proto::classroom::{GuestBody, GuestKey, Payload, SignedFrame, Signing};
use portcullis_proto::{AccountId, ConversationId, DeviceId, Envelope, GuestName};

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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use portcullis_crypto::testing::classic_key;
    use portcullis_proto::classroom::{
        DialectId, Incoming, Outgoing, PemLayout, pem_of, write_chat, write_hello,
        write_public_chat,
    };
    use portcullis_proto::{Reference, Timestamp};

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
}
