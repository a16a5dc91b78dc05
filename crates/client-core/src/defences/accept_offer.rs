//! An offer of files counts only in an encrypted conversation, from one of its members, under an id that nothing
//! else has, and only so many of each person wait for an answer.
//!
//! Attack: a member offers other files under the id of a transfer that somebody has accepted, so that they come in
//! its place; a server puts an offer into a channel, where it can read the key; somebody offers ten thousand files,
//! until the home of everyone else is full of them.
//! CWE-694, use of multiple resources with duplicate identifier; CWE-770, allocation without limits.
//! Precedent: CVE-2019-6111 (scp: what the sender named was written over what the recipient had asked for);
//! CVE-2023-24068 and CVE-2023-24069 (Signal Desktop: attachments that could be replaced).

use crate::limits;
use portcullis_proto::FileOffer;
use std::fmt;

/// An offer that stands in a conversation's log.
#[derive(Debug, Clone, Copy)]
pub struct OfferMade<'a> {
    /// What is offered.
    pub offer: &'a FileOffer,
    /// Whether the conversation is encrypted.
    pub encrypted: bool,
    /// Whether its author is a member and has not left.
    pub of_member: bool,
    /// Whether a transfer of this id is known, whoever has offered it, and where.
    pub known: bool,
    /// How many offers of this person wait for an answer.
    pub waiting: usize,
}

/// Proof that an offer counts.
#[derive(Debug, Clone, Copy)]
pub struct OfferAccepted<'a> {
    offer: &'a FileOffer,
}

impl<'a> OfferAccepted<'a> {
    /// The offer.
    #[must_use]
    pub const fn offer(self) -> &'a FileOffer {
        self.offer
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(offer: &'a FileOffer) -> Self {
        Self { offer }
    }
}

/// Why an offer does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferRefused {
    /// Others than the members could read its key.
    NotEncrypted,
    /// Its author is not a member.
    NotMember,
    /// Its numbers can't be true.
    Impossible,
    /// Its id is that of another transfer.
    Known,
    /// Too many wait for an answer.
    TooMany,
}

impl fmt::Display for OfferRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotEncrypted => "it would not stay between you",
            Self::NotMember => "they are not a member",
            Self::Impossible => "there can be no such files",
            Self::Known => "it takes the place of another offer",
            Self::TooMany => "too many of their offers wait for an answer",
        })
    }
}

/// Decides whether an offer counts.
///
/// # Errors
/// [`OfferRefused`].
pub fn accept_offer<'a>(made: &OfferMade<'a>) -> Result<OfferAccepted<'a>, OfferRefused> {
    if !made.encrypted {
        return Err(OfferRefused::NotEncrypted);
    }
    if !made.of_member {
        return Err(OfferRefused::NotMember);
    }
    if made.offer.blob_bytes().is_none() || made.offer.files == 0 {
        return Err(OfferRefused::Impossible);
    }
    if made.known {
        return Err(OfferRefused::Known);
    }
    if made.waiting >= limits::OFFERS_WAITING {
        return Err(OfferRefused::TooMany);
    }
    Ok(OfferAccepted { offer: made.offer })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::transfers::testing::offer;

    fn check(change: impl FnOnce(&mut OfferMade<'_>), expected: Option<OfferRefused>) {
        let offer = offer(1);
        let mut made = OfferMade {
            offer: &offer,
            encrypted: true,
            of_member: true,
            known: false,
            waiting: limits::OFFERS_WAITING - 1,
        };
        change(&mut made);
        assert_eq!(accept_offer(&made).err(), expected, "{made:?}");
    }

    #[test]
    fn only_a_member_s_new_offer_between_members_counts() {
        check(|_| (), None);
        check(|made| made.encrypted = false, Some(OfferRefused::NotEncrypted));
        check(|made| made.of_member = false, Some(OfferRefused::NotMember));
        check(|made| made.known = true, Some(OfferRefused::Known));
        check(|made| made.waiting += 1, Some(OfferRefused::TooMany));
    }

    #[test]
    fn numbers_that_can_not_be_true() {
        let impossible = |change: fn(&mut FileOffer)| {
            let mut changed = offer(1);
            change(&mut changed);
            let made = OfferMade {
                offer: &changed,
                encrypted: true,
                of_member: true,
                known: false,
                waiting: 0,
            };
            assert_eq!(accept_offer(&made).err(), Some(OfferRefused::Impossible));
        };
        impossible(|offer| offer.bytes = u64::MAX);
        impossible(|offer| offer.files = 0);
    }
}
