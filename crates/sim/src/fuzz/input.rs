//! Reads a fuzzer's bytes as choices, from front to back. An exhausted input ends the run.

/// What is left of the bytes.
#[derive(Debug)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// All of them.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> Option<usize> {
        let byte = usize::from(self.byte()?);
        Some(if bound == 0 { 0 } else { byte % bound })
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let at = self.below(of.len())?;
        of.get(at).copied()
    }

    /// A length in one byte, and so many bytes, or what is left.
    pub fn chunk(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.byte()?).min(self.0.len());
        let (chunk, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(chunk)
    }

    /// A chunk as text.
    pub fn text(&mut self) -> Option<String> {
        Some(String::from_utf8_lossy(self.chunk()?).into_owned())
    }

    /// A number from the places where arithmetic goes wrong, or a small one.
    pub fn number(&mut self) -> Option<u64> {
        const EDGES: [u64; 8] =
            [u64::MAX, u64::MAX - 1, 1 << 63, i64::MAX as u64, 1 << 53, 1 << 32, 1 << 31, 1 << 16];
        let byte = self.byte()?;
        let edge = byte.checked_sub(248).and_then(|at| EDGES.get(usize::from(at)));
        Some(edge.copied().unwrap_or_else(|| u64::from(byte)))
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_choices_until_they_end() {
        let mut input = Input::new(&[5, 2, 7, 8, 255, 9, 200, 1]);
        assert_eq!(input.below(3), Some(2));
        assert_eq!(input.chunk(), Some(&[7, 8][..]));
        assert_eq!(input.number(), Some(1 << 16));
        assert_eq!(input.number(), Some(9));
        assert_eq!(input.chunk(), Some(&[1][..]));
        assert_eq!(input.byte(), None);
        assert_eq!(input.chunk(), None);
    }
}
