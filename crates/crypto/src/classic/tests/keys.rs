//! Which keys count, and in which form.

use super::*;

const RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const RSA_PSS: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const NULL: &[u8] = &[0x05, 0x00];
const F4: &[u8] = &[1, 0, 1];

/// Tag, length, content, as DER has it.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let bytes = content.len().to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let length = match content.len() {
        short @ 0..128 => vec![u8::try_from(short).unwrap()],
        _ => [&[0x80 + u8::try_from(bytes.len() - zeros).unwrap()], &bytes[zeros..]].concat(),
    };
    [&[tag], &length[..], &content].concat()
}

fn spki_of(algorithm: &[&[u8]], unused_bits: u8, modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let key = der(0x30, &[&der(2, &[modulus]), &der(2, &[exponent])]);
    der(0x30, &[&der(0x30, algorithm), &der(3, &[&[unused_bits], &key])])
}

fn ordinary(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    spki_of(&[RSA, NULL], 0, modulus, exponent)
}

/// An odd number of so many bits, in the shortest form of a positive INTEGER.
fn odd(bits: usize) -> Vec<u8> {
    let mut digits = vec![0xff; bits.div_ceil(8)];
    digits[0] >>= (8 - bits % 8) % 8;
    let sign = if digits[0] >= 0x80 { vec![0] } else { Vec::new() };
    [sign, digits].concat()
}

fn check(der: &[u8], expected: Option<usize>) {
    let key = ClassicPublic::from_spki(der);
    assert_eq!(key.as_ref().ok().map(ClassicPublic::bits), expected);
    assert!(key.is_ok_and(|key| key.spki() == der) == expected.is_some());
}

#[test]
fn sizes_have_bounds() {
    for bits in [512, 1024, 2040, 2047, 4097, 4104, 8192, 16_384, 500_000] {
        check(&ordinary(&odd(bits), F4), None);
    }
    for bits in [2048, 2049, 2055, 2056, 3072, 4095, 4096] {
        check(&ordinary(&odd(bits), F4), Some(bits));
    }
}

#[test]
fn one_exponent_counts() {
    let none: [&[u8]; 9] =
        [&[], &[0], &[1], &[3], &[17], &[1, 0, 0], &[1, 0, 3], &[0, 1, 0, 1], &[1, 0, 0, 0, 1]];
    for exponent in none {
        check(&ordinary(&odd(2048), exponent), None);
    }
}

#[test]
fn a_modulus_is_odd_positive_and_written_shortest() {
    let good = odd(2048);
    let digits = &good[1..];
    check(&ordinary(digits, F4), None);
    check(&ordinary(&[&[0, 0], digits].concat(), F4), None);
    check(&ordinary(&[&[0], &odd(2047)[..]].concat(), F4), None);
    check(&ordinary(&[&[0], &odd(2049)[..]].concat(), F4), None);
    check(&ordinary(&[&good[..256], &[0xfe]].concat(), F4), None);
    check(&ordinary(&[0; 257], F4), None);
    check(&ordinary(&[], F4), None);
}

#[test]
fn a_key_is_written_in_one_way() {
    let modulus = odd(2048);
    let good = spki_of(&[RSA, NULL], 0, &modulus, F4);
    check(&good, Some(2048));
    check(&spki_of(&[RSA], 0, &modulus, F4), None);
    check(&spki_of(&[RSA, NULL, NULL], 0, &modulus, F4), None);
    check(&spki_of(&[RSA_PSS], 0, &modulus, F4), None);
    check(&spki_of(&[RSA_PSS, NULL], 0, &modulus, F4), None);
    check(&spki_of(&[RSA, NULL], 1, &modulus, F4), None);
    check(&[&good[..], &[0]].concat(), None);
    check(&[&[0], &good[..]].concat(), None);
    // The same length in more bytes (BER), and none (indefinite).
    check(&[&[0x30, 0x83, 0], &good[2..]].concat(), None);
    check(&[&[0x30, 0x80], &good[4..], &[0, 0]].concat(), None);
    // The key without what says that it is RSA (PKCS #1).
    check(&der(0x30, &[&der(2, &[&modulus]), &der(2, &[F4])]), None);
}

#[test]
fn what_is_no_key_of_the_suite_is_refused() {
    let curve = "3059301306072a8648ce3d020106082a8648ce3d0301070342000424b8259c9c7964434afc8fab62de8f\
        0bc94737c8461f29cf67e899b338ebb900bf5220cfb67e907a7295882e084cf1263ef8ece7a373537c51f9691ab8\
        9e314c";
    check(&from_hex(curve), None);
    check(&key().to_pkcs8(), None);
    for length in [0, 1, 37, 38, 294, 550, 100_000] {
        for byte in [0x00, 0x30, 0xff] {
            check(&vec![byte; length], None);
        }
    }
}

/// Any byte but the modulus's own, and any missing one. The modulus's first is the zero in front of its
/// digits: another there makes a longer one.
#[test]
fn damaged_keys_are_refused() {
    let public = key().public();
    let good = public.spki();
    let (first, last) = (32, good.len() - 6);
    for bytes in damaged(good) {
        let changed = good.iter().zip(&bytes).position(|(one, other)| one != other);
        let expected = match changed {
            Some(place) if place == first => Some(2049),
            Some(place) if (first..last).contains(&place) => Some(2048),
            _ => None,
        };
        check(&bytes, expected);
    }
}

#[test]
fn own_keys_are_written_down_and_read() {
    let made = ClassicKey::generate().unwrap();
    assert_eq!(made.public().bits(), 2048);
    assert_ne!(made.public(), ClassicKey::generate().unwrap().public());
    let again = ClassicKey::from_pkcs8(&made.to_pkcs8()).unwrap();
    assert_eq!((again.public(), again.to_pkcs8()), (made.public(), made.to_pkcs8()));
    let signature = again.sign(Salt::Digest, b"message").unwrap();
    assert_eq!(made.public().verify(Salt::Digest, b"message", &signature), Ok(()));
}

/// Keys made by OpenSSL.
#[test]
fn own_keys_are_of_the_suite() {
    fn check(der: &[u8], expected: Option<usize>) {
        let key = ClassicKey::from_pkcs8(der);
        assert_eq!(key.as_ref().ok().map(|key| key.public().bits()), expected);
        for salt in Salt::ALL {
            let Ok(key) = &key else { continue };
            let signature = key.sign(salt, b"message").unwrap();
            assert_eq!(key.public().verify(salt, b"message", &signature), Ok(()));
        }
    }
    check(include_bytes!("../keys/bits-1024.pk8"), None);
    check(include_bytes!("../keys/bits-2049.pk8"), Some(2049));
    check(include_bytes!("../keys/bits-3072.pk8"), Some(3072));
    check(include_bytes!("../keys/exponent-3.pk8"), None);
    check(include_bytes!("../keys/curve.pk8"), None);
    let good = key().to_pkcs8();
    check(&good, Some(2048));
    check(&[&good[..], &[0]].concat(), None);
    check(key().public().spki(), None);
    check(b"", None);
}

/// A byte of the private exponent, of a prime or of what follows from them: signing with such a key would
/// give the primes away.
#[test]
fn damaged_own_keys_are_refused() {
    let good = key().to_pkcs8();
    for place in (0..good.len()).step_by(7) {
        let mut bytes = good.to_vec();
        bytes[place] ^= 1;
        assert!(ClassicKey::from_pkcs8(&bytes).is_err(), "byte {place}");
        assert!(ClassicKey::from_pkcs8(&good[..place]).is_err(), "{place} bytes");
    }
}
