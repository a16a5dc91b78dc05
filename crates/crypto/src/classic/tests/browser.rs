//! What a browser does with public keys, held to what happens natively: the same file, compiled for here.

#[expect(dead_code, reason = "its private key can't exist")]
#[path = "../browser.rs"]
mod backend;

use super::*;

/// The browser's view of a native key.
fn both(key: &ClassicKey) -> (ClassicPublic, backend::Public) {
    let public = key.public();
    let browsers = backend::Public::from_spki(public.spki()).unwrap();
    (public, browsers)
}

#[test]
fn signatures_verify_alike() {
    let odd_size = ClassicKey::from_pkcs8(include_bytes!("../keys/bits-2049.pk8")).unwrap();
    for key in [key(), odd_size] {
        let (public, browsers) = both(&key);
        for salt in Salt::ALL {
            let signature = key.sign(salt, b"message").unwrap();
            let shorter = signature[1..].to_vec();
            let longer = [&[0], &signature[..]].concat();
            let mut changed = signature.clone();
            changed[100] ^= 1;
            for bytes in [signature, shorter, longer, changed, vec![255; 256], Vec::new()] {
                for (claimed, message) in [(Salt::Digest, b"message"), (Salt::Longest, b"message")]
                    .into_iter()
                    .chain([(salt, b"another")])
                {
                    assert_eq!(
                        browsers.verify(claimed, message, &bytes),
                        public.verify(claimed, message, &bytes),
                    );
                }
            }
        }
    }
}

#[test]
fn what_a_browser_encrypts_opens() {
    let (public, browsers) = both(&key());
    for plaintext in [&[][..], &[7; 16], &[7; 190]] {
        let ciphertext =
            browsers.encrypt(public.spki(), public.modulus_bytes(), plaintext).unwrap();
        assert_eq!(**key().decrypt(&ciphertext).unwrap(), *plaintext);
    }
}

#[test]
fn private_keys_do_not_exist() {
    assert_eq!(backend::generate(), Err(ClassicError::Unavailable));
    assert!(backend::Private::from_pkcs8(&key().to_pkcs8()).is_err());
}
