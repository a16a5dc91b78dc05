//! The suite `classic`: what a classroom guest's key can do. RSA-OAEP, RSA-PSS and AES-128-GCM.
//!
//! RSA (RFC 8017) with SHA-256 and MGF1 with SHA-256, by aws-lc-rs, which works in constant time and draws
//! its own randomness: it can't be passed in, so a signature or a ciphertext here comes out differently
//! every time, at the same length. In a browser the `rsa` crate does what needs no secret; a private key
//! can't exist there, for that crate's timing gives keys away (RUSTSEC-2023-0071).
//!
//! Leaves out how guests write all this down (the wire format), and domains: a guest signs what its
//! protocol says and nothing tells the uses of its key apart. Nothing of ours is signed with these keys.

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
#[path = "classic/browser.rs"]
mod backend;
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
#[path = "classic/native.rs"]
mod backend;
mod gcm;
mod spki;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

pub use gcm::{classic_open, classic_seal};

/// Bytes of a SHA-256 hash.
const DIGEST: usize = 32;

/// Bits of the smallest modulus that counts; smaller ones are within reach of a factoring effort.
pub const SMALLEST_CLASSIC_KEY: usize = 2048;

/// Bits of the largest modulus that counts: one signature of it takes 0.1 ms to check, and the time
/// grows with the square.
pub const LARGEST_CLASSIC_KEY: usize = 4096;

/// How much random salt an RSA-PSS signature holds (RFC 8017, section 9.1). Whoever verifies must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Salt {
    /// As long as the hash: 32 bytes.
    Digest,
    /// As long as the modulus allows: 222 bytes for RSA-2048.
    Longest,
}

impl Salt {
    /// Both, the one of the protocol's text first.
    pub const ALL: [Self; 2] = [Self::Digest, Self::Longest];
}

/// Someone's RSA public key: 2,048 to 4,096 bits, e = 65,537. Cheap to clone.
#[derive(Clone)]
pub struct ClassicPublic(Arc<Public>);

struct Public {
    spki: Vec<u8>,
    bits: usize,
    rsa: backend::Public,
}

impl ClassicPublic {
    /// Parses a `SubjectPublicKeyInfo` (RFC 5280, section 4.1) as received.
    ///
    /// # Errors
    /// [`BadClassicKey`] for anything but the one DER form of an RSA key of the sizes named above:
    /// another algorithm, another exponent, another way to write the same, bytes at the end.
    pub fn from_spki(der: &[u8]) -> Result<Self, BadClassicKey> {
        let bits = spki::bits(der).ok_or(BadClassicKey)?;
        let rsa = backend::Public::from_spki(der)?;
        Ok(Self(Arc::new(Public { spki: der.to_vec(), bits, rsa })))
    }

    /// Its `SubjectPublicKeyInfo`: 294 bytes for RSA-2048. Equal keys have equal ones.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.0.spki
    }

    /// The length of its modulus in bits.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.0.bits
    }

    /// Checks that this key signed `message` (RSASSA-PSS), with so much salt.
    ///
    /// # Errors
    /// [`ClassicError::BadSignature`] if it did not.
    pub fn verify(&self, salt: Salt, message: &[u8], signature: &[u8]) -> Result<(), ClassicError> {
        self.0.rsa.verify(salt, message, signature)
    }

    /// Encrypts to this key alone (RSAES-OAEP, no label). Gives as many bytes as the modulus has.
    ///
    /// # Errors
    /// [`ClassicError::TooLong`] if `plaintext` has more than the modulus's bytes − 66 (190 for RSA-2048).
    pub fn encrypt(&self, plaintext: &[u8]) -> Result<Vec<u8>, ClassicError> {
        let room = self.modulus_bytes().saturating_sub(2 * DIGEST + 2);
        if plaintext.len() > room {
            return Err(ClassicError::TooLong);
        }
        self.0.rsa.encrypt(self.spki(), self.modulus_bytes(), plaintext)
    }

    fn modulus_bytes(&self) -> usize {
        self.bits().div_ceil(8)
    }
}

impl PartialEq for ClassicPublic {
    fn eq(&self, other: &Self) -> bool {
        self.spki() == other.spki()
    }
}

impl Eq for ClassicPublic {}

impl fmt::Debug for ClassicPublic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ClassicPublic({} bits)", self.bits())
    }
}

/// An RSA private key of our own, to talk with classroom guests. Wiped when the last clone is dropped,
/// redacted in `Debug`.
#[derive(Clone)]
pub struct ClassicKey(Arc<Private>);

struct Private {
    pkcs8: Zeroizing<Vec<u8>>,
    public: ClassicPublic,
    rsa: backend::Private,
}

impl ClassicKey {
    /// Makes a new key: RSA-2048, e = 65,537. Takes 70 to 300 ms; a core has it made by a
    /// [`Job`](crate::Job).
    ///
    /// # Errors
    /// [`ClassicError::Unavailable`] where there are no private keys (in a browser), or if the library
    /// fails.
    pub fn generate() -> Result<Self, ClassicError> {
        Self::from_pkcs8(&backend::generate()?).map_err(|BadClassicKey| ClassicError::Unavailable)
    }

    /// The key that [`to_pkcs8`](Self::to_pkcs8) wrote down.
    ///
    /// # Errors
    /// [`BadClassicKey`] for anything but the unencrypted DER form of a consistent key whose public half
    /// is a [`ClassicPublic`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, BadClassicKey> {
        let (rsa, spki) = backend::Private::from_pkcs8(der)?;
        let public = ClassicPublic::from_spki(&spki)?;
        Ok(Self(Arc::new(Private { pkcs8: Zeroizing::new(der.to_vec()), public, rsa })))
    }

    /// Its `PrivateKeyInfo` (RFC 5208), to be stored sealed: about 1,220 bytes.
    #[must_use]
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        self.0.pkcs8.clone()
    }

    /// The key that others verify with and encrypt to.
    #[must_use]
    pub fn public(&self) -> ClassicPublic {
        self.0.public.clone()
    }

    /// Signs `message` (RSASSA-PSS). Gives as many bytes as the modulus has, others every time.
    ///
    /// # Errors
    /// [`ClassicError::Unavailable`] if the library fails.
    pub fn sign(&self, salt: Salt, message: &[u8]) -> Result<Vec<u8>, ClassicError> {
        self.0.rsa.sign(salt, self.0.public.modulus_bytes(), message)
    }

    /// Opens what was [encrypted](ClassicPublic::encrypt) to this key.
    ///
    /// # Errors
    /// [`ClassicError::BadCiphertext`] for anything else; it doesn't say what differs.
    pub fn decrypt(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, ClassicError> {
        self.0.rsa.decrypt(self.0.public.modulus_bytes(), ciphertext)
    }
}

impl fmt::Debug for ClassicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClassicKey(..)")
    }
}

/// SHA-256 (FIPS 180-4) of `parts`, one after the other: the hash that the classroom protocol uses. No
/// lengths go in; whoever needs the parts told apart uses [`hash`](crate::hash()).
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; DIGEST] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The bytes are no key of this suite: not RSA, not of 2,048 to 4,096 bits, another exponent than
/// 65,537, or not in the one form in which such a key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadClassicKey;

impl fmt::Display for BadClassicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not an RSA key of 2,048 to 4,096 bits with the exponent 65,537")
    }
}

impl std::error::Error for BadClassicKey {}

/// Why an operation of this suite has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassicError {
    /// The peer's: the signature is not this key's over this message with so much salt.
    BadSignature,
    /// The peer's: the ciphertext is not for this key, or was changed.
    BadCiphertext,
    /// The peer's: an initialisation vector of other than 12 or 16 bytes.
    BadIv,
    /// The caller's: more than fits.
    TooLong,
    /// The world's: no private keys here, or the library failed.
    Unavailable,
}

impl fmt::Display for ClassicError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::BadSignature => "the signature does not verify",
            Self::BadCiphertext => "the ciphertext does not open",
            Self::BadIv => "an initialisation vector has 12 or 16 bytes",
            Self::TooLong => "too long to be encrypted",
            Self::Unavailable => "classroom keys can't be used here",
        })
    }
}

impl std::error::Error for ClassicError {}
