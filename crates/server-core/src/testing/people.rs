//! Scripted people: they register, log in, open sessions, add devices, talk and read, as a client does.

use super::World;
use crate::ConnectionId;
use portcullis_crypto::{
    AuthKey, ClientLogin, ClientRegistration, ExportKey, IdentityKey, Job, LeafKey, Outcome,
    Password, Purpose, Secret, Signature, Stretch, perform,
};
use portcullis_proto::{
    Access, AccountId, Bytes, ChannelName, ConversationId, Creates, DeviceEntry, DeviceId,
    DeviceList, DeviceName, Draft, Fetched, KeyPackageUpload, LoggedIn, Members, Opened, Reference,
    Refusal, Reply, Request, SignedList, Stretching, UserName, Welcome, session_proof,
};

/// Someone with one device and, while they are here, one connection.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) name: UserName,
    pub(crate) password: String,
    pub(crate) account: AccountId,
    pub(crate) identity: IdentityKey,
    pub(crate) device: DeviceId,
    pub(crate) auth: AuthKey,
    pub(crate) leaf: LeafKey,
    /// The newest version that this device knows.
    pub(crate) list: SignedList,
    pub(crate) token: Bytes,
    pub(crate) connection: ConnectionId,
}

/// Someone between the steps of a registration.
pub(crate) struct Newcomer {
    pub(crate) person: Person,
    /// The second step.
    pub(crate) finish: Request,
}

pub(crate) fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

pub(crate) fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

pub(crate) fn reference(number: u8) -> Reference {
    Reference::from_bytes([number; 16])
}

/// What the envelope of this reference holds.
pub(crate) fn body(number: u8) -> Bytes {
    Bytes(vec![number; 10])
}

pub(crate) fn drafts(numbers: &[u8]) -> Vec<Draft> {
    let draft = |number: &u8| Draft { reference: reference(*number), body: body(*number) };
    numbers.iter().map(draft).collect()
}

/// What devices join by after the commit of this number.
pub(crate) fn group_info(number: u8) -> Bytes {
    Bytes(vec![number; 20])
}

/// What a commit of this number leaves in inboxes.
pub(crate) fn welcome(number: u8) -> Bytes {
    Bytes(vec![number; 30])
}

/// The commit as one that makes its conversation.
pub(crate) fn creating(kind: Creates, mut commit: Request) -> Request {
    if let Request::Commit { creates, .. } = &mut commit {
        *creates = Some(kind);
    }
    commit
}

/// The commit with a welcome for these people's devices.
pub(crate) fn welcoming(people: &[&Person], mut commit: Request) -> Request {
    if let Request::Commit { welcome: left, envelope, .. } = &mut commit {
        let devices = people.iter().map(|person| person.device).collect();
        *left = Some(Welcome { devices, body: welcome(envelope.reference.as_bytes()[0]) });
    }
    commit
}

/// Members that are added.
pub(crate) fn adding(people: &[&Person]) -> Members {
    let added = people.iter().map(|person| person.account).collect();
    Members { added, ..Members::default() }
}

/// Another owner.
pub(crate) fn naming(person: &Person) -> Members {
    Members { owner: Some(person.account), ..Members::default() }
}

/// Members that are removed.
pub(crate) fn removing(people: &[&Person]) -> Members {
    let removed = people.iter().map(|person| person.account).collect();
    Members { removed, ..Members::default() }
}

impl Person {
    /// A submit into a conversation whose epoch is 0.
    pub(crate) fn submit(&self, conversation: ConversationId, numbers: &[u8]) -> Request {
        Request::Submit { conversation, epoch: 0, device: self.device, envelopes: drafts(numbers) }
    }

    /// A commit of this device, made for `epoch`, that changes nothing about the members.
    pub(crate) fn commit(
        &self,
        conversation: ConversationId,
        epoch: u64,
        number: u8,
        members: Members,
    ) -> Request {
        Request::Commit {
            conversation,
            epoch,
            device: self.device,
            creates: None,
            envelope: Draft { reference: reference(number), body: body(number) },
            welcome: None,
            group_info: group_info(number),
            members,
        }
    }

    /// The commit that makes a group with these people.
    pub(crate) fn make_group(
        &self,
        conversation: ConversationId,
        number: u8,
        with: &[&Person],
    ) -> Request {
        let added = with.iter().map(|person| person.account).collect();
        let members = Members { added, ..Members::default() };
        let commit = self.commit(conversation, 0, number, members);
        creating(Creates::Group {}, commit)
    }

    /// The commit that makes the direct with somebody.
    pub(crate) fn make_direct(&self, with: &Person, number: u8) -> Request {
        let conversation = ConversationId::direct(self.account, with.account);
        let commit = self.commit(conversation, 0, number, Members::default());
        creating(Creates::Direct { with: with.account }, commit)
    }

    /// The next version of the list, changed by `change` and signed.
    pub(crate) fn next_list(&self, change: impl FnOnce(&mut DeviceList)) -> SignedList {
        let newest = self.list.open(self.account, &self.identity.public()).unwrap();
        let mut list = newest.list().clone();
        list.version += 1;
        list.previous = newest.hash();
        change(&mut list);
        list.sign(&self.identity)
    }

    /// The entry of this device in a list.
    pub(crate) fn entry(&self) -> DeviceEntry {
        DeviceEntry {
            device: self.device,
            name: DeviceName::parse("laptop").unwrap(),
            auth: self.auth.public(),
            leaf: self.leaf.public(),
            added_at: portcullis_proto::Timestamp(5),
        }
    }

    /// The first version, with this device alone.
    fn first_list(&self) -> SignedList {
        let list = DeviceList {
            account: self.account,
            version: 1,
            previous: DeviceList::origin(self.account),
            devices: vec![self.entry()],
            revoked: vec![],
        };
        list.sign(&self.identity)
    }
}

impl World {
    /// Registers and stays here.
    pub(crate) fn person(&mut self, name: &str) -> Person {
        let Newcomer { mut person, finish } = self.newcomer(name, None).unwrap();
        let reply = self.ask(person.connection, finish);
        person.token = opened(reply).token.unwrap();
        person
    }

    /// The first step of a registration.
    pub(crate) fn newcomer(
        &mut self,
        name: &str,
        invite: Option<&str>,
    ) -> Result<Newcomer, Refusal> {
        let connection = self.connect();
        let password = format!("password of {name}");
        let (state, request) =
            ClientRegistration::start(&Password::new(password.clone()), &mut self.rng).unwrap();
        let start = Request::RegisterStart {
            name: user(name),
            invite: invite.map(str::to_owned),
            request: Bytes(request),
        };
        let (account, response) = match self.ask(connection, start)? {
            Reply::RegisterChallenge { account, response, .. } => (account, response),
            other => panic!("{other:?}"),
        };
        let (upload, export) = self.finish_registration(state, &password, response, name);
        let mut person = Person {
            name: user(name),
            password,
            account,
            identity: IdentityKey::generate(&mut self.rng),
            device: DeviceId::random(&mut self.rng),
            auth: AuthKey::generate(&mut self.rng),
            leaf: LeafKey::generate(&mut self.rng),
            list: SignedList { list: Bytes::default(), signature: Signature::from_bytes([0; 64]) },
            token: Bytes::default(),
            connection,
        };
        person.list = person.first_list();
        let finish = Request::RegisterFinish {
            upload,
            identity: person.identity.public(),
            wrapped_identity: self.wrap(&export, &person),
            list: person.list.clone(),
            device: person.device,
            proof: self.proof(&person, connection),
        };
        Ok(Newcomer { person, finish })
    }

    /// The client's second step of a registration or of a change of password.
    pub(crate) fn finish_registration(
        &mut self,
        state: ClientRegistration,
        password: &str,
        response: Bytes,
        name: &str,
    ) -> (Bytes, ExportKey) {
        let job = Job::FinishRegistration {
            state,
            password: Password::new(password.to_owned()),
            response: response.0,
            name: name.to_owned(),
            stretch: Stretch::LIGHT,
            seed: Secret::random(&mut self.rng),
        };
        match perform(job) {
            Outcome::FinishRegistration(Ok(done)) => (Bytes(done.upload), done.export),
            other => panic!("{other:?}"),
        }
    }

    /// The identity key, wrapped for the server to keep.
    pub(crate) fn wrap(&mut self, export: &ExportKey, person: &Person) -> Bytes {
        let account = person.account.as_bytes();
        let wrapped = export.wrap_identity(&mut self.rng, &person.identity, account);
        Bytes(wrapped.as_bytes().to_vec())
    }

    /// The first step of a login, and what the second will be: a wrong password gives a wrong one.
    pub(crate) fn begin_login(
        &mut self,
        connection: ConnectionId,
        name: &str,
        password: &str,
    ) -> Result<Request, Refusal> {
        let (state, request) =
            ClientLogin::start(&Password::new(password.to_owned()), &mut self.rng).unwrap();
        let start = Request::LoginStart { name: user(name), request: Bytes(request) };
        let (response, cost) = match self.ask(connection, start)? {
            Reply::LoginChallenge { response, stretching } => (response, stretching),
            other => panic!("{other:?}"),
        };
        let Stretching { memory_kib, passes, lanes } = cost;
        let job = Job::FinishLogin {
            state,
            password: Password::new(password.to_owned()),
            response: response.0,
            name: name.to_owned(),
            stretch: Stretch::parse(memory_kib, passes, lanes).unwrap(),
            seed: Secret::random(&mut self.rng),
        };
        let finalization = match perform(job) {
            Outcome::FinishLogin(Ok(done)) => done.finalization,
            _ => vec![7; 64],
        };
        Ok(Request::LoginFinish { finalization: Bytes(finalization) })
    }

    /// Both steps of a login.
    pub(crate) fn log_in(
        &mut self,
        connection: ConnectionId,
        name: &str,
        password: &str,
    ) -> Result<LoggedIn, Refusal> {
        let finish = self.begin_login(connection, name, password)?;
        match self.ask(connection, finish)? {
            Reply::LoggedIn(logged_in) => Ok(logged_in),
            other => panic!("{other:?}"),
        }
    }

    /// Proves the present password again in an open session.
    pub(crate) fn confirm(&mut self, person: &Person) -> Result<LoggedIn, Refusal> {
        self.log_in(person.connection, person.name.as_str(), &person.password)
    }

    /// Asks for a new password; whether it needs to be confirmed first is the server's affair.
    pub(crate) fn change_password(
        &mut self,
        person: &mut Person,
        new: &str,
    ) -> Result<(), Refusal> {
        let (state, request) =
            ClientRegistration::start(&Password::new(new.to_owned()), &mut self.rng).unwrap();
        let start = Request::PasswordStart { request: Bytes(request) };
        let response = match self.ask(person.connection, start)? {
            Reply::RegisterChallenge { response, .. } => response,
            other => panic!("{other:?}"),
        };
        let name = person.name.as_str();
        let (upload, export) = self.finish_registration(state, new, response, name);
        let wrapped_identity = self.wrap(&export, person);
        let finish = Request::PasswordFinish { upload, wrapped_identity };
        self.ask(person.connection, finish)?;
        person.password = new.to_owned();
        Ok(())
    }

    /// The device's signature over a connection's nonce.
    pub(crate) fn proof(&self, person: &Person, connection: ConnectionId) -> Signature {
        let signed = session_proof(self.nonce(connection), person.account, person.device);
        person.auth.sign(Purpose::SessionProof, &signed)
    }

    /// The request that opens a session after a login.
    pub(crate) fn open(&self, person: &Person, connection: ConnectionId) -> Request {
        Request::Open { device: person.device, proof: self.proof(person, connection), list: None }
    }

    /// The request that resumes the person's session.
    pub(crate) fn resume(&self, person: &Person, connection: ConnectionId) -> Request {
        Request::Resume {
            token: person.token.clone(),
            device: person.device,
            proof: self.proof(person, connection),
        }
    }

    /// Comes back by token, on a new connection.
    pub(crate) fn come_back(&mut self, person: &mut Person) -> Result<Opened, Refusal> {
        let connection = self.connect();
        let request = self.resume(person, connection);
        let reply = self.ask(connection, request)?;
        person.connection = connection;
        Ok(opened(Ok(reply)))
    }

    /// Logs in with another device and adds it to the list.
    pub(crate) fn enrol(&mut self, person: &mut Person) -> Person {
        let connection = self.connect();
        self.log_in(connection, person.name.as_str(), &person.password).unwrap();
        let mut second = self.stranger_device(person);
        second.connection = connection;
        let list = person.next_list(|list| list.devices.push(second.entry()));
        second.list = list.clone();
        person.list = list.clone();
        let request = Request::Open {
            device: second.device,
            proof: self.proof(&second, connection),
            list: Some(list),
        };
        second.token = opened(self.ask(connection, request)).token.unwrap();
        second
    }

    /// A device of the person's that no list names yet.
    pub(crate) fn stranger_device(&mut self, person: &Person) -> Person {
        Person {
            device: DeviceId::random(&mut self.rng),
            auth: AuthKey::generate(&mut self.rng),
            leaf: LeafKey::generate(&mut self.rng),
            ..person.clone()
        }
    }

    /// Says something for each number; the sequence numbers of the first and the last.
    pub(crate) fn say(
        &mut self,
        person: &Person,
        conversation: ConversationId,
        numbers: &[u8],
    ) -> Result<(u64, u64), Refusal> {
        match self.ask(person.connection, person.submit(conversation, numbers))? {
            Reply::Submitted { first, last, .. } => Ok((first, last)),
            other => panic!("{other:?}"),
        }
    }

    /// A page of a conversation.
    pub(crate) fn fetch(
        &mut self,
        person: &Person,
        conversation: ConversationId,
        after: u64,
    ) -> Result<Fetched, Refusal> {
        let request = Request::Fetch { conversation, after, limit: 256 };
        match self.ask(person.connection, request)? {
            Reply::Fetched(fetched) => Ok(fetched),
            other => panic!("{other:?}"),
        }
    }

    /// The sequence numbers that the person can read.
    pub(crate) fn readable(
        &mut self,
        person: &Person,
        conversation: ConversationId,
    ) -> Result<Vec<u64>, Refusal> {
        let (mut after, mut seqs) = (0, Vec::new());
        loop {
            let page = self.fetch(person, conversation, after)?;
            let Some(last) = page.envelopes.last() else {
                return Ok(seqs);
            };
            after = last.seq;
            seqs.extend(page.envelopes.iter().map(|envelope| envelope.seq));
        }
    }

    /// Leaves single-use key packages 1 to `count` of the person's device, which expire in `millis`.
    pub(crate) fn upload(&mut self, person: &Person, count: u8, millis: u64) {
        let packages = (1..=count).map(|number| self.key_package(number, millis, false)).collect();
        let done = self.ask(person.connection, Request::UploadKeyPackages { packages });
        assert_eq!(done, Ok(Reply::Done));
    }

    /// Leaves a key package of last resort.
    pub(crate) fn upload_last_resort(&mut self, person: &Person, number: u8, millis: u64) {
        let packages = vec![self.key_package(number, millis, true)];
        let done = self.ask(person.connection, Request::UploadKeyPackages { packages });
        assert_eq!(done, Ok(Reply::Done));
    }

    /// A key package.
    pub(crate) fn key_package(
        &self,
        number: u8,
        millis: u64,
        last_resort: bool,
    ) -> KeyPackageUpload {
        let expires_at = self.now.plus_millis(millis);
        KeyPackageUpload { package: body(number), expires_at, last_resort }
    }

    /// Makes a channel.
    pub(crate) fn create(&mut self, person: &Person, name: &str, access: Access) -> ConversationId {
        let request = Request::CreateChannel { name: channel(name), access };
        match self.ask(person.connection, request) {
            Ok(Reply::Conversation(summary)) => summary.conversation,
            other => panic!("{other:?}"),
        }
    }

    /// Joins a channel.
    pub(crate) fn join(&mut self, person: &Person, name: &str) -> Result<Reply, Refusal> {
        let name = channel(name);
        self.ask(person.connection, Request::Join { name })
    }

    /// Leaves a channel.
    pub(crate) fn leave(
        &mut self,
        person: &Person,
        conversation: ConversationId,
    ) -> Result<Reply, Refusal> {
        self.ask(person.connection, Request::Leave { conversation })
    }

    /// Invites someone into a channel.
    pub(crate) fn invite(
        &mut self,
        person: &Person,
        conversation: ConversationId,
        guest: &Person,
    ) -> Result<Reply, Refusal> {
        let name = guest.name.clone();
        self.ask(person.connection, Request::Invite { conversation, name })
    }
}

pub(crate) fn opened(reply: Result<Reply, Refusal>) -> Opened {
    match reply {
        Ok(Reply::Opened(opened)) => opened,
        other => panic!("{other:?}"),
    }
}
