//! Registration and login by password, without the server ever seeing the password.
//!
//! OPAQUE (RFC 9807) by `opaque-ke`: ristretto255, SHA-512, 3DH, Argon2id. What the RFC leaves open is set
//! here: the credential identifier and the client's identity are the canonical user name, the server's
//! identity is its public key, the context is `portcullis opaque v1`. The messages are opaque bytes, the
//! library's types stay inside. Leaves out rate limits, storage, and the store of costs: the caller passes
//! the same [`Stretch`] at each login as at the registration.
//!
//! Registration: [`ClientRegistration::start`] → [`ServerSetup::register`] → [`ClientRegistration::finish`]
//! → [`PasswordRecord::parse`]. Login: [`ClientLogin::start`] → [`ServerSetup::login`] →
//! [`ClientLogin::finish`] → [`ServerLogin::finish`]. The two client `finish` steps are slow: run them as a
//! [`Job`](crate::Job).

mod client;
mod server;

use std::fmt;

use opaque_ke::errors::{InternalError, ProtocolError};
use opaque_ke::generic_array::{ArrayLength, GenericArray};
use opaque_ke::{CipherSuite, Identifiers, Ristretto255, TripleDh};
use sha2::{Sha512, digest::Output};
use zeroize::Zeroize;

pub use client::{ClientLogin, ClientRegistration, LoggedIn, Registered};
pub use server::{PasswordRecord, ServerLogin, ServerSetup};

use crate::stretch::stretch_into;
use crate::{Secret, Stretch};

const CONTEXT: &[u8] = b"portcullis opaque v1";

/// Lengths in bytes of all that is read. The library takes what is longer, and ignores the rest.
mod length {
    pub(super) const SERVER_SETUP: usize = 128;
    pub(super) const REGISTRATION_REQUEST: usize = 32;
    pub(super) const REGISTRATION_RESPONSE: usize = 64;
    pub(super) const RECORD: usize = 192;
    pub(super) const KE1: usize = 96;
    pub(super) const KE2: usize = 320;
    pub(super) const KE3: usize = 64;
}

/// Why a registration or a login stops. A peer is told no more than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// Bytes that are not a message of the protocol.
    Malformed,
    /// Wrong password, unknown name, or a peer that is not who it says: which of them is not known.
    Refused,
}

impl fmt::Display for LoginError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Malformed => "not a message of the login protocol",
            Self::Refused => "wrong name or password",
        })
    }
}

impl std::error::Error for LoginError {}

/// 64 bytes that client and server have in common after a login, and nobody else has.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey(Secret<64>);

impl SessionKey {
    /// Its 64 bytes.
    #[must_use]
    pub fn secret(&self) -> &Secret<64> {
        &self.0
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SessionKey(..)")
    }
}

/// The suite of RFC 9807, section 7, first recommendation, with a cost of our choice.
struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, Sha512>;
    type Ksf = Argon2id;
}

/// Argon2id with a salt of zeros (RFC 9807, section 7): the OPRF has already made its input unique.
struct Argon2id(Stretch);

/// The library asks for one; every call above passes its cost explicitly.
impl Default for Argon2id {
    fn default() -> Self {
        Self(Stretch::STANDARD)
    }
}

impl opaque_ke::ksf::Ksf for Argon2id {
    fn hash<L: ArrayLength<u8>>(
        &self,
        input: GenericArray<u8, L>,
    ) -> Result<GenericArray<u8, L>, InternalError> {
        let mut output = GenericArray::default();
        stretch_into(&input, &[0; 16], self.0, &mut output).map_err(|_| InternalError::KsfError)?;
        Ok(output)
    }
}

fn identifiers(name: &str) -> Identifiers<'_> {
    Identifiers { client: Some(name.as_bytes()), server: None }
}

fn exactly(length: usize, bytes: &[u8]) -> Result<&[u8], LoginError> {
    if bytes.len() == length { Ok(bytes) } else { Err(LoginError::Malformed) }
}

/// For steps that only decode, or work on what the caller chose.
fn malformed(_: ProtocolError) -> LoginError {
    LoginError::Malformed
}

/// For steps that check: whatever goes wrong in them says one thing only.
fn refused(_: ProtocolError) -> LoginError {
    LoginError::Refused
}

/// Moves a secret out of the library's result, and wipes what stays behind.
fn take(output: &mut Output<Sha512>) -> Secret<64> {
    let secret = Secret::from_bytes((*output).into());
    output.as_mut_slice().zeroize();
    secret
}

#[cfg(test)]
mod tests;
