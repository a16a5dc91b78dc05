//! A server can't talk a client into stretching a password less than this program does.
//!
//! Attack: the server names a cost near zero, and what it gets can be guessed a million times faster.
//! CWE-757, selection of a less secure algorithm during negotiation; CWE-916.
//! Precedent: RFC 9807 section 10.8 leaves the stretching to the application; SRP and SCRAM clients that
//! take any iteration count from the server.

use portcullis_crypto::Stretch;
use portcullis_proto::Stretching;

/// The stretching, if it is within the bounds and no weaker than `floor`.
#[must_use]
pub fn accept_stretching(asked: Stretching, floor: Stretch) -> Option<Stretch> {
    let stretch = Stretch::parse(asked.memory_kib, asked.passes, asked.lanes).ok()?;
    stretch.at_least(floor).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(memory_kib: u32, passes: u32, lanes: u32, expected: bool) {
        let asked = Stretching { memory_kib, passes, lanes };
        assert_eq!(accept_stretching(asked, Stretch::STANDARD).is_some(), expected, "{asked:?}");
    }

    #[test]
    fn neither_weaker_nor_endless() {
        check(65_536, 3, 1, true);
        check(131_072, 3, 1, true);
        check(8, 1, 1, false);
        check(65_536, 1, 1, false);
        check(32_768, 3, 1, false);
        check(u32::MAX, 3, 1, false);
        check(65_536, u32::MAX, 1, false);
        check(0, 0, 0, false);
    }
}
