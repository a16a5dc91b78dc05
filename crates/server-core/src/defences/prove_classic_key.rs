//! A key stands in the guests' list for a device only if that device has said so.
//!
//! Attack: somebody with another's session, but not its device's key, publishes a key of its own for it, and reads
//! what guests write to that person.
//! CWE-345, insufficient verification of data authenticity; CWE-326.
//! Precedent: CVE-2021-40823 (Matrix: keys shared with a device that had only claimed to be another).

use crate::store::StoreError;
use crate::{Context, Session};
use portcullis_crypto::{ClassicPublic, Purpose, Signature};
use portcullis_proto::{Bytes, Code, DeviceId, Refusal, limits};

/// Proof that a device wants to be known by a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicKeyProven {
    device: DeviceId,
    key: ClassicPublic,
}

impl ClassicKeyProven {
    /// The device.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// Its key.
    #[must_use]
    pub const fn key(&self) -> &ClassicPublic {
        &self.key
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(device: DeviceId, key: ClassicPublic) -> Self {
        Self { device, key }
    }
}

/// Reads the key, and verifies that the session's device has signed it.
///
/// # Errors
/// [`Code::TooLarge`], [`Code::Malformed`] for what is no such key, [`Code::Forbidden`] for another's signature.
pub fn prove_classic_key(
    context: &Context<'_>,
    session: &Session,
    key: &Bytes,
    proof: &Signature,
) -> Result<ClassicKeyProven, Refusal> {
    let device = session.open()?.device;
    if key.as_slice().len() > limits::CLASSIC_KEY_BYTES {
        return Err(Refusal::new(Code::TooLarge, "the key is longer than it may be"));
    }
    let auth = context.tx.device(device)?.ok_or(StoreError::Corrupt)?.auth;
    auth.verify(Purpose::ClassicKey, key.as_slice(), proof)
        .map_err(|_| Refusal::new(Code::Forbidden, "the key is not signed by this device"))?;
    let bad = |_| Refusal::new(Code::Malformed, "not an RSA key of 2048 to 4096 bits, e = 65537");
    let key = ClassicPublic::from_spki(key.as_slice()).map_err(bad)?;
    Ok(ClassicKeyProven { device, key })
}
