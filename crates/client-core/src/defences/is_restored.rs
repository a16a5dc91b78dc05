//! A home that was restored from an old copy is noticed before it signs anything.
//!
//! Attack: no attacker is needed. An old copy repeats message numbers, and later keys and nonces, that
//! its device has used before; whoever has the other texts can read or forge.
//! CWE-323, reusing a nonce, key pair in encryption.
//! Precedent: CVE-2017-13077 (state that was set back reuses nonces); RUSTSEC-2023-0068.

/// Whether the server has accepted more envelopes of this device than the device knows to have made.
/// A server can lie about that; all it gains is that the device is replaced by a new one.
#[must_use]
pub const fn is_restored(accepted: u64, acknowledged: u64, waiting: u64) -> bool {
    accepted > acknowledged.saturating_add(waiting)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accepted: u64, acknowledged: u64, waiting: u64, expected: bool) {
        assert_eq!(is_restored(accepted, acknowledged, waiting), expected);
    }

    #[test]
    fn only_what_this_home_does_not_know_of_counts() {
        check(0, 0, 0, false);
        check(5, 5, 0, false);
        check(6, 5, 1, false); // the answer was lost
        check(5, 5, 3, false); // the request was lost
        check(6, 5, 0, true);
        check(u64::MAX, 5, 9, true);
    }
}
