//! Transactions, requests, and what outlives the process.

use portcullis_proto::{Bytes, ConversationId, Role, Stock, Timestamp};

use super::encrypted::{last_resort, package};
use super::fixtures::*;
use crate::store::{GroupInfo, InsertError, Store};

pub fn a_transaction_is_kept_or_forgotten_whole<S: Store>(store: &S) {
    store.begin().unwrap();
    change_everything(store);
    store.rollback().unwrap();
    check_untouched(store);
    assert_eq!(store.conversation(conversation_id(1)), Ok(None));

    populate(store);
    let before = Traces::of(store);
    store.begin().unwrap();
    change_everything_again(store);
    assert_ne!(Traces::of(store), before);
    store.rollback().unwrap();
    assert_eq!(Traces::of(store), before);
    committed(store, change_everything_again);
    assert_ne!(Traces::of(store), before);
}

pub fn a_refused_request_leaves_no_trace<S: Store>(store: &S) {
    populate(store);
    store.begin().unwrap();
    store.savepoint().unwrap();
    store.append(conversation_id(1), &envelopes(1, 2)).unwrap();
    store.release().unwrap();
    let before = Traces::of(store);
    for _ in 0..2 {
        store.savepoint().unwrap();
        change_everything_again(store);
        assert_ne!(Traces::of(store), before);
        store.rollback_to_savepoint().unwrap();
        assert_eq!(Traces::of(store), before);
    }
    store.commit().unwrap();
    assert_eq!(Traces::of(store), before);
}

/// Appends alone, again after one another, and before and after other writes: all undone alike.
pub fn refused_appends_leave_no_trace<S: Store>(store: &S) {
    populate(store);
    committed(store, |store| {
        store.append(conversation_id(1), &envelopes(1, 2)).unwrap();
    });
    let mixed = [envelope(1, 2, 3, b"x"), envelope(1, 1, 4, b"y"), envelope(1, 2, 5, b"z")];
    let elsewhere = [envelope(2, 1, 1, b"elsewhere")];
    let append = |store: &S| store.append(conversation_id(1), &mixed).unwrap();
    let append_elsewhere = |store: &S| store.append(conversation_id(2), &elsewhere).unwrap();
    let disable = |store: &S| store.set_disabled(account_id(1), true).unwrap();
    let refused = |store: &S| {
        let again = [envelope(1, 1, 2, b"again")];
        assert!(store.append(conversation_id(1), &again).is_err());
    };
    let before = Traces::of(store);
    let check = |writes: &[&dyn Fn(&S)]| {
        store.begin().unwrap();
        store.savepoint().unwrap();
        writes.iter().for_each(|write| write(store));
        store.rollback_to_savepoint().unwrap();
        assert_eq!(Traces::of(store), before);
        store.savepoint().unwrap();
        append(store);
        store.release().unwrap();
        store.savepoint().unwrap();
        store.rollback_to_savepoint().unwrap();
        assert_ne!(Traces::of(store), before);
        store.rollback().unwrap();
        assert_eq!(Traces::of(store), before);
    };
    check(&[]);
    check(&[&append]);
    check(&[&append_elsewhere]);
    check(&[&append, &append_elsewhere]);
    check(&[&append, &disable]);
    check(&[&disable, &append]);
    check(&[&append, &disable, &append_elsewhere]);
    check(&[&disable, &append, &append_elsewhere, &refused]);
}

/// What a refused request added is free for the next, under its own rows.
pub fn a_request_after_a_refused_one_is_kept<S: Store>(store: &S) {
    store.begin().unwrap();
    store.savepoint().unwrap();
    change_everything(store);
    store.rollback_to_savepoint().unwrap();
    check_untouched(store);
    store.savepoint().unwrap();
    for number in [2, 1] {
        store.insert_account(&account(number)).unwrap();
        store.put_device(&device(number, number)).unwrap();
        store.insert_conversation(&channel(number)).unwrap();
        let first = [envelope(number, number, 1, b"first")];
        store.append(conversation_id(number), &first).unwrap();
    }
    store.release().unwrap();
    store.commit().unwrap();
    for number in [1, 2] {
        let page = store.fetch(conversation_id(number), 0, 9, 9, 99).unwrap();
        assert_eq!(page.envelopes, [envelope(number, number, 1, b"first").envelope]);
        let found = store.device(device_id(number)).unwrap().unwrap();
        assert_eq!((found.account, found.submitted), (account_id(number), 1));
    }
}

/// Whatever a store remembers of rows that are undone must not be taken for the rows that follow.
pub fn a_forgotten_batch_is_not_mixed_up_with_the_next<S: Store>(store: &S) {
    let add = |number: u8| {
        store.insert_account(&account(number)).unwrap();
        store.put_device(&device(number, number)).unwrap();
        store.insert_conversation(&channel(number)).unwrap();
        let member = membership(Role::Member, &[(1, None)]);
        let (account, conversation) = (account_id(number), conversation_id(number));
        store.put_membership(account, conversation, &member).unwrap();
        let first = [envelope(number, number, 1, b"first")];
        store.append(conversation, &first).unwrap();
    };
    store.begin().unwrap();
    store.savepoint().unwrap();
    add(1);
    store.release().unwrap();
    store.savepoint().unwrap();
    add(3);
    store.rollback_to_savepoint().unwrap();
    let _ = Traces::of(store);
    store.rollback().unwrap();
    committed(store, |_| add(2));
    for number in [1, 3] {
        let (account, conversation) = (account_id(number), conversation_id(number));
        assert_eq!(store.account(account), Ok(None));
        assert_eq!(store.device(device_id(number)), Ok(None));
        assert_eq!(store.conversation(conversation), Ok(None));
        assert_eq!(store.membership(account, conversation), Ok(None));
        assert_eq!(store.memberships(account, None, 9), Ok(vec![]));
        assert_eq!(store.member_count(conversation), Ok(0));
        assert!(store.fetch(conversation, 0, 9, 9, 99).is_err());
    }
}

pub fn calls_out_of_order_are_refused<S: Store>(store: &S) {
    assert!(store.commit().is_err());
    assert!(store.rollback().is_err());
    assert!(store.savepoint().is_err());
    assert!(store.put_invite(&invite(1, 10)).is_err());
    assert!(store.insert_account(&account(1)).is_err());
    store.begin().unwrap();
    assert!(store.begin().is_err());
    assert!(store.release().is_err());
    assert!(store.rollback_to_savepoint().is_err());
    store.savepoint().unwrap();
    assert!(store.savepoint().is_err());
    store.release().unwrap();
    assert!(store.release().is_err());
    store.savepoint().unwrap();
    store.rollback_to_savepoint().unwrap();
    assert!(store.rollback_to_savepoint().is_err());
    store.savepoint().unwrap();
    store.commit().unwrap();
    store.begin().unwrap();
    assert!(store.release().is_err());
    store.rollback().unwrap();
}

pub fn what_is_committed_is_durable_and_nothing_else<S: Store>(
    store: S,
    reopen: impl FnOnce(S) -> S,
) {
    populate(&store);
    committed(&store, change_everything_again);
    let before = Traces::of(&store);
    store.begin().unwrap();
    store.savepoint().unwrap();
    store.insert_account(&account(7)).unwrap();
    store.append(conversation_id(1), &envelopes(4, 5)).unwrap();
    store.release().unwrap();
    let store = reopen(store);
    assert_eq!(Traces::of(&store), before);
    assert_eq!(store.account(account_id(7)), Ok(None));
    committed(&store, |store| {
        store.append(conversation_id(1), &envelopes(4, 5)).unwrap();
    });
    assert_eq!(store.conversation(conversation_id(1)).unwrap().unwrap().end.seq, 5);
}

/// Every kind of row, into an empty store.
fn change_everything<S: Store>(store: &S) {
    store.insert_account(&account(1)).unwrap();
    store.insert_list(account_id(1), &list(1)).unwrap();
    store.put_device(&device(1, 1)).unwrap();
    store.put_token(&token(1, 1)).unwrap();
    store.put_invite(&invite(1, 10)).unwrap();
    store.insert_conversation(&channel(1)).unwrap();
    let owner = membership(Role::Owner, &[(1, None)]);
    store.put_membership(account_id(1), conversation_id(1), &owner).unwrap();
    store.append(conversation_id(1), &envelopes(1, 3)).unwrap();
    let packages = [package(1, 50), last_resort(2, 50)];
    store.put_key_packages(device_id(1), &packages).unwrap();
    store.put_classic_key(device_id(1), &[1; 294]).unwrap();
    store.begin_epoch(conversation_id(1), &group_info(8)).unwrap();
    // What is read now must not be remembered should the request be refused.
    let _ = Traces::of(store);
}

fn check_untouched<S: Store>(store: &S) {
    assert_eq!(store.account(account_id(1)), Ok(None));
    assert_eq!(store.account_by_name(&user("user1")), Ok(None));
    assert_eq!(store.newest_list(account_id(1)), Ok(None));
    assert_eq!(store.device(device_id(1)), Ok(None));
    assert_eq!(store.token(token_hash(1)), Ok(None));
    assert_eq!(store.conversation(conversation_id(1)), Ok(None));
    assert_eq!(store.conversation_by_name(&channel_name("#channel1")), Ok(None));
    assert_eq!(store.membership(account_id(1), conversation_id(1)), Ok(None));
    assert_eq!(store.place_of(device_id(1), reference(1_001)), Ok(None));
    assert_eq!(store.stock(device_id(1), Timestamp(0)), Ok(Stock::default()));
    assert_eq!(store.classic_key(device_id(1)), Ok(None));
    assert_eq!(store.group_info(conversation_id(1)), Ok(None));
}

fn group_info(epoch: u64) -> GroupInfo {
    GroupInfo { epoch, body: Bytes(vec![epoch as u8; 9]) }
}

/// Every kind of change, to a store that was populated; appends to channel 1 what is missing up to 3.
fn change_everything_again<S: Store>(store: &S) {
    assert_eq!(store.insert_account(&account(1)), Err(InsertError::Taken));
    store.insert_account(&account(3)).unwrap();
    store.put_device(&device(3, 3)).unwrap();
    store.insert_conversation(&channel(3)).unwrap();
    store.set_login(account_id(1), &login(9)).unwrap();
    store.set_disabled(account_id(2), true).unwrap();
    store.insert_list(account_id(1), &list(1)).unwrap();
    let mut revoked = store.device(device_id(2)).unwrap().unwrap();
    revoked.revoked = true;
    store.put_device(&revoked).unwrap();
    store.put_token(&token(1, 1)).unwrap();
    store.put_token(&token(2, 1)).unwrap();
    store.drop_token(token_hash(2)).unwrap();
    store.put_invite(&invite(1, 10)).unwrap();
    store.put_invite(&invite(2, 10)).unwrap();
    assert_eq!(store.take_invite(token_hash(2), Timestamp(5)), Ok(true));
    let member = membership(Role::Member, &[(1, Some(4)), (7, None)]);
    store.put_membership(account_id(1), conversation_id(1), &member).unwrap();
    let end = store.conversation(conversation_id(1)).unwrap().unwrap().end.seq;
    store.append(conversation_id(1), &envelopes(end + 1, 3)).unwrap();
    let third = [envelope(3, 3, 1, b"third")];
    store.append(conversation_id(3), &third).unwrap();
    let packages = [package(1, 50), package(2, 90), last_resort(3, 90)];
    store.put_key_packages(device_id(1), &packages).unwrap();
    assert!(store.take_key_package(device_id(1), Timestamp(60)).unwrap().is_some());
    assert!(store.take_key_package(device_id(1), Timestamp(60)).unwrap().is_some());
    store.put_key_packages(device_id(3), &[package(4, 50), package(5, 90)]).unwrap();
    store.drop_key_packages(device_id(3), Timestamp(50)).unwrap();
    store.put_classic_key(device_id(1), &[end as u8; 294]).unwrap();
    store.begin_epoch(conversation_id(1), &group_info(end + 8)).unwrap();
    store.begin_epoch(conversation_id(3), &group_info(9)).unwrap();
}

/// Everything that the changes above could leave behind.
#[derive(Debug, PartialEq)]
struct Traces(Vec<String>);

impl Traces {
    fn of<S: Store>(store: &S) -> Self {
        let mut traces = vec![
            format!("{:?}", store.accounts(None, 99)),
            format!("{:?}", store.open_channels(None, 99)),
            format!("{:?}", store.token(token_hash(1))),
            format!("{:?}", store.token(token_hash(2))),
        ];
        for number in [1, 2, 3] {
            let (account, conversation) = (account_id(number), conversation_id(number));
            let record = store.account(account).unwrap().map(|row| row.login.record);
            traces.push(format!("{record:?}"));
            traces.push(format!("{:?}", store.lists(account, 0, 99)));
            traces.push(format!("{:?}", store.device(device_id(number))));
            traces.push(format!("{:?}", store.memberships(account, None, 99)));
            traces.push(format!("{:?}", store.conversation(conversation)));
            traces.push(format!("{:?}", store.member_count(conversation)));
            traces.push(format!("{:?}", store.stock(device_id(number), Timestamp(0))));
            traces.push(format!("{:?}", store.classic_key(device_id(number))));
            let info = store.group_info(conversation).unwrap();
            traces.push(format!("{:?}", info.map(|info| (info.epoch, info.body.0))));
            traces.push(format!("{:?}", place_and_page(store, number, conversation)));
        }
        Self(traces)
    }
}

fn place_and_page<S: Store>(store: &S, number: u8, conversation: ConversationId) -> String {
    let place = store.place_of(device_id(number), reference(u16::from(number) * 1_000 + 3));
    let known = store.conversation(conversation).unwrap().is_some();
    let page = known.then(|| store.fetch(conversation, 0, 99, 99, 9_999).unwrap());
    format!("{place:?} {page:?}")
}
