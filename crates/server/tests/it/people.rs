//! A server on a real data folder, and people who are in its store already: they resume by tokens, since
//! a login takes a tenth of a second on purpose. NO SECURITY: every secret follows from a number.

use std::path::Path;

use portcullis_crypto::{AuthKey, IdentityKey, Purpose, Secret, ServerSetup, Stretch};
use portcullis_proto::{
    AccountId, Bytes, ClientFrame, ConversationId, DeviceId, Event, Refusal, Reply, Request, Role,
    ServerFrame, Timestamp, UserName, session_proof,
};
use portcullis_server::domain::CoreDomain;
use portcullis_server::sqlite::SqliteStore;
use portcullis_server::{Parts, blobs};
use portcullis_server_core::defences::{SOUND, token_hash};
use portcullis_server_core::store::{
    Account, Conversation, Device, Login, Membership, Span, Store as _, Token,
};
use portcullis_server_core::{BlobPolicy, Instance, Registration, Server};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;

use crate::running::RunningServer;
use crate::wire::{Client, TEXT, frame};

/// The group that everybody is in.
pub(crate) const GROUP: ConversationId = ConversationId::from_bytes([0x17; 16]);

/// Makes a data folder with so many people, all in one group.
pub(crate) fn populate(folder: &Path, people: u8) {
    let store = SqliteStore::open(folder).unwrap();
    store.begin().unwrap();
    store.insert_conversation(&Conversation::group(GROUP)).unwrap();
    for number in 1..=people {
        let (account, device) = (account_id(number), device_id(number));
        store.insert_account(&person(number)).unwrap();
        let auth = auth_key(number).public();
        store
            .put_device(&Device { id: device, account, auth, revoked: false, submitted: 0 })
            .unwrap();
        let hash = token_hash(&[number; 32]);
        store.put_token(&Token { hash, device, expires_at: Timestamp(u64::MAX >> 1) }).unwrap();
        let spans = vec![Span { from: 1, to: None }];
        let membership = Membership { role: Role::Member, spans };
        store.put_membership(account, GROUP, &membership).unwrap();
    }
    store.commit().unwrap();
}

/// Starts a server on such a folder.
pub(crate) fn serve(
    folder: &Path,
    policy: BlobPolicy,
    change: impl FnOnce(&mut blobs::Settings),
    more: impl FnOnce(&mut Parts<CoreDomain>),
) -> RunningServer {
    let store = SqliteStore::open(folder).unwrap();
    Server::prepare(&store).unwrap();
    let mut random = ChaCha20Rng::seed_from_u64(7);
    let instance = Instance {
        setup: ServerSetup::generate(&mut random),
        registration: Registration::Closed,
        stretch: Stretch::LIGHT,
        rate_factor: 1,
        blobs: policy,
        guests: None,
    };
    // Another key for tokens each time, as every start has.
    let mut seed = [0; 32];
    getrandom::getrandom(&mut seed).unwrap();
    let core = Server::new(instance, SOUND, Box::new(ChaCha20Rng::from_seed(seed)));
    let mut settings = blobs::Settings::new(folder.join("blobs"));
    change(&mut settings);
    let domain = CoreDomain::new(core, Box::new(store), None).with_blobs(settings);
    RunningServer::start_changed(domain, more)
}

/// Somebody's open session.
pub(crate) struct Session {
    client: Client,
    device: DeviceId,
    last: u64,
}

impl Session {
    pub(crate) fn open(server: &RunningServer, number: u8) -> Self {
        let mut client = Client::open(server.address, "/connect");
        let Ok(ServerFrame::Event(Event::Hello { nonce, .. })) = next(&mut client) else {
            panic!("not greeted");
        };
        let (account, device) = (account_id(number), device_id(number));
        let proof =
            auth_key(number).sign(Purpose::SessionProof, &session_proof(nonce, account, device));
        let mut session = Self { client, device, last: 0 };
        let resume = Request::Resume { token: Bytes(vec![number; 32]), device, proof };
        assert!(matches!(session.ask(resume), Ok(Reply::Opened(_))));
        session
    }

    pub(crate) const fn device(&self) -> DeviceId {
        self.device
    }

    /// Asks, and takes in events until the answer comes.
    pub(crate) fn ask(&mut self, request: Request) -> Result<Reply, Refusal> {
        self.last += 1;
        let id = self.last;
        self.client.send(&frame(TEXT, ClientFrame { id, request }.encode().as_bytes()));
        loop {
            match next(&mut self.client) {
                Ok(ServerFrame::Reply(to, reply)) if to == id => return Ok(reply),
                Ok(ServerFrame::Refusal(to, refusal)) if to == id => return Err(refusal),
                Ok(ServerFrame::Event(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

fn next(client: &mut Client) -> Result<ServerFrame, String> {
    let frame = client.next().ok_or("the server has hung up")?;
    let text = String::from_utf8(frame.payload).map_err(|error| error.to_string())?;
    ServerFrame::decode(&text).map_err(|error| error.to_string())
}

fn person(number: u8) -> Account {
    Account {
        id: account_id(number),
        name: UserName::parse(&format!("person{number}")).unwrap(),
        identity: IdentityKey::from_secret(&Secret::from_bytes([number; 32])).public(),
        login: Login {
            record: vec![0; 192],
            stretch: Stretch::LIGHT,
            wrapped_identity: vec![0; 72],
        },
        disabled: false,
        created_at: Timestamp(0),
    }
}

fn auth_key(number: u8) -> AuthKey {
    AuthKey::from_secret(&Secret::from_bytes([number; 32]))
}

fn account_id(number: u8) -> AccountId {
    AccountId::from_bytes([number; 16])
}

fn device_id(number: u8) -> DeviceId {
    DeviceId::from_bytes([number | 0x40; 16])
}
