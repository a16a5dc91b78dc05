//! A guest is whoever proves to hold a key. Nothing else that a `hello` says counts.
//!
//! Attack: somebody says `hello` with a key out of a list and is taken for its owner; or with a key that is
//! worth nothing (512 bits, e = 3), or so large that checking its signatures stops everybody else.
//! CWE-290, authentication bypass by spoofing; CWE-326; CWE-400.
//! Precedent: CVE-2006-4339 (forged RSA signatures where e = 3); CVE-2023-6237 (OpenSSL: the time that a large
//! RSA key takes).

use crate::GuestRefused;
use portcullis_proto::classroom::{DialectId, GuestKey, Payload, SignedFrame, Signing};

/// Proof that a connection holds a key.
#[derive(Debug, Clone)]
pub struct HelloAdmitted {
    key: GuestKey,
    signing: Signing,
    dialect: DialectId,
    counter: u64,
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

    /// What the connection's next frames are judged by.
    #[must_use]
    pub fn state(&self) -> GuestState {
        let (key, signing) = (self.key.clone(), Some(self.signing));
        GuestState { key, signing, last: Some(self.counter) }
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(
        key: GuestKey,
        signing: Signing,
        dialect: DialectId,
        counter: u64,
    ) -> Self {
        Self { key, signing, dialect, counter }
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
}

impl GuestState {
    /// A linked server's client, of which nothing was heard yet.
    #[must_use]
    pub const fn listed(key: GuestKey) -> Self {
        Self { key, signing: None, last: None }
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
    Ok(HelloAdmitted { key: key, signing, dialect, counter: frame.counter() })
}
