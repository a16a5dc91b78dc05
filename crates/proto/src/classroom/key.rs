//! A guest's key: all that a guest is. The PEM is kept exactly as received, because others compute
//! fingerprints of it; what tells two guests apart is the key inside.

use super::fingerprint::{Fingerprint, Hashed, Shown};
use super::frame::BadFrame;
use super::pem::der_of;
use crate::{AccountId, GuestName};
use core::fmt;
use portcullis_crypto::classic::{ClassicPublic, sha256};
use std::sync::Arc;

/// A public key as a client sent it: RSA, 2,048 to 4,096 bits, e = 65537. Cheap to clone.
#[derive(Clone)]
pub struct GuestKey(Arc<Parts>);

struct Parts {
    pem: String,
    key: ClassicPublic,
    id: AccountId,
    name: GuestName,
    digests: Vec<(Hashed, bool, [u8; 32])>,
}

impl GuestKey {
    /// Reads a PEM in any layout.
    ///
    /// # Errors
    /// [`BadFrame::Pem`] and [`BadFrame::Key`].
    pub fn parse(pem: &str) -> Result<Self, BadFrame> {
        let key = ClassicPublic::from_spki(&der_of(pem)?).map_err(|_| BadFrame::Key)?;
        let hash = sha256(&[key.spki()]);
        let (id, name) = (AccountId::of_guest(&hash), GuestName::of_key(&hash));
        let digests = Fingerprint::digests(pem, key.spki());
        Ok(Self(Arc::new(Parts { pem: pem.to_owned(), key, id, name, digests })))
    }

    /// The PEM, exactly as received.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.0.pem
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &ClassicPublic {
        &self.0.key
    }

    /// What stands for this guest where an account's id is asked for.
    #[must_use]
    pub fn id(&self) -> AccountId {
        self.0.id
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> &GuestName {
        &self.0.name
    }

    /// Its fingerprint, computed in one way.
    #[must_use]
    pub fn fingerprint(&self, by: Fingerprint) -> String {
        by.compute(self.pem(), self.key().spki())
    }

    /// Whether `text` is its fingerprint, computed in any way that is known.
    #[must_use]
    pub fn is_fingerprint(&self, text: &str) -> bool {
        self.fingerprint_in(text).is_some()
    }

    /// In which way `text` was computed, if it is this key's fingerprint. Where several ways give the same
    /// text, the first of [`Fingerprint::all`] stands for them.
    #[must_use]
    pub fn fingerprint_in(&self, text: &str) -> Option<Fingerprint> {
        let (shown, digest) = Shown::read(text)?;
        let mut known = self.0.digests.iter();
        let (of, through_base64, _) = known.find(|(_, _, known)| *known == digest)?;
        Some(Fingerprint { of: *of, through_base64: *through_base64, shown })
    }
}

impl PartialEq for GuestKey {
    /// By key; the PEM's layout doesn't matter.
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for GuestKey {}

impl fmt::Debug for GuestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GuestKey({})", self.name())
    }
}
