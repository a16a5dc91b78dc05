//! A channel's message counts only as what its author's device signed: these bytes, in this channel, by
//! this account and device, under this id.
//!
//! Attack: the server, or another member, changes a text, shows it as somebody else's, or plays it into
//! another channel.
//! CWE-347, improper verification of a cryptographic signature; CWE-345.
//! Precedent: CVE-2022-39251 (Matrix SDKs: sender not bound to the text).

use portcullis_crypto::AuthPublic;
use portcullis_proto::{Content, Envelope, Place, SignedContent};

/// Proof that a message is its author's, here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentOpened {
    content: Content,
    place: Place,
}

impl ContentOpened {
    /// The message.
    #[must_use]
    pub const fn content(&self) -> &Content {
        &self.content
    }

    /// Its place.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.place
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(content: Content, place: Place) -> Self {
        Self { content, place }
    }
}

/// Why a message does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenError {
    /// Its device stands in no list that the account has signed.
    Unlisted,
    /// Its signature does not hold, or it was signed for another place.
    NotAuthentic,
}

/// Verifies an envelope with the key that the author's signed device list gives for its device.
///
/// # Errors
/// [`OpenError`].
pub fn open_channel(
    envelope: &Envelope,
    key: Option<&AuthPublic>,
) -> Result<ContentOpened, OpenError> {
    let key = key.ok_or(OpenError::Unlisted)?;
    let signed = SignedContent::from_body(&envelope.body).map_err(|_| OpenError::NotAuthentic)?;
    let content = signed.open(key).map_err(|_| OpenError::NotAuthentic)?;
    let place = content.place.ok_or(OpenError::NotAuthentic)?;
    let fits = place.conversation == envelope.conversation
        && place.account == envelope.account
        && place.device == envelope.device
        && content.id == envelope.reference;
    if !fits {
        return Err(OpenError::NotAuthentic);
    }
    Ok(ContentOpened { content, place })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::tests::rng;
    use portcullis_crypto::{AuthKey, Hash};
    use portcullis_proto::{AccountId, ConversationId, DeviceId, Kind, Reference, Seen, Timestamp};

    const OTHER: [u8; 16] = [9; 16];

    fn key() -> AuthKey {
        AuthKey::generate(&mut rng(1))
    }

    /// An honest envelope, whose signed content was changed before it was signed.
    fn envelope(change: impl FnOnce(&mut Content)) -> Envelope {
        let (account, device) = (AccountId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
        let conversation = ConversationId::LOBBY;
        let reference = Reference::from_bytes([3; 16]);
        let mut content = Content {
            id: reference,
            kind: Kind::Text("pay 10".to_owned()),
            refs: Vec::new(),
            sent_at: Timestamp(5),
            after: Seen { seq: 0, chain: Hash::from_bytes([0; 32]) },
            place: Some(Place { conversation, account, device, n: 1 }),
        };
        change(&mut content);
        let body = SignedContent::sign(&content, &key()).to_body();
        let accepted_at = Timestamp(6);
        Envelope { conversation, seq: 1, account, device, epoch: 0, reference, accepted_at, body }
    }

    fn check(envelope: &Envelope, expected: Option<OpenError>) {
        assert_eq!(open_channel(envelope, Some(&key().public())).err(), expected);
    }

    #[test]
    fn only_what_was_signed_for_this_place_counts() {
        let refused = Some(OpenError::NotAuthentic);
        let honest = envelope(|_| ());
        check(&honest, None);
        // The server relabels an honest message.
        check(&Envelope { account: AccountId::from_bytes(OTHER), ..honest.clone() }, refused);
        check(&Envelope { device: DeviceId::from_bytes(OTHER), ..honest.clone() }, refused);
        let elsewhere = ConversationId::from_bytes(OTHER);
        check(&Envelope { conversation: elsewhere, ..honest.clone() }, refused);
        check(&Envelope { reference: Reference::from_bytes(OTHER), ..honest.clone() }, refused);
        // A member signs what it must not: no place, somebody else's place.
        check(&envelope(|content| content.place = None), refused);
        let other = |content: &mut Content| {
            content.place.iter_mut().for_each(|p| p.account = AccountId::from_bytes(OTHER));
        };
        check(&envelope(other), refused);
        // Not a body at all, another key, and a device that no list names.
        check(&Envelope { body: Vec::new().into(), ..honest.clone() }, refused);
        let stranger = AuthKey::generate(&mut rng(2)).public();
        assert_eq!(open_channel(&honest, Some(&stranger)).err(), refused);
        assert_eq!(open_channel(&honest, None).err(), Some(OpenError::Unlisted));
    }
}
