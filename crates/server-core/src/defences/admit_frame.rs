//! What a guest says is signed by its key, new, and said in its own name.
//!
//! Attack: a frame that was heard once is sent again, as if said now; one is sent whose signature is another's;
//! or a `public_chat` names another's fingerprint as its sender, and clients that look no further show that one.
//! CWE-294, authentication bypass by capture-replay; CWE-347; CWE-290.
//! Precedent: CVE-2017-5589 (XMPP message carbons: the sender that a message claims).

use crate::GuestRefused;
use crate::defences::GuestState;
use portcullis_proto::Reference;
use portcullis_proto::classroom::{DialectId, GuestKey, Payload, SignedFrame};
use std::sync::Arc;

/// Proof that a guest has said something, and not before on its connection.
#[derive(Debug, Clone)]
pub struct FrameAdmitted {
    guest: GuestKey,
    frame: Arc<SignedFrame>,
    reference: Reference,
    dialect: DialectId,
}

impl FrameAdmitted {
    /// Who.
    #[must_use]
    pub const fn guest(&self) -> &GuestKey {
        &self.guest
    }

    /// What.
    #[must_use]
    pub const fn frame(&self) -> &Arc<SignedFrame> {
        &self.frame
    }

    /// A hash of what was signed and its signature: the same where the same is sent again.
    #[must_use]
    pub const fn reference(&self) -> Reference {
        self.reference
    }

    /// How its sender wants to be talked to: what it says shows more of that than its `hello` did.
    #[must_use]
    pub const fn dialect(&self) -> DialectId {
        self.dialect
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(guest: GuestKey, frame: Arc<SignedFrame>, reference: Reference) -> Self {
        Self { guest, frame, reference, dialect: DialectId::BY_THE_TEXT }
    }
}

/// Judges a frame by what is known of its guest, which it moves on: only a frame that is admitted counts. What
/// costs least comes first.
///
/// # Errors
/// [`GuestRefused`], by the clause that the frame breaks.
pub fn admit_frame(
    guest: &mut GuestState,
    frame: SignedFrame,
) -> Result<FrameAdmitted, GuestRefused> {
    if guest.last.is_some_and(|last| frame.counter() <= last) {
        return Err(GuestRefused::Counter);
    }
    match frame.payload() {
        Payload::Hello { .. } => return Err(GuestRefused::SecondHello),
        Payload::Chat(_) => {}
        Payload::PublicChat { sender, .. } if guest.key.is_fingerprint(sender) => {}
        Payload::PublicChat { .. } => return Err(GuestRefused::NotTheSender),
        Payload::ServerHello { .. } | Payload::Other => return Err(GuestRefused::NotForGuests),
    }
    let signing = frame.verify(guest.key.key(), guest.signing);
    let signing = signing.map_err(|_| GuestRefused::BadSignature)?;
    guest.signing = Some(signing);
    guest.last = Some(frame.counter());
    guest.dialect = guest.dialect.with_signing(signing);
    if let Payload::PublicChat { sender, .. } = frame.payload()
        && let Some(fingerprint) = guest.key.fingerprint_in(sender)
    {
        guest.dialect = guest.dialect.with_fingerprint(fingerprint);
    }
    if let Payload::Chat(chat) = frame.payload()
        && let Some(sealed) = &chat.sealed
    {
        guest.dialect = guest.dialect.with_iv_bytes(sealed.iv.len());
    }
    let (guest, dialect, reference) = (guest.key.clone(), guest.dialect, frame.reference(signing));
    Ok(FrameAdmitted { guest, frame: Arc::new(frame), reference, dialect })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use crate::testing::{Guest, World, classic_key, guest_key, read, reference, signed};

    type Admit = fn(&mut GuestState, SignedFrame) -> Result<FrameAdmitted, GuestRefused>;

    fn public_chat(sender: &GuestKey) -> String {
        let sender = sender.fingerprint(DialectId::BY_THE_TEXT.row().fingerprint);
        serde_json::json!({"type": "public_chat", "sender": sender, "message": "hi"}).to_string()
    }

    /// Guest 1, who has said hello at counter 5, sends this: whether anybody hears it.
    fn attack(admit: Admit, text: &str) -> Result<(), GuestRefused> {
        let mut world = World::with_guests(Defences { admit_frame: admit, ..SOUND });
        let mut guest = world.guest(1);
        guest.state.as_mut().unwrap().last = Some(5);
        let heard = world.heard(&mut guest, text);
        assert_eq!(world.relayed().len(), usize::from(heard.is_ok()));
        heard
    }

    fn believes(guest: &mut GuestState, frame: SignedFrame) -> Result<FrameAdmitted, GuestRefused> {
        let frame = Arc::new(frame);
        let signing = frame.verify(guest.key.key(), None);
        let reference = signing.map_or_else(|_| reference(99), |signing| frame.reference(signing));
        Ok(FrameAdmitted::unproven(guest.key.clone(), frame, reference))
    }

    #[test]
    fn what_a_guest_did_not_say_anew_and_in_its_own_name_is_not_heard() {
        let (own, other) = (classic_key(1), classic_key(2));
        let data = public_chat(&guest_key(1));
        assert_eq!(attack(admit_frame, &signed(&own, &data, 6)), Ok(()));
        let check = |text: String, expected: GuestRefused| {
            assert_eq!(attack(admit_frame, &text), Err(expected), "{text}");
            assert_eq!(attack(believes, &text), Ok(()), "{text}");
        };
        check(signed(&own, &data, 5), GuestRefused::Counter);
        check(signed(&own, &data, 0), GuestRefused::Counter);
        check(signed(&other, &data, 6), GuestRefused::BadSignature);
        let raised = signed(&own, &data, 6).replace("\"counter\":6", "\"counter\":7");
        check(raised, GuestRefused::BadSignature);
        check(signed(&own, &public_chat(&guest_key(2)), 6), GuestRefused::NotTheSender);
        let nobody = r#"{"type":"public_chat","sender":"","message":"hi"}"#;
        check(signed(&own, nobody, 6), GuestRefused::NotTheSender);
    }

    #[test]
    fn other_frames_have_no_place_here() {
        let check = |data: &str, expected: GuestRefused| {
            assert_eq!(attack(admit_frame, &signed(&classic_key(1), data, 6)), Err(expected));
        };
        let hello = serde_json::json!({"type": "hello", "public_key": guest_key(1).pem()});
        check(&hello.to_string(), GuestRefused::SecondHello);
        check(r#"{"type":"server_hello","sender":"localhost:1"}"#, GuestRefused::NotForGuests);
        check(r#"{"type":"magic"}"#, GuestRefused::NotForGuests);
    }

    /// What is refused must not move the counter on, or a forged frame could silence a guest.
    #[test]
    fn only_what_is_admitted_counts() {
        let mut world = World::with_guests(SOUND);
        let mut guest = world.guest(1);
        let forged = signed(&classic_key(2), &public_chat(&guest_key(1)), 1 << 40);
        assert_eq!(world.heard(&mut guest, &forged), Err(GuestRefused::BadSignature));
        let said = guest.public_chat("one");
        assert_eq!(world.heard(&mut guest, &said), Ok(()));
        assert_eq!(world.heard(&mut guest, &said), Err(GuestRefused::Counter));
        let said = guest.public_chat("two");
        assert_eq!(world.heard(&mut guest, &said), Ok(()));
    }

    /// A linked server's guests are judged alike, though nobody heard their hello.
    #[test]
    fn a_listed_guest_may_begin_with_any_counter() {
        let mut guest = Guest::new(1);
        let mut state = GuestState::listed(guest.public.clone());
        guest.counter = 40;
        let text = guest.public_chat("hi");
        assert!(admit_frame(&mut state, read(&text)).is_ok());
        assert_eq!(state.last, Some(41));
        assert_eq!(admit_frame(&mut state, read(&text)).map(drop), Err(GuestRefused::Counter));
    }
}
