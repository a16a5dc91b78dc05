//! The time, and how far local time is ahead of it.

use portcullis_proto::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in milliseconds since 1970, UTC.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis());
    Timestamp(u64::try_from(millis).unwrap_or(u64::MAX))
}

/// Seconds that local time is ahead of UTC; 0 where the system does not say.
pub(super) fn utc_offset_seconds() -> i32 {
    let zone = tz::TimeZone::local();
    let now = zone.as_ref().ok().and_then(|zone| zone.find_current_local_time_type().ok());
    now.map_or(0, tz::LocalTimeType::ut_offset)
}
