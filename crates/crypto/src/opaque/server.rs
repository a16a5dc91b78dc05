//! The server's half of OPAQUE: its set-up, the records it keeps, and a login in progress.
//!
//! Leaves out the choice of the cost, which only clients need. Source: RFC 9807, sections 5 and 6.

use std::fmt;

use opaque_ke::{
    CredentialFinalization, CredentialRequest, RegistrationRequest, ServerLoginParameters,
    ServerRegistration,
};
use zeroize::{Zeroize, Zeroizing};

use super::{
    CONTEXT, LoginError, SessionKey, Suite, exactly, identifiers, length, malformed, refused, take,
};
use crate::Randomness;

/// The server's long-term secrets: one for all accounts, in a file of its own.
///
/// Without it no record can be used any more; with it and the records, passwords can be guessed offline.
pub struct ServerSetup(opaque_ke::ServerSetup<Suite>);

impl ServerSetup {
    /// Draws a new set-up, once in a server's life.
    #[must_use]
    pub fn generate(rng: &mut dyn Randomness) -> Self {
        Self(opaque_ke::ServerSetup::new(&mut &mut *rng))
    }

    /// The 128 bytes to be stored.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut serialized = self.0.serialize();
        let bytes = Zeroizing::new(serialized.to_vec());
        serialized.as_mut_slice().zeroize();
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) gave.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoginError> {
        opaque_ke::ServerSetup::deserialize(exactly(length::SERVER_SETUP, bytes)?)
            .map(Self)
            .map_err(malformed)
    }

    /// Answers a registration request for the canonical `name`.
    ///
    /// Keeps no state: the client's upload is stored as it comes, under the same name.
    ///
    /// # Errors
    /// [`LoginError::Malformed`].
    pub fn register(&self, request: &[u8], name: &str) -> Result<Vec<u8>, LoginError> {
        let request =
            RegistrationRequest::deserialize(exactly(length::REGISTRATION_REQUEST, request)?)
                .map_err(malformed)?;
        let started =
            ServerRegistration::start(&self.0, request, name.as_bytes()).map_err(malformed)?;
        Ok(started.message.serialize().to_vec())
    }

    /// Answers a login request (KE1) for the canonical `name`: a secret state, and the response (KE2).
    ///
    /// With `None` for the record, as for an unknown name, it takes the same path with a fake record:
    /// the response has the same shape and the login fails at its last step.
    ///
    /// # Errors
    /// [`LoginError::Malformed`].
    pub fn login(
        &self,
        record: Option<&PasswordRecord>,
        request: &[u8],
        name: &str,
        rng: &mut dyn Randomness,
    ) -> Result<(ServerLogin, Vec<u8>), LoginError> {
        let request =
            CredentialRequest::deserialize(exactly(length::KE1, request)?).map_err(malformed)?;
        let started = opaque_ke::ServerLogin::start(
            &mut &mut *rng,
            &self.0,
            record.map(|record| record.parsed.clone()),
            request,
            name.as_bytes(),
            server_parameters(name),
        )
        .map_err(malformed)?;
        let response = started.message.serialize().to_vec();
        Ok((ServerLogin { state: started.state, name: name.to_owned() }, response))
    }
}

impl fmt::Debug for ServerSetup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ServerSetup(..)")
    }
}

/// What the server keeps of an account's password: the client's upload, 192 bytes.
///
/// It is about as sensitive as a password hash.
#[derive(Clone)]
pub struct PasswordRecord {
    parsed: ServerRegistration<Suite>,
    bytes: Zeroizing<Vec<u8>>,
}

impl PasswordRecord {
    /// Parses an upload, or what was stored of one.
    ///
    /// # Errors
    /// [`LoginError::Malformed`].
    pub fn parse(upload: &[u8]) -> Result<Self, LoginError> {
        let parsed =
            ServerRegistration::deserialize(exactly(length::RECORD, upload)?).map_err(malformed)?;
        Ok(Self { parsed, bytes: Zeroizing::new(upload.to_vec()) })
    }

    /// The bytes to be stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for PasswordRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PasswordRecord(..)")
    }
}

/// The server's state between its response and the client's last message.
pub struct ServerLogin {
    state: opaque_ke::ServerLogin<Suite>,
    name: String,
}

impl ServerLogin {
    /// Checks the client's last message (KE3): from here on the client is known to have the password.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] for what is no such message, [`LoginError::Refused`] for a wrong one.
    pub fn finish(self, finalization: &[u8]) -> Result<SessionKey, LoginError> {
        let message = CredentialFinalization::deserialize(exactly(length::KE3, finalization)?)
            .map_err(malformed)?;
        let mut finished =
            self.state.finish(message, server_parameters(&self.name)).map_err(refused)?;
        Ok(SessionKey(take(&mut finished.session_key)))
    }
}

impl fmt::Debug for ServerLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ServerLogin(..)")
    }
}

fn server_parameters(name: &str) -> ServerLoginParameters<'static, '_> {
    ServerLoginParameters { context: Some(CONTEXT), identifiers: identifiers(name) }
}
