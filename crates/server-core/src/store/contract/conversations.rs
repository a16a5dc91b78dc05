//! Conversations and who is in them.

use portcullis_proto::{Access, ConversationKind, Role};

use super::fixtures::*;
use crate::store::{Conversation, InsertError, Store};

pub fn names_and_ids_of_conversations_are_unique<S: Store>(store: &S) {
    let one = channel(1);
    committed(store, |store| {
        store.insert_conversation(&one).unwrap();
        let same_name = Conversation { id: conversation_id(2), ..one.clone() };
        assert_eq!(store.insert_conversation(&same_name), Err(InsertError::Taken));
        let same_id = Conversation { name: Some(channel_name("#other")), ..one.clone() };
        assert_eq!(store.insert_conversation(&same_id), Err(InsertError::Taken));
    });
    assert_eq!(store.conversation(one.id), Ok(Some(one.clone())));
    assert_eq!(store.conversation_by_name(one.name.as_ref().unwrap()), Ok(Some(one.clone())));
    assert_eq!(store.conversation(conversation_id(2)), Ok(None));
    assert_eq!(store.conversation_by_name(&channel_name("#other")), Ok(None));
}

pub fn open_channels_come_in_pages_by_name<S: Store>(store: &S) {
    let rows = [
        ("#cc", ConversationKind::Channel, Access::Open),
        ("#aa", ConversationKind::Channel, Access::Open),
        ("#bb", ConversationKind::Channel, Access::Invitation),
        ("#dd", ConversationKind::Channel, Access::Open),
        ("#ee", ConversationKind::Unknown, Access::Open),
    ];
    committed(store, |store| {
        for (number, (name, kind, access)) in (1..).zip(rows) {
            let conversation =
                Conversation { name: Some(channel_name(name)), kind, access, ..channel(number) };
            store.insert_conversation(&conversation).unwrap();
            assert_eq!(store.conversation(conversation.id), Ok(Some(conversation)));
        }
    });
    let check = |after: Option<&str>, limit: u32, expected: &[&str]| {
        let after = after.map(channel_name);
        let page = store.open_channels(after.as_ref(), limit).unwrap();
        let found: Vec<_> = page.iter().map(|row| row.name.as_ref().unwrap().as_str()).collect();
        assert_eq!(found, expected, "{after:?} {limit}");
    };
    check(None, 9, &["#aa", "#cc", "#dd"]);
    check(None, 2, &["#aa", "#cc"]);
    check(Some("#aa"), 1, &["#cc"]);
    check(Some("#bb"), 9, &["#cc", "#dd"]);
    check(Some("#dd"), 9, &[]);
}

pub fn memberships_keep_their_spans<S: Store>(store: &S) {
    populate(store);
    let (account, conversation) = (account_id(1), conversation_id(1));
    assert_eq!(store.membership(account, conversation), Ok(None));
    let rows = [
        membership(Role::Invited, &[]),
        membership(Role::Member, &[(1, None)]),
        membership(Role::Outside, &[(1, Some(0))]),
        membership(Role::Owner, &[(1, Some(8)), (11, Some(11)), (20, None)]),
    ];
    for row in rows {
        committed(store, |store| {
            store.put_membership(account, conversation, &row).unwrap();
        });
        assert_eq!(store.membership(account, conversation), Ok(Some(row)));
    }
    assert_eq!(store.membership(account, conversation_id(2)), Ok(None));
    assert_eq!(store.membership(account_id(2), conversation), Ok(None));
    for _ in 0..2 {
        committed(store, |store| {
            let nothing = membership(Role::Outside, &[]);
            store.put_membership(account, conversation, &nothing).unwrap();
        });
        assert_eq!(store.membership(account, conversation), Ok(None));
        assert_eq!(store.memberships(account, None, 9), Ok(vec![]));
        assert_eq!(store.member_count(conversation), Ok(0));
    }
    committed(store, |store| {
        let row = membership(Role::Member, &[]);
        assert!(store.put_membership(account_id(9), conversation, &row).is_err());
        assert!(store.put_membership(account, conversation_id(9), &row).is_err());
    });
}

pub fn memberships_come_in_pages_by_id<S: Store>(store: &S) {
    committed(store, |store| {
        for number in [1, 2] {
            store.insert_account(&account(number)).unwrap();
        }
        for number in [5, 3, 4, 1, 2] {
            let mut row = channel(number);
            row.access = Access::Invitation;
            store.insert_conversation(&row).unwrap();
        }
        let spans = [(1, None)];
        for (number, role) in
            [(4, Role::Owner), (1, Role::Outside), (2, Role::Member), (5, Role::Invited)]
        {
            let row = membership(role, &spans);
            store.put_membership(account_id(1), conversation_id(number), &row).unwrap();
        }
        let row = membership(Role::Member, &spans);
        store.put_membership(account_id(2), conversation_id(3), &row).unwrap();
    });
    let check = |after: Option<u8>, limit: u32, expected: &[(u8, Role)]| {
        let page = store.memberships(account_id(1), after.map(conversation_id), limit).unwrap();
        let found: Vec<_> = page
            .iter()
            .map(|(row, membership)| {
                assert_eq!(store.conversation(row.id).unwrap().as_ref(), Some(row));
                assert_eq!(membership.spans.len(), 1);
                (row.id, membership.role)
            })
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|&(number, role)| (conversation_id(number), role)).collect();
        assert_eq!(found, expected, "{after:?} {limit}");
    };
    let all = [(1, Role::Outside), (2, Role::Member), (4, Role::Owner), (5, Role::Invited)];
    check(None, 9, &all);
    check(None, 2, &all[..2]);
    check(Some(2), 1, &all[2..3]);
    check(Some(3), 9, &all[2..]);
    check(Some(5), 9, &[]);
}

pub fn members_are_counted<S: Store>(store: &S) {
    populate(store);
    let check = |account: u8, role: Role, expected: u64| {
        committed(store, |store| {
            let row = membership(role, &[(1, None)]);
            store.put_membership(account_id(account), conversation_id(1), &row).unwrap();
        });
        assert_eq!(store.member_count(conversation_id(1)), Ok(expected), "{account} {role:?}");
    };
    assert_eq!(store.member_count(conversation_id(1)), Ok(0));
    check(1, Role::Invited, 0);
    check(1, Role::Member, 1);
    check(1, Role::Owner, 1);
    check(2, Role::Member, 2);
    check(2, Role::Member, 2);
    check(1, Role::Outside, 1);
    check(1, Role::Invited, 1);
    check(2, Role::Outside, 0);
    assert_eq!(store.member_count(conversation_id(2)), Ok(0));
}
