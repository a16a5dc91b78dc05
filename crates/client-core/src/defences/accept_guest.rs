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
