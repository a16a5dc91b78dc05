//! Work that is counted, not timed. What a flawed decision costs moves the world's clock by as many
//! milliseconds, so that it is the same on every machine, and no real time tells anything.

use portcullis_crypto::{Hash, hash};
use std::cell::Cell;

thread_local! {
    static SPENT: Cell<u64> = const { Cell::new(0) };
}

/// Does a step of work that takes so many milliseconds of the world's time, on these bytes: that many
/// rounds of hashing.
pub fn spend(millis: u64, bytes: &[u8]) -> Hash {
    SPENT.with(|spent| spent.set(spent.get().saturating_add(millis)));
    let first = hash("portcullis range work", &[bytes]);
    (0..millis).fold(first, |last, _| hash("portcullis range work", &[last.as_bytes()]))
}

/// What was spent on this thread since the last time.
pub(crate) fn take() -> u64 {
    SPENT.with(Cell::take)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted_once() {
        take();
        let one = spend(3, b"a");
        assert_ne!(one, spend(4, b"a"));
        assert_eq!((take(), take()), (7, 0));
    }
}
