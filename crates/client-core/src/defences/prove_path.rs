//! A direct connection hears nothing until its first bytes prove that it holds the transfer's key.
//!
//! Attack: anybody who finds the port asks for the bytes, learns from an answer what listens there, or keeps
//! recipients out.
//! CWE-306, missing authentication for a critical function; CWE-208, observable timing discrepancy.
//! Precedent: CVE-2019-6447 (ES File Explorer: its open port gave the phone's files to anybody on the network).

use portcullis_crypto::{FileKey, Secret};
use portcullis_proto::DeviceId;

/// What a recipient says first, and all that it ever says: 16 random bytes, from which byte on, which device,
/// and the proof of the key over all of that.
pub const HELLO: usize = SAID + 32;

const SAID: usize = 16 + 8 + 16;

/// Writes the first bytes of a direct connection.
#[must_use]
pub fn path_hello(key: &FileKey, device: DeviceId, offset: u64, random: [u8; 16]) -> [u8; HELLO] {
    let mut hello = [0; HELLO];
    let (said, proof) = hello.split_at_mut(SAID);
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

/// Proof that a connection comes from a holder of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathProven {
    device: DeviceId,
    offset: u64,
}

impl PathProven {
    /// Which device it says that it is.
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

/// It doesn't hold the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathRefused;

/// Judges the first bytes of a connection, in constant time.
///
/// What was heard on the way may be said again; it gets the same sealed bytes, which were there to be heard too.
///
/// # Errors
/// [`PathRefused`].
pub fn prove_path(key: &FileKey, hello: &[u8; HELLO]) -> Result<PathProven, PathRefused> {
    let (said, proof) = hello.split_at(SAID);
    let told = Secret::from_slice(proof).ok_or(PathRefused)?;
    // `Secret` is compared in constant time.
    if key.path_proof(said) != told {
        return Err(PathRefused);
    }
    let (device, offset) = read(said).ok_or(PathRefused)?;
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

    type Decision = fn(&FileKey, &[u8; HELLO]) -> Result<PathProven, PathRefused>;

    fn check(decision: Decision, hello: &[u8; HELLO], expected: Option<u64>) {
        let proven = decision(&key(1), hello).ok();
        assert_eq!(proven.map(PathProven::offset), expected);
        assert!(proven.is_none_or(|proven| proven.device() == DEVICE));
    }

    #[test]
    fn only_a_holder_of_the_key_is_heard() {
        let hello = path_hello(&key(1), DEVICE, OFFSET, [9; 16]);
        check(prove_path, &hello, Some(OFFSET));
        check(prove_path, &path_hello(&key(2), DEVICE, OFFSET, [9; 16]), None);
        check(prove_path, &[0; HELLO], None);
        // Any bit counts: the random bytes, the offset, the device, the proof.
        for byte in 0..HELLO {
            let mut changed = hello;
            changed[byte] ^= 0x10;
            check(prove_path, &changed, None);
        }
    }

    #[test]
    fn only_a_holder_of_the_key_can_name_an_endpoint() {
        let name = path_name(&key(1), &[3; 32]);
        assert_eq!(name, path_name(&key(1), &[3; 32]));
        assert_ne!(name, path_name(&key(2), &[3; 32]));
        assert_ne!(name, path_name(&key(1), &[4; 32]));
        assert_ne!(NAME.len() + 32, SAID);
    }

    #[test]
    fn a_twin_that_believes_is_open_to_anybody() {
        let twin: Decision = |_, hello| {
            let (device, offset) = read(&hello[..SAID]).ok_or(PathRefused)?;
            Ok(PathProven::unproven(device, offset))
        };
        check(twin, &path_hello(&key(2), DEVICE, OFFSET, [9; 16]), Some(OFFSET));
    }
}
