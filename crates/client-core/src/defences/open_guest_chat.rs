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
