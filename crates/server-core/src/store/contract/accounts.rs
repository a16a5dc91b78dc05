//! Accounts, device lists, devices, tokens and invitations.

use portcullis_proto::Timestamp;

use super::fixtures::*;
use crate::store::{Account, InsertError, Store};

pub fn names_and_ids_of_accounts_are_unique<S: Store>(store: &S) {
    let one = account(1);
    committed(store, |store| {
        store.insert_account(&one).unwrap();
        let same_name = Account { id: account_id(2), ..one.clone() };
        assert_eq!(store.insert_account(&same_name), Err(InsertError::Taken));
        let same_id = Account { name: user("other"), ..one.clone() };
        assert_eq!(store.insert_account(&same_id), Err(InsertError::Taken));
    });
    assert_eq!(store.account(one.id), Ok(Some(one.clone())));
    assert_eq!(store.account_by_name(&one.name), Ok(Some(one.clone())));
    assert_eq!(store.account(account_id(2)), Ok(None));
    assert_eq!(store.account_by_name(&user("other")), Ok(None));
    assert_eq!(store.accounts(None, 9), Ok(vec![one]));
}

pub fn accounts_come_in_pages_by_name<S: Store>(store: &S) {
    let names = ["user_b", "user-a", "user.c", "1st", "zoe", "user"];
    committed(store, |store| {
        for (number, name) in (1..).zip(names) {
            let named = Account { name: user(name), ..account(number) };
            store.insert_account(&named).unwrap();
        }
    });
    let check = |after: Option<&str>, limit: u32, expected: &[&str]| {
        let after = after.map(user);
        let page = store.accounts(after.as_ref(), limit).unwrap();
        let found: Vec<_> = page.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(found, expected, "{after:?} {limit}");
    };
    check(None, 9, &["1st", "user", "user-a", "user.c", "user_b", "zoe"]);
    check(None, 2, &["1st", "user"]);
    check(Some("user"), 2, &["user-a", "user.c"]);
    check(Some("user.b"), 2, &["user.c", "user_b"]);
    check(Some("zoe"), 2, &[]);
    check(None, 0, &[]);
}

pub fn a_login_can_be_replaced<S: Store>(store: &S) {
    populate(store);
    committed(store, |store| {
        store.set_login(account_id(1), &login(8)).unwrap();
        assert!(store.set_login(account_id(9), &login(8)).is_err());
    });
    let expected = Account { login: login(8), ..account(1) };
    assert_eq!(store.account(account_id(1)), Ok(Some(expected)));
    assert_eq!(store.account(account_id(2)), Ok(Some(account(2))));
}

pub fn an_account_can_be_disabled<S: Store>(store: &S) {
    populate(store);
    let disabled =
        || [1, 2].map(|number| store.account(account_id(number)).unwrap().unwrap().disabled);
    let set = |value| committed(store, |store| store.set_disabled(account_id(1), value));
    assert_eq!(disabled(), [false, false]);
    set(true).unwrap();
    assert_eq!(disabled(), [true, false]);
    set(false).unwrap();
    assert_eq!(disabled(), [false, false]);
}

pub fn lists_have_one_of_each_version<S: Store>(store: &S) {
    populate(store);
    assert_eq!(store.newest_list(account_id(1)), Ok(None));
    committed(store, |store| {
        for version in 1..=4 {
            store.insert_list(account_id(1), &list(version)).unwrap();
        }
        store.insert_list(account_id(2), &list(1)).unwrap();
        let again = store.insert_list(account_id(1), &list(2));
        assert_eq!(again, Err(InsertError::Taken));
        assert!(store.insert_list(account_id(9), &list(1)).is_err());
    });
    assert_eq!(store.newest_list(account_id(1)), Ok(Some(list(4))));
    assert_eq!(store.newest_list(account_id(2)), Ok(Some(list(1))));
    let check = |after: u64, limit: u32, expected: &[u64]| {
        let lists = store.lists(account_id(1), after, limit).unwrap();
        assert_eq!(lists, expected.iter().map(|&version| list(version)).collect::<Vec<_>>());
    };
    check(0, 9, &[1, 2, 3, 4]);
    check(0, 2, &[1, 2]);
    check(2, 9, &[3, 4]);
    check(4, 9, &[]);
    check(u64::MAX, 9, &[]);
}

pub fn devices_are_added_and_changed<S: Store>(store: &S) {
    populate(store);
    let mut changed = device(1, 1);
    assert_eq!(store.device(changed.id), Ok(Some(changed.clone())));
    changed.revoked = true;
    changed.auth = device(5, 1).auth;
    changed.submitted = 12;
    committed(store, |store| {
        store.put_device(&changed).unwrap();
        assert!(store.put_device(&device(2, 1)).is_err(), "another's device");
        assert!(store.put_device(&device(5, 9)).is_err(), "nobody's device");
    });
    assert_eq!(store.device(changed.id), Ok(Some(changed)));
    assert_eq!(store.device(device_id(2)), Ok(Some(device(2, 2))));
    assert_eq!(store.device(device_id(5)), Ok(None));
}

pub fn tokens_end_one_by_one_or_with_their_device<S: Store>(store: &S) {
    populate(store);
    let check = |expected: [bool; 4]| {
        let found = [1, 2, 3, 4].map(|number| {
            let found = store.token(token_hash(number)).unwrap();
            let whole = token(number, if number == 4 { 2 } else { 1 });
            assert!(found.is_none() || found == Some(whole));
            found.is_some()
        });
        assert_eq!(found, expected);
    };
    committed(store, |store| {
        for number in [1, 2, 3] {
            store.put_token(&token(number, 1)).unwrap();
        }
        store.put_token(&token(4, 2)).unwrap();
        assert!(store.put_token(&token(5, 9)).is_err());
    });
    check([true, true, true, true]);
    committed(store, |store| store.drop_token(token_hash(2)).unwrap());
    check([true, false, true, true]);
    committed(store, |store| store.drop_token(token_hash(2)).unwrap());
    committed(store, |store| store.drop_tokens(device_id(1)).unwrap());
    check([false, false, false, true]);
}

pub fn an_invitation_is_good_once_and_until_it_expires<S: Store>(store: &S) {
    let check = |number: u8, now: u64, expected: bool| {
        let taken = committed(store, |store| store.take_invite(token_hash(number), Timestamp(now)));
        assert_eq!(taken, Ok(expected), "{number} at {now}");
    };
    committed(store, |store| {
        for number in [1, 2, 3] {
            store.put_invite(&invite(number, 100)).unwrap();
        }
        store.put_invite(&invite(4, u64::MAX)).unwrap();
    });
    check(1, 99, true);
    check(1, 99, false);
    check(2, 100, false);
    check(2, 101, false);
    check(3, 0, true);
    check(4, u64::MAX - 1, true);
    check(9, 0, false);
}
