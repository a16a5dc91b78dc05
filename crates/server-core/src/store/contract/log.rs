//! Appending and fetching envelopes.

use portcullis_proto::{Envelope, Seen, Timestamp};

use super::fixtures::*;
use crate::store::{AppendError, Place, Store, StoredEnvelope};

pub fn appending_moves_the_end_and_counts_for_the_device<S: Store>(store: &S) {
    populate(store);
    let check = |conversation: u8, seq: u64, submitted: [u64; 2]| {
        let end = store.conversation(conversation_id(conversation)).unwrap().unwrap().end;
        let chain = envelope(conversation, 1, seq, b"").chain;
        assert_eq!(end, Seen { seq, chain });
        let counts =
            [1, 2].map(|number| store.device(device_id(number)).unwrap().unwrap().submitted);
        assert_eq!(counts, submitted);
    };
    committed(store, |store| {
        store.append(conversation_id(1), &[]).unwrap();
        store.append(conversation_id(1), &envelopes(1, 3)).unwrap();
        check(1, 3, [3, 0]);
        let mixed = [envelope(1, 2, 4, b"x"), envelope(1, 1, 5, b"y"), envelope(1, 2, 6, b"z")];
        store.append(conversation_id(1), &mixed).unwrap();
        check(1, 6, [4, 2]);
    });
    committed(store, |store| {
        store.append(conversation_id(2), &[envelope(2, 1, 1, b"")]).unwrap();
    });
    check(1, 6, [5, 2]);
    check(2, 1, [5, 2]);
    let mut revoked = store.device(device_id(1)).unwrap().unwrap();
    revoked.revoked = true;
    committed(store, |store| store.put_device(&revoked).unwrap());
    check(2, 1, [5, 2]);
}

/// What is refused leaves nothing behind, even in a request that goes on.
pub fn sequences_have_no_gaps<S: Store>(store: &S) {
    populate(store);
    committed(store, |store| store.append(conversation_id(1), &envelopes(1, 2)).unwrap());
    let check = |conversation: u8, wrong: &[StoredEnvelope]| {
        store.begin().unwrap();
        let refused = store.append(conversation_id(conversation), wrong);
        assert!(matches!(refused, Err(AppendError::Store(_))), "{refused:?} {wrong:?}");
        store.commit().unwrap();
        let end = store.conversation(conversation_id(1)).unwrap().unwrap().end;
        assert_eq!(end.seq, 2);
        let page = store.fetch(conversation_id(1), 0, 9, 9, 999).unwrap();
        assert_eq!(page.envelopes.len(), 2);
        assert_eq!(store.device(device_id(1)).unwrap().unwrap().submitted, 2);
    };
    check(1, &envelopes(4, 4));
    check(1, &[envelope(1, 2, 2, b"again")]);
    check(1, &[envelope(1, 2, 0, b"zero")]);
    check(1, &[envelope(1, 1, 3, b"good"), envelope(1, 1, 5, b"gap")]);
    check(1, &[envelope(1, 9, 3, b"no such device")]);
    check(9, &[envelope(9, 1, 1, b"no such conversation")]);
    check(2, &[envelope(1, 1, 1, b"of another conversation")]);
    let mut forged = envelope(1, 1, 3, b"device of another account");
    forged.envelope.account = account_id(2);
    check(1, &[forged]);
}

pub fn a_reference_is_used_once<S: Store>(store: &S) {
    populate(store);
    committed(store, |store| store.append(conversation_id(1), &envelopes(1, 2)).unwrap());
    let place =
        |device: u8, number: u16| store.place_of(device_id(device), reference(number)).unwrap();
    let expected = Place {
        conversation: conversation_id(1),
        seq: 2,
        accepted_at: Timestamp(5_002),
        reference: reference(1_002),
    };
    assert_eq!(place(1, 1_002), Some(expected));
    assert_eq!(place(2, 1_002), None);
    assert_eq!(place(1, 1_003), None);
    assert_eq!(place(9, 1_002), None);

    let again = |conversation: u8, of: u8, seq: u64| {
        let mut stored = envelope(conversation, of, seq, b"again");
        stored.envelope.reference = reference(1_002);
        stored
    };
    let check = |conversation: u8, refused: &[StoredEnvelope]| {
        let result = committed(store, |store| store.append(conversation_id(conversation), refused));
        assert_eq!(result, Err(AppendError::ReferenceUsed));
    };
    check(1, &[again(1, 1, 3)]);
    check(1, &[envelope(1, 1, 3, b"new"), again(1, 1, 4)]);
    check(2, &[again(2, 1, 1)]);
    check(2, &[again(2, 2, 1), again(2, 2, 2)]);
    assert_eq!(place(1, 1_002), Some(expected));
    assert_eq!(place(1, 1_003), None);
    assert_eq!(place(2, 1_002), None);

    committed(store, |store| store.append(conversation_id(2), &[again(2, 2, 1)]).unwrap());
    let theirs = place(2, 1_002).unwrap();
    assert_eq!((theirs.conversation, theirs.seq), (conversation_id(2), 1));
}

pub fn a_page_begins_where_asked_and_ends_at_its_bounds<S: Store>(store: &S) {
    populate(store);
    committed(store, |store| {
        store.append(conversation_id(1), &envelopes(1, 9)).unwrap();
        store.append(conversation_id(2), &[envelope(2, 2, 1, b"elsewhere")]).unwrap();
    });
    let check = |after: u64, upto: u64, limit: u32, bytes: usize, expected: &[u64]| {
        let page = store.fetch(conversation_id(1), after, upto, limit, bytes).unwrap();
        let whole: Vec<Envelope> =
            expected.iter().map(|&seq| envelope(1, 1, seq, &[seq as u8; 10]).envelope).collect();
        assert_eq!(page.envelopes, whole, "{after} {upto} {limit} {bytes}");
        assert_eq!(page.base.seq, after.min(9));
    };
    check(0, 9, 99, 999, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    check(0, u64::MAX, u32::MAX, usize::MAX, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    check(3, 9, 99, 999, &[4, 5, 6, 7, 8, 9]);
    check(3, 9, 2, 999, &[4, 5]);
    check(3, 9, 0, 999, &[]);
    check(3, 5, 99, 999, &[4, 5]);
    check(3, 3, 99, 999, &[]);
    check(5, 3, 99, 999, &[]);
    check(3, 9, 99, 30, &[4, 5, 6]);
    check(3, 9, 99, 29, &[4, 5]);
    check(3, 9, 99, 9, &[4]);
    check(3, 9, 99, 0, &[4]);
    check(9, 9, 99, 999, &[]);
    check(12, 99, 99, 999, &[]);
    check(u64::MAX, u64::MAX, 99, 999, &[]);
    assert!(store.fetch(conversation_id(9), 0, 9, 9, 999).is_err());
}

pub fn a_page_knows_the_chain_before_it<S: Store>(store: &S) {
    populate(store);
    let start = Envelope::chain_start(conversation_id(1));
    let check = |after: u64, chain| {
        let page = store.fetch(conversation_id(1), after, 99, 1, 999).unwrap();
        assert_eq!(page.base, Seen { seq: after, chain });
    };
    check(0, start);
    committed(store, |store| store.append(conversation_id(1), &envelopes(1, 3)).unwrap());
    check(0, start);
    check(1, envelope(1, 1, 1, b"").chain);
    check(2, envelope(1, 1, 2, b"").chain);
    check(3, envelope(1, 1, 3, b"").chain);
}

pub fn large_bodies_come_back_whole<S: Store>(store: &S) {
    populate(store);
    let bodies: [Vec<u8>; 3] = [vec![], vec![0xab; 512 * 1024], (0..=255).collect()];
    let rows: Vec<_> = (1..).zip(&bodies).map(|(seq, body)| envelope(1, 1, seq, body)).collect();
    committed(store, |store| store.append(conversation_id(1), &rows).unwrap());
    let page = store.fetch(conversation_id(1), 0, 9, 9, usize::MAX).unwrap();
    let expected: Vec<_> = rows.into_iter().map(|row| row.envelope).collect();
    assert_eq!(page.envelopes, expected);
}
