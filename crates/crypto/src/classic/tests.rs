//! What the suite promises, in rows. Expected values of others: OpenSSL, and Wycheproof in
//! `tests/classic.rs`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

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
