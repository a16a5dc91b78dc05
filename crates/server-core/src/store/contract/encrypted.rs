//! What encrypted conversations need: directs, groups and inboxes, epochs, key packages.

use portcullis_proto::{Bytes, ConversationId, Role, Stock, Timestamp};

use super::fixtures::*;
use crate::store::{Conversation, GroupInfo, InsertError, KeyPackage, Store, StoredEnvelope};

pub fn directs_groups_and_inboxes_have_no_name<S: Store>(store: &S) {
    populate(store);
    let rows = [
        Conversation::direct(account_id(1), account_id(2)),
        Conversation::direct(account_id(2), account_id(9)),
        Conversation::group(conversation_id(5)),
        Conversation::group(conversation_id(6)),
        Conversation::inbox(device_id(1)),
    ];
    committed(store, |store| {
        for row in &rows {
            store.insert_conversation(row).unwrap();
            assert_eq!(store.insert_conversation(row), Err(InsertError::Taken));
            let member = membership(Role::Member, &[(1, None)]);
            store.put_membership(account_id(1), row.id, &member).unwrap();
        }
    });
    for row in &rows {
        assert_eq!(store.conversation(row.id), Ok(Some(row.clone())));
        assert_eq!(store.member_count(row.id), Ok(1));
    }
    let mut expected = rows.to_vec();
    expected.sort_by_key(|row| row.id);
    let listed = store.memberships(account_id(1), None, 9).unwrap();
    assert_eq!(listed.into_iter().map(|(row, _)| row).collect::<Vec<_>>(), expected);
    assert_eq!(store.open_channels(None, 9).unwrap().len(), 2);
}

pub fn an_epoch_begins_with_what_to_join_by<S: Store>(store: &S) {
    populate(store);
    let group = Conversation::group(conversation_id(5));
    committed(store, |store| store.insert_conversation(&group).unwrap());
    assert_eq!(store.group_info(group.id), Ok(None));
    assert_eq!(store.group_info(conversation_id(9)), Ok(None));
    for epoch in [1, 2, 7] {
        let info = GroupInfo { epoch, body: Bytes(vec![epoch as u8; 300_000]) };
        // With an append before and after, which must not bring the former epoch back.
        committed(store, |store| {
            store.savepoint().unwrap();
            let seq = store.conversation(group.id).unwrap().unwrap().end.seq;
            store.append(group.id, &[said(group.id, seq + 1)]).unwrap();
            store.begin_epoch(group.id, &info).unwrap();
            store.append(group.id, &[said(group.id, seq + 2)]).unwrap();
            store.release().unwrap();
            let found = store.conversation(group.id).unwrap().unwrap();
            assert_eq!((found.epoch, found.end.seq), (epoch, seq + 2));
        });
        assert_eq!(store.group_info(group.id), Ok(Some(info)));
        assert_eq!(store.conversation(group.id).unwrap().unwrap().epoch, epoch);
    }
    assert_eq!(store.conversation(conversation_id(1)).unwrap().unwrap().epoch, 1);
    committed(store, |store| {
        let info = GroupInfo { epoch: 1, body: Bytes(vec![]) };
        assert!(store.begin_epoch(conversation_id(9), &info).is_err());
    });
}

/// Whatever else the request does: alone, first, later, refused.
pub fn what_lies_in_an_inbox_does_not_count<S: Store>(store: &S) {
    populate(store);
    let inbox = Conversation::inbox(device_id(2));
    committed(store, |store| store.insert_conversation(&inbox).unwrap());
    let submitted = || store.device(device_id(1)).unwrap().unwrap().submitted;
    let end = || store.conversation(inbox.id).unwrap().unwrap().end.seq;
    let leave = || store.append(inbox.id, &[said(inbox.id, end() + 1)]).unwrap();
    let say = |seq| store.append(conversation_id(1), &envelopes(seq, seq)).unwrap();
    store.begin().unwrap();
    store.savepoint().unwrap();
    leave();
    store.release().unwrap();
    assert_eq!((submitted(), end()), (0, 1));
    store.savepoint().unwrap();
    say(1);
    leave();
    store.release().unwrap();
    assert_eq!((submitted(), end()), (1, 2));
    store.savepoint().unwrap();
    leave();
    store.rollback_to_savepoint().unwrap();
    assert_eq!((submitted(), end()), (1, 2));
    store.savepoint().unwrap();
    leave();
    say(2);
    store.rollback_to_savepoint().unwrap();
    store.commit().unwrap();
    assert_eq!((submitted(), end()), (1, 2));
    let page = store.fetch(inbox.id, 0, 9, 9, 999).unwrap();
    assert_eq!(page.envelopes, [said(inbox.id, 1).envelope, said(inbox.id, 2).envelope]);
}

pub fn key_packages_are_handed_out_once<S: Store>(store: &S) {
    populate(store);
    let check_take = |device: u8, now: u64, expected: Option<(u8, bool, bool)>| {
        let taken = committed(store, |store| {
            store.take_key_package(device_id(device), Timestamp(now)).unwrap()
        });
        let taken = taken.map(|t| (t.body.as_slice()[0], t.single_use, t.last_resort_first));
        assert_eq!(taken, expected, "{device} at {now}");
    };
    let check_stock = |device: u8, now: u64, left: u32, last_resort: bool| {
        let stock = store.stock(device_id(device), Timestamp(now));
        assert_eq!(stock, Ok(Stock { left, last_resort }), "{device} at {now}");
    };
    check_take(1, 0, None);
    check_stock(1, 0, 0, false);
    check_stock(9, 0, 0, false);
    let packages = [package(1, 50), package(2, 10), last_resort(3, 20), package(4, 50)];
    committed(store, |store| {
        store.put_key_packages(device_id(1), &packages).unwrap();
        store.put_key_packages(device_id(2), &[package(7, 50)]).unwrap();
        store.put_key_packages(device_id(1), &[last_resort(5, 60)]).unwrap();
        assert!(store.put_key_packages(device_id(9), &[package(1, 50)]).is_err());
        assert!(store.take_key_package(device_id(9), Timestamp(0)).is_err());
    });
    check_stock(1, 9, 3, true);
    check_stock(1, 10, 2, true);
    check_stock(1, 50, 0, true);
    check_stock(1, 60, 0, false);
    check_take(1, 10, Some((1, true, false)));
    check_take(1, 10, Some((4, true, false)));
    check_stock(1, 10, 0, true);
    check_take(1, 10, Some((5, false, true)));
    check_stock(1, 10, 0, false);
    check_take(1, 10, Some((5, false, false)));
    check_take(1, 60, None);
    check_take(1, 9, Some((2, true, false))); // a clock that was set back
    check_stock(2, 0, 1, false);
    check_take(2, 0, Some((7, true, false)));
    committed(store, |store| {
        store.put_key_packages(device_id(1), &[last_resort(6, 60)]).unwrap();
    });
    check_stock(1, 10, 0, true);
}

pub fn key_packages_are_dropped_by_their_end<S: Store>(store: &S) {
    populate(store);
    committed(store, |store| {
        let packages = [package(1, 10), package(2, 20), last_resort(3, 20), package(4, 30)];
        store.put_key_packages(device_id(1), &packages).unwrap();
        store.put_key_packages(device_id(2), &[package(7, 10)]).unwrap();
    });
    let check = |until: u64, left: u32, last_resort: bool| {
        committed(store, |store| {
            store.drop_key_packages(device_id(1), Timestamp(until)).unwrap();
        });
        let stock = store.stock(device_id(1), Timestamp(0));
        assert_eq!(stock, Ok(Stock { left, last_resort }), "{until}");
    };
    check(9, 3, true);
    check(10, 2, true);
    check(20, 1, false);
    check(u64::MAX, 0, false);
    assert_eq!(store.stock(device_id(2), Timestamp(0)).unwrap().left, 1);
}

/// What device 1 leaves at a place of any conversation.
fn said(conversation: ConversationId, seq: u64) -> StoredEnvelope {
    let mut stored = envelope(7, 1, seq, b"welcome");
    stored.envelope.conversation = conversation;
    stored
}

pub(super) fn package(number: u8, expires_at: u64) -> KeyPackage {
    let (body, expires_at) = (Bytes(vec![number; 30]), Timestamp(expires_at));
    KeyPackage { body, expires_at, last_resort: false }
}

pub(super) fn last_resort(number: u8, expires_at: u64) -> KeyPackage {
    KeyPackage { last_resort: true, ..package(number, expires_at) }
}
