//! Blobs under sequences of requests: what the server has told its shell to keep is what its store has, nobody has
//! more than their share, and a token lets its owner do what was asked. Leaves out the bytes, which are the shell's.

use portcullis_proto::{AccountId, Bytes, Request, Timestamp, TransferId};
use portcullis_server_core::defences::{
    BlobUse, CapabilityAccepted, CapabilityAsked, CapabilityKey, SOUND,
};
use portcullis_server_core::store::{Blob, BlobUsage, MemoryStore, Store as _};
use portcullis_server_core::{BlobPolicy, Effect};
use std::collections::BTreeMap;

/// What a shell would keep.
#[derive(Default)]
pub(super) struct Blobs {
    kept: BTreeMap<TransferId, Blob>,
    /// How many were dropped.
    dropped: usize,
}

impl Blobs {
    /// Does what the server wants of its shell.
    pub(super) fn follow(&mut self, effect: &Effect) {
        match effect {
            Effect::KeepBlob(blob) => {
                assert!(self.kept.insert(blob.id, *blob).is_none(), "kept twice");
            }
            Effect::DropBlob(id) => {
                assert!(self.kept.remove(id).is_some(), "dropped, and never kept");
                self.dropped += 1;
            }
            _ => {}
        }
    }

    /// How many there are, and how many are gone.
    #[cfg(test)]
    pub(super) fn count(&self) -> (usize, usize) {
        (self.kept.len(), self.dropped)
    }

    /// The store has the same, and nobody more than they may.
    pub(super) fn check(&self, store: &MemoryStore) {
        let stored = store.blobs(None, u32::MAX).unwrap_or_default();
        assert!(stored.iter().eq(self.kept.values()), "the store has others than are kept");
        let mut usage: BTreeMap<AccountId, BlobUsage> = BTreeMap::new();
        for blob in &stored {
            let own = usage.entry(blob.account).or_default();
            *own = BlobUsage { blobs: own.blobs + 1, bytes: own.bytes + blob.bytes };
        }
        let policy = BlobPolicy::default();
        for (account, own) in usage {
            assert_eq!(store.blob_usage(Some(account)), Ok(own), "added up wrongly");
            assert!(own.blobs <= policy.blobs_each, "more blobs than anybody may have");
            assert!(own.bytes <= policy.account_bytes, "more bytes than anybody may have");
        }
    }
}

/// A token serves whom it was given to, for what was asked, until it ends, and for nothing else.
pub(super) fn check_token(
    key: &CapabilityKey,
    (request, by): (&Request, Option<AccountId>),
    (token, now): (&Bytes, Timestamp),
) {
    let asked = match request {
        Request::ReserveBlob { blob, bytes, .. } => {
            Some((*blob, BlobUse::Store, BlobUse::Fetch, Some(*bytes)))
        }
        Request::FetchBlob { blob } => Some((*blob, BlobUse::Fetch, BlobUse::Store, None)),
        _ => None,
    };
    assert!(asked.is_some(), "a token that nobody asked for");
    let Some((blob, usage, other, bytes)) = asked else { return };
    let accept = |usage| {
        let asked = CapabilityAsked { blob, usage: Some(usage), now };
        (SOUND.accept_capability)(key, &asked, token).ok()
    };
    assert_eq!(accept(other), None, "a token that serves for more than was asked");
    let accepted = accept(usage);
    assert!(accepted.is_some(), "a token that does not serve");
    let serves = |it: &CapabilityAccepted| {
        by.is_none_or(|by| by == it.account()) && bytes.is_none_or(|bytes| bytes == it.bytes())
    };
    assert!(accepted.as_ref().is_some_and(serves), "a token that serves for something else");
}
