//! The encrypted `chat` of the classroom: one AES key for each message, sealed to each recipient.

use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aead::{Aead as _, KeyInit as _};
use aes_gcm::{AesGcm, aes::Aes128};
use rsa::rand_core::{OsRng, RngCore as _};

use super::family::{Family, Inner, base64, unbase64};
use super::json::Json;
use super::key::{Key, PublicKey};

/// Somebody to whom a `chat` goes.
pub(crate) struct Recipient {
    pub(crate) key: PublicKey,
    /// What `client_list` calls the server that they are at.
    pub(crate) server: String,
}

/// An opened `chat`.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Fingerprints: the sender's, then the recipients'.
    pub(crate) participants: Vec<String>,
    pub(crate) message: String,
}

impl Family {
    /// The `data` of a `chat`.
    pub(crate) fn chat(&self, sender: &Key, to: &[Recipient], message: &str) -> Json {
        let key = random(16);
        let iv = random(self.iv);
        let keys = to.iter().map(|recipient| base64(&recipient.key.seal(&key)));
        let servers = to.iter().map(|recipient| recipient.server.clone());
        let everybody = std::iter::once(sender.public());
        let everybody = everybody.chain(to.iter().map(|recipient| recipient.key.clone()));
        let participants: Vec<_> = everybody.map(|key| (self.fingerprint)(&key)).collect();
        let seal = |plain: &str| Json::text(base64(&seal(&key, &iv, plain.as_bytes())));
        let flat = || {
            let participants = Json::texts(participants.clone());
            Json::object([("participants", participants), ("message", Json::text(message))])
        };
        let chat = match self.inner {
            Inner::Flat => seal(&flat().write(self.style)),
            Inner::Nested => seal(&Json::object([("chat", flat())]).write(self.style)),
            Inner::Own => {
                Json::object([("who", Json::texts(participants.clone())), ("what", seal(message))])
            }
        };
        Json::object([
            ("type", Json::text("chat")),
            ("destination_servers", Json::texts(servers)),
            ("iv", Json::text(base64(&iv))),
            ("symm_keys", Json::texts(keys)),
            ("chat", chat),
        ])
    }

    /// Opens a `chat`, if it is for this key and has this family's shape.
    pub(crate) fn open_chat(&self, data: &Json, key: &Key) -> Option<Opened> {
        let iv = unbase64(data.get_text("iv")?)?;
        let keys = data.get_texts("symm_keys")?;
        let keys = keys.into_iter().filter_map(|sealed| key.open(&unbase64(sealed)?));
        let opened = |sealed: &str| {
            let sealed = unbase64(sealed)?;
            let plain = keys.clone().find_map(|key| open(&key, &iv, &sealed))?;
            String::from_utf8(plain).ok()
        };
        let chat = data.get("chat")?;
        let (participants, message) = match (self.inner, chat) {
            (Inner::Own, Json::Object(_)) => {
                (chat.get_texts("who")?, opened(chat.get_text("what")?)?)
            }
            (Inner::Flat | Inner::Nested, Json::Text(sealed)) => {
                let inner = Json::read(&opened(sealed)?)?;
                let inner = if self.inner == Inner::Nested { inner.get("chat")? } else { &inner };
                let participants = inner.get_texts("participants")?;
                return Some(Opened {
                    participants: participants.into_iter().map(ToOwned::to_owned).collect(),
                    message: inner.get_text("message")?.to_owned(),
                });
            }
            _ => return None,
        };
        let participants = participants.into_iter().map(ToOwned::to_owned).collect();
        Some(Opened { participants, message })
    }
}

fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

fn seal(key: &[u8], iv: &[u8], plain: &[u8]) -> Vec<u8> {
    match iv.len() {
        12 => AesGcm::<Aes128, U12>::new(key.into()).encrypt(iv.into(), plain).unwrap(),
        _ => AesGcm::<Aes128, U16>::new(key.into()).encrypt(iv.into(), plain).unwrap(),
    }
}

fn open(key: &[u8], iv: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    match (key.len(), iv.len()) {
        (16, 12) => AesGcm::<Aes128, U12>::new(key.into()).decrypt(iv.into(), sealed).ok(),
        (16, 16) => AesGcm::<Aes128, U16>::new(key.into()).decrypt(iv.into(), sealed).ok(),
        _ => None,
    }
}
