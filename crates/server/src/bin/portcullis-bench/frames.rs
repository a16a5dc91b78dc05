//! Counting the server's frames in a stream of bytes, without a copy. Source: RFC 6455 section 5.2.

use crate::load::Counted;

/// Counts frames as their first bytes come in.
pub(crate) struct Counter {
    /// Frames of so many bytes and nothing else.
    bare: Option<usize>,
    /// The frame's header and the start of its payload, while that is incomplete.
    head: Vec<u8>,
    /// Bytes left of a frame that is counted.
    skip: usize,
    pub(crate) counted: Counted,
}

/// Bytes of payload that tell a reply from an event: `{"i` or `{"e`.
const TELLING: usize = 3;

impl Counter {
    pub(crate) fn new(bare: Option<usize>) -> Self {
        Counter { bare, head: Vec::new(), skip: 0, counted: Counted::default() }
    }

    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        self.counted.bytes += bytes.len() as u64;
        if let Some(frame) = self.bare {
            self.counted.events = self.counted.bytes / frame as u64;
            return;
        }
        while let Some((first, rest)) = bytes.split_first() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            self.head.push(*first);
            bytes = rest;
            self.look();
        }
    }

    /// Counts the frame, once its head says enough.
    fn look(&mut self) {
        let Some((header, payload)) = lengths(&self.head) else {
            return;
        };
        if self.head.len() < header + payload.min(TELLING) {
            return;
        }
        let is_text = self.head.first() == Some(&0x81);
        match self.head.get(header + 2) {
            Some(b'i') if is_text => self.counted.replies += 1,
            _ if is_text => self.counted.events += 1,
            _ => {}
        }
        self.skip = header + payload - self.head.len();
        self.head.clear();
    }
}

/// Bytes of the header and of the payload, once both are known.
fn lengths(head: &[u8]) -> Option<(usize, usize)> {
    match head {
        [_, 127, rest @ ..] => {
            let length = u64::from_be_bytes(*rest.first_chunk()?);
            Some((10, usize::try_from(length).ok()?))
        }
        [_, 126, rest @ ..] => Some((4, u16::from_be_bytes(*rest.first_chunk()?).into())),
        [_, short, ..] => Some((2, usize::from(*short))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_wherever_the_stream_is_cut() {
        let mut stream = Vec::new();
        for payload in
            [&b"{\"id\":1}"[..], b"{\"event\":\"x\"}", &[b'x'; 200], &[b'x'; 70_000], b"{}"]
        {
            portcullis_server::socket::frame::append_text(payload, &mut stream);
        }
        stream.extend_from_slice(&[0x89, 0]);
        for cut in 1..300 {
            let mut counter = Counter::new(None);
            stream.chunks(cut).for_each(|part| counter.feed(part));
            let Counted { events, replies, bytes } = counter.counted;
            assert_eq!((events, replies, bytes), (4, 1, stream.len() as u64), "cut {cut}");
        }
    }
}
