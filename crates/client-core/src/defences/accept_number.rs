//! A device numbers its messages in a channel 1, 2, 3 …: what comes again is refused, what is missing
//! is shown.
//!
//! Attack: the server, or someone who copied it, plays an old message in once more: "pay 10" twice.
//! CWE-294, capture-replay.
//! Precedent: CVE-2017-13077 (replayed handshakes); Threema 2023 (replayed messages).

/// How a number follows the last one of its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbered {
    /// It is the next, or the first that is seen in the middle of a conversation.
    Next,
    /// So many are missing before it.
    Gap(u64),
    /// It was there before.
    Replay,
}

/// Compares a number with the last one; without a last one any number is the next.
#[must_use]
pub fn accept_number(last: Option<u64>, n: u64) -> Numbered {
    match last {
        _ if n == 0 => Numbered::Replay,
        None => Numbered::Next,
        Some(last) if n <= last => Numbered::Replay,
        Some(last) if n == last + 1 => Numbered::Next,
        Some(last) => Numbered::Gap(n - last - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(last: Option<u64>, n: u64, expected: Numbered) {
        assert_eq!(accept_number(last, n), expected, "{last:?} {n}");
    }

    #[test]
    fn numbers() {
        check(None, 7, Numbered::Next);
        check(Some(0), 1, Numbered::Next);
        check(Some(6), 7, Numbered::Next);
        check(Some(0), 3, Numbered::Gap(2));
        check(Some(7), 7, Numbered::Replay);
        check(Some(7), 3, Numbered::Replay);
        check(None, 0, Numbered::Replay);
        check(Some(u64::MAX), u64::MAX, Numbered::Replay);
    }
}
