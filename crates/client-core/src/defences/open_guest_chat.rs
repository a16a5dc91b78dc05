//! A guest's private message counts only if it is for this device, and names the guest that signed it as its
//! author and this device among its readers.
//!
//! Attack: somebody who was written to encrypts the same text anew, and shows it as their own, or to a reader for
//! whom it was not meant ("surreptitious forwarding"): the outer signature holds, for it is the forwarder's.
//! CWE-345, insufficient verification of data authenticity; CWE-290.
//! Precedent: Davis 2001, "Defective Sign & Encrypt in S/MIME, PKCS#7, MOSS, PEM, PGP, and XML".

use super::GuestAccepted;
use crate::limits;
use portcullis_crypto::ClassicKey;
use portcullis_proto::classroom::{
    Chat, Dialect, DialectId, GuestKey, NotOpened, Payload, Sealed, open_chat,
};

/// Proof that a guest has written something to this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatOpened {
    text: String,
    others: usize,
    dialect: Dialect,
}

impl ChatOpened {
    /// What, how many others can read it, and in which dialect to answer.
    #[must_use]
    pub fn into_parts(self) -> (String, usize, Dialect) {
        (self.text, self.others, self.dialect)
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(text: String, others: usize, dialect: Dialect) -> Self {
        Self { text, others, dialect }
    }
}

/// Why a private message does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatRefused {
    /// It is for others, as most are.
    ForOthers,
    /// It is for this device, and can't be read.
    Unreadable,
    /// It names another author than who signed it.
    OtherAuthor,
    /// It does not name this device among its readers.
    NotAddressed,
}

/// Tries to open a message with this device's key; `own` is the same key, as guests know it.
///
/// Takes a millisecond for each of the message's keys, of which it tries [`limits::GUEST_KEYS`] at most.
///
/// # Errors
/// [`ChatRefused`].
pub fn open_guest_chat(
    accepted: &GuestAccepted,
    key: &ClassicKey,
    own: &GuestKey,
) -> Result<ChatOpened, ChatRefused> {
    let Payload::Chat(Chat { destinations, sealed: Some(sealed) }) = accepted.frame().payload()
    else {
        return Err(ChatRefused::ForOthers);
    };
    let bytes = own.key().bits().div_ceil(8);
    let fitting = sealed.keys.iter().filter(|key| key.len() == bytes);
    let keys = fitting.take(limits::GUEST_KEYS).cloned().collect();
    let sealed = Sealed { keys, iv: sealed.iv.clone(), text: sealed.text.clone() };
    let chat = Chat { destinations: destinations.clone(), sealed: Some(sealed) };
    let guest = accepted.guest();
    let opened = open_chat(&chat, key, guest).map_err(|error| match error {
        NotOpened::NotForMe => ChatRefused::ForOthers,
        NotOpened::Bad => ChatRefused::Unreadable,
        NotOpened::OtherAuthor => ChatRefused::OtherAuthor,
    })?;
    let readers = opened.participants.get(1..).unwrap_or_default();
    if !readers.iter().any(|reader| own.is_fingerprint(reader)) {
        return Err(ChatRefused::NotAddressed);
    }
    let others = readers.len().saturating_sub(1);
    let row = DialectId::recognise(accepted.frame(), accepted.signing(), guest.pem()).row();
    let dialect = opened.answer_in(row, &chat, guest);
    Ok(ChatOpened { text: opened.text, others, dialect })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::accept_guest;
    use portcullis_crypto::classic::classic_seal;
    use portcullis_crypto::testing::classic_key;
    use portcullis_proto::classroom::{GuestBody, Incoming, PemLayout, pem_of};
    use portcullis_proto::{AccountId, Bytes, ConversationId, DeviceId, Envelope, Timestamp};
    use serde_json::{Value, json, to_value};

    const GUEST: usize = 0;
    const OWN: usize = 1;
    const OTHER: usize = 2;
    const TEXT: DialectId = DialectId::BY_THE_TEXT;
    const AES: [u8; 16] = [7; 16];

    fn guest(number: usize) -> GuestKey {
        let spki = classic_key(number).unwrap().public().spki().to_vec();
        GuestKey::parse(&pem_of(&spki, PemLayout::ALL[0])).unwrap()
    }

    fn name(number: usize) -> String {
        guest(number).fingerprint(TEXT.row().fingerprint)
    }

    fn base64(bytes: Vec<u8>) -> Value {
        to_value(Bytes(bytes)).unwrap()
    }

    /// What the guest signed: a text with these participants, encrypted to these.
    fn chat(participants: &[usize], to: &[usize], sealed_with: [u8; 16]) -> GuestAccepted {
        let participants: Vec<String> = participants.iter().map(|number| name(*number)).collect();
        let inner = json!({ "participants": participants, "message": "pay 10" }).to_string();
        let encrypt = |to: &usize| base64(guest(*to).key().encrypt(&AES).unwrap());
        let data = json!({
            "type": "chat",
            "destination_servers": [],
            "iv": base64(vec![1; 16]),
            "symm_keys": to.iter().map(encrypt).collect::<Vec<_>>(),
            "chat": base64(classic_seal(&sealed_with, &[1; 16], inner.as_bytes()).unwrap()),
        })
        .to_string();
        let key = classic_key(GUEST).unwrap();
        let signing = TEXT.row().signing;
        let signature = base64(key.sign(signing.salt, format!("{data}1").as_bytes()).unwrap());
        let frame = json!({
            "type": "signed_data", "data": data, "counter": 1, "signature": signature,
        });
        let Incoming::Signed(frame) = Incoming::read(&frame.to_string()).unwrap() else {
            unreachable!()
        };
        let signing = frame.verify(guest(GUEST).key(), None).unwrap();
        let envelope = Envelope {
            conversation: ConversationId::CLASSROOM,
            seq: 1,
            account: AccountId::GATEWAY,
            device: DeviceId::GATEWAY,
            epoch: 0,
            reference: frame.reference(signing),
            accepted_at: Timestamp(1),
            body: GuestBody { key: guest(GUEST), frame }.to_body(),
        };
        accept_guest(&envelope, false).unwrap()
    }

    fn check(accepted: &GuestAccepted, expected: Result<usize, ChatRefused>) {
        let opened = open_guest_chat(accepted, &classic_key(OWN).unwrap(), &guest(OWN));
        let opened = opened.map(|opened| {
            let (text, others, _) = opened.into_parts();
            assert_eq!(text, "pay 10");
            others
        });
        assert_eq!(opened, expected);
    }

    #[test]
    fn a_message_is_its_authors_for_its_readers() {
        check(&chat(&[GUEST, OWN], &[OWN], AES), Ok(0));
        check(&chat(&[GUEST, OTHER, OWN], &[OTHER, OWN], AES), Ok(1));
        check(&chat(&[GUEST, OTHER], &[OTHER], AES), Err(ChatRefused::ForOthers));
        check(&chat(&[GUEST, OWN], &[], AES), Err(ChatRefused::ForOthers));
        // What somebody else wrote, or wrote to others, sent on.
        check(&chat(&[OTHER, OWN], &[OWN], AES), Err(ChatRefused::OtherAuthor));
        check(&chat(&[], &[OWN], AES), Err(ChatRefused::OtherAuthor));
        check(&chat(&[GUEST, OTHER], &[OWN], AES), Err(ChatRefused::NotAddressed));
        check(&chat(&[GUEST], &[OWN], AES), Err(ChatRefused::NotAddressed));
        check(&chat(&[GUEST, OWN], &[OWN], [8; 16]), Err(ChatRefused::Unreadable));
    }

    #[test]
    fn so_many_keys_are_tried_and_no_more() {
        let with = |before: usize| {
            let to: Vec<usize> = (0..before).map(|_| OTHER).chain([OWN]).collect();
            chat(&[GUEST, OWN], &to, AES)
        };
        check(&with(limits::GUEST_KEYS - 1), Ok(0));
        check(&with(limits::GUEST_KEYS), Err(ChatRefused::ForOthers));
    }
}
