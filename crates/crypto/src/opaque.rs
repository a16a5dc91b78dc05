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

use std::fmt;

use opaque_ke::errors::{InternalError, ProtocolError};
use opaque_ke::generic_array::{ArrayLength, GenericArray};
use opaque_ke::{
    CipherSuite, ClientLoginFinishParameters, ClientRegistrationFinishParameters,
    CredentialFinalization, CredentialRequest, CredentialResponse, Identifiers,
    RegistrationRequest, RegistrationResponse, Ristretto255, ServerLoginParameters,
    ServerRegistration, TripleDh,
};
use sha2::{Sha512, digest::Output};
use zeroize::{Zeroize, Zeroizing};

use crate::stretch::stretch_into;
use crate::{ExportKey, Password, Randomness, Secret, Stretch};

const CONTEXT: &[u8] = b"portcullis opaque v1";

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
        let setup = opaque_ke::ServerSetup::deserialize(bytes).map_err(malformed)?;
        // The library ignores what follows; a longer file is not one of ours.
        if setup.serialize().len() == bytes.len() {
            Ok(Self(setup))
        } else {
            Err(LoginError::Malformed)
        }
    }

    /// Answers a registration request for the canonical `name`.
    ///
    /// Keeps no state: the client's upload is stored as it comes, under the same name.
    ///
    /// # Errors
    /// [`LoginError::Malformed`].
    pub fn register(&self, request: &[u8], name: &str) -> Result<Vec<u8>, LoginError> {
        let request = RegistrationRequest::deserialize(request).map_err(malformed)?;
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
        let request = CredentialRequest::deserialize(request).map_err(malformed)?;
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
        Ok((
            ServerLogin {
                state: started.state,
                name: name.to_owned(),
            },
            response,
        ))
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
        let parsed = ServerRegistration::deserialize(upload).map_err(malformed)?;
        Ok(Self {
            parsed,
            bytes: Zeroizing::new(upload.to_vec()),
        })
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
        let message = CredentialFinalization::deserialize(finalization).map_err(malformed)?;
        let mut finished = self
            .state
            .finish(message, server_parameters(&self.name))
            .map_err(refused)?;
        Ok(SessionKey(take(&mut finished.session_key)))
    }
}

impl fmt::Debug for ServerLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ServerLogin(..)")
    }
}

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
        let response = RegistrationResponse::deserialize(response).map_err(malformed)?;
        let ksf = Argon2id(stretch);
        let parameters = ClientRegistrationFinishParameters::new(identifiers(name), Some(&ksf));
        let mut finished = self
            .0
            .finish(
                &mut &mut *rng,
                password.expose().as_bytes(),
                response,
                parameters,
            )
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
    /// For the server: the [`PasswordRecord`], 192 bytes.
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
        let response = CredentialResponse::deserialize(response).map_err(malformed)?;
        let ksf = Argon2id(stretch);
        let parameters =
            ClientLoginFinishParameters::new(Some(CONTEXT), identifiers(name), Some(&ksf));
        let mut finished = self
            .0
            .finish(
                &mut &mut *rng,
                password.expose().as_bytes(),
                response,
                parameters,
            )
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
    Identifiers {
        client: Some(name.as_bytes()),
        server: None,
    }
}

fn server_parameters(name: &str) -> ServerLoginParameters<'static, '_> {
    ServerLoginParameters {
        context: Some(CONTEXT),
        identifiers: identifiers(name),
    }
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
