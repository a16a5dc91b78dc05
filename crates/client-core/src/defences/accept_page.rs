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
            return Err(Warning::Rewound {
                seen: read.seq,
                head: page.head.min(base.seq),
            });
        }
        if base.seq == read.seq && base.chain != read.chain {
            return Err(Warning::BrokenChain { at: read.seq });
        }
    }
    if base.seq == 0 && base.chain != Envelope::chain_start(id) {
        return Err(Warning::BrokenChain { at: 0 });
    }
    for (expected, envelope) in (base.seq + 1..).zip(&page.envelopes) {
        if envelope.seq != expected || envelope.conversation != id {
            return Err(Warning::OutOfOrder {
                expected,
                got: envelope.seq,
            });
        }
    }
    if page.envelopes.is_empty() && page.head > base.seq {
        return Err(Warning::Withheld {
            at: base.seq,
            head: page.head,
        });
    }
    Ok(PageAccepted { base })
}
