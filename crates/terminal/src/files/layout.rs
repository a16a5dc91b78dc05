//! Where the bytes of a transfer's stream lie: in the manifest, in one of its files, or in the zeros at its end.

use std::ops::Range;

use portcullis_proto::Manifest;

/// Where each byte of a stream belongs.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    manifest: u64,
    /// Where each entry's bytes begin in the stream.
    starts: Vec<u64>,
    /// Where the zeros begin.
    end: u64,
}

/// What some bytes of a stream belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    Manifest,
    Entry(usize),
    Padding,
}

/// Bytes that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) home: Home,
    /// Where they begin there.
    pub(super) at: u64,
    pub(super) len: usize,
}

impl Layout {
    pub(super) fn new(manifest: &Manifest, manifest_bytes: u64) -> Self {
        let mut end = manifest_bytes;
        let starts = manifest.entries().iter().map(|entry| {
            let start = end;
            end += entry.kind.bytes();
            start
        });
        let starts = starts.collect();
        Self { manifest: manifest_bytes, starts, end }
    }

    /// The spans of a range of the stream, in order.
    pub(super) fn spans(&self, range: Range<u64>) -> impl Iterator<Item = Span> {
        let mut at = range.start;
        std::iter::from_fn(move || {
            let left = range.end.checked_sub(at).filter(|left| *left > 0)?;
            let (home, start, end) = self.home(at);
            let len = left.min(end - at);
            let span = Span { home, at: at - start, len: usize::try_from(len).ok()? };
            at += len;
            Some(span)
        })
    }

    /// What a byte belongs to, and where that begins and ends.
    fn home(&self, at: u64) -> (Home, u64, u64) {
        if at < self.manifest {
            return (Home::Manifest, 0, self.manifest);
        }
        if at >= self.end {
            return (Home::Padding, self.end, u64::MAX);
        }
        // The last one that begins there or before: empty ones that begin at the same byte stand before it.
        let after = self.starts.partition_point(|start| *start <= at);
        let entry = after.saturating_sub(1);
        let start = self.starts.get(entry).copied().unwrap_or(self.manifest);
        let end = self.starts.get(after).copied().unwrap_or(self.end);
        (Home::Entry(entry), start, end)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use portcullis_proto::{Entry, EntryKind, FileName, FilePath};

    #[test]
    fn every_byte_has_its_home() {
        let sizes = [3, 0, 0, 5, 0];
        let entry = |(number, bytes): (usize, &u64)| Entry {
            path: FilePath::new(vec![FileName::parse(&format!("f{number}")).unwrap()]).unwrap(),
            kind: EntryKind::File(*bytes),
        };
        let manifest = Manifest::new(sizes.iter().enumerate().map(entry).collect()).unwrap();
        let layout = Layout::new(&manifest, 10);
        let check = |range: Range<u64>, expected: &[(Home, u64, usize)]| {
            let expected: Vec<Span> = expected
                .iter()
                .map(|(home, at, len)| Span { home: *home, at: *at, len: *len })
                .collect();
            assert_eq!(layout.spans(range).collect::<Vec<_>>(), expected);
        };
        let all = [
            (Home::Manifest, 0, 10),
            (Home::Entry(0), 0, 3),
            (Home::Entry(3), 0, 5),
            (Home::Padding, 0, 2),
        ];
        check(0..20, &all);
        check(0..0, &[]);
        check(4..6, &[(Home::Manifest, 4, 2)]);
        check(11..14, &[(Home::Entry(0), 1, 2), (Home::Entry(3), 0, 1)]);
        check(17..18, &[(Home::Entry(3), 4, 1)]);
        check(18..19, &[(Home::Padding, 0, 1)]);
        check(100..101, &[(Home::Padding, 82, 1)]);
    }
}
