//! What the tests of several files here share: hexadecimal, a seeded source of randomness, a scripted one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, RngCore, SeedableRng};

pub(crate) fn seeded(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn from_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pairs = digits.chunks_exact(2);
    assert!(pairs.remainder().is_empty(), "an odd number of digits");
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Every way to change one byte of `bytes`, and every shorter length.
pub(crate) fn damaged(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let flipped = (0..bytes.len()).map(|place| {
        let mut copy = bytes.to_vec();
        copy[place] ^= 1;
        copy
    });
    flipped.chain((0..bytes.len()).map(|length| bytes[..length].to_vec()))
}

/// Gives exactly the bytes it was made with: for vectors that fix what was drawn.
pub(crate) struct Scripted(std::vec::IntoIter<u8>);

impl Scripted {
    pub(crate) fn new(parts: &[&[u8]]) -> Self {
        Self(parts.concat().into_iter())
    }
}

impl RngCore for Scripted {
    fn next_u32(&mut self) -> u32 {
        panic!("vectors fix bytes, not numbers")
    }

    fn next_u64(&mut self) -> u64 {
        panic!("vectors fix bytes, not numbers")
    }

    fn fill_bytes(&mut self, destination: &mut [u8]) {
        for byte in destination {
            *byte = self.0.next().unwrap();
        }
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(destination);
        Ok(())
    }
}

impl CryptoRng for Scripted {}
