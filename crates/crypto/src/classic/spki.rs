//! The one form in which a public key of this suite is written.
//!
//! A `SubjectPublicKeyInfo` (RFC 5280, section 4.1; RFC 8017, appendix A.1) in DER, of an RSA key whose
//! modulus has 256 to 512 bytes and whose exponent is 65,537: there everything but the modulus follows
//! from the length. So nothing is decoded: what surrounds the modulus is written anew and compared.

use super::{LARGEST_CLASSIC_KEY, SMALLEST_CLASSIC_KEY};

/// `AlgorithmIdentifier`: rsaEncryption, with parameters NULL.
const ALGORITHM: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
/// INTEGER 65,537.
const EXPONENT: [u8; 5] = [0x02, 0x03, 0x01, 0x00, 0x01];

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
/// Bytes of a tag and its length, where the length takes two bytes (256 to 65,535).
const HEADER: usize = 4;
/// Bytes before the modulus: headers, algorithm, and the bit string's count of unused bits.
const BEFORE: usize = HEADER + ALGORITHM.len() + HEADER + 1 + HEADER + HEADER;

/// The length in bits of the modulus in `der`; `None` if `der` is no key of this suite.
pub(super) fn bits(der: &[u8]) -> Option<usize> {
    let modulus = der.get(BEFORE..der.len().checked_sub(EXPONENT.len())?)?;
    let bits = integer_bits(modulus)?;
    let odd = modulus.last()? % 2 == 1;
    let sound = (SMALLEST_CLASSIC_KEY..=LARGEST_CLASSIC_KEY).contains(&bits) && odd;
    (sound && written(modulus)? == der).then_some(bits)
}

/// The bits of a positive INTEGER in its shortest form: a zero byte in front where, and only where, the
/// next begins with a one bit.
fn integer_bits(content: &[u8]) -> Option<usize> {
    let (first, bytes) = match content {
        [0, first @ 128..=255, digits @ ..] => (first, 1 + digits.len()),
        [first @ 1..=127, digits @ ..] => (first, 1 + digits.len()),
        _ => return None,
    };
    (bytes * 8).checked_sub(usize::try_from(first.leading_zeros()).ok()?)
}

/// The whole, around this modulus.
fn written(modulus: &[u8]) -> Option<Vec<u8>> {
    let modulus = tagged(INTEGER, &[modulus])?;
    let key = tagged(SEQUENCE, &[&modulus, &EXPONENT])?;
    let key = tagged(BIT_STRING, &[&[0], &key])?;
    tagged(SEQUENCE, &[&ALGORITHM, &key])
}

/// For content of 256 to 65,535 bytes.
fn tagged(tag: u8, content: &[&[u8]]) -> Option<Vec<u8>> {
    let length: usize = content.iter().map(|part| part.len()).sum();
    let [high, low] = u16::try_from(length).ok()?.to_be_bytes();
    let mut whole = vec![tag, 0x82, high, low];
    content.iter().for_each(|part| whole.extend_from_slice(part));
    Some(whole)
}
