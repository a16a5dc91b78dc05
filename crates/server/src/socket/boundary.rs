//! Where frames begin and end in the bytes that come in: lengths only, no rules. tungstenite is
//! never given bytes of two frames at once, so that its buffer is empty between them and can be
//! let go after a long message. Source: RFC 6455 section 5.2.

/// The place in the stream of frames.
#[derive(Default)]
pub(super) struct Boundary {
    /// The header so far.
    head: [u8; LONGEST_HEADER],
    filled: usize,
    /// Bytes of payload still to come.
    left: u64,
    /// Bytes of payload of the message that is coming: those that came, and those that its last frame announces.
    /// Pings, pongs and closes may come in between, and are no part of it.
    message: u64,
}

/// Bytes of the longest header: two, eight for the length, four for the mask.
const LONGEST_HEADER: usize = 14;

impl Boundary {
    /// How many bytes of `input` go on with the same header or payload, `most` at most. They count
    /// as passed.
    pub(super) fn pass(&mut self, input: &[u8], most: usize) -> usize {
        let most = input.len().min(most);
        if self.left > 0 {
            let passed = usize::try_from(self.left).map_or(most, |left| left.min(most));
            self.left -= passed as u64;
            return passed;
        }
        let mut passed = 0;
        for byte in input.iter().take(most) {
            passed += 1;
            if self.extend_head(*byte) {
                break;
            }
        }
        passed
    }

    /// Bytes of the message that is coming, as far as they are known of.
    pub(super) fn message(&self) -> u64 {
        self.message
    }

    /// The message has come to its end.
    pub(super) fn end_message(&mut self) {
        self.message = 0;
    }

    /// Whether a frame has just ended, or none has begun.
    pub(super) fn is_between_frames(&self) -> bool {
        self.filled == 0 && self.left == 0
    }

    /// Whether that completes the header.
    fn extend_head(&mut self, byte: u8) -> bool {
        if let Some(slot) = self.head.get_mut(self.filled) {
            *slot = byte;
            self.filled += 1;
        }
        let Some(length) = payload_length(self.head.get(..self.filled).unwrap_or_default()) else {
            return false;
        };
        self.left = length;
        if !self.head.first().is_some_and(is_control) {
            self.message = self.message.saturating_add(length);
        }
        self.filled = 0;
        true
    }
}

/// Whether a frame with this first byte stands by itself, also between the frames of a message (section 5.5).
fn is_control(first: &u8) -> bool {
    first & 0x08 != 0
}

/// The payload's length, once the header is complete.
fn payload_length(head: &[u8]) -> Option<u64> {
    let [_, second, rest @ ..] = head else { return None };
    let (length, more) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
        127 => (u64::from_be_bytes(*rest.first_chunk()?), 8),
        short => (u64::from(short), 0),
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    (rest.len() >= more + mask).then_some(length)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    /// A frame of this length, and where each of its two parts ends.
    fn frame(masked: bool, length: usize) -> (Vec<u8>, usize) {
        let mask = if masked { 0x80 } else { 0 };
        let mut bytes = match length {
            0..126 => vec![0x81, mask | length as u8],
            126..65_536 => [&[0x81, mask | 126][..], &(length as u16).to_be_bytes()].concat(),
            _ => [&[0x81, mask | 127][..], &(length as u64).to_be_bytes()].concat(),
        };
        bytes.extend_from_slice(if masked { &[0xff; 4] } else { &[] });
        let header = bytes.len();
        bytes.resize(header + length, 0xff);
        (bytes, header)
    }

    #[test]
    fn frames_end_where_they_should_however_they_are_cut() {
        fn check(masked: bool, length: usize, most: usize) {
            let (one, header) = frame(masked, length);
            let stream = [&one[..], &one].concat();
            let (mut boundary, mut at) = (Boundary::default(), 0);
            while at < stream.len() {
                let within = at % one.len();
                let end = if within < header { header } else { one.len() };
                let passed = boundary.pass(&stream[at..], most);
                assert!(passed > 0 && within + passed <= end, "{masked} {length} {most} at {at}");
                at += passed;
                assert_eq!(boundary.is_between_frames(), at % one.len() == 0);
            }
        }
        for masked in [true, false] {
            for length in [0, 1, 125, 126, 300, 65_535, 65_536] {
                for most in [1, 2, 3, 7, 512, 100_000] {
                    check(masked, length, most);
                }
            }
        }
    }
}
