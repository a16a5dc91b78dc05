//! What the suite promises, in rows. Expected values: OpenSSL; Wycheproof's are in `tests/classic.rs`.

#![allow(clippy::unwrap_used, reason = "tests")]

mod browser;
mod keys;

use super::*;
use crate::testing::{classic_key, damaged, from_hex, to_hex};

fn key() -> ClassicKey {
    classic_key(0).unwrap()
}

#[test]
fn a_signature_is_good_for_one_message_key_and_salt() {
    let check = |key: &ClassicPublic, salt, message: &[u8], signature: &[u8], good: bool| {
        let expected = if good { Ok(()) } else { Err(ClassicError::BadSignature) };
        assert_eq!(key.verify(salt, message, signature), expected);
    };
    let (own, stranger) = (key(), classic_key(1).unwrap().public());
    for salt in Salt::ALL {
        let signature = own.sign(salt, b"message").unwrap();
        assert_eq!(signature.len(), 256);
        for claimed in Salt::ALL {
            check(&own.public(), claimed, b"message", &signature, claimed == salt);
        }
        check(&own.public(), salt, b"message2", &signature, false);
        check(&stranger, salt, b"message", &signature, false);
        check(&own.public(), salt, b"message", &[0; 256], false);
        check(&own.public(), salt, b"message", &[&signature[..], &[0]].concat(), false);
        check(&own.public(), salt, b"message", &[&[0], &signature[..]].concat(), false);
        for bytes in damaged(&signature) {
            check(&own.public(), salt, b"message", &bytes, false);
        }
        assert_ne!(signature, own.sign(salt, b"message").unwrap(), "a salt came twice");
    }
}

#[test]
fn what_is_encrypted_opens_for_its_key_alone() {
    let own = key();
    let check = |plaintext: &[u8]| {
        let ciphertext = own.public().encrypt(plaintext).unwrap();
        assert_eq!(ciphertext.len(), 256);
        assert_eq!(**own.decrypt(&ciphertext).unwrap(), *plaintext);
        let bad = Err(ClassicError::BadCiphertext);
        assert_eq!(classic_key(1).unwrap().decrypt(&ciphertext), bad);
    };
    check(b"");
    check(&[7; 16]);
    check(&[7; 190]);
    assert_eq!(own.public().encrypt(&[7; 191]), Err(ClassicError::TooLong));
}

#[test]
fn another_ciphertext_does_not_open() {
    let own = key();
    let ciphertext = own.public().encrypt(&[7; 16]).unwrap();
    for bytes in damaged(&ciphertext) {
        assert_eq!(own.decrypt(&bytes), Err(ClassicError::BadCiphertext));
    }
    for bytes in [[0; 256], [255; 256]] {
        assert_eq!(own.decrypt(&bytes), Err(ClassicError::BadCiphertext));
    }
    let longer = [&ciphertext[..], &[0]].concat();
    assert_eq!(own.decrypt(&longer), Err(ClassicError::BadCiphertext));
}

/// OpenSSL with key 0: a signature of `message` with 32 bytes of salt, one with 222, and 16 bytes that are
/// encrypted.
const SIGNED_DIGEST: &str = "\
    0c5763bc55dbab918af91fc5c48a15aa8386741368a62b972237d7fce639097f\
    b9e03874b3ba655c3bb9f8129a2139c0fd966fc0b18c31761c89cdca65b1a1e4\
    4206fb3df3838bc5e8253dddcad1e3d0b6f4d00864d39a94e65f7cba3c3bbc16\
    0d2b06cb0c51008758f31b2a8367ebfb76ea06a0c6fc258b8ab8d55a81df0893\
    e9fbe139444ae4018eaaa9a870f8cdc1a6b8700ce090ce11e1563569dd3bab71\
    c8aed127a61d5c7c4e1ed909094643dff6adb13d56b558cf3fceffc5ff0e6de8\
    1519f6050e4fcb58962c4b7665468a9d24cb5f1280b66a8b15be7281227859a9\
    ae8abae1067515a015f4b75b870dbf1ce60c20356a721e0d2f09c55e73c2eca4";
const SIGNED_LONGEST: &str = "\
    12bc72eb995b0963938e926e4f08842ac02b159fa427aa0f9379fa43bf1e85ec\
    d458591e0a4053ce33d06fa7814101746524094e30068ed94292f3c720d8f2f5\
    a7955bd4207932751fe884ce336b15fd8f943dd8eba59b98a8c6019680c919ed\
    b6a5edc9d6a8723192e8cedda4091a302c1f29a21a2ec461ce1b52b7da292a52\
    52036921ec179ad88f7c1f3fa255908895454bc94af79cc6426247629094f5ce\
    f937a689523668531fda3a9e9f28efc5119738c65d7a3226164731564faa5757\
    59a7951425e52b5ae67d626628fd554c5cbf2f047b905dbe4d71b59bbf211d2b\
    0dfac2fff40bc921135885b17ef1395828a4d8fe12289e07f7aeddb2b5b5b501";
const ENCRYPTED: &str = "\
    6015f6ace3e98202cc05a382455a92bc60a57352cb6ef98265a2cf3277c9febc\
    da3611d669354b949ac2db5092f34364a4db18b24fc56fa8e71e2d941bb71f7a\
    4b3877263b4c222bb8790e9687bb51cb14147356df9ef66f02c8c0964676f30d\
    0b6b9d2e482b6c900c9b9e25334d7c2ee4b2dc27a88bfde0a348c36ddb216401\
    8f41b61d5a3c1ce0bd6c00e030474ffca9dab982a164d5b0d9366ba24fda7789\
    32795c6f3ab74a7a234b264d58883db6422af703778c224614aee31cb7723af4\
    1bfcefd188b7c0d36f05e5b9a80d0dcdce95f8584465e8646b085651ee43509f\
    27becf16a158758697bd833bce8db392420dfffc6b5fb62f9436a096f9ef417a";

#[test]
fn what_openssl_signs_and_encrypts_is_understood() {
    let own = key();
    for (salt, signature) in [(Salt::Digest, SIGNED_DIGEST), (Salt::Longest, SIGNED_LONGEST)] {
        assert_eq!(own.public().verify(salt, b"message", &from_hex(signature)), Ok(()));
    }
    assert_eq!(**own.decrypt(&from_hex(ENCRYPTED)).unwrap(), *b"sixteen bytes !!");
}

#[test]
fn sealing_agrees_with_openssl() {
    fn check(iv: &[u8], expected: &str) {
        let sealed = classic_seal(&[1; 16], iv, b"plain").unwrap();
        assert_eq!(to_hex(&sealed), expected);
        assert_eq!(**classic_open(&[1; 16], iv, &sealed).unwrap(), *b"plain");
        let bad = Err(ClassicError::BadCiphertext);
        assert_eq!(classic_open(&[2; 16], iv, &sealed), bad);
        assert_eq!(classic_open(&[1; 16], &iv.iter().map(|_| 3).collect::<Vec<_>>(), &sealed), bad);
        for bytes in damaged(&sealed) {
            assert_eq!(classic_open(&[1; 16], iv, &bytes), bad);
        }
    }
    check(&[2; 16], "99cc7a1e888a70d1f51c0fcf2586540653a8f06ef6");
    check(&[2; 12], "2388710aa8b99d7f77937494c4800ce1caf56f1e18");
}

#[test]
fn vectors_of_other_lengths_are_refused() {
    for length in (0..=64).filter(|length| ![12, 16].contains(length)) {
        let iv = vec![2; length];
        assert_eq!(classic_seal(&[1; 16], &iv, b"plain"), Err(ClassicError::BadIv));
        assert_eq!(classic_open(&[1; 16], &iv, &[0; 32]), Err(ClassicError::BadIv));
    }
}

/// Expected value: FIPS 180-4, appendix B.1.
#[test]
fn sha256_is_that_of_all_parts() {
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(to_hex(&sha256(&[b"abc"])), expected);
    assert_eq!(to_hex(&sha256(&[b"a", b"", b"bc"])), expected);
}

#[test]
fn debug_shows_no_secret() {
    fn check(value: &dyn fmt::Debug, expected: &str) {
        assert_eq!(format!("{value:?}"), expected);
    }
    check(&key(), "ClassicKey(..)");
    check(&key().public(), "ClassicPublic(2048 bits)");
    check(&Salt::Longest, "Longest");
}
