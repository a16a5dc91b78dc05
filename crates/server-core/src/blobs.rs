//! What people may store for each other on a server, and how full its disk is. Leaves out who may
//! (`defences/may_store_blob.rs`) and the bytes themselves, which are the shell's.

use crate::limits;

/// How much may be stored, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobPolicy {
    /// Bytes of one account's blobs.
    pub account_bytes: u64,
    /// Bytes of all blobs.
    pub all_bytes: u64,
    /// Milliseconds for which one is kept.
    pub keep_millis: u64,
    /// One account's blobs.
    pub blobs_each: u64,
    /// All blobs.
    pub blobs: u64,
}

impl Default for BlobPolicy {
    fn default() -> Self {
        Self {
            account_bytes: limits::BLOB_ACCOUNT_BYTES,
            all_bytes: limits::BLOB_ALL_BYTES,
            keep_millis: limits::BLOB_MILLIS,
            blobs_each: limits::BLOBS_EACH,
            blobs: limits::BLOBS,
        }
    }
}

/// How full the disk is, and what blobs have to do with it, both as of the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that are free.
    pub free: u64,
    /// Bytes of blobs that lie on it already.
    pub stored: u64,
}

impl Default for Disk {
    /// An empty disk without an end, for servers that store nothing.
    fn default() -> Self {
        Self { free: u64::MAX, stored: 0 }
    }
}

impl Disk {
    /// Bytes that can still be promised where `promised` are: what was promised and has not come yet will
    /// take its place, and some is never given away.
    pub(crate) fn room(self, promised: u64) -> u64 {
        let to_come = promised.saturating_sub(self.stored);
        self.free.saturating_sub(limits::BLOB_SPARE_BYTES).saturating_sub(to_come)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(free: u64, stored: u64, promised: u64, expected: u64) {
        let spare = limits::BLOB_SPARE_BYTES;
        assert_eq!(Disk { free: free + spare, stored }.room(promised), expected, "{free} {stored}");
    }

    #[test]
    fn what_is_promised_is_kept_free() {
        check(100, 0, 0, 100);
        check(100, 0, 60, 40);
        check(100, 60, 60, 100);
        check(40, 60, 100, 0);
        check(30, 0, 60, 0);
        // Dropped a moment ago, and its bytes are still there.
        check(100, 60, 0, 100);
        assert_eq!(Disk { free: 5, stored: 0 }.room(0), 0);
        assert_eq!(Disk::default().room(5), u64::MAX - limits::BLOB_SPARE_BYTES - 5);
    }
}
