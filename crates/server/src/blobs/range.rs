//! Which bytes a request is about: `Content-Range` of what is stored and `Range` of what is fetched.
//! Leaves out what nobody here sends: several ranges, and those that count from the end.
//! Source: RFC 9110, sections 14.2 and 14.4.

/// Bytes from `start` up to and without `end`; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Stretch {
    pub(super) const fn len(self) -> u64 {
        self.end - self.start
    }

    fn within(start: u64, last: u64, whole: u64) -> Option<Self> {
        (start <= last && last < whole).then(|| Self { start, end: last + 1 })
    }
}

/// What can't be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadRange {
    /// Not a range that is understood here.
    Malformed,
    /// Nothing of it is in the blob.
    Beyond,
}

/// `bytes S-E/T` with the T that was reserved.
pub(super) fn stored(header: &str, whole: u64) -> Option<Stretch> {
    let (range, total) = header.strip_prefix("bytes ")?.split_once('/')?;
    let (start, last) = range.split_once('-')?;
    let total = number(total)?;
    if total != whole {
        return None;
    }
    Stretch::within(number(start)?, number(last)?, total)
}

/// `bytes=S-` or `bytes=S-E`, of which what lies beyond the blob is left out.
pub(super) fn fetched(header: &str, whole: u64) -> Result<Stretch, BadRange> {
    let range = header.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let (start, last) = range.ok_or(BadRange::Malformed)?;
    let start = number(start).ok_or(BadRange::Malformed)?;
    let last = match last {
        "" => u64::MAX,
        last => number(last).filter(|last| start <= *last).ok_or(BadRange::Malformed)?,
    };
    Stretch::within(start, last.min(whole.saturating_sub(1)), whole).ok_or(BadRange::Beyond)
}

/// Digits and nothing else: Rust's own parser takes a sign as well.
fn number(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored() {
        let check = |header: &str, expected: Option<(u64, u64)>| {
            let stretch = expected.map(|(start, end)| Stretch { start, end });
            assert_eq!(stored(header, 100), stretch, "{header}");
        };
        check("bytes 0-99/100", Some((0, 100)));
        check("bytes 40-59/100", Some((40, 60)));
        check("bytes 99-99/100", Some((99, 100)));
        check("bytes 0-100/100", None);
        check("bytes 0-98/99", None);
        check("bytes 60-59/100", None);
        check("bytes 100-100/100", None);
        check("bytes 0-99/*", None);
        check("bytes */100", None);
        check("bytes +0-99/100", None);
        check("bytes -1-99/100", None);
        check("bytes 0-18446744073709551615/100", None);
        check("bytes 0-18446744073709551616/100", None);
        check("bytes=0-99/100", None);
        check("", None);
        assert_eq!(stored("bytes 0-18446744073709551615/18446744073709551615", u64::MAX), None);
    }

    #[test]
    fn what_is_fetched() {
        let check = |header: &str, expected: Result<(u64, u64), BadRange>| {
            let stretch = expected.map(|(start, end)| Stretch { start, end });
            assert_eq!(fetched(header, 100), stretch, "{header}");
        };
        check("bytes=0-", Ok((0, 100)));
        check("bytes=40-59", Ok((40, 60)));
        check("bytes=40-18446744073709551615", Ok((40, 100)));
        check("bytes=99-", Ok((99, 100)));
        check("bytes=100-", Err(BadRange::Beyond));
        check("bytes=100-200", Err(BadRange::Beyond));
        check("bytes=60-59", Err(BadRange::Malformed));
        check("bytes=-5", Err(BadRange::Malformed));
        check("bytes=0-1,5-6", Err(BadRange::Malformed));
        check("lines=0-", Err(BadRange::Malformed));
        check("bytes=", Err(BadRange::Malformed));
    }
}
