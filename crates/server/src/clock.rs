//! The system's clock, as the core counts time.

use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_proto::Timestamp;

/// The time by the system's clock; one before 1970 counts as 1970.
pub(crate) fn now() -> Timestamp {
    timestamp(SystemTime::now())
}

/// The same for another time.
pub(crate) fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
