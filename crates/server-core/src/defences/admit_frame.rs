//! What a guest says is signed by its key, new, and said in its own name.
//!
//! Attack: a frame that was heard once is sent again, as if said now; one is sent whose signature is another's;
//! or a `public_chat` names another's fingerprint as its sender, and clients that look no further show that one.
//! CWE-294, authentication bypass by capture-replay; CWE-347; CWE-290.
//! Precedent: CVE-2017-5589 (XMPP message carbons: the sender that a message claims).

use crate::GuestRefused;
use crate::defences::GuestState;
use portcullis_proto::Reference;
use portcullis_proto::classroom::{GuestKey, Payload, SignedFrame};
use std::sync::Arc;

/// Proof that a guest has said something, and not before on its connection.
#[derive(Debug, Clone)]
pub struct FrameAdmitted {
    guest: GuestKey,
    frame: Arc<SignedFrame>,
    reference: Reference,
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

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(guest: GuestKey, frame: Arc<SignedFrame>, reference: Reference) -> Self {
        Self { guest, frame, reference }
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
    let reference = frame.reference(signing);
    Ok(FrameAdmitted { guest: guest.key.clone(), frame: Arc::new(frame), reference })
}
