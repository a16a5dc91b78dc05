//! A direct connection hears nothing until its first bytes prove that it holds the transfer's key, and that it is the
//! device that it says it is, which its sender waits for. In a group all members hold the key.
//!
//! Attack: anybody who finds the port asks for the bytes, learns from an answer what listens there, or keeps
//! recipients out; a member of the group calls in the name of another's device, and takes its place again and again.
//! CWE-306, missing authentication for a critical function; CWE-290, authentication bypass by spoofing; CWE-208,
//! observable timing discrepancy.
//! Precedent: CVE-2019-6447 (ES File Explorer: its open port gave the phone's files to anybody on the network).

use portcullis_crypto::{AuthKey, AuthPublic, FileKey, Purpose, Secret, Signature};
use portcullis_proto::DeviceId;
use std::collections::BTreeMap;

/// What a recipient says first, and all that it ever says: 16 random bytes, from which byte on, which device,
/// the proof of the key over all of that, and the device's pass.
pub const HELLO: usize = SAID + 32 + 64;

const SAID: usize = 16 + 8 + 16;

/// What one device alone can show to the sender of a transfer: its signature over its name, keyed with the transfer's
/// key.
#[must_use]
pub fn path_pass(auth: &AuthKey, key: &FileKey, device: DeviceId) -> Signature {
    auth.sign(Purpose::DirectPath, &pass_of(key, device))
}

fn pass_of(key: &FileKey, device: DeviceId) -> [u8; 32] {
    // Of another length than what a hello says, or a name.
    *key.path_proof(device.as_bytes()).expose()
}

/// Writes the first bytes of a direct connection.
#[must_use]
pub fn path_hello(
    key: &FileKey,
    (device, pass): (DeviceId, &Signature),
    offset: u64,
    random: [u8; 16],
) -> [u8; HELLO] {
    let mut hello = [0; HELLO];
    let (said, proofs) = hello.split_at_mut(SAID);
    let (proof, shown) = proofs.split_at_mut(32);
    shown.copy_from_slice(pass.as_bytes());
    let (head, rest) = said.split_at_mut(16);
    let (from, who) = rest.split_at_mut(8);
    head.copy_from_slice(&random);
    from.copy_from_slice(&offset.to_be_bytes());
    who.copy_from_slice(device.as_bytes());
    proof.copy_from_slice(key.path_proof(said).expose());
    hello
}

/// What a connection of QUIC is to ask for: whoever can't name it is not answered. It is seen on the way, so it
/// lets nobody in by itself.
#[must_use]
pub fn path_name(key: &FileKey, endpoint: &[u8; 32]) -> [u8; 32] {
    // Longer than what a hello says, so never the same as the proof in one.
    *key.path_proof(&[NAME, endpoint].concat()).expose()
}

const NAME: &[u8] = b"portcullis 2026 quic path";

/// Proof that a connection comes from a device that is waited for, which holds the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathProven {
    device: DeviceId,
    offset: u64,
}

impl PathProven {
    /// Which device it is.
    #[must_use]
    pub const fn device(self) -> DeviceId {
        self.device
    }

    /// From which of the transfer's bytes on it wants them.
    #[must_use]
    pub const fn offset(self) -> u64 {
        self.offset
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(device: DeviceId, offset: u64) -> Self {
        Self { device, offset }
    }
}

/// It doesn't hold the key, or is not the device that it says it is, or nobody waits for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathRefused;

/// Judges the first bytes of a connection: the key's proof in constant time, then the pass of one of the devices that
/// are waited for.
///
/// What was heard on the way may be said again; it gets the same sealed bytes, which were there to be heard too. And
/// whoever is on the way can break it anyhow.
///
/// # Errors
/// [`PathRefused`].
pub fn prove_path(
    key: &FileKey,
    devices: &BTreeMap<DeviceId, AuthPublic>,
    hello: &[u8; HELLO],
) -> Result<PathProven, PathRefused> {
    let (said, proofs) = hello.split_at(SAID);
    let (proof, pass) = proofs.split_at(32);
    let told = Secret::from_slice(proof).ok_or(PathRefused)?;
    // `Secret` is compared in constant time.
    if key.path_proof(said) != told {
        return Err(PathRefused);
    }
    let (device, offset) = read(said).ok_or(PathRefused)?;
    let auth = devices.get(&device).ok_or(PathRefused)?;
    let pass = Signature::from_bytes(pass.try_into().map_err(|_| PathRefused)?);
    auth.verify(Purpose::DirectPath, &pass_of(key, device), &pass).map_err(|_| PathRefused)?;
    Ok(PathProven { device, offset })
}

fn read(said: &[u8]) -> Option<(DeviceId, u64)> {
    let offset = said.get(16..24)?.try_into().ok()?;
    let device = said.get(24..SAID)?.try_into().ok()?;
    Some((DeviceId::from_bytes(device), u64::from_be_bytes(offset)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::tests::rng;

    const DEVICE: DeviceId = DeviceId::from_bytes([7; 16]);
    const OFFSET: u64 = 0x0102_0304_0506_0708;

    fn key(seed: u64) -> FileKey {
        FileKey::generate(&mut rng(seed))
    }

    fn auth(seed: u64) -> AuthKey {
        AuthKey::generate(&mut rng(seed))
    }

    /// Who holds this key says that it is this device, and has signed so.
    fn hello(key: &FileKey, device: DeviceId, auth: &AuthKey) -> [u8; HELLO] {
        path_hello(key, (device, &path_pass(auth, key, device)), OFFSET, [9; 16])
    }

    type Decision = fn(
        &FileKey,
        &BTreeMap<DeviceId, AuthPublic>,
        &[u8; HELLO],
    ) -> Result<PathProven, PathRefused>;

    fn check(decision: Decision, hello: &[u8; HELLO], expected: Option<u64>) {
        let devices = [(DEVICE, auth(3).public())].into();
        let proven = decision(&key(1), &devices, hello).ok();
        assert_eq!(proven.map(PathProven::offset), expected);
        assert!(proven.is_none_or(|proven| proven.device() == DEVICE));
    }

    #[test]
    fn only_a_holder_of_the_key_is_heard() {
        let heard = hello(&key(1), DEVICE, &auth(3));
        check(prove_path, &heard, Some(OFFSET));
        check(prove_path, &hello(&key(2), DEVICE, &auth(3)), None);
        check(prove_path, &[0; HELLO], None);
        // Any bit counts: the random bytes, the offset, the device, the proof, the pass.
        for byte in 0..HELLO {
            let mut changed = heard;
            changed[byte] ^= 0x10;
            check(prove_path, &changed, None);
        }
    }

    /// A member of the group, who holds the key as well.
    #[test]
    fn nobody_comes_in_the_name_of_another_s_device() {
        const OWN: DeviceId = DeviceId::from_bytes([6; 16]);
        let (mallory, bob) = (auth(4), auth(3));
        check(prove_path, &hello(&key(1), DEVICE, &mallory), None);
        check(prove_path, &hello(&key(1), OWN, &mallory), None);
        check(prove_path, &hello(&key(1), OWN, &bob), None);
        // Bob's pass for another transfer, which she was the sender of.
        let before = path_pass(&bob, &key(2), DEVICE);
        check(prove_path, &path_hello(&key(1), (DEVICE, &before), OFFSET, [9; 16]), None);
    }

    #[test]
    fn only_a_holder_of_the_key_can_name_an_endpoint() {
        let name = path_name(&key(1), &[3; 32]);
        assert_eq!(name, path_name(&key(1), &[3; 32]));
        assert_ne!(name, path_name(&key(2), &[3; 32]));
        assert_ne!(name, path_name(&key(1), &[4; 32]));
        let lengths = [NAME.len() + 32, SAID, DEVICE.as_bytes().len()];
        assert!(lengths[0] != lengths[1] && lengths[1] != lengths[2] && lengths[0] != lengths[2]);
    }

    #[test]
    fn a_twin_that_believes_is_open_to_anybody() {
        let twin: Decision = |_, _, hello| {
            let (device, offset) = read(&hello[..SAID]).ok_or(PathRefused)?;
            Ok(PathProven::unproven(device, offset))
        };
        check(twin, &hello(&key(2), DEVICE, &auth(3)), Some(OFFSET));
    }

    /// As it was: the key is enough.
    #[test]
    fn a_twin_that_asks_for_the_key_alone_gives_a_member_another_s_place() {
        let twin: Decision = |key, _, hello| {
            let (said, proofs) = hello.split_at(SAID);
            if key.path_proof(said).expose() != &proofs[..32] {
                return Err(PathRefused);
            }
            let (device, offset) = read(said).ok_or(PathRefused)?;
            Ok(PathProven::unproven(device, offset))
        };
        check(twin, &hello(&key(2), DEVICE, &auth(3)), None);
        check(twin, &hello(&key(1), DEVICE, &auth(4)), Some(OFFSET));
    }
}
