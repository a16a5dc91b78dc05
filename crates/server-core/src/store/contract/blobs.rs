//! Blobs: rows without bytes.

use portcullis_proto::{Timestamp, TransferId};

use super::fixtures::*;
use crate::store::{Blob, BlobFile, BlobUsage, InsertError, Store};

fn id(number: u8) -> TransferId {
    TransferId::from_bytes([number; 16])
}

/// Blob `number` of an account, in the channel of its number.
fn blob(number: u8, of: u8, bytes: u64) -> Blob {
    Blob {
        id: id(number),
        file: BlobFile([number ^ 0xff; 16]),
        account: account_id(of),
        conversation: conversation_id(of),
        bytes,
        created_at: Timestamp(100 + u64::from(number)),
        expires_at: Timestamp(1_000 + u64::from(number)),
    }
}

pub fn a_blob_is_kept_as_it_was_reserved_until_it_is_dropped<S: Store>(store: &S) {
    populate(store);
    let (first, other) = (blob(1, 1, 5_000_000_000), blob(2, 2, 1));
    committed(store, |store| {
        assert_eq!(store.insert_blob(&first), Ok(()));
        let again = Blob { bytes: 7, ..first };
        assert_eq!(store.insert_blob(&again), Err(InsertError::Taken));
        assert_eq!(store.insert_blob(&other), Ok(()));
        assert!(store.insert_blob(&Blob { account: account_id(9), ..blob(3, 1, 1) }).is_err());
        let nowhere = Blob { conversation: conversation_id(9), ..blob(3, 1, 1) };
        assert!(store.insert_blob(&nowhere).is_err());
    });
    let found = || [1, 2, 3].map(|number| store.blob(id(number)).unwrap());
    assert_eq!(found(), [Some(first), Some(other), None]);
    committed(store, |store| {
        store.drop_blob(id(1)).unwrap();
        store.drop_blob(id(3)).unwrap();
    });
    assert_eq!(found(), [None, Some(other), None]);
    committed(store, |store| store.insert_blob(&Blob { bytes: 7, ..first }).unwrap());
    assert_eq!(store.blob(id(1)).unwrap().unwrap().bytes, 7);
    store.begin().unwrap();
    store.drop_blob(id(2)).unwrap();
    store.rollback().unwrap();
    assert_eq!(store.blob(id(2)).unwrap(), Some(other));
}

pub fn blobs_come_in_pages_by_id_and_by_their_end<S: Store>(store: &S) {
    populate(store);
    committed(store, |store| {
        for number in [3, 0, 2, 255] {
            store.insert_blob(&blob(number, 1, 1)).unwrap();
        }
    });
    let numbers =
        |ids: Vec<TransferId>| -> Vec<u8> { ids.into_iter().map(|id| id.as_bytes()[0]).collect() };
    let page = |after: Option<u8>, limit: u32, expected: &[u8]| {
        let found = store.blobs(after.map(id), limit).unwrap();
        assert_eq!(numbers(found.iter().map(|blob| blob.id).collect()), expected, "{after:?}");
    };
    page(None, 9, &[0, 2, 3, 255]);
    page(None, 2, &[0, 2]);
    page(Some(2), 9, &[3, 255]);
    page(Some(255), 9, &[]);
    let ended = |until: u64, limit: u32, expected: &[u8]| {
        let mut found = numbers(store.expired_blobs(Timestamp(until), limit).unwrap());
        found.sort_unstable();
        assert_eq!(found, expected, "{until}");
    };
    ended(999, 9, &[]);
    ended(1_000, 9, &[0]);
    ended(1_003, 9, &[0, 2, 3]);
    ended(u64::MAX, 9, &[0, 2, 3, 255]);
    assert_eq!(store.expired_blobs(Timestamp(1_003), 2).unwrap().len(), 2);
}

pub fn blobs_are_counted_by_account_and_all_together<S: Store>(store: &S) {
    populate(store);
    let check = |who: Option<u8>, blobs: u64, bytes: u64| {
        let usage = store.blob_usage(who.map(account_id)).unwrap();
        assert_eq!(usage, BlobUsage { blobs, bytes }, "{who:?}");
    };
    check(None, 0, 0);
    committed(store, |store| {
        store.insert_blob(&blob(1, 1, 5_000_000_000)).unwrap();
        store.insert_blob(&blob(2, 1, 7)).unwrap();
        store.insert_blob(&blob(3, 2, 9)).unwrap();
    });
    check(Some(1), 2, 5_000_000_007);
    check(Some(2), 1, 9);
    check(Some(9), 0, 0);
    check(None, 3, 5_000_000_016);
    committed(store, |store| store.drop_blob(id(1)).unwrap());
    check(Some(1), 1, 7);
    check(None, 2, 16);
}

pub fn who_has_collected_a_blob_goes_with_it<S: Store>(store: &S) {
    populate(store);
    let check = |number: u8, expected: &[u8]| {
        let collectors = store.collectors(id(number)).unwrap();
        assert_eq!(collectors, expected.iter().copied().map(account_id).collect::<Vec<_>>());
    };
    committed(store, |store| {
        store.insert_blob(&blob(1, 1, 1)).unwrap();
        store.insert_blob(&blob(2, 1, 1)).unwrap();
        for (number, account) in [(1, 2), (1, 1), (1, 2), (2, 2)] {
            store.collect_blob(id(number), account_id(account)).unwrap();
        }
        assert!(store.collect_blob(id(3), account_id(1)).is_err());
        assert!(store.collect_blob(id(1), account_id(9)).is_err());
    });
    check(1, &[1, 2]);
    check(2, &[2]);
    check(3, &[]);
    committed(store, |store| store.drop_blob(id(1)).unwrap());
    check(1, &[]);
    committed(store, |store| store.insert_blob(&blob(1, 1, 1)).unwrap());
    check(1, &[]);
    check(2, &[2]);
}
