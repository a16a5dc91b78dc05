//! One source of randomness for a run: the same seed, the same run.

use portcullis_crypto::Randomness;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

/// Seeded chance, with the few questions that a simulation asks.
#[derive(Debug, Clone)]
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The chance of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        if bound == 0 { 0 } else { usize::try_from(self.0.next_u64() % bound).unwrap_or(0) }
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// The source itself, for what the cores draw.
    pub fn rng(&mut self) -> &mut dyn Randomness {
        &mut self.0
    }

    /// An independent chance, drawn from this one.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(ChaCha8Rng::seed_from_u64(self.0.next_u64()))
    }

    /// The source itself, to be given away.
    #[must_use]
    pub fn into_rng(self) -> impl Randomness + Send + 'static {
        self.0
    }
}
