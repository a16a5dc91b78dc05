//! A guest is whoever proves to hold a key. Nothing else that a `hello` says counts.
//!
//! Attack: somebody says `hello` with a key out of a list and is taken for its owner; or with a key that is
//! worth nothing (512 bits, e = 3), or so large that checking its signatures stops everybody else.
//! CWE-290, authentication bypass by spoofing; CWE-326; CWE-400.
//! Precedent: CVE-2006-4339 (forged RSA signatures where e = 3); CVE-2023-6237 (OpenSSL: the time that a large
//! RSA key takes).

use crate::GuestRefused;
use portcullis_proto::Reference;
use portcullis_proto::classroom::{DialectId, GuestKey, Payload, SignedFrame, Signing};

/// Proof that a connection holds a key.
#[derive(Debug, Clone)]
pub struct HelloAdmitted {
    key: GuestKey,
    signing: Signing,
    dialect: DialectId,
    counter: u64,
    reference: Reference,
}

impl HelloAdmitted {
    /// The key, which is the guest.
    #[must_use]
    pub const fn key(&self) -> &GuestKey {
        &self.key
    }

    /// How it wants to be talked to.
    #[must_use]
    pub const fn dialect(&self) -> DialectId {
        self.dialect
    }

    /// The same, of a guest of whom this was known before.
    #[must_use]
    pub fn as_before(self, known: DialectId) -> Self {
        Self { dialect: self.dialect.as_before(known), ..self }
    }

    /// A hash of what was signed and its signature: the same where the same is sent again, by whomever.
    #[must_use]
    pub const fn reference(&self) -> Reference {
        self.reference
    }

    /// What the connection's next frames are judged by.
    #[must_use]
    pub fn state(&self) -> GuestState {
        let (key, signing) = (self.key.clone(), Some(self.signing));
        GuestState { key, signing, last: Some(self.counter), dialect: self.dialect }
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(
        key: GuestKey,
        signing: Signing,
        dialect: DialectId,
        counter: u64,
        reference: Reference,
    ) -> Self {
        Self { key, signing, dialect, counter, reference }
    }
}

/// What is known of a guest on one connection.
#[derive(Debug, Clone)]
pub struct GuestState {
    /// Its key.
    pub key: GuestKey,
    /// How it signs, as far as it was seen.
    pub signing: Option<Signing>,
    /// Its last counter on this connection.
    pub last: Option<u64>,
    /// How it wants to be talked to, as far as it was seen.
    pub dialect: DialectId,
}

impl GuestState {
    /// A linked server's client, of which nothing was heard yet.
    #[must_use]
    pub const fn listed(key: GuestKey) -> Self {
        Self { key, signing: None, last: None, dialect: DialectId::BY_THE_TEXT }
    }
}

/// Reads the key and verifies that it has signed the frame, by whichever recipe.
///
/// # Errors
/// [`GuestRefused::NoHello`] for another frame, [`GuestRefused::BadKey`], [`GuestRefused::BadSignature`].
pub fn admit_hello(frame: &SignedFrame) -> Result<HelloAdmitted, GuestRefused> {
    let Payload::Hello { public_key } = frame.payload() else {
        return Err(GuestRefused::NoHello);
    };
    let key = GuestKey::parse(public_key).map_err(|_| GuestRefused::BadKey)?;
    let signing = frame.verify(key.key(), None).map_err(|_| GuestRefused::BadSignature)?;
    let dialect = DialectId::recognise(frame, signing, public_key);
    let (counter, reference) = (frame.counter(), frame.reference(signing));
    Ok(HelloAdmitted { key, signing, dialect, counter, reference })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::{classic_key, guest_key, read, reference, signed};
    use portcullis_proto::AccountId;
    use portcullis_proto::Bytes;
    use portcullis_proto::classroom::{DIALECTS, pem_of, write_hello};

    /// The data of a hello with this PEM.
    fn hello(pem: &str) -> String {
        serde_json::json!({"type": "hello", "public_key": pem}).to_string()
    }

    /// Key 1 says hello as somebody else: whom it is taken for.
    fn attack(
        admit: fn(&SignedFrame) -> Result<HelloAdmitted, GuestRefused>,
        pem: &str,
    ) -> Result<AccountId, GuestRefused> {
        let frame = read(&signed(&classic_key(1), &hello(pem), 0));
        admit(&frame).map(|admitted| admitted.key().id())
    }

    fn believes(frame: &SignedFrame) -> Result<HelloAdmitted, GuestRefused> {
        let Payload::Hello { public_key } = frame.payload() else {
            return Err(GuestRefused::NoHello);
        };
        let key = GuestKey::parse(public_key).map_err(|_| GuestRefused::BadKey)?;
        let dialect = DialectId::BY_THE_TEXT;
        Ok(HelloAdmitted::unproven(
            key,
            dialect.row().signing,
            dialect,
            frame.counter(),
            reference(1),
        ))
    }

    #[test]
    fn nobody_comes_with_anothers_key() {
        let (own, other) = (guest_key(1), guest_key(2));
        assert_eq!(attack(admit_hello, own.pem()), Ok(own.id()));
        assert_eq!(attack(admit_hello, other.pem()), Err(GuestRefused::BadSignature));
        assert_eq!(attack(believes, other.pem()), Ok(other.id()));
    }

    /// The DER of an RSA key with a modulus of so many bits: no key at all, but of its form.
    fn spki(bits: usize, exponent: &[u8]) -> Vec<u8> {
        fn der(tag: u8, content: &[u8]) -> Vec<u8> {
            let [high, low] = (content.len() as u16).to_be_bytes();
            let length = match content.len() {
                0..=127 => vec![low],
                128..=255 => vec![0x81, low],
                _ => vec![0x82, high, low],
            };
            [&[tag], &length[..], content].concat()
        }
        let modulus = [&[0][..], &vec![0xc5; bits / 8]].concat();
        let key = der(0x30, &[der(2, &modulus), der(2, exponent)].concat());
        let rsa = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
        let bits = der(3, &[&[0], &key[..]].concat());
        der(0x30, &[der(0x30, &rsa), bits].concat())
    }

    #[test]
    fn worthless_and_costly_keys_are_refused_before_a_signature_is_looked_at() {
        let f4 = [1, 0, 1];
        let check = |bits: usize, exponent: &[u8], expected: GuestRefused| {
            let pem = pem_of(&spki(bits, exponent), DialectId::BY_THE_TEXT.row().pem);
            assert_eq!(attack(admit_hello, &pem), Err(expected), "{bits} {exponent:?}");
        };
        check(2048, &f4, GuestRefused::BadSignature);
        check(4096, &f4, GuestRefused::BadSignature);
        check(512, &f4, GuestRefused::BadKey);
        check(1024, &f4, GuestRefused::BadKey);
        check(4104, &f4, GuestRefused::BadKey);
        check(16_384, &f4, GuestRefused::BadKey);
        check(2048, &[3], GuestRefused::BadKey);
        let pem = guest_key(1).pem().to_owned();
        for bad in ["", "-----BEGIN PUBLIC KEY-----", &pem[..pem.len() / 2], &pem.to_lowercase()] {
            assert_eq!(attack(admit_hello, bad), Err(GuestRefused::BadKey), "{bad}");
        }
    }

    #[test]
    fn every_dialect_comes_in_and_is_known_by_its_key() {
        for dialect in DialectId::all() {
            let frame = read(&write_hello(dialect, &classic_key(3), 1).unwrap());
            let admitted = admit_hello(&frame).unwrap();
            assert_eq!(admitted.key().id(), guest_key(3).id());
            let state = admitted.state();
            assert_eq!(state.last, Some(1));
            let salt = state.signing.map(|signing| signing.salt);
            assert_eq!(salt, Some(dialect.row().signing.salt), "{dialect:?}");
        }
        assert_eq!(DialectId::all().count(), DIALECTS.len());
    }

    #[test]
    fn what_is_no_hello_is_none() {
        let chat = r#"{"type":"public_chat","sender":"x","message":"hi"}"#;
        let frame = read(&signed(&classic_key(1), chat, 0));
        assert_eq!(admit_hello(&frame).map(drop), Err(GuestRefused::NoHello));
        let unsigned = serde_json::json!({
            "type": "signed_data", "data": hello(guest_key(1).pem()), "counter": 0,
            "signature": Bytes(vec![0; 256]),
        });
        let frame = read(&unsigned.to_string());
        assert_eq!(admit_hello(&frame).map(drop), Err(GuestRefused::BadSignature));
    }
}
