//! A signed content: what an envelope in a channel holds. Leaves out who may sign for whom.

use crate::Bytes;
use crate::content::{Content, Malformed};
use portcullis_crypto::{AuthKey, AuthPublic, Purpose, Signature};

/// Bytes of a signature at the head of a signed content.
const SIGNATURE_BYTES: usize = 64;

/// A channel's body: a signature of the author's device over the content's bytes, then those bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedContent {
    signature: Signature,
    content: Vec<u8>,
}

impl SignedContent {
    /// Signs a content with the device's key.
    #[must_use]
    pub fn sign(content: &Content, key: &AuthKey) -> Self {
        let content = content.encode();
        Self { signature: key.sign(Purpose::ChannelMessage, &content), content }
    }

    /// The envelope's body.
    #[must_use]
    pub fn to_body(&self) -> Bytes {
        let mut body = self.signature.as_bytes().to_vec();
        body.extend_from_slice(&self.content);
        Bytes(body)
    }

    /// Takes an envelope's body apart; nothing is verified yet.
    ///
    /// # Errors
    /// [`Malformed::Size`] where there is no room for a signature.
    pub fn from_body(body: &Bytes) -> Result<Self, Malformed> {
        let (signature, content) =
            body.as_slice().split_first_chunk::<SIGNATURE_BYTES>().ok_or(Malformed::Size)?;
        Ok(Self { signature: Signature::from_bytes(*signature), content: content.to_vec() })
    }

    /// The content, if `key` signed it. There is no way to the content around this.
    ///
    /// # Errors
    /// [`Malformed::Signature`], or what [`Content::decode`] refuses.
    pub fn open(&self, key: &AuthPublic) -> Result<Content, Malformed> {
        key.verify(Purpose::ChannelMessage, &self.content, &self.signature)
            .map_err(|_| Malformed::Signature)?;
        Content::decode(&self.content)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::content::tests::content;

    #[test]
    fn every_changed_bit_breaks_the_signature() {
        let mut rng = crate::request::tests::rng(1);
        let key = AuthKey::generate(&mut rng);
        let body = SignedContent::sign(&content("pay 10"), &key).to_body();
        let opened = SignedContent::from_body(&body).unwrap().open(&key.public());
        assert_eq!(opened, Ok(content("pay 10")));
        for at in 0..body.0.len() {
            let mut changed = body.clone();
            changed.0[at] ^= 1;
            let opened = SignedContent::from_body(&changed).unwrap().open(&key.public());
            assert_eq!(opened, Err(Malformed::Signature), "byte {at}");
        }
    }
}
