//! The client's half of OPAQUE: a registration and a login in progress, and what they give.
//!
//! Leaves out the check that the cost is not below the client's floor ([`Stretch::at_least`]), which
//! comes before the slow step. Source: RFC 9807, sections 5 and 6.

use std::fmt;

use opaque_ke::{
    ClientLoginFinishParameters, ClientRegistrationFinishParameters, CredentialResponse,
    RegistrationResponse,
};

use super::{
    Argon2id, CONTEXT, LoginError, SessionKey, Suite, exactly, identifiers, length, malformed,
    refused, take,
};
use crate::{ExportKey, Password, Randomness, Stretch};

/// The client's state between its registration request and the server's response.
pub struct ClientRegistration(opaque_ke::ClientRegistration<Suite>);

impl ClientRegistration {
    /// Begins a registration: the state, and the request for the server (32 bytes).
    ///
    /// # Errors
    /// [`LoginError::Malformed`] for a password that can't be used (longer than 65,535 bytes).
    pub fn start(
        password: &Password,
        rng: &mut dyn Randomness,
    ) -> Result<(Self, Vec<u8>), LoginError> {
        let started =
            opaque_ke::ClientRegistration::start(&mut &mut *rng, password.expose().as_bytes())
                .map_err(malformed)?;
        Ok((Self(started.state), started.message.serialize().to_vec()))
    }

    /// Ends a registration with the server's response. Slow.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] for what is no response, [`LoginError::Refused`] for one that was not
    /// made from our request, or when there is no memory for the stretching.
    pub fn finish(
        self,
        password: &Password,
        response: &[u8],
        name: &str,
        stretch: Stretch,
        rng: &mut dyn Randomness,
    ) -> Result<Registered, LoginError> {
        let response =
            RegistrationResponse::deserialize(exactly(length::REGISTRATION_RESPONSE, response)?)
                .map_err(malformed)?;
        let ksf = Argon2id(stretch);
        let parameters = ClientRegistrationFinishParameters::new(identifiers(name), Some(&ksf));
        let mut finished = self
            .0
            .finish(&mut &mut *rng, password.expose().as_bytes(), response, parameters)
            .map_err(refused)?;
        Ok(Registered {
            upload: finished.message.serialize().to_vec(),
            export: ExportKey::from_secret(take(&mut finished.export_key)),
        })
    }
}

impl fmt::Debug for ClientRegistration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientRegistration(..)")
    }
}

/// What a client has when its registration is done.
pub struct Registered {
    /// For the server: the [`PasswordRecord`](crate::PasswordRecord), 192 bytes.
    pub upload: Vec<u8>,
    /// For the client: the same after each later login.
    pub export: ExportKey,
}

impl fmt::Debug for Registered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Registered(..)")
    }
}

/// The client's state between its login request and the server's response.
pub struct ClientLogin(opaque_ke::ClientLogin<Suite>);

impl ClientLogin {
    /// Begins a login: the state, and the request for the server (KE1, 96 bytes).
    ///
    /// # Errors
    /// [`LoginError::Malformed`] for a password that can't be used (longer than 65,535 bytes).
    pub fn start(
        password: &Password,
        rng: &mut dyn Randomness,
    ) -> Result<(Self, Vec<u8>), LoginError> {
        let started = opaque_ke::ClientLogin::start(&mut &mut *rng, password.expose().as_bytes())
            .map_err(malformed)?;
        Ok((Self(started.state), started.message.serialize().to_vec()))
    }

    /// Ends a login with the server's response (KE2). Slow.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] for what is no response; [`LoginError::Refused`] for a wrong password, an
    /// unknown name, another cost than at registration, or a server that doesn't have the record.
    pub fn finish(
        self,
        password: &Password,
        response: &[u8],
        name: &str,
        stretch: Stretch,
        rng: &mut dyn Randomness,
    ) -> Result<LoggedIn, LoginError> {
        let response =
            CredentialResponse::deserialize(exactly(length::KE2, response)?).map_err(malformed)?;
        let ksf = Argon2id(stretch);
        let parameters =
            ClientLoginFinishParameters::new(Some(CONTEXT), identifiers(name), Some(&ksf));
        let mut finished = self
            .0
            .finish(&mut &mut *rng, password.expose().as_bytes(), response, parameters)
            .map_err(refused)?;
        Ok(LoggedIn {
            finalization: finished.message.serialize().to_vec(),
            export: ExportKey::from_secret(take(&mut finished.export_key)),
            session_key: SessionKey(take(&mut finished.session_key)),
        })
    }
}

impl fmt::Debug for ClientLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientLogin(..)")
    }
}

/// What a client has when its login is done.
pub struct LoggedIn {
    /// For the server: the last message (KE3), 64 bytes.
    pub finalization: Vec<u8>,
    /// The same as after the registration.
    pub export: ExportKey,
    /// The same as the server's, and new with each login.
    pub session_key: SessionKey,
}

impl fmt::Debug for LoggedIn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LoggedIn(..)")
    }
}
