//! Bytes and passwords that must not leak: wiped when dropped, never printed, compared in constant time.
//!
//! Leaves out where secrets come from and what they are for; key types wrap these.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::Randomness;

/// `N` secret bytes.
///
/// Wiped when dropped, redacted in `Debug`, compared in constant time. There is no `Serialize`:
/// whoever writes one down calls [`expose`](Self::expose), which is easy to search for.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// Takes over these bytes. The caller wipes copies of its own.
    #[must_use]
    pub fn from_bytes(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// Copies exactly `N` bytes; `None` for any other length.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Draws `N` uniform bytes.
    #[must_use]
    pub fn random(rng: &mut dyn Randomness) -> Self {
        let mut bytes = [0; N];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The bytes themselves.
    #[must_use]
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Secret<{N}>(..)")
    }
}

/// A password as a person typed it. Wiped when dropped, redacted in `Debug`.
///
/// No normalisation takes place: the same key presses give the same bytes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Password(String);

impl Password {
    /// Takes over a typed password.
    #[must_use]
    pub fn new(typed: String) -> Self {
        Self(typed)
    }

    /// The password itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::seeded;

    #[test]
    fn debug_shows_no_secret() {
        fn check(value: &dyn fmt::Debug, expected: &str) {
            assert_eq!(format!("{value:?}"), expected);
            assert_eq!(format!("{value:#?}"), expected);
        }
        check(&Secret::from_bytes([7; 32]), "Secret<32>(..)");
        check(&Secret::from_bytes([7; 64]), "Secret<64>(..)");
        check(&Password::new("hunter2".to_owned()), "Password(..)");
    }

    #[test]
    fn equality_is_that_of_the_bytes() {
        fn check(one: [u8; 4], other: [u8; 4], expected: bool) {
            assert_eq!(Secret::from_bytes(one) == Secret::from_bytes(other), expected);
        }
        check([1, 2, 3, 4], [1, 2, 3, 4], true);
        check([1, 2, 3, 4], [1, 2, 3, 5], false);
        check([1, 2, 3, 4], [0, 2, 3, 4], false);
    }

    #[test]
    fn a_slice_must_have_the_length() {
        fn check(slice: &[u8], expected: bool) {
            assert_eq!(Secret::<4>::from_slice(slice).is_some(), expected, "{}", slice.len());
        }
        check(&[], false);
        check(&[1; 3], false);
        check(&[1; 4], true);
        check(&[1; 5], false);
    }

    #[test]
    fn zeroize_wipes_in_place() {
        let mut secret = Secret::from_bytes([7; 32]);
        secret.zeroize();
        assert_eq!(secret.expose(), &[0; 32]);
        let mut password = Password::new("hunter2".to_owned());
        password.zeroize();
        assert_eq!(password.expose(), "");
    }

    #[test]
    fn random_secrets_differ_and_repeat_by_seed() {
        let mut rng = seeded(1);
        let first = Secret::<32>::random(&mut rng);
        assert_ne!(first, Secret::random(&mut rng));
        assert_eq!(first, Secret::random(&mut seeded(1)));
    }
}
