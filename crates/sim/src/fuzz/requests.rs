//! A server under sequences of requests from several connections: whatever comes, it answers each once
//! and in order, never panics ([`Stage::ask`]), its logs have no gaps and lose nothing, and it knows its blobs.

use super::blobs::check_token;
use super::input::Input;
use super::stage::{NAMES, Stage, light, password};
use portcullis_client_core::Key;
use portcullis_crypto::{
    AuthKey, ClientLogin, EndpointKey, Job, Outcome, Purpose, Secret, Signature, Stretch,
};
use portcullis_proto::{
    Access, AccountId, Bytes, ChannelName, ClientFrame, ConversationId, Creates, DeviceId, Draft,
    Event, KeyPackageUpload, Members, Reference, Reply, Request, ServerFrame, SignedList,
    Timestamp, TransferId, UserName, Welcome, session_proof,
};
use portcullis_server_core::ConnectionId;
use portcullis_server_core::store::Store as _;
use serde_json::Value;

const STEPS: usize = 96;
const CHANNELS: [&str; 3] = ["#lobby", "#den", "#tea"];
const PEOPLE: [&str; 3] = ["mira", "oleg", "nina"];

/// A device whose keys the sequence may use.
struct Member {
    account: AccountId,
    device: DeviceId,
    key: AuthKey,
    token: Bytes,
    connection: ConnectionId,
    nonce: portcullis_crypto::Hash,
}

struct Play<'a> {
    stage: Stage,
    members: Vec<Member>,
    input: Input<'a>,
    batch: Vec<(ConnectionId, String)>,
    /// What was acknowledged, and where.
    acknowledged: Vec<(ConversationId, u64, Reference)>,
    next_id: u64,
}

/// Steps, each a byte and what it takes.
pub(super) fn requests(bytes: &[u8]) {
    let Some(mut play) = Play::new(bytes) else { return };
    for _ in 0..STEPS {
        if play.step().is_none() {
            break;
        }
    }
    play.run();
    play.check();
}

impl<'a> Play<'a> {
    /// Everyone has resumed their session.
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let stage = Stage::open()?;
        let members = Vec::new();
        let input = Input::new(bytes);
        let mut play =
            Self { stage, members, input, batch: vec![], acknowledged: vec![], next_id: 1 };
        for who in 0..NAMES.len() {
            let member = play.member(who)?;
            play.members.push(member);
            play.resume(who, who)?;
        }
        play.run();
        Some(play)
    }

    /// The keys of a device, from what it had persisted, and a new connection.
    fn member(&mut self, who: usize) -> Option<Member> {
        let record = self.stage.homes.get(who)?.records.get(&Key::Account)?;
        let record: Value = serde_json::from_slice(record).ok()?;
        let record = record.get("r")?;
        let account = serde_json::from_value(record.get("account")?.clone()).ok()?;
        let (device, secret, _leaf): (DeviceId, Bytes, Bytes) =
            serde_json::from_value(record.get("device")?.clone()).ok()?;
        let token = serde_json::from_value(record.get("token")?.clone()).ok()?;
        let key = AuthKey::from_secret(&Secret::from_slice(secret.as_slice())?);
        let (connection, nonce) = self.connect()?;
        Some(Member { account, device, key, token, connection, nonce })
    }

    fn connect(&mut self) -> Option<(ConnectionId, portcullis_crypto::Hash)> {
        let (connection, hello) = self.stage.greet();
        match ServerFrame::decode(&hello) {
            Ok(ServerFrame::Event(Event::Hello { nonce, .. })) => Some((connection, nonce)),
            _ => None,
        }
    }

    fn ask(&mut self, connection: ConnectionId, request: Request) {
        let id = self.next_id;
        self.next_id += 1;
        self.batch.push((connection, ClientFrame { id, request }.encode()));
    }

    /// Resumes with one's own key and, perhaps, somebody else's token.
    fn resume(&mut self, who: usize, whose: usize) -> Option<()> {
        let token = self.members.get(whose)?.token.clone();
        let (device, proof) = (self.members.get(who)?.device, self.proof(who)?);
        let connection = self.members.get(who)?.connection;
        self.ask(connection, Request::Resume { token, device, proof });
        Some(())
    }

    fn proof(&self, who: usize) -> Option<Signature> {
        let member = self.members.get(who)?;
        let signed = session_proof(member.nonce, member.account, member.device);
        Some(member.key.sign(Purpose::SessionProof, &signed))
    }

    fn step(&mut self) -> Option<()> {
        let who = self.input.below(self.members.len())?;
        let connection = self.members.get(who)?.connection;
        match self.input.below(12)? {
            0 => self.run(),
            1 => {
                let (connection, nonce) = self.connect()?;
                let member = self.members.get_mut(who)?;
                self.stage.forget(std::mem::replace(&mut member.connection, connection));
                member.nonce = nonce;
            }
            2 => {
                let whose = self.input.below(self.members.len())?;
                self.resume(who, whose)?;
            }
            3 => {
                self.run();
                self.log_in(who)?;
            }
            4 => {
                let millis = self.input.number()? % (1 << 40);
                self.stage.tick(millis);
            }
            5 => {
                let frame = self.input.text()?;
                self.batch.push((connection, frame));
            }
            6 => self.stage.store.crash(),
            _ => {
                let request = self.request(who)?;
                self.ask(connection, request);
            }
        }
        Some(())
    }

    fn request(&mut self, who: usize) -> Option<Request> {
        let early = self.input.below(3)? == 0;
        if early { self.early_request(who) } else { self.session_request(who) }
    }

    /// What has its place in an open session.
    fn session_request(&mut self, who: usize) -> Option<Request> {
        let conversation = self.conversation()?;
        let name = ChannelName::parse(self.input.pick(&CHANNELS)?).ok()?;
        let user = UserName::parse(self.input.pick(&PEOPLE)?).ok()?;
        Some(match self.input.below(24)? {
            0 => Request::Conversations { after: Some(conversation) },
            1 => Request::Channels { after: Some(name) },
            2 => Request::CreateChannel { name, access: Access::Open },
            3 => Request::CreateChannel { name, access: Access::Invitation },
            4 | 5 => Request::Join { name },
            6 => Request::Leave { conversation },
            7 => Request::Invite { conversation, name: user },
            8 => {
                let (after, limit) = (self.input.number()?, self.input.number()?);
                let limit = u32::try_from(limit).unwrap_or(u32::MAX);
                Request::Fetch { conversation, after, limit }
            }
            9 => Request::Users { after: Some(user) },
            10 => Request::AccountByName { name: user, after_version: self.input.number()? },
            11 => {
                let account = self.members.get(who)?.account;
                Request::AccountById { account, after_version: self.input.number()? }
            }
            12 => self.commit(who)?,
            13 => Request::GroupInfo { conversation: self.encrypted()? },
            14 => Request::Fetch { conversation: self.encrypted()?, after: 0, limit: 9 },
            15 => {
                let (package, expires_at) = (self.body()?, Timestamp(self.input.number()?));
                let last_resort = self.input.below(2)? == 0;
                let upload = KeyPackageUpload { package, expires_at, last_resort };
                Request::UploadKeyPackages { packages: vec![upload] }
            }
            16 => Request::ClaimKeyPackages { account: self.account()? },
            17 => Request::ListVersions { accounts: vec![self.account()?] },
            18 => {
                let (blob, conversation) = (self.blob()?, self.encrypted()?);
                Request::ReserveBlob { blob, conversation, bytes: self.input.number()? << 20 }
            }
            19 => Request::FetchBlob { blob: self.blob()? },
            20 => Request::ReleaseBlob { blob: self.blob()? },
            21 => Request::RegisterRelayKey { key: self.relay_key()? },
            _ => self.submit(conversation)?,
        })
    }

    fn body(&mut self) -> Option<Bytes> {
        Some(Bytes(self.input.chunk()?.to_vec()))
    }

    /// One of a few.
    fn blob(&mut self) -> Option<TransferId> {
        Some(TransferId::from_bytes([self.input.byte()? % 4; 16]))
    }

    /// A key, or something that is none.
    fn relay_key(&mut self) -> Option<Bytes> {
        let number = self.input.byte()?;
        if number % 4 == 0 {
            return self.body();
        }
        let key = EndpointKey::from_secret(&Secret::from_bytes([number; 32])).public();
        Some(Bytes(key.as_bytes().to_vec()))
    }

    /// Somebody's account.
    fn account(&mut self) -> Option<AccountId> {
        let at = self.input.below(self.members.len())?;
        self.members.get(at).map(|member| member.account)
    }

    /// A direct of theirs, a group, an inbox, or nothing of the kind.
    fn encrypted(&mut self) -> Option<ConversationId> {
        let (one, other) = (self.account()?, self.account()?);
        Some(match self.input.below(4)? {
            0 => ConversationId::direct(one, other),
            1 => ConversationId::inbox(self.members.first()?.device),
            2 => ConversationId::LOBBY,
            _ => ConversationId::from_bytes([7; 16]),
        })
    }

    fn commit(&mut self, who: usize) -> Option<Request> {
        let device = self.members.get(who)?.device;
        let conversation = self.encrypted()?;
        let creates = match self.input.below(3)? {
            0 => None,
            1 => Some(Creates::Direct { with: self.account()? }),
            _ => Some(Creates::Group {}),
        };
        let epoch = self.input.below(4)? as u64;
        let reference = Reference::from_bytes([self.input.byte()? % 16; 16]);
        let envelope = Draft { reference, body: self.body()? };
        let welcomed = self.input.below(self.members.len() + 1)?;
        let welcomed = self.members.get(welcomed).map(|member| member.device);
        let body = self.body()?;
        let welcome = welcomed.map(|device| Welcome { devices: vec![device], body });
        let accounts = |play: &mut Self| -> Option<Vec<AccountId>> {
            (0..play.input.below(3)?).map(|_| play.account()).collect()
        };
        let (added, removed) = (accounts(self)?, accounts(self)?);
        let owner = accounts(self)?.pop();
        let members = Members { added, removed, owner };
        let group_info = self.body()?;
        Some(Request::Commit {
            conversation,
            epoch,
            device,
            creates,
            envelope,
            welcome,
            group_info,
            members,
        })
    }

    fn submit(&mut self, conversation: ConversationId) -> Option<Request> {
        let claimed = self.input.below(self.members.len())?;
        let device = self.members.get(claimed)?.device;
        let epoch = if self.input.below(16)? == 0 { self.input.number()? } else { 0 };
        let mut envelopes = Vec::new();
        for _ in 0..self.input.below(5)? {
            let reference = Reference::from_bytes([self.input.byte()? % 16; 16]);
            envelopes.push(Draft { reference, body: Bytes(self.input.chunk()?.to_vec()) });
        }
        Some(Request::Submit { conversation, epoch, device, envelopes })
    }

    /// What has its place in a login, or needs proof.
    fn early_request(&mut self, who: usize) -> Option<Request> {
        let name = UserName::parse(self.input.pick(&PEOPLE)?).ok()?;
        let kind = self.input.below(9)?;
        let bytes = Bytes(self.input.chunk()?.to_vec());
        let (account, device) = self.members.get(who).map(|m| (m.account, m.device))?;
        let newest = self.stage.store.newest_list(account).ok()??.signed;
        let junk = SignedList { list: bytes.clone(), signature: Signature::from_bytes([0; 64]) };
        let proof = self.proof(who)?;
        Some(match kind {
            0 => Request::RegisterStart { name, invite: None, request: bytes },
            1 => Request::LoginStart { name, request: bytes },
            2 => Request::LoginFinish { finalization: bytes },
            3 => Request::Open { device, proof, list: None },
            4 => Request::Open { device, proof, list: Some(junk) },
            5 => Request::PublishList { list: if bytes.0.is_empty() { newest } else { junk } },
            6 => Request::PasswordStart { request: bytes },
            7 => Request::PasswordFinish { upload: bytes.clone(), wrapped_identity: bytes },
            _ => Request::SignOut {},
        })
    }

    /// A login with the right password, or a confirmation where the session is open.
    fn log_in(&mut self, who: usize) -> Option<()> {
        let name = NAMES.get(who)?;
        let connection = self.members.get(who)?.connection;
        let (state, request) = ClientLogin::start(&password(name), &mut self.stage.rng).ok()?;
        let start =
            Request::LoginStart { name: UserName::parse(name).ok()?, request: request.into() };
        self.ask(connection, start);
        let Some(Ok(Reply::LoginChallenge { response, .. })) = self.run_batch().pop() else {
            return Some(());
        };
        let job = Job::FinishLogin {
            state,
            password: password(name),
            response: response.0,
            name: (*name).to_owned(),
            stretch: Stretch::LIGHT,
            seed: Secret::random(&mut self.stage.rng),
        };
        if let Outcome::FinishLogin(Ok(done)) = light(who, job) {
            self.ask(connection, Request::LoginFinish { finalization: done.finalization.into() });
        }
        Some(())
    }

    fn conversation(&mut self) -> Option<ConversationId> {
        let name = self.input.pick(&["#lobby", "#lobby", "#den", "#tea", "#nowhere"])?;
        let name = ChannelName::parse(name).ok()?;
        let found = self.stage.store.conversation_by_name(&name).ok()?;
        let nowhere = ConversationId::from_bytes([self.input.byte()?; 16]);
        Some(found.map_or(nowhere, |conversation| conversation.id))
    }

    fn run(&mut self) {
        drop(self.run_batch());
    }

    fn run_batch(&mut self) -> Vec<Result<Reply, portcullis_proto::Refusal>> {
        let batch = std::mem::take(&mut self.batch);
        let answers = self.stage.ask(batch.clone());
        for ((connection, frame), answer) in batch.iter().zip(&answers) {
            let (Ok((_, request)), Ok(reply)) = (portcullis_server_core::decode(frame), answer)
            else {
                continue;
            };
            match (reply, request) {
                (
                    Reply::Submitted { first, last, .. },
                    Request::Submit { conversation, envelopes, .. },
                ) => {
                    assert_eq!(*last + 1 - *first, envelopes.len() as u64, "places for all");
                    for (seq, draft) in (*first..).zip(envelopes) {
                        self.acknowledged.push((conversation, seq, draft.reference));
                    }
                }
                (Reply::Blob { token, .. }, request) => {
                    let by = self.members.iter().find(|member| member.connection == *connection);
                    let by = by.map(|member| member.account);
                    let key = self.stage.server.capability_key();
                    check_token(&key, (&request, by), (token, self.stage.now));
                }
                _ => {}
            }
        }
        answers
    }

    /// The logs are whole, what was acknowledged stands where it was acknowledged, and blobs are accounted for.
    fn check(&self) {
        let store = &self.stage.store;
        self.stage.blobs.check(store);
        let named = |name: &&str| {
            let name = ChannelName::parse(name).ok()?;
            store.conversation_by_name(&name).ok()?.map(|conversation| conversation.id)
        };
        let conversations: Vec<_> = CHANNELS.iter().filter_map(named).collect();
        self.stage.check_logs(&conversations);
        for (conversation, seq, reference) in &self.acknowledged {
            let page = store.fetch(*conversation, seq - 1, *seq, 1, usize::MAX);
            let stands = page.is_ok_and(|page| {
                page.envelopes.first().is_some_and(|envelope| envelope.reference == *reference)
            });
            assert!(stands, "acknowledged, and lost");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn everyone_has_a_session_and_is_heard() {
        let submit = [0, 7, 1, 0, 0, 0, 0, 23, 0, 1, 1, 3, 1, 65, 0, 0];
        let said = Play::new(&submit).map(|mut play| {
            while play.step().is_some() {}
            play.acknowledged
        });
        let reference = Reference::from_bytes([3; 16]);
        assert_eq!(said, Some(vec![(ConversationId::LOBBY, 4, reference)]));
    }
    /// Steps in a direct of mira's and oleg's.
    fn steps(steps: &[&[u8]]) -> Vec<u8> {
        const DIRECT: &[u8] =
            &[0, 7, 1, 0, 0, 0, 0, 12, 0, 2, 0, 1, 2, 0, 1, 1, 65, 3, 0, 0, 0, 0, 1, 65, 0, 0];
        [&[DIRECT], steps].concat().concat()
    }

    /// How many blobs there are, and how many are gone.
    fn check_blobs(bytes: &[u8], expected: (usize, usize)) {
        let mut play = Play::new(bytes).unwrap();
        while play.step().is_some() {}
        play.run();
        play.check();
        assert_eq!(play.stage.blobs.count(), expected);
    }

    #[test]
    fn blobs_are_reserved_fetched_and_dropped() {
        let reserve: &[u8] = &[0, 7, 1, 0, 0, 0, 0, 18, 1, 0, 2, 0, 100, 0, 0];
        let fetch: &[u8] = &[2, 7, 1, 0, 0, 0, 0, 19, 1, 0, 0];
        let release: &[u8] = &[2, 7, 1, 0, 0, 0, 0, 20, 1, 0, 0];
        let later: &[u8] = &[0, 4, 253];
        check_blobs(&steps(&[reserve, fetch]), (1, 0));
        check_blobs(&steps(&[reserve, fetch, release]), (0, 1));
        check_blobs(&steps(&[reserve, later]), (0, 1));
    }
}
