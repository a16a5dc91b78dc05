//! Files are taken without asking only from whom the person has named, only up to the size that they have named for
//! all of a day, and only where nobody's identity is in doubt. Programs are always asked for.
//!
//! Attack: somebody fills a disk, with one file or with one after the other, or with very many that are empty, or puts
//! files where a person finds them among their own, without anybody having said yes; the server puts itself in the place of the one whose files are taken.
//! CWE-434, unrestricted upload of file with dangerous type; CWE-400.
//! Precedent: CVE-2019-11932 (a picture that WhatsApp had taken by itself ran code); AirDrop, open to everyone
//! until 2022.

use crate::limits::UNASKED_ENTRY_BYTES;
use crate::show::IdentityState;

/// An offer that might be taken without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutoOffer {
    /// What is known of its author's identity.
    pub identity: IdentityState,
    /// Whether no member of the conversation has another identity than before.
    pub all_known: bool,
    /// Up to how many bytes the person takes of its author in a day, if any.
    pub limit: Option<u64>,
    /// Bytes that are offered.
    pub bytes: u64,
    /// How many files and empty folders are offered.
    pub files: u32,
    /// Whether any of them is a program.
    pub programs: bool,
    /// Bytes of the same author that were taken so within a day.
    pub taken: u64,
}

/// Proof that an offer may be taken without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutoAccepted {
    counts: u64,
}

impl AutoAccepted {
    /// How many bytes it counts of what is taken so in a day.
    #[must_use]
    pub const fn counts(self) -> u64 {
        self.counts
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(counts: u64) -> Self {
        Self { counts }
    }
}

impl AutoOffer {
    /// As many bytes as its files can take, each at least [`UNASKED_ENTRY_BYTES`]: how many are in which is not known.
    fn counts(&self) -> u64 {
        let more = u64::from(self.files.saturating_sub(1)) * UNASKED_ENTRY_BYTES;
        self.bytes.max(UNASKED_ENTRY_BYTES).saturating_add(more)
    }
}

/// Decides whether an offer is taken without asking.
#[must_use]
pub fn auto_accept(offer: &AutoOffer) -> Option<AutoAccepted> {
    let known = matches!(offer.identity, IdentityState::Verified | IdentityState::NotVerified);
    let counts = offer.counts();
    let fits = offer.limit.is_some_and(|most| counts.saturating_add(offer.taken) <= most);
    (known && offer.all_known && fits && !offer.programs).then_some(AutoAccepted { counts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};

    const OFFER: AutoOffer = AutoOffer {
        identity: IdentityState::NotVerified,
        all_known: true,
        limit: Some(100_000),
        bytes: 60_000,
        files: 1,
        programs: false,
        taken: 40_000,
    };

    fn check(offer: AutoOffer, expected: bool) {
        assert_eq!(auto_accept(&offer).is_some(), expected, "{offer:?}");
    }

    #[test]
    fn only_what_the_person_has_named_is_taken() {
        use IdentityState::{Changed, Guest, Own, Verified};
        check(OFFER, true);
        check(AutoOffer { identity: Verified, ..OFFER }, true);
        check(AutoOffer { limit: None, ..OFFER }, false);
        check(AutoOffer { bytes: 60_001, ..OFFER }, false);
        check(AutoOffer { taken: 40_001, ..OFFER }, false);
        check(AutoOffer { bytes: u64::MAX, limit: Some(u64::MAX - 1), ..OFFER }, false);
        check(AutoOffer { all_known: false, ..OFFER }, false);
        check(AutoOffer { programs: true, ..OFFER }, false);
        for identity in [Changed, Guest, Own] {
            check(AutoOffer { identity, ..OFFER }, false);
        }
    }

    #[test]
    fn very_many_empty_files_are_not_nothing() {
        let check = |bytes: u64, files: u32, counts: u64| {
            let offer = AutoOffer { bytes, files, taken: 0, limit: Some(counts), ..OFFER };
            assert_eq!(auto_accept(&offer).map(AutoAccepted::counts), Some(counts));
            check(AutoOffer { limit: Some(counts - 1), ..offer }, false);
        };
        check(0, 1, 4096);
        check(5000, 1, 5000);
        check(5000, 3, 5000 + 2 * 4096);
        check(300_000, 10_000, 300_000 + 9_999 * 4096);
    }

    #[test]
    fn without_it_anybody_s_files_are_taken() {
        let twin = Defences { auto_accept: |_| Some(AutoAccepted::unproven(0)), ..SOUND };
        let stranger = AutoOffer { limit: None, ..OFFER };
        assert!((twin.auto_accept)(&stranger).is_some());
        assert!((SOUND.auto_accept)(&stranger).is_none());
    }
}
