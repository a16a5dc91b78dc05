//! Slow work as a value: what a core asks for, and the native way to do it.
//!
//! A core must not stop the screen for a quarter of a second, so it hands out a [`Job`] and later gets an
//! [`Outcome`]. A job carries a seed instead of a source of randomness: the same job has the same outcome,
//! wherever it is performed. Leaves out threads; the shell chooses where [`perform`] runs.

use std::fmt;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::opaque::{ClientLogin, ClientRegistration, LoggedIn, LoginError, Registered};
use crate::stretch::{Stretch, StretchFailed, stretch};
use crate::{Password, Secret};

/// Slow or secret work that a core asks its shell to have done.
#[must_use]
#[expect(
    clippy::large_enum_variant,
    reason = "one exists at a time, and is moved twice"
)]
pub enum Job {
    /// The client's second step of registration: see [`ClientRegistration::finish`].
    FinishRegistration {
        /// What the first step gave.
        state: ClientRegistration,
        /// The password of the first step.
        password: Password,
        /// The server's response.
        response: Vec<u8>,
        /// The canonical name of the account.
        name: String,
        /// The cost to be used from now on.
        stretch: Stretch,
        /// Fresh randomness for this job alone.
        seed: Secret<32>,
    },
    /// The client's second step of a login: see [`ClientLogin::finish`].
    FinishLogin {
        /// What the first step gave.
        state: ClientLogin,
        /// The password of the first step.
        password: Password,
        /// The server's response (KE2).
        response: Vec<u8>,
        /// The canonical name of the account.
        name: String,
        /// The cost the account was registered with.
        stretch: Stretch,
        /// Fresh randomness for this job alone.
        seed: Secret<32>,
    },
    /// Stretching a password for the local store: see [`stretch`].
    Stretch {
        /// The password as typed.
        password: Password,
        /// The store's own salt.
        salt: [u8; 16],
        /// The store's own cost.
        stretch: Stretch,
    },
}

impl fmt::Debug for Job {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::FinishRegistration { .. } => "FinishRegistration(..)",
            Self::FinishLogin { .. } => "FinishLogin(..)",
            Self::Stretch { .. } => "Stretch(..)",
        })
    }
}

/// What came of a [`Job`] of the same name. `Debug` shows success or the error, never a secret.
#[must_use]
#[derive(Debug)]
pub enum Outcome {
    /// The record to upload, and the export key.
    FinishRegistration(Result<Registered, LoginError>),
    /// The last message of the login, and the keys.
    FinishLogin(Result<LoggedIn, LoginError>),
    /// The stretched password.
    Stretch(Result<Secret<32>, StretchFailed>),
}

/// Does the job here and now; takes as long as its stretching takes.
pub fn perform(job: Job) -> Outcome {
    match job {
        Job::FinishRegistration {
            state,
            password,
            response,
            name,
            stretch,
            seed,
        } => Outcome::FinishRegistration(state.finish(
            &password,
            &response,
            &name,
            stretch,
            &mut ChaCha20Rng::from_seed(*seed.expose()),
        )),
        Job::FinishLogin {
            state,
            password,
            response,
            name,
            stretch,
            seed,
        } => Outcome::FinishLogin(state.finish(
            &password,
            &response,
            &name,
            stretch,
            &mut ChaCha20Rng::from_seed(*seed.expose()),
        )),
        Job::Stretch {
            password,
            salt,
            stretch: cost,
        } => Outcome::Stretch(stretch(password.expose().as_bytes(), &salt, cost)),
    }
}
