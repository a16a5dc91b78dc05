//! What is said of a transfer after its offer. Each speaks of the offer's message.

use core::fmt;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

use crate::{Bytes, DeviceId, limits};

/// A step of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum FileStep {
    /// A recipient wants it.
    Accepted {
        /// The recipient's device may be reached directly: it will connect to addresses that it is told.
        direct: bool,
    },
    /// A recipient doesn't want it.
    Declined {
        /// Nobody was asked: too many offers of the sender's wait for an answer there.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        full: bool,
    },
    /// The sender can be reached directly, by one device of a recipient.
    Reach {
        /// Which device.
        device: DeviceId,
        /// Where it listens on TCP, at most [`limits::FILE_ADDRESSES`].
        #[serde(default)]
        tcp: Vec<SocketAddr>,
        /// Where it listens on QUIC.
        #[serde(default)]
        quic: Option<QuicWay>,
    },
    /// A recipient can't reach the sender, and fetches from the server.
    Relay {
        /// So many of the blob's first bytes it has already.
        #[serde(default, skip_serializing_if = "is_zero")]
        have: u64,
    },
    /// A recipient has all of it.
    Received,
    /// The sender, or a recipient for itself, ends it.
    Ended {
        /// Why.
        #[serde(flatten, with = "ended")]
        reason: EndReason,
    },
}

/// Where somebody can be reached by QUIC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuicWay {
    /// The endpoint's Ed25519 key, made for this transfer.
    pub key: Bytes,
    /// Where it listens, at most [`limits::FILE_ADDRESSES`].
    #[serde(default)]
    pub addresses: Vec<SocketAddr>,
    /// It can be called through the server that both are connected to.
    #[serde(default)]
    pub relayed: bool,
}

/// Why a transfer ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Somebody wanted it so.
    Cancelled,
    /// The sender's files are not what they were when they were offered.
    Changed,
    /// What came can't be what was offered, or can't be kept.
    Failed,
    /// It has to go through the server, which has no room for it.
    NoRoom,
    /// It was not answered in time.
    Expired,
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "cancelled",
            Self::Changed => "the files have changed since they were offered",
            Self::Failed => "it could not be kept",
            Self::NoRoom => "there is no room for it on the server",
            Self::Expired => "it was not answered in time",
        })
    }
}

/// How an end travels: with a reason that every version knows, and a detail beside it that not all of them do.
mod ended {
    use super::EndReason;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Wire {
        reason: EndReason,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<Detail>,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Detail {
        NoRoom,
        Expired,
        #[serde(other)]
        Unknown,
    }

    pub(super) fn serialize<S: Serializer>(end: &EndReason, to: S) -> Result<S::Ok, S::Error> {
        let (reason, detail) = match end {
            EndReason::NoRoom => (EndReason::Failed, Some(Detail::NoRoom)),
            EndReason::Expired => (EndReason::Cancelled, Some(Detail::Expired)),
            reason => (*reason, None),
        };
        Wire { reason, detail }.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<EndReason, D::Error> {
        let Wire { reason, detail } = Wire::deserialize(from)?;
        Ok(match detail {
            Some(Detail::NoRoom) => EndReason::NoRoom,
            Some(Detail::Expired) => EndReason::Expired,
            Some(Detail::Unknown) | None => reason,
        })
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl FileStep {
    /// Whether its lists are within their limits.
    #[must_use]
    pub(crate) fn is_well_formed(&self) -> bool {
        let fits = |addresses: &[SocketAddr]| addresses.len() <= limits::FILE_ADDRESSES;
        match self {
            Self::Reach { tcp, quic, .. } => {
                fits(tcp)
                    && quic
                        .as_ref()
                        .is_none_or(|quic| quic.key.as_slice().len() == 32 && fits(&quic.addresses))
            }
            _ => true,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn steps_as_they_travel() {
        let check = |step: &FileStep, expected: &str| {
            assert_eq!(serde_json::to_string(step).unwrap(), expected);
            assert_eq!(&serde_json::from_str::<FileStep>(expected).unwrap(), step);
        };
        check(&FileStep::Accepted { direct: true }, r#"{"step":"accepted","direct":true}"#);
        check(&FileStep::Declined { full: false }, r#"{"step":"declined"}"#);
        check(&FileStep::Declined { full: true }, r#"{"step":"declined","full":true}"#);
        check(&FileStep::Relay { have: 0 }, r#"{"step":"relay"}"#);
        check(&FileStep::Relay { have: 70 }, r#"{"step":"relay","have":70}"#);
        check(&FileStep::Received, r#"{"step":"received"}"#);
        let tcp = vec!["127.0.0.1:5".parse().unwrap(), "[::1]:6".parse().unwrap()];
        check(
            &FileStep::Reach { device: DeviceId::from_bytes([1; 16]), tcp, quic: None },
            r#"{"step":"reach","device":"01010101010101010101010101010101","tcp":["127.0.0.1:5","[::1]:6"],"quic":null}"#,
        );
    }

    /// Whoever knows no detail understands the reason.
    #[test]
    fn ends_as_they_travel() {
        let check = |reason, expected: &str| {
            let step = FileStep::Ended { reason };
            assert_eq!(serde_json::to_string(&step).unwrap(), expected);
            assert_eq!(serde_json::from_str::<FileStep>(expected).unwrap(), step);
        };
        check(EndReason::Cancelled, r#"{"step":"ended","reason":"cancelled"}"#);
        check(EndReason::Changed, r#"{"step":"ended","reason":"changed"}"#);
        check(EndReason::Failed, r#"{"step":"ended","reason":"failed"}"#);
        check(EndReason::NoRoom, r#"{"step":"ended","reason":"failed","detail":"no_room"}"#);
        check(EndReason::Expired, r#"{"step":"ended","reason":"cancelled","detail":"expired"}"#);
        let newer = r#"{"step":"ended","reason":"cancelled","detail":"bored"}"#;
        let reason = EndReason::Cancelled;
        assert_eq!(serde_json::from_str::<FileStep>(newer).unwrap(), FileStep::Ended { reason });
        assert!(serde_json::from_str::<FileStep>(r#"{"step":"ended"}"#).is_err());
    }

    #[test]
    fn lists_have_bounds() {
        let address: SocketAddr = "127.0.0.1:5".parse().unwrap();
        let check = |tcp: usize, key: usize, quic: usize, good: bool| {
            let quic = QuicWay {
                key: Bytes(vec![0; key]),
                addresses: vec![address; quic],
                relayed: false,
            };
            let device = DeviceId::from_bytes([1; 16]);
            let step = FileStep::Reach { device, tcp: vec![address; tcp], quic: Some(quic) };
            assert_eq!(step.is_well_formed(), good);
        };
        let most = limits::FILE_ADDRESSES;
        check(most, 32, most, true);
        check(most + 1, 32, 0, false);
        check(0, 32, most + 1, false);
        check(0, 31, 0, false);
    }
}
