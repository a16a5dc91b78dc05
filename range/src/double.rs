//! What an operator makes with an ordinary library: keys in somebody's name. Nothing of it is anybody's
//! secret; that others take it for what it is not is theirs to prevent, and that is what two lessons are
//! about.
//!
//! Leaves out what a whole client does: it joins what it is welcomed to, and reads.

use crate::flaws::Lost;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_crypto::{AuthPublic, IdentityKey, LeafKey, LeafPublic};
use portcullis_mls::{Mls, Processed};
use portcullis_proto::{
    AccountId, Content, ConversationId, DeviceEntry, DeviceId, DeviceList, DeviceName, Kind,
    SignedList, Timestamp,
};
use portcullis_sim::Chance;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt;

/// Milliseconds for which its key packages are good.
const DAYS_30: u64 = 30 * 24 * 60 * 60 * 1_000;

/// A device that nobody has, of an account that may be somebody's.
pub struct Double {
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
    #[must_use]
    pub fn device(&self) -> String {
        self.device.to_string()
    }

    /// Its identity key, base64.
    #[must_use]
    pub fn identity(&self) -> String {
        STANDARD.encode(self.identity.public().as_bytes())
    }

    /// A device list, version 1, which names these devices as they are, and its own after the first so
    /// many of them; signed by its own identity key, which stands in it as its device's key as well.
    ///
    /// # Errors
    /// [`Lost`] where these are no devices.
    pub fn list(&self, others: &[Value], place: usize) -> Result<Value, Lost> {
        let others = others.iter().cloned().map(|entry| read(entry, "reading a device"));
        let mut devices: Vec<DeviceEntry> = others.collect::<Result<_, _>>()?;
        devices.insert(place.min(devices.len()), self.entry()?);
        let (account, previous) = (self.account, DeviceList::origin(self.account));
        let list = DeviceList { account, version: 1, previous, devices, revoked: Vec::new() };
        Ok(json!(list.sign(&self.identity)))
    }

    fn entry(&self) -> Result<DeviceEntry, Lost> {
        let auth = AuthPublic::from_bytes(*self.identity.public().as_bytes());
        Ok(DeviceEntry {
            device: self.device,
            name: DeviceName::parse("laptop").map_err(|_| broken("naming a device"))?,
            auth: auth.map_err(|_| broken("making a device's key"))?,
            leaf: self.leaf,
            added_at: self.now,
        })
    }

    /// A key package, as `claim_key_packages` gives them out.
    ///
    /// # Errors
    /// [`Lost`] where it can't be made.
    pub fn package(&mut self) -> Result<Value, Lost> {
        let made = self.mls.key_package(self.now.plus_millis(DAYS_30), false);
        let made = made.map_err(|_| broken("making a key package"))?;
        Ok(json!({"device": self.device(), "package": STANDARD.encode(made)}))
    }

    /// Joins what a welcome (base64) invites it to; gives the conversation.
    ///
    /// # Errors
    /// [`Lost`] where the welcome is not for it.
    pub fn join(&mut self, welcome: &str) -> Result<String, Lost> {
        let bytes = STANDARD.decode(welcome).map_err(|_| broken("reading a welcome"))?;
        let joined = self.mls.join_welcome(&bytes);
        let id = joined.map_err(|error| Lost::new("joining by a welcome", error))?;
        Ok(id.to_string())
    }

    /// The text of a message (base64) of a conversation that it has joined.
    ///
    /// # Errors
    /// [`Lost`] where it can't be opened, or is no text.
    pub fn open(&mut self, conversation: &Value, body: &str) -> Result<String, Lost> {
        let id: ConversationId = read(conversation.clone(), "reading a conversation's id")?;
        let bytes = STANDARD.decode(body).map_err(|_| broken("reading a message"))?;
        let opened = self.mls.process(id, &bytes);
        match opened.map_err(|error| Lost::new("opening a message", error))? {
            Processed::Message { plaintext, .. } => match Content::decode(&plaintext) {
                Ok(Content { kind: Kind::Text(text), .. }) => Ok(text),
                _ => Err(broken("looking for a text in what was opened")),
            },
            Processed::Own | Processed::Commit(_) => Err(broken("opening a message")),
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

fn read<T: DeserializeOwned>(value: Value, tried: &'static str) -> Result<T, Lost> {
    serde_json::from_value(value).map_err(|error| Lost::new(tried, error))
}

fn broken(tried: &'static str) -> Lost {
    Lost::new(tried, "it can't be done with this")
}
