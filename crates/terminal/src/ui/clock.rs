//! Times of day and dates from milliseconds. It leaves out time zones: the shell says how far
//! local time is ahead of UTC. Source of the calendar: Howard Hinnant, "chrono-compatible
//! low-level date algorithms".

const WEEKDAYS: [&str; 7] =
    ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAY_SECONDS: i64 = 86_400;

/// A point in local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LocalTime {
    seconds: i64,
}

impl LocalTime {
    /// From milliseconds since 1970, UTC, and the seconds that local time is ahead. What lies
    /// beyond the year 9999 counts as its end: senders may claim any time.
    pub(super) fn new(at: u64, utc_offset_seconds: i32) -> Self {
        const LAST_SECOND: i64 = 253_402_300_799;
        let seconds = i64::try_from(at / 1000).unwrap_or(LAST_SECOND).min(LAST_SECOND);
        Self { seconds: seconds + i64::from(utc_offset_seconds) }
    }

    /// The day's number, to see whether two times are of one day.
    pub(super) fn day(self) -> i64 {
        self.seconds.div_euclid(DAY_SECONDS)
    }

    /// "22:09", five columns.
    pub(super) fn hour_and_minute(self) -> String {
        let second = self.seconds.rem_euclid(DAY_SECONDS);
        format!("{:02}:{:02}", second / 3600, second / 60 % 60)
    }

    /// "Sunday, 22 November 2026".
    pub(super) fn date(self) -> String {
        let (year, month, day) = civil(self.day());
        let weekday = usize::try_from(self.day().rem_euclid(7)).unwrap_or(0);
        let weekday = WEEKDAYS.get(weekday).unwrap_or(&"");
        let month = MONTHS.get(month.saturating_sub(1)).unwrap_or(&"");
        format!("{weekday}, {day} {month} {year}")
    }
}

/// "22 November 2026, 22:09", for lists.
pub(crate) fn date_and_time(at: u64, utc_offset_seconds: i32) -> String {
    let local = LocalTime::new(at, utc_offset_seconds);
    let date = local.date();
    let date = date.split_once(", ").map_or(date.as_str(), |(_, date)| date);
    format!("{date}, {}", local.hour_and_minute())
}

/// Year, month from 1, day from 1, of a day's number since 1970.
fn civil(day: i64) -> (i64, usize, i64) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153; // from March
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, usize::try_from(month).unwrap_or(1), of_month)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (at, offset, time, date) in [
            (0, 0, "00:00", "Thursday, 1 January 1970"),
            (0, -3600, "23:00", "Wednesday, 31 December 1969"),
            (951_782_400_000, 0, "00:00", "Tuesday, 29 February 2000"),
            (1_795_385_355_000, 0, "22:09", "Sunday, 22 November 2026"),
            (1_795_385_355_000, 7200, "00:09", "Monday, 23 November 2026"),
            (u64::MAX, 0, "23:59", "Friday, 31 December 9999"),
        ] {
            let local = LocalTime::new(at, offset);
            assert_eq!((local.hour_and_minute().as_str(), local.date().as_str()), (time, date));
        }
    }
}
