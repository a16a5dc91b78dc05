//! Why something that a guest sent was of no consequence. Guests are told nothing of it, since their protocol has
//! no refusals; the operator sees each reason counted.

use portcullis_proto::classroom::BadFrame;
use portcullis_proto::{Code, Refusal};

use crate::store::{AppendError, StoreError};

/// The reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GuestRefused {
    /// Not a frame of the protocol.
    Malformed,
    /// Not a PEM of an RSA key that is admitted: of 2,048 to 4,096 bits, with e = 65537.
    BadKey,
    /// The signature is not the key's.
    BadSignature,
    /// Something signed before `hello`.
    NoHello,
    /// A second `hello` of a connection.
    SecondHello,
    /// A counter that is not greater than the last one.
    Counter,
    /// A `public_chat` whose sender is not the fingerprint of the key that signed it.
    NotTheSender,
    /// More destinations or keys than one message may have.
    TooManyDestinations,
    /// A kind of message that guests have no use for.
    NotForGuests,
    /// A `chat` for servers that are neither this one nor linked with it.
    Elsewhere,
    /// The same signed bytes and signature were received before.
    Replay,
    /// More than the rate allows.
    TooOften,
    /// As many guests are here, or connections of this guest, as there may be.
    Full,
    /// The guest is not the connection's, perhaps no longer.
    Stranger,
    /// The server could not do it: the store failed.
    Unavailable,
}

impl GuestRefused {
    /// All of them, in order: a counter for each.
    pub const ALL: [Self; 15] = [
        Self::Malformed,
        Self::BadKey,
        Self::BadSignature,
        Self::NoHello,
        Self::SecondHello,
        Self::Counter,
        Self::NotTheSender,
        Self::TooManyDestinations,
        Self::NotForGuests,
        Self::Elsewhere,
        Self::Replay,
        Self::TooOften,
        Self::Full,
        Self::Stranger,
        Self::Unavailable,
    ];

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name in the metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::BadKey => "bad_key",
            Self::BadSignature => "bad_signature",
            Self::NoHello => "no_hello",
            Self::SecondHello => "second_hello",
            Self::Counter => "counter",
            Self::NotTheSender => "not_the_sender",
            Self::TooManyDestinations => "too_many_destinations",
            Self::NotForGuests => "not_for_guests",
            Self::Elsewhere => "elsewhere",
            Self::Replay => "replay",
            Self::TooOften => "too_often",
            Self::Full => "full",
            Self::Stranger => "stranger",
            Self::Unavailable => "unavailable",
        }
    }
}

impl From<BadFrame> for GuestRefused {
    fn from(bad: BadFrame) -> Self {
        match bad {
            BadFrame::Many => Self::TooManyDestinations,
            BadFrame::Pem | BadFrame::Key => Self::BadKey,
            _ => Self::Malformed,
        }
    }
}

impl From<StoreError> for GuestRefused {
    fn from(_: StoreError) -> Self {
        Self::Unavailable
    }
}

impl From<AppendError> for GuestRefused {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::ReferenceUsed => Self::Replay,
            AppendError::Store(error) => error.into(),
        }
    }
}

impl From<Refusal> for GuestRefused {
    fn from(refusal: Refusal) -> Self {
        match refusal.code {
            Code::RateLimited => Self::TooOften,
            _ => Self::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_reason_has_a_place_and_a_name_of_its_own() {
        for (place, reason) in GuestRefused::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), place);
        }
        let names: BTreeSet<_> = GuestRefused::ALL.into_iter().map(GuestRefused::name).collect();
        assert_eq!(names.len(), GuestRefused::ALL.len());
    }
}
