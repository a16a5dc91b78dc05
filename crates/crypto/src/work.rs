//! Slow work as a value: what a core asks for, and the native way to do it.
//!
//! A core must not stop the screen for a quarter of a second, so it hands out a [`Job`] and later gets an
//! [`Outcome`]. A job carries a seed instead of a source of randomness: the same job has the same outcome,
//! wherever it is performed. A classroom key is the exception, for its library draws its own randomness.
//! Leaves out threads; the shell chooses where [`perform`] runs.

use std::fmt;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::classic::{ClassicError, ClassicKey};
use crate::opaque::{ClientLogin, ClientRegistration, LoggedIn, LoginError, Registered};
use crate::stretch::{Stretch, StretchFailed, stretch};
use crate::{Password, Secret};

/// Slow or secret work that a core asks its shell to have done.
#[must_use]
#[expect(clippy::large_enum_variant, reason = "one exists at a time, and is moved twice")]
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
    /// Stretching a password for the local store: see [`stretch()`].
    Stretch {
        /// The password as typed.
        password: Password,
        /// The store's own salt.
        salt: [u8; 16],
        /// The store's own cost.
        stretch: Stretch,
    },
    /// Making a device's key for classroom guests: see [`ClassicKey::generate`].
    MakeClassicKey,
}

impl fmt::Debug for Job {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::FinishRegistration { .. } => "FinishRegistration(..)",
            Self::FinishLogin { .. } => "FinishLogin(..)",
            Self::Stretch { .. } => "Stretch(..)",
            Self::MakeClassicKey => "MakeClassicKey",
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
    /// The key.
    MakeClassicKey(Result<ClassicKey, ClassicError>),
}

/// Does the job here and now; takes as long as its stretching, or its search for primes, takes.
pub fn perform(job: Job) -> Outcome {
    match job {
        Job::FinishRegistration { state, password, response, name, stretch, seed } => {
            Outcome::FinishRegistration(state.finish(
                &password,
                &response,
                &name,
                stretch,
                &mut ChaCha20Rng::from_seed(*seed.expose()),
            ))
        }
        Job::FinishLogin { state, password, response, name, stretch, seed } => {
            Outcome::FinishLogin(state.finish(
                &password,
                &response,
                &name,
                stretch,
                &mut ChaCha20Rng::from_seed(*seed.expose()),
            ))
        }
        Job::Stretch { password, salt, stretch: cost } => {
            Outcome::Stretch(stretch(password.expose().as_bytes(), &salt, cost))
        }
        Job::MakeClassicKey => Outcome::MakeClassicKey(ClassicKey::generate()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use super::*;
    use crate::testing::seeded;
    use crate::{PasswordRecord, ServerSetup};

    fn password() -> Password {
        Password::new("correct horse".to_owned())
    }

    fn registration(setup: &ServerSetup, seed: u8) -> Job {
        let (state, request) = ClientRegistration::start(&password(), &mut seeded(1)).unwrap();
        Job::FinishRegistration {
            state,
            password: password(),
            response: setup.register(&request, "mira").unwrap(),
            name: "mira".to_owned(),
            stretch: Stretch::LIGHT,
            seed: Secret::from_bytes([seed; 32]),
        }
    }

    fn registered(job: Job) -> Registered {
        match perform(job) {
            Outcome::FinishRegistration(result) => result.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn login(setup: &ServerSetup, upload: &[u8], response_length: usize) -> Job {
        let rng = &mut seeded(2);
        let record = PasswordRecord::parse(upload).unwrap();
        let (state, request) = ClientLogin::start(&password(), rng).unwrap();
        let (_, mut response) = setup.login(Some(&record), &request, "mira", rng).unwrap();
        response.truncate(response_length);
        Job::FinishLogin {
            state,
            password: password(),
            response,
            name: "mira".to_owned(),
            stretch: Stretch::LIGHT,
            seed: Secret::from_bytes([2; 32]),
        }
    }

    fn stretching() -> Job {
        Job::Stretch { password: password(), salt: [3; 16], stretch: Stretch::LIGHT }
    }

    #[test]
    fn jobs_do_what_their_functions_do() {
        let setup = ServerSetup::generate(&mut seeded(3));
        let registered = registered(registration(&setup, 1));
        match perform(login(&setup, &registered.upload, usize::MAX)) {
            Outcome::FinishLogin(Ok(done)) => assert_eq!(done.export, registered.export),
            other => panic!("{other:?}"),
        }
        match perform(stretching()) {
            Outcome::Stretch(Ok(secret)) => {
                assert_eq!(secret, stretch(b"correct horse", &[3; 16], Stretch::LIGHT).unwrap());
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_same_job_has_the_same_outcome() {
        let setup = ServerSetup::generate(&mut seeded(3));
        let upload = |seed| registered(registration(&setup, seed)).upload;
        assert_eq!(upload(1), upload(1));
        assert_ne!(upload(1), upload(2));
    }

    #[test]
    fn debug_shows_no_secret() {
        fn check(value: &dyn fmt::Debug, expected: &str) {
            assert_eq!(format!("{value:?}"), expected);
        }
        let setup = ServerSetup::generate(&mut seeded(3));
        let upload = registered(registration(&setup, 1)).upload;
        check(&registration(&setup, 1), "FinishRegistration(..)");
        check(&login(&setup, &upload, usize::MAX), "FinishLogin(..)");
        check(&stretching(), "Stretch(..)");
        check(&Job::MakeClassicKey, "MakeClassicKey");
        check(&perform(registration(&setup, 1)), "FinishRegistration(Ok(Registered(..)))");
        check(&perform(login(&setup, &upload, usize::MAX)), "FinishLogin(Ok(LoggedIn(..)))");
        check(&perform(login(&setup, &upload, 7)), "FinishLogin(Err(Malformed))");
        check(&perform(stretching()), "Stretch(Ok(Secret<32>(..)))");
        check(&perform(Job::MakeClassicKey), "MakeClassicKey(Ok(ClassicKey(..)))");
    }
}
