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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::classroom::tests::{guest, sender, signed};
    use crate::classroom::{DialectId, write_public_chat};

    #[test]
    fn a_body_holds_pem_and_frame_as_they_were_received() {
        for dialect in DialectId::all() {
            let key = guest(&sender(), dialect);
            let text = write_public_chat(dialect, &sender(), 5, "\u{1}\"é😀\\").unwrap();
            let body = GuestBody { key: key.clone(), frame: signed(&text) };
            let read = GuestBody::from_body(&body.to_body()).unwrap();
            assert_eq!((read.key.pem(), read.frame.text()), (key.pem(), text.as_str()));
            assert_eq!(read, body);
            assert!(read.frame.verify(read.key.key(), None).is_ok());
        }
    }

    #[test]
    fn other_bodies_are_refused() {
        let pem = guest(&sender(), DialectId::BY_THE_TEXT).pem().replace('\n', "\\n");
        let frame = r#"{\"type\":\"signed_data\",\"data\":{\"type\":\"x\"},\"counter\":1,\"signature\":\"\"}"#;
        let check = |body: &str, expected: Option<BadFrame>| {
            let read = GuestBody::from_body(&Bytes(body.into()));
            assert_eq!(read.err(), expected, "{}", body.get(..40).unwrap_or(body));
        };
        check(&format!(r#"{{"pem":"{pem}","frame":"{frame}"}}"#), None);
        check(&format!(r#"{{"pem":"{pem}"}}"#), Some(BadFrame::Json));
        check(&format!(r#"{{"pem":"","frame":"{frame}"}}"#), Some(BadFrame::Pem));
        let request = r#"{\"type\":\"client_list_request\"}"#;
        check(&format!(r#"{{"pem":"{pem}","frame":"{request}"}}"#), Some(BadFrame::Type));
        check("", Some(BadFrame::Json));
        check(&" ".repeat(limits::ENVELOPE_BYTES + 1), Some(BadFrame::Long));
    }
}
