//! The source of randomness, as an argument.
//!
//! Leaves out any source: the shell passes the operating system's, the simulator a seeded one.

use rand_core::{CryptoRng, RngCore};

/// A cryptographic source of random bytes that can be passed as `&mut dyn Randomness`.
///
/// Every `RngCore + CryptoRng` is one.
pub trait Randomness: RngCore + CryptoRng {}

impl<T: RngCore + CryptoRng + ?Sized> Randomness for T {}
