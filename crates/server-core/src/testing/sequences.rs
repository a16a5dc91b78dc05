//! Random sequences of requests, honest and hostile, from several connections. Whatever comes: no
//! panic, no trace of a refusal, logs without gaps, and the same logs where the server dies after each
//! batch and every answer is lost. What holds in directs and groups besides is in [`encrypted`].

mod encrypted;

use self::encrypted::{Change, PLACES, commits};
use super::{Person, World, body, channel, drafts, reference};
use crate::ConnectionId;
use crate::store::Store as _;
use portcullis_crypto::Signature;
use portcullis_proto::{
    Access, AccountId, Bytes, ConversationId, DeviceId, Envelope, Reference, Reply, Request,
    RevokedEntry, Seen, Timestamp,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const CHANNELS: [&str; 3] = ["#lobby", "#den", "#tea"];
const PEOPLE: [&str; 3] = ["mira", "oleg", "nina"];

/// What one of the people does; the numbers choose among channels, people and references.
#[derive(Debug, Clone, Copy)]
enum Step {
    Submit(usize, u8, usize),
    SubmitAs(usize, usize),
    SubmitInto(u8),
    Fetch(usize, u64),
    Create(usize, bool),
    Join(usize),
    Leave(usize),
    Invite(usize, usize),
    Resume(usize),
    StrangerAsks,
    Confirm(usize),
    JunkLogin,
    Publish(bool),
    Enrol,
    SignOut,
    Make(usize),
    Commit(usize, u8, Change, bool),
    GroupInfo(usize),
    Upload,
    Claim(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let place = 0..PLACES;
    let made = prop::sample::select(vec![0, 3, 3, 4, 4, 5, 6, 7]);
    let often = prop::sample::select(vec![0, 1, 2, 3, 3, 3, 4, 4, 5, 5, 6, 7]);
    let whom = 0..PEOPLE.len();
    prop_oneof![
        6 => (often.clone(), 0..12_u8, 1..4_usize).prop_map(|(c, n, k)| Step::Submit(c, n, k)),
        1 => (place.clone(), whom.clone()).prop_map(|(c, w)| Step::SubmitAs(c, w)),
        1 => any::<u8>().prop_map(Step::SubmitInto),
        2 => (place.clone(), prop_oneof![0..20_u64, Just(u64::MAX)]).prop_map(|(c, a)| Step::Fetch(c, a)),
        2 => (0..CHANNELS.len(), any::<bool>()).prop_map(|(c, open)| Step::Create(c, open)),
        3 => (0..CHANNELS.len()).prop_map(Step::Join),
        3 => made.prop_map(Step::Make),
        6 => (often, 0..60_u8, encrypted::change(), prop::bool::weighted(0.1))
            .prop_map(|(p, n, change, stale)| Step::Commit(p, n, change, stale)),
        1 => place.clone().prop_map(Step::GroupInfo),
        1 => Just(Step::Upload),
        1 => whom.clone().prop_map(Step::Claim),
        1 => place.clone().prop_map(Step::Leave),
        2 => (place, whom.clone()).prop_map(|(c, w)| Step::Invite(c, w)),
        1 => whom.clone().prop_map(Step::Resume),
        1 => Just(Step::StrangerAsks),
        1 => whom.prop_map(Step::Confirm),
        1 => Just(Step::JunkLogin),
        1 => any::<bool>().prop_map(Step::Publish),
        1 => Just(Step::Enrol),
        1 => Just(Step::SignOut),
    ]
}

/// Batches of what which person does.
fn sequence() -> impl Strategy<Value = Vec<Vec<(usize, Step)>>> {
    let one = (0..PEOPLE.len(), step());
    prop::collection::vec(prop::collection::vec(one, 1..4), 1..24)
}

/// One envelope as its author meant it.
type Said = (AccountId, DeviceId, Reference, Bytes);

struct Run {
    world: World,
    people: Vec<Person>,
    /// The places that were acknowledged.
    acknowledged: Vec<(ConversationId, u64, Reference)>,
    /// The commits that were acknowledged, by their place.
    commits: BTreeMap<(ConversationId, u64), Request>,
}

impl Run {
    fn new() -> Self {
        let mut world = World::new();
        let people = PEOPLE.map(|name| world.person(name)).into();
        Self { world, people, acknowledged: Vec::new(), commits: BTreeMap::new() }
    }

    fn id(&self, place: usize) -> ConversationId {
        if place >= CHANNELS.len() {
            return self.encrypted_id(place);
        }
        let found = self.world.store.inner.conversation_by_name(&channel(CHANNELS[place]));
        let nowhere = ConversationId::from_bytes([9; 16]);
        found.unwrap().map_or(nowhere, |conversation| conversation.id)
    }

    /// Everyone who can comes back.
    fn gather(&mut self) {
        for person in &mut self.people {
            let here = Request::Channels { after: None };
            if self.world.ask(person.connection, here).is_err() {
                let _ = self.world.come_back(person);
            }
        }
    }

    fn request(&mut self, who: usize, step: Step) -> (ConnectionId, Request) {
        let mira = self.people[who].clone();
        let mut connection = mira.connection;
        let request = match step {
            Step::Submit(place, first, count) => {
                let numbers: Vec<u8> = (first..).take(count).collect();
                self.submit(&mira, place, &numbers)
            }
            Step::SubmitAs(place, whom) => self.people[whom].submit(self.id(place), &[200]),
            Step::SubmitInto(byte) => mira.submit(ConversationId::from_bytes([byte; 16]), &[201]),
            Step::Fetch(place, after) => {
                Request::Fetch { conversation: self.id(place), after, limit: 3 }
            }
            Step::Create(place, open) => Request::CreateChannel {
                name: channel(CHANNELS[place]),
                access: if open { Access::Open } else { Access::Invitation },
            },
            Step::Join(place) => Request::Join { name: channel(CHANNELS[place]) },
            Step::Leave(place) => Request::Leave { conversation: self.id(place) },
            Step::Invite(place, whom) => Request::Invite {
                conversation: self.id(place),
                name: self.people[whom].name.clone(),
            },
            Step::Resume(whom) => {
                // With one's own key and, perhaps, somebody else's token.
                connection = self.world.connect();
                let mut thief = mira.clone();
                thief.token = self.people[whom].token.clone();
                self.people[who].connection = connection;
                self.world.resume(&thief, connection)
            }
            Step::StrangerAsks => {
                connection = self.world.connect();
                mira.submit(ConversationId::LOBBY, &[202])
            }
            Step::Confirm(whom) => Request::LoginStart {
                name: self.people[whom].name.clone(),
                request: Bytes(vec![3; 96]),
            },
            Step::JunkLogin => Request::LoginFinish { finalization: Bytes(vec![3; 64]) },
            Step::Publish(good) => self.publish(&mira, good),
            Step::Enrol => Request::Open {
                device: mira.device,
                proof: Signature::from_bytes([0; 64]),
                list: Some(mira.list.clone()),
            },
            Step::SignOut => Request::SignOut {},
            Step::Make(place) => self.make(who, place),
            Step::Commit(place, number, change, stale) => {
                self.commit(who, place, number, change, stale)
            }
            Step::GroupInfo(place) => Request::GroupInfo { conversation: self.id(place) },
            Step::Upload => {
                let packages = [false, false, true].map(|last| self.world.key_package(1, 99, last));
                Request::UploadKeyPackages { packages: packages.into() }
            }
            Step::Claim(whom) => Request::ClaimKeyPackages { account: self.people[whom].account },
        };
        (connection, request)
    }

    /// The next version of the device list, or one that skips a version.
    fn publish(&self, mira: &Person, good: bool) -> Request {
        let newest = self.world.store.inner.newest_list(mira.account).unwrap();
        let mut knowing = mira.clone();
        knowing.list = newest.unwrap().signed;
        let list = knowing.next_list(|list| {
            if !good {
                list.version += 1;
                list.revoked.push(RevokedEntry {
                    device: DeviceId::from_bytes([1; 16]),
                    auth: knowing.auth.public(),
                    leaf: knowing.leaf.public(),
                    revoked_at: Timestamp(1),
                });
            }
        });
        Request::PublishList { list }
    }

    fn batch(&mut self, steps: &[(usize, Step)]) {
        self.gather();
        let steps = steps.iter().copied();
        let batch: Vec<_> = steps.map(|(who, step)| self.request(who, step)).collect();
        let before = self.world.trace();
        let results = self.world.batch(batch.clone());
        if results.iter().all(Result::is_err) {
            assert!(self.world.trace() == before, "refusals left a trace");
        }
        for ((_, request), result) in batch.into_iter().zip(results) {
            let Ok(Reply::Submitted { first, last, .. }) = result else {
                continue;
            };
            if let Request::Commit { conversation, .. } = &request {
                // The same again does nothing, so what was done is what the first one says.
                self.commits.entry((*conversation, first)).or_insert(request);
            } else if let Request::Submit { conversation, envelopes, .. } = request {
                assert_eq!(last, first + envelopes.len() as u64 - 1);
                let places = (first..).zip(envelopes);
                let places = places.map(|(seq, draft)| (conversation, seq, draft.reference));
                self.acknowledged.extend(places);
            }
        }
    }

    /// The process dies before the answers are read: everyone comes back and submits once more.
    fn crash_and_repeat(&mut self, steps: &[(usize, Step)]) {
        self.world.restart();
        self.gather();
        for (who, step) in steps {
            if let Step::Submit(place, first, count) = *step {
                let numbers: Vec<u8> = (first..).take(count).collect();
                let (conversation, mira) = (self.id(place), self.people[*who].clone());
                let stands = |number: &u8| {
                    let store = &self.world.store.inner;
                    store.place_of(mira.device, reference(*number)).unwrap()
                };
                let before = self.world.trace();
                if numbers.iter().all(|number| stands(number).is_some()) {
                    let _ = self.world.say(&mira, conversation, &numbers);
                    assert!(self.world.trace() == before, "said twice");
                }
            }
            if let Step::Commit(place, number, change, stale) = *step
                && self.commits.values().any(|made| commits(made, &self.people[*who], number))
            {
                let request = self.commit(*who, place, number, change, stale);
                let before = self.world.trace();
                let _ = self.world.ask(self.people[*who].connection, request);
                assert!(self.world.trace() == before, "committed twice");
            }
        }
    }

    /// What was said in each channel; its places have no gaps, and its chain fits.
    fn logs(&self) -> Vec<Vec<Said>> {
        let store = &self.world.store.inner;
        let mut logs = Vec::new();
        for place in 0..PLACES {
            let Some(found) = store.conversation(self.id(place)).unwrap() else { continue };
            let page = store.fetch(found.id, 0, u64::MAX, u32::MAX, usize::MAX).unwrap();
            let mut end = Seen { seq: 0, chain: Envelope::chain_start(found.id) };
            for envelope in &page.envelopes {
                assert_eq!(envelope.seq, end.seq + 1);
                end = Seen { seq: envelope.seq, chain: envelope.chain_after(end.chain) };
            }
            assert_eq!(found.end, end);
            for (conversation, seq, reference) in &self.acknowledged {
                if *conversation == found.id {
                    let kept = &page.envelopes[*seq as usize - 1];
                    assert_eq!(kept.reference, *reference, "acknowledged, and lost");
                }
            }
            let said = |e: Envelope| (e.account, e.device, e.reference, e.body);
            logs.push(page.envelopes.into_iter().map(said).collect());
        }
        logs
    }
}

fn check(sequence: &[Vec<(usize, Step)>]) {
    let (mut steady, mut crashing) = (Run::new(), Run::new());
    for steps in sequence {
        steady.batch(steps);
        crashing.batch(steps);
        crashing.crash_and_repeat(steps);
    }
    assert_eq!(steady.logs(), crashing.logs());
    steady.check_encrypted();
    crashing.check_encrypted();
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 192,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_comes_the_log_stands(sequence in sequence()) {
        check(&sequence);
    }
}

/// The sequences do get to say something: a harness whose every request is refused shows nothing.
#[test]
fn an_honest_sequence_is_said_whole() {
    let mut run = Run::new();
    run.batch(&[(0, Step::Create(1, true)), (0, Step::Submit(0, 1, 3))]);
    run.batch(&[(1, Step::Join(1)), (1, Step::Submit(1, 1, 2))]);
    run.crash_and_repeat(&[(1, Step::Submit(1, 1, 2))]);
    let [lobby, den] = &run.logs()[..] else {
        panic!("two channels");
    };
    assert_eq!((lobby.len(), den.len()), (3, 2));
    assert_eq!(den[0].2, drafts(&[1])[0].reference);
    assert_eq!(den[1].3, body(2));
}

#[test]
fn an_honest_group_and_direct_are_said_whole() {
    let (group, direct) = (CHANNELS.len(), CHANNELS.len() + 2);
    let mut run = Run::new();
    for step in [
        (0, Step::Make(group)),
        (0, Step::Commit(group, 0, Change::Add(1), false)),
        (1, Step::Submit(group, 1, 2)),
        (0, Step::Commit(group, 1, Change::Remove(1), false)),
        (1, Step::Submit(group, 3, 1)),
        (1, Step::Make(direct)),
        (0, Step::Submit(direct, 3, 1)),
    ] {
        run.batch(&[step]);
        run.crash_and_repeat(&[step]);
    }
    let sizes: Vec<_> = run.logs().iter().map(Vec::len).collect();
    assert_eq!(sizes, [0, 5, 2]);
    assert_eq!(run.commits.len(), 4);
    run.check_encrypted();
}
