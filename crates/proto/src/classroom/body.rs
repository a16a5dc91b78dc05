//! What an envelope from a guest holds: the frame as the guest sent it, and the key to verify it with.
//!
//! Whoever reads it verifies it anew, so that a server can't put words into a guest's mouth.

use super::frame::{BadFrame, Incoming, SignedFrame};
use super::key::GuestKey;
use crate::{Bytes, limits};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A guest's frame with its key; parsed, not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestBody {
    /// The guest.
    pub key: GuestKey,
    /// What it sent.
    pub frame: SignedFrame,
}

#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    pem: Cow<'a, str>,
    #[serde(borrow)]
    frame: Cow<'a, str>,
}

impl GuestBody {
    /// The body's bytes.
    #[must_use]
    pub fn to_body(&self) -> Bytes {
        let wire = Wire { pem: self.key.pem().into(), frame: self.frame.text().into() };
        // Writing two texts to memory can't fail.
        Bytes(serde_json::to_vec(&wire).unwrap_or_default())
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`BadFrame`], also where the frame is none that a key signs.
    pub fn from_body(body: &Bytes) -> Result<Self, BadFrame> {
        if body.as_slice().len() > limits::ENVELOPE_BYTES {
            return Err(BadFrame::Long);
        }
        let wire: Wire<'_> = serde_json::from_slice(body.as_slice()).map_err(|_| BadFrame::Json)?;
        match Incoming::read(&wire.frame)? {
            Incoming::Signed(frame) => Ok(Self { key: GuestKey::parse(&wire.pem)?, frame }),
            _ => Err(BadFrame::Type),
        }
    }
}
