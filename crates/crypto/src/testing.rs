//! NO SECURITY: classroom keys that everybody knows, so that tests and simulated worlds need not wait for
//! primes.
//!
//! Making an RSA key takes 70 to 300 ms; a simulated run makes many. Only tests, the simulator and the
//! range name this module; unnamed, it leaves nothing in a binary.

#[cfg(test)]
mod helpers;

#[cfg(test)]
pub(crate) use helpers::{Scripted, damaged, from_hex, seeded, to_hex};

use crate::work::{Job, Outcome};
use crate::{ClassicError, ClassicKey};

macro_rules! pool {
    ($($number:literal)*) => {
        [$(include_bytes!(concat!("testing/classic-", $number, ".pk8"))),*]
    };
}

/// RSA-2048 keys as PKCS #8, made for this by OpenSSL.
static POOL: [&[u8]; 16] = pool!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);

/// How many different keys [`classic_key`] has.
pub const CLASSIC_KEYS: usize = POOL.len();

/// A key that everybody knows: the same one for the same `number`, again from [`CLASSIC_KEYS`] on.
///
/// # Errors
/// [`ClassicError::Unavailable`] where there are no private keys.
pub fn classic_key(number: usize) -> Result<ClassicKey, ClassicError> {
    let der = POOL.get(number % CLASSIC_KEYS).ok_or(ClassicError::Unavailable)?;
    ClassicKey::from_pkcs8(der).map_err(|_| ClassicError::Unavailable)
}

/// Like [`perform`](crate::perform), with the key of this `number` in the place of a new one.
pub fn perform_with_key(number: usize, job: Job) -> Outcome {
    match job {
        Job::MakeClassicKey => Outcome::MakeClassicKey(classic_key(number)),
        job => crate::perform(job),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use super::*;

    #[test]
    fn every_number_has_a_key_and_neighbours_differ() {
        let public = |number| classic_key(number).unwrap().public();
        for number in 0..CLASSIC_KEYS {
            assert_eq!(public(number), public(number + CLASSIC_KEYS));
            assert_eq!(public(number).bits(), 2048);
            for other in 0..number {
                assert_ne!(public(number), public(other));
            }
        }
    }

    #[test]
    fn a_key_takes_the_place_of_a_new_one() {
        match perform_with_key(3, Job::MakeClassicKey) {
            Outcome::MakeClassicKey(key) => {
                assert_eq!(key.unwrap().public(), classic_key(3).unwrap().public());
            }
            other => panic!("{other:?}"),
        }
    }
}
