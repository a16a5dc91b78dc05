//! Safety numbers: sixty digits that two people compare, to know that nobody sits between them.
//!
//! They cover the two identity keys and the two account ids, never devices, so they change only when an
//! identity does. The construction is that of Signal's numeric fingerprints (version 2 of their format):
//! an iterated SHA-512 over each side, thirty digits from each, in the same order for both people. The
//! version constant is our own, so the digits are not Signal's. Leaves out the QR code's picture.

use std::fmt;

use sha2::{Digest, Sha512};

use crate::IdentityPublic;

/// Changes whenever the construction does; part of what is hashed.
const VERSION: &[u8] = b"portcullis safety number v1\0";
/// Makes finding a key with the same thirty digits 5,200 times as dear.
const ROUNDS: u32 = 5_200;
/// Each group of five digits comes from five bytes of the hash.
const GROUP: usize = 5;
const GROUPS_OF_ONE_SIDE: usize = 6;
const GROUPS_IN_A_LINE: usize = 4;

/// The sixty digits of two accounts; the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafetyNumber {
    digits: String,
}

impl SafetyNumber {
    /// The number of two accounts, each an identity key and a 16-byte account id, in either order.
    ///
    /// Takes a few milliseconds.
    #[must_use]
    pub fn new(one: (&IdentityPublic, &[u8; 16]), other: (&IdentityPublic, &[u8; 16])) -> Self {
        let mut sides = [digits_of(one), digits_of(other)];
        sides.sort();
        Self { digits: sides.concat() }
    }

    /// Sixty digits without spaces, as for a QR code.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.digits
    }
}

/// Twelve groups of five digits in three lines of four.
impl fmt::Display for SafetyNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, digit) in self.digits.chars().enumerate() {
            if place > 0 && place % (GROUP * GROUPS_IN_A_LINE) == 0 {
                formatter.write_str("\n")?;
            } else if place > 0 && place % GROUP == 0 {
                formatter.write_str(" ")?;
            }
            write!(formatter, "{digit}")?;
        }
        Ok(())
    }
}

/// Thirty digits of one side.
fn digits_of((identity, account): (&IdentityPublic, &[u8; 16])) -> String {
    let key = identity.as_bytes();
    let mut hash =
        Sha512::new().chain_update(VERSION).chain_update(key).chain_update(account).finalize();
    for _ in 0..ROUNDS {
        hash = Sha512::new().chain_update(hash).chain_update(key).finalize();
    }
    hash.chunks_exact(GROUP)
        .take(GROUPS_OF_ONE_SIDE)
        .map(|bytes| {
            let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            format!("{:05}", number % 100_000)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IdentityKey, Secret};

    fn identity(byte: u8) -> IdentityPublic {
        IdentityKey::from_secret(&Secret::from_bytes([byte; 32])).public()
    }

    fn number(one: (u8, u8), other: (u8, u8)) -> SafetyNumber {
        let (keys, ids) = ([identity(one.0), identity(other.0)], [[one.1; 16], [other.1; 16]]);
        SafetyNumber::new((&keys[0], &ids[0]), (&keys[1], &ids[1]))
    }

    /// Expected value: the construction written once more in Python, with `hashlib`.
    #[test]
    fn the_number_agrees_with_an_independent_computation() {
        let number = number((1, 1), (2, 2));
        assert_eq!(number.digits(), "491895649317843810943132213883567581745478203087698274389527");
        assert_eq!(
            number.to_string(),
            "49189 56493 17843 81094\n31322 13883 56758 17454\n78203 08769 82743 89527"
        );
    }

    #[test]
    fn both_people_see_the_same_and_any_change_shows() {
        fn check(one: (u8, u8), other: (u8, u8), same: bool) {
            let equal = number((1, 1), (2, 2)) == number(one, other);
            assert_eq!(equal, same, "{one:?} {other:?}");
        }
        check((2, 2), (1, 1), true);
        check((3, 1), (2, 2), false);
        check((1, 1), (3, 2), false);
        check((1, 3), (2, 2), false);
        check((1, 2), (2, 1), false);
    }
}
