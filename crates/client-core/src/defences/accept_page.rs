//! A page of a conversation is taken only where it continues what was read: the same chain, the next
//! numbers, nothing taken back.
//!
//! Attack: the server rewinds a conversation, changes or drops what was said, or shuffles it.
//! CWE-345, insufficient verification of data authenticity.
//! Precedent: the "fork consistency" line of work (Mazières & Shasha 2002, SUNDR).

use crate::Warning;
use portcullis_proto::{ConversationId, Envelope, Fetched, Seen};

/// Proof that a page continues what was read, and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageAccepted {
    base: Seen,
}

impl PageAccepted {
    /// The place just before the page.
    #[must_use]
    pub const fn base(self) -> Seen {
        self.base
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(base: Seen) -> Self {
        Self { base }
    }
}

/// Compares a page with what was read before; without anything read its beginning is taken on trust,
/// and the authors' own words about what they saw will tell.
///
/// # Errors
/// The warning that the person has to see.
pub fn accept_page(
    id: ConversationId,
    read: Option<Seen>,
    page: &Fetched,
) -> Result<PageAccepted, Warning> {
    let base = page.base;
    if page.conversation != id {
        return Err(Warning::Nonsense);
    }
    if let Some(read) = read {
        if page.head < read.seq || base.seq < read.seq {
            return Err(Warning::Rewound { seen: read.seq, head: page.head.min(base.seq) });
        }
        if base.seq == read.seq && base.chain != read.chain {
            return Err(Warning::BrokenChain { at: read.seq });
        }
    }
    if base.seq == 0 && base.chain != Envelope::chain_start(id) {
        return Err(Warning::BrokenChain { at: 0 });
    }
    let mut last = base.seq;
    for envelope in &page.envelopes {
        // After the largest number there is none: then nothing is in order.
        if Some(envelope.seq) != last.checked_add(1) || envelope.conversation != id {
            let expected = last.saturating_add(1);
            return Err(Warning::OutOfOrder { expected, got: envelope.seq });
        }
        last = envelope.seq;
    }
    if page.envelopes.is_empty() && page.head > base.seq {
        return Err(Warning::Withheld { at: base.seq, head: page.head });
    }
    Ok(PageAccepted { base })
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_crypto::Hash;
    use portcullis_proto::{AccountId, Bytes, DeviceId, Reference, Timestamp};

    const HERE: ConversationId = ConversationId::LOBBY;
    const ELSEWHERE: ConversationId = ConversationId::from_bytes([9; 16]);

    fn seen(seq: u64, chain: u8) -> Seen {
        Seen { seq, chain: Hash::from_bytes([chain; 32]) }
    }

    fn start() -> Seen {
        Seen { seq: 0, chain: Envelope::chain_start(HERE) }
    }

    fn page(base: Seen, seqs: &[u64], head: u64) -> Fetched {
        let envelope = |seq: &u64| Envelope {
            conversation: HERE,
            seq: *seq,
            account: AccountId::from_bytes([1; 16]),
            device: DeviceId::from_bytes([2; 16]),
            epoch: 0,
            reference: Reference::from_bytes([3; 16]),
            accepted_at: Timestamp(0),
            body: Bytes::default(),
        };
        let envelopes = seqs.iter().map(envelope).collect();
        Fetched { conversation: HERE, base, envelopes, head }
    }

    fn check(read: Option<Seen>, page: &Fetched, expected: Result<Seen, Warning>) {
        assert_eq!(accept_page(HERE, read, page).map(PageAccepted::base), expected);
    }

    #[test]
    fn a_page_continues_what_was_read() {
        check(None, &page(start(), &[1, 2], 2), Ok(start()));
        check(None, &page(start(), &[], 0), Ok(start()));
        check(None, &page(seen(7, 1), &[8], 9), Ok(seen(7, 1)));
        check(Some(seen(7, 1)), &page(seen(7, 1), &[8, 9], 9), Ok(seen(7, 1)));
        check(Some(seen(7, 1)), &page(seen(7, 1), &[], 7), Ok(seen(7, 1)));
        check(Some(seen(7, 1)), &page(seen(9, 2), &[10], 10), Ok(seen(9, 2)));
        let end = u64::MAX;
        check(None, &page(seen(end - 1, 1), &[end], end), Ok(seen(end - 1, 1)));
    }

    #[test]
    fn what_does_not_is_a_warning() {
        let broken = |at| Err(Warning::BrokenChain { at });
        check(Some(seen(7, 1)), &page(seen(7, 2), &[8], 8), broken(7));
        check(None, &page(seen(0, 2), &[1], 1), broken(0));
        let rewound = Err(Warning::Rewound { seen: 7, head: 5 });
        check(Some(seen(7, 1)), &page(seen(5, 1), &[], 5), rewound.clone());
        check(Some(seen(7, 1)), &page(seen(5, 1), &[6, 7, 8], 8), rewound);
        let order = |expected, got| Err(Warning::OutOfOrder { expected, got });
        check(None, &page(start(), &[2], 2), order(1, 2));
        check(None, &page(start(), &[1, 3, 2], 3), order(2, 3));
        check(None, &page(start(), &[1, 1], 3), order(2, 1));
        let withheld = Err(Warning::Withheld { at: 7, head: 9 });
        check(Some(seen(7, 1)), &page(seen(7, 1), &[], 9), withheld);
        let elsewhere = Fetched { conversation: ELSEWHERE, ..page(start(), &[1], 1) };
        check(None, &elsewhere, Err(Warning::Nonsense));
        // After the last number there is none.
        let end = u64::MAX;
        check(None, &page(seen(end, 1), &[end], end), order(end, end));
        check(None, &page(seen(end, 1), &[0], end), order(end, 0));
    }
}
