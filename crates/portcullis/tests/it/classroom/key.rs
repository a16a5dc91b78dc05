//! RSA keys of guests, by the `rsa` crate: not by the code that is under test. Making one takes most of
//! a second, so the tests have a small store of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePublicKey as _};
use rsa::rand_core::OsRng;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use rsa::{BigUint, Oaep, Pss, RsaPrivateKey, RsaPublicKey};
use sha2::{Digest as _, Sha256};

/// Keys of 2048 bits for people in tests.
const STORE: [&str; 18] = [
    include_str!("keys/00.pem"),
    include_str!("keys/01.pem"),
    include_str!("keys/02.pem"),
    include_str!("keys/03.pem"),
    include_str!("keys/04.pem"),
    include_str!("keys/05.pem"),
    include_str!("keys/06.pem"),
    include_str!("keys/07.pem"),
    include_str!("keys/08.pem"),
    include_str!("keys/09.pem"),
    include_str!("keys/10.pem"),
    include_str!("keys/11.pem"),
    include_str!("keys/12.pem"),
    include_str!("keys/13.pem"),
    include_str!("keys/14.pem"),
    include_str!("keys/15.pem"),
    include_str!("keys/16.pem"),
    include_str!("keys/17.pem"),
];
/// 1024 bits.
pub(crate) const SHORT: &str = include_str!("keys/short.pem");
/// 4096 bits.
pub(crate) const LONG: &str = include_str!("keys/long.pem");
/// 2048 bits, and a public exponent of 3.
pub(crate) const EXPONENT_3: &str = include_str!("keys/exponent-3.pem");

/// A guest's own key.
#[derive(Clone)]
pub(crate) struct Key(RsaPrivateKey);

impl Key {
    /// The key of this number in the store.
    pub(crate) fn number(number: usize) -> Self {
        Self::from_pem(STORE[number])
    }

    /// So many more keys, at no cost: of one prime of a key in the store and one of another.
    pub(crate) fn many(count: usize) -> Vec<Self> {
        let primes: Vec<_> = STORE.map(|pem| Self::from_pem(pem).0.primes().to_vec()).into();
        let places = 0..STORE.len();
        let pairs = places.clone().flat_map(|one| places.clone().map(move |other| (one, other)));
        let mixed = pairs.filter(|(one, other)| one != other).map(|(one, other)| {
            let (p, q) = (primes[one][0].clone(), primes[other][1].clone());
            RsaPrivateKey::from_p_q(p, q, BigUint::from(65_537_u32)).unwrap()
        });
        mixed.filter(|key| key.n().bits() == 2_048).map(Self).take(count).collect()
    }

    pub(crate) fn from_pem(pem: &str) -> Self {
        Self(RsaPrivateKey::from_pkcs8_pem(pem).unwrap())
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey(self.0.to_public_key())
    }

    /// RSA-PSS with SHA-256 and this many bytes of salt.
    pub(crate) fn sign(&self, salt: usize, message: &[u8]) -> Vec<u8> {
        let padding = Pss::new_with_salt::<Sha256>(salt);
        self.0.sign_with_rng(&mut OsRng, padding, &Sha256::digest(message)).unwrap()
    }

    /// RSA-OAEP with SHA-256.
    pub(crate) fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        self.0.decrypt(Oaep::new::<Sha256>(), sealed).ok()
    }
}

/// Anybody's key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PublicKey(pub(crate) RsaPublicKey);

impl PublicKey {
    /// From PEM in any layout.
    pub(crate) fn from_pem(pem: &str) -> Option<Self> {
        let body = pem.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
        let body: String = body.split_whitespace().collect();
        let der = STANDARD.decode(body).ok()?;
        RsaPublicKey::from_public_key_der(&der).ok().map(Self)
    }

    /// As PEM in this layout.
    pub(crate) fn pem(&self, layout: Layout) -> String {
        pem_of(self.0.to_public_key_der().unwrap().as_bytes(), layout)
    }

    pub(crate) fn verify(&self, salt: usize, message: &[u8], signature: &[u8]) -> bool {
        let padding = Pss::new_with_salt::<Sha256>(salt);
        self.0.verify(padding, &Sha256::digest(message), signature).is_ok()
    }

    pub(crate) fn seal(&self, plain: &[u8]) -> Vec<u8> {
        self.0.encrypt(&mut OsRng, Oaep::new::<Sha256>(), plain).unwrap()
    }
}

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// How a PEM is laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Characters on a line of its body.
    pub(crate) columns: usize,
    /// What its last line ends with.
    pub(crate) last: &'static str,
}

/// The body on one line.
pub(crate) const ONE_LINE: Layout = Layout { columns: usize::MAX, last: "" };
pub(crate) const ONE_LINE_ENDED: Layout = Layout { last: "\n", ..ONE_LINE };
/// As RFC 7468 has it.
pub(crate) const COLUMNS_ENDED: Layout = Layout { columns: 64, last: "\n" };
pub(crate) const COLUMNS: Layout = Layout { last: "", ..COLUMNS_ENDED };

/// The PEM of these bytes, whatever they are.
pub(crate) fn pem_of(der: &[u8], layout: Layout) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<_> =
        body.as_bytes().chunks(layout.columns).map(String::from_utf8_lossy).collect();
    format!("{BEGIN}\n{}\n{END}{}", lines.join("\n"), layout.last)
}
