//! Stretching passwords: Argon2id, and the bounds on its cost.
//!
//! The cost is stored with each account and each local store, so it comes back from a server or a disk
//! that may lie: too high would stop the client, too low would make guessing cheap. Hence
//! [`Stretch::parse`] and [`Stretch::at_least`]. Leaves out what the result is used for.
//! Source: RFC 9106, version 0x13.

use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

use crate::Secret;

/// How much an Argon2id computation costs. Always within the bounds of [`parse`](Self::parse).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Stretch {
    /// 64 MiB and three passes: the second recommendation of RFC 9106, section 4, with one lane because
    /// a browser has one thread.
    pub const STANDARD: Self = Self { memory_kib: 65_536, passes: 3, lanes: 1 };

    /// The least that Argon2id allows: NO SECURITY, for the simulator and the range.
    pub const LIGHT: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };

    /// 1 GiB: more would stop a phone or a browser tab.
    pub const MAX_MEMORY_KIB: u32 = 1_048_576;
    /// With the most memory this takes about half a minute, and is already absurd.
    pub const MAX_PASSES: u32 = 16;
    /// Lanes are computed one after the other here, so more of them gain nothing.
    pub const MAX_LANES: u32 = 4;

    /// A cost as received: memory in KiB, passes over it, lanes.
    ///
    /// # Errors
    /// [`BadStretch::TooCostly`] above a bound, [`BadStretch::Impossible`] below what Argon2id allows (one
    /// pass, one lane, 8 KiB a lane).
    pub fn parse(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, BadStretch> {
        if memory_kib > Self::MAX_MEMORY_KIB || passes > Self::MAX_PASSES || lanes > Self::MAX_LANES
        {
            return Err(BadStretch::TooCostly);
        }
        if passes == 0 || lanes == 0 || memory_kib < 8 * lanes {
            return Err(BadStretch::Impossible);
        }
        Ok(Self { memory_kib, passes, lanes })
    }

    /// This cost, unless it is weaker than `floor` in memory or in passes.
    ///
    /// A client calls it before it stretches a password at a server's word.
    ///
    /// # Errors
    /// [`BadStretch::TooWeak`].
    pub fn at_least(self, floor: Self) -> Result<Self, BadStretch> {
        if self.memory_kib < floor.memory_kib || self.passes < floor.passes {
            return Err(BadStretch::TooWeak);
        }
        Ok(self)
    }

    /// Memory in KiB.
    #[must_use]
    pub const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    #[must_use]
    pub const fn passes(self) -> u32 {
        self.passes
    }

    /// Lanes.
    #[must_use]
    pub const fn lanes(self) -> u32 {
        self.lanes
    }
}

/// Why a cost is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadStretch {
    /// Above an upper bound.
    TooCostly,
    /// Below the floor that the client insists on.
    TooWeak,
    /// Below what Argon2id allows.
    Impossible,
}

impl fmt::Display for BadStretch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TooCostly => "the cost of password stretching is too high",
            Self::TooWeak => "the cost of password stretching is too low",
            Self::Impossible => "the cost of password stretching is not one",
        })
    }
}

impl std::error::Error for BadStretch {}

/// The machine could not give the memory, or the input is longer than 4 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StretchFailed;

impl fmt::Display for StretchFailed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not enough memory to stretch the password")
    }
}

impl std::error::Error for StretchFailed {}

/// Stretches a password (as bytes) with a 16-byte salt. Slow on purpose: run it as a job.
///
/// # Errors
/// [`StretchFailed`] if the memory can't be had.
pub fn stretch(
    password: &[u8],
    salt: &[u8; 16],
    cost: Stretch,
) -> Result<Secret<32>, StretchFailed> {
    let mut output = Zeroizing::new([0; 32]);
    stretch_into(password, salt, cost, output.as_mut())?;
    Ok(Secret::from_bytes(*output))
}

/// The same for any length of output; OPAQUE wants 64 bytes.
pub(crate) fn stretch_into(
    password: &[u8],
    salt: &[u8; 16],
    cost: Stretch,
    output: &mut [u8],
) -> Result<(), StretchFailed> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(output.len()))
        .map_err(|_| StretchFailed)?;
    let count = params.block_count();
    // What the memory holds at the end would let a guess be checked, so it is wiped. It is asked for
    // by hand, so that a machine without enough of it gets an error instead of an abort.
    let mut blocks = Zeroizing::new(Vec::new());
    blocks.try_reserve_exact(count).map_err(|_| StretchFailed)?;
    blocks.resize(count, Block::default());
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password, salt, output, blocks.as_mut_slice())
        .map_err(|_| StretchFailed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::testing::to_hex;

    /// Expected values: the reference C library. The vectors of RFC 9106 need a secret and associated
    /// data, which this interface leaves out.
    #[test]
    fn stretching_agrees_with_the_reference_library() {
        fn check(password: &[u8], salt: &[u8; 16], cost: Stretch, expected: &str) {
            assert_eq!(to_hex(stretch(password, salt, cost).unwrap().expose()), expected);
        }
        check(
            b"password",
            b"somesaltsomesalt",
            Stretch::STANDARD,
            "7664ad4ba1a3c999fcdd0991ffc2270f78302d2383233db5e7befc85d1bb1819",
        );
        check(
            b"",
            &[0; 16],
            Stretch::LIGHT,
            "cfa0d2d242da6703d311d7eefc922e39cc60c9f4ec93a67d20995be541a06be4",
        );
        check(
            b"correct horse",
            &std::array::from_fn(|place| place as u8),
            Stretch::parse(256, 2, 4).unwrap(),
            "561fa692be9487c38899b5e0d9cc1efdded2ab15a5776d9590fa7aab2cfc885f",
        );
    }

    #[test]
    fn costs_have_bounds() {
        fn check(memory_kib: u32, passes: u32, lanes: u32, expected: Result<(), BadStretch>) {
            let parsed = Stretch::parse(memory_kib, passes, lanes);
            assert_eq!(parsed.map(|_| ()), expected, "{memory_kib} {passes} {lanes}");
        }
        check(8, 1, 1, Ok(()));
        check(65_536, 3, 1, Ok(()));
        check(1_048_576, 16, 4, Ok(()));
        check(1_048_577, 1, 1, Err(BadStretch::TooCostly));
        check(65_536, 17, 1, Err(BadStretch::TooCostly));
        check(65_536, 1, 5, Err(BadStretch::TooCostly));
        check(u32::MAX, u32::MAX, u32::MAX, Err(BadStretch::TooCostly));
        check(7, 1, 1, Err(BadStretch::Impossible));
        check(31, 1, 4, Err(BadStretch::Impossible));
        check(8, 0, 1, Err(BadStretch::Impossible));
        check(8, 1, 0, Err(BadStretch::Impossible));
        check(0, 0, 0, Err(BadStretch::Impossible));
    }

    #[test]
    fn a_floor_refuses_what_is_weaker_in_anything() {
        fn check(cost: (u32, u32, u32), good: bool) {
            let cost = Stretch::parse(cost.0, cost.1, cost.2).unwrap();
            let expected = if good { Ok(cost) } else { Err(BadStretch::TooWeak) };
            assert_eq!(cost.at_least(Stretch::STANDARD), expected, "{cost:?}");
        }
        check((65_536, 3, 1), true);
        check((131_072, 4, 4), true);
        check((65_535, 3, 1), false);
        check((1_048_576, 2, 1), false);
        check((8, 16, 1), false);
    }

    #[test]
    fn the_constants_are_within_the_bounds() {
        for cost in [Stretch::STANDARD, Stretch::LIGHT] {
            assert_eq!(Stretch::parse(cost.memory_kib(), cost.passes(), cost.lanes()), Ok(cost));
        }
    }
}
