//! What an operator makes with an ordinary library: keys in somebody's name. Nothing of it is anybody's
//! secret; that others take it for what it is not is theirs to prevent, and that is what two lessons are
//! about.
//!
//! Leaves out what a whole client does: it joins what it is welcomed to, and reads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_crypto::{AuthPublic, IdentityKey, LeafKey, LeafPublic};
use portcullis_mls::{Mls, Processed};
use portcullis_proto::{
    AccountId, Content, ConversationId, DeviceEntry, DeviceId, DeviceList, DeviceName, Kind,
    SignedList, Timestamp,
};
use portcullis_sim::Chance;
use serde_json::{Value, json};
use std::fmt;

/// Why something can't be done with a double.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoubleError {
    /// There is none of this number.
    Nobody,
    /// It can't make this key.
    Key,
    /// The welcome can't be read, or is not for it.
    Welcome,
    /// The message can't be read, or is not for it.
    Message,
    /// What it has opened is no text.
    NoText,
}

impl fmt::Display for DoubleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "there is no double of this number, or it was too long ago",
            Self::Key => "this key can't be made",
            Self::Welcome => "this is no welcome, or it is not for this double",
            Self::Message => "this is no message that this double can open",
            Self::NoText => "this double can open it, and it is no text",
        })
    }
}

impl std::error::Error for DoubleError {}

/// Milliseconds for which its key packages are good.
const DAYS_30: u64 = 30 * 24 * 60 * 60 * 1_000;

/// A device that nobody has, of an account that may be somebody's.
pub(crate) struct Double {
    account: AccountId,
    device: DeviceId,
    identity: IdentityKey,
    leaf: LeafPublic,
    mls: Mls,
    now: Timestamp,
}

impl Double {
    /// A device of this account, with keys of its own.
    pub(crate) fn new(account: AccountId, now: Timestamp, chance: &mut Chance) -> Self {
        let identity = IdentityKey::generate(chance.rng());
        let (device, key) = (DeviceId::random(chance.rng()), LeafKey::generate(chance.rng()));
        let leaf = key.public();
        Self { account, device, identity, leaf, mls: Mls::new(account, device, key), now }
    }

    /// Its device's id, in hexadecimal digits.
    pub(crate) fn device(&self) -> String {
        self.device.to_string()
    }

    /// Its identity key, base64.
    pub(crate) fn identity(&self) -> String {
        STANDARD.encode(self.identity.public().as_bytes())
    }

    /// A device list, version 1, which names these devices as they are, and its own after the first so
    /// many of them; signed by its own identity key, which stands in it as its device's key as well.
    pub(crate) fn list(
        &self,
        mut devices: Vec<DeviceEntry>,
        place: usize,
    ) -> Result<Value, DoubleError> {
        devices.insert(place.min(devices.len()), self.entry()?);
        let (account, previous) = (self.account, DeviceList::origin(self.account));
        let list = DeviceList { account, version: 1, previous, devices, revoked: Vec::new() };
        Ok(json!(list.sign(&self.identity)))
    }

    fn entry(&self) -> Result<DeviceEntry, DoubleError> {
        let auth = AuthPublic::from_bytes(*self.identity.public().as_bytes());
        Ok(DeviceEntry {
            device: self.device,
            name: DeviceName::parse("laptop").map_err(|_| DoubleError::Key)?,
            auth: auth.map_err(|_| DoubleError::Key)?,
            leaf: self.leaf,
            added_at: self.now,
        })
    }

    /// A key package, as `claim_key_packages` gives them out.
    pub(crate) fn package(&mut self) -> Result<Value, DoubleError> {
        let made = self.mls.key_package(self.now.plus_millis(DAYS_30), false);
        let made = made.map_err(|_| DoubleError::Key)?;
        Ok(json!({"device": self.device(), "package": STANDARD.encode(made)}))
    }

    /// Joins what a welcome (base64) invites it to; gives the conversation.
    pub(crate) fn join(&mut self, welcome: &str) -> Result<ConversationId, DoubleError> {
        let bytes = STANDARD.decode(welcome).map_err(|_| DoubleError::Welcome)?;
        self.mls.join_welcome(&bytes).map_err(|_| DoubleError::Welcome)
    }

    /// The text of a message (base64) of a conversation that it has joined.
    pub(crate) fn open(
        &mut self,
        conversation: ConversationId,
        body: &str,
    ) -> Result<String, DoubleError> {
        let bytes = STANDARD.decode(body).map_err(|_| DoubleError::Message)?;
        match self.mls.process(conversation, &bytes).map_err(|_| DoubleError::Message)? {
            Processed::Message { plaintext, .. } => match Content::decode(&plaintext) {
                Ok(Content { kind: Kind::Text(text), .. }) => Ok(text),
                _ => Err(DoubleError::NoText),
            },
            Processed::Own | Processed::Commit(_) => Err(DoubleError::Message),
        }
    }
}

/// The devices that a signed list names, whoever signed it.
#[must_use]
pub fn devices(signed: &Value) -> Vec<Value> {
    let list = serde_json::from_value::<SignedList>(signed.clone()).ok();
    let list = list.and_then(|signed| serde_json::from_slice(signed.list.as_slice()).ok());
    list.and_then(|list: Value| list["devices"].as_array().cloned()).unwrap_or_default()
}

impl fmt::Debug for Double {
    /// Without its keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Double({})", self.account)
    }
}
