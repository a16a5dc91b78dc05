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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use crate::store::Store as _;
    use crate::testing::{World, classic_key};
    use portcullis_proto::Request;

    /// Somebody with mira's session publishes a key with somebody's signature: whether it stands there for guests.
    fn attack(defences: Defences, key: &[u8], signer: &str) -> Result<bool, Code> {
        let mut world = World::with_guests(defences);
        let (mut mira, oleg) = (world.person("mira"), world.person("oleg"));
        let second = world.enrol(&mut mira);
        let auth = match signer {
            "the device" => mira.auth,
            "the other device" => second.auth,
            _ => oleg.auth,
        };
        let purpose = match signer {
            "the device, for something else" => Purpose::ChannelMessage,
            _ => Purpose::ClassicKey,
        };
        let proof = auth.sign(purpose, key);
        let request = Request::PublishClassicKey { key: Bytes(key.to_vec()), proof };
        world.attempt(mira.connection, request)?;
        let kept = world.store.inner.classic_key(mira.device).unwrap();
        Ok(kept.as_deref() == Some(key))
    }

    #[test]
    fn a_key_stands_only_for_a_device_that_wants_it() {
        let believes = Defences {
            prove_classic_key: |_, session, key, _| {
                let device = session.open()?.device;
                let malformed = |_| Refusal::new(Code::Malformed, "no key");
                let key = ClassicPublic::from_spki(key.as_slice()).map_err(malformed)?;
                Ok(ClassicKeyProven::unproven(device, key))
            },
            ..SOUND
        };
        let key = classic_key(8).public().spki().to_vec();
        assert_eq!(attack(SOUND, &key, "the device"), Ok(true));
        for signer in ["the other device", "somebody else", "the device, for something else"] {
            assert_eq!(attack(SOUND, &key, signer), Err(Code::Forbidden), "{signer}");
            assert_eq!(attack(believes, &key, signer), Ok(true), "{signer}");
        }
    }

    #[test]
    fn what_is_no_such_key_is_refused() {
        let check = |key: &[u8], expected: Code| {
            assert_eq!(attack(SOUND, key, "the device"), Err(expected), "{} bytes", key.len());
        };
        let key = classic_key(8).public().spki().to_vec();
        check(&[], Code::Malformed);
        check(&key[1..], Code::Malformed);
        check(&[&key[..], &[0]].concat(), Code::Malformed);
        check(&[0x30; limits::CLASSIC_KEY_BYTES], Code::Malformed);
        check(&[0x30; limits::CLASSIC_KEY_BYTES + 1], Code::TooLarge);
    }
}
