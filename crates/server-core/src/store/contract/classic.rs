//! What the classroom needs: the keys of devices.

use portcullis_proto::Role;

use super::fixtures::*;
use crate::store::{ClassicDevice, Store};

pub fn a_classic_key_takes_the_place_of_the_one_before<S: Store>(store: &S) {
    populate(store);
    let key = |number| store.classic_key(device_id(number)).unwrap();
    assert_eq!([key(1), key(2), key(9)], [None, None, None]);
    committed(store, |store| {
        store.put_classic_key(device_id(1), &[1; 294]).unwrap();
        store.put_classic_key(device_id(2), &[2; 550]).unwrap();
        store.put_classic_key(device_id(1), &[3; 422]).unwrap();
        assert!(store.put_classic_key(device_id(9), &[9; 294]).is_err(), "nobody's device");
    });
    assert_eq!([key(1), key(2), key(9)], [Some(vec![3; 422]), Some(vec![2; 550]), None]);
}

pub fn classic_keys_are_listed_of_members_devices_in_use<S: Store>(store: &S) {
    populate(store);
    let check = |limit: u32, expected: &[(u8, u8, u8)]| {
        let listed = store.classic_keys(conversation_id(1), limit).unwrap();
        let row = |&(device, account, key): &(u8, u8, u8)| ClassicDevice {
            device: device_id(device),
            account: account_id(account),
            key: vec![key; 294],
        };
        assert_eq!(listed, expected.iter().map(row).collect::<Vec<_>>(), "{limit}");
    };
    let join = |account: u8, conversation: u8, role: Role| {
        let membership = membership(role, &[(1, None)]);
        let (account, conversation) = (account_id(account), conversation_id(conversation));
        store.put_membership(account, conversation, &membership).unwrap();
    };
    let keep = |device: u8, key: u8| store.put_classic_key(device_id(device), &[key; 294]).unwrap();
    committed(store, |store| {
        store.put_device(&device(3, 1)).unwrap();
        (1..=3).for_each(|number| keep(number, number));
    });
    check(9, &[]);
    committed(store, |_| {
        join(1, 1, Role::Member);
        join(2, 2, Role::Member);
    });
    check(9, &[(3, 1, 3), (1, 1, 1)]);
    committed(store, |_| join(2, 1, Role::Owner));
    check(9, &[(3, 1, 3), (2, 2, 2), (1, 1, 1)]);
    check(2, &[(3, 1, 3), (2, 2, 2)]);
    check(0, &[]);
    committed(store, |_| keep(1, 4));
    check(9, &[(1, 1, 4), (3, 1, 3), (2, 2, 2)]);
    let mut revoked = device(3, 1);
    revoked.revoked = true;
    committed(store, |store| store.put_device(&revoked).unwrap());
    check(9, &[(1, 1, 4), (2, 2, 2)]);
    committed(store, |store| store.set_disabled(account_id(2), true).unwrap());
    check(9, &[(1, 1, 4)]);
    committed(store, |_| join(1, 1, Role::Invited));
    check(9, &[]);
    committed(store, |_| join(1, 1, Role::Outside));
    check(9, &[]);
}
