//! People who exist only for a measurement: their accounts are put into the store, and they resume
//! by tokens, since a real login takes a tenth of a second on purpose. NO SECURITY: every secret
//! follows from a number.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use portcullis_crypto::{AuthKey, Hash, IdentityKey, Purpose, Secret, Stretch};
use portcullis_proto::{
    Access, AccountId, Bytes, ChannelName, ClientFrame, ConversationId, DeviceId, Draft, Event,
    Reference, Request, Role, ServerFrame, Timestamp, UserName, limits, session_proof,
};
use portcullis_server::sqlite::SqliteStore;
use portcullis_server_core::defences::token_hash;
use portcullis_server_core::store::{
    Account, Conversation, Device, InsertError, Login, Membership, Span, Store as _, Token,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

/// Puts `people` accounts into a new store, and person n into conversation n modulo
/// `conversations`.
pub(crate) fn populate(folder: &Path, people: u32, conversations: u32) -> anyhow::Result<()> {
    let store = SqliteStore::open(folder)?;
    store.begin()?;
    for number in 0..conversations {
        inserted(store.insert_conversation(&conversation(number)?))?;
    }
    for number in 0..people {
        inserted(store.insert_account(&account(number)?))?;
        let (id, account) = (device_id(number), account_id(number));
        let auth = auth_key(number).public();
        store.put_device(&Device { id, account, auth, revoked: false, submitted: 0 })?;
        let hash = token_hash(&token(number));
        store.put_token(&Token { hash, device: id, expires_at: Timestamp(u64::MAX >> 1) })?;
        let spans = vec![Span { from: 1, to: None }];
        let membership = Membership { role: Role::Member, spans };
        store.put_membership(account, conversation_id(number % conversations), &membership)?;
    }
    store.commit()?;
    Ok(())
}

/// The group that person 0 is in.
pub(crate) const GROUP: ConversationId = ConversationId::from_bytes([0x17; 16]);

/// Adds an encrypted conversation to a store with people.
pub(crate) fn populate_group(folder: &Path) -> anyhow::Result<()> {
    let store = SqliteStore::open(folder)?;
    store.begin()?;
    inserted(store.insert_conversation(&Conversation::group(GROUP)))?;
    let spans = vec![Span { from: 1, to: None }];
    let membership = Membership { role: Role::Member, spans };
    store.put_membership(account_id(0), GROUP, &membership)?;
    store.commit()?;
    Ok(())
}

/// The request by which person `number` resumes, in answer to the server's greeting.
pub(crate) fn resume(number: u32, greeting: &str) -> anyhow::Result<String> {
    let Ok(ServerFrame::Event(Event::Hello { nonce, .. })) = ServerFrame::decode(greeting) else {
        bail!("not a greeting: {greeting}");
    };
    let signed = session_proof(nonce, account_id(number), device_id(number));
    let request = Request::Resume {
        token: Bytes(token(number).to_vec()),
        device: device_id(number),
        proof: auth_key(number).sign(Purpose::SessionProof, &signed),
    };
    Ok(ClientFrame { id: 1, request }.encode())
}

/// What people say.
pub(crate) struct Speech {
    conversations: u32,
    /// Bytes of an envelope's body.
    body: usize,
    random: ChaCha20Rng,
}

impl Speech {
    /// Of people in so many conversations.
    pub(crate) fn new(conversations: u32, body: usize) -> Self {
        Speech { conversations, body, random: ChaCha20Rng::seed_from_u64(2) }
    }

    /// Of one person alone: no other's references are the same.
    pub(crate) fn alone(number: u32, conversations: u32, body: usize) -> Self {
        let random = ChaCha20Rng::seed_from_u64(u64::from(number) << 32);
        Speech { conversations, body, random }
    }

    /// A request that says something new, whose id is `count` and two.
    pub(crate) fn submit(&mut self, number: u32, count: u64) -> String {
        let reference = Reference::fresh(now(), &mut self.random);
        let request = Request::Submit {
            conversation: conversation_id(number % self.conversations),
            epoch: 0,
            device: device_id(number),
            envelopes: vec![Draft { reference, body: Bytes(vec![b'x'; self.body]) }],
        };
        ClientFrame { id: count + 2, request }.encode()
    }
}

/// A request for what was said in person `number`'s conversation from its beginning on.
pub(crate) fn fetch(number: u32, conversations: u32) -> String {
    let conversation = conversation_id(number % conversations);
    let request = Request::Fetch { conversation, after: 0, limit: limits::FETCH_ENVELOPES };
    ClientFrame { id: 2, request }.encode()
}

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

fn conversation(number: u32) -> anyhow::Result<Conversation> {
    let id = conversation_id(number);
    let name = ChannelName::parse(&format!("#bench{number}")).ok().context("a channel's name")?;
    Ok(Conversation::channel(id, name, Access::Open))
}

fn account(number: u32) -> anyhow::Result<Account> {
    Ok(Account {
        id: account_id(number),
        name: UserName::parse(&format!("bench{number}")).ok().context("a user's name")?,
        identity: IdentityKey::from_secret(&Secret::from_bytes(bytes(number))).public(),
        login: Login {
            record: vec![0; 192],
            stretch: Stretch::LIGHT,
            wrapped_identity: vec![0; 80],
        },
        disabled: false,
        created_at: Timestamp(0),
    })
}

fn inserted(result: Result<(), InsertError>) -> anyhow::Result<()> {
    match result {
        Ok(()) => Ok(()),
        Err(InsertError::Taken) => bail!("the data folder isn't new"),
        Err(InsertError::Store(error)) => Err(error.into()),
    }
}

fn auth_key(number: u32) -> AuthKey {
    AuthKey::from_secret(&Secret::from_bytes(bytes(number)))
}

fn token(number: u32) -> [u8; 32] {
    bytes(number)
}

fn account_id(number: u32) -> AccountId {
    AccountId::from_bytes(bytes(number))
}

fn device_id(number: u32) -> DeviceId {
    DeviceId::from_bytes(bytes(number))
}

fn conversation_id(number: u32) -> ConversationId {
    ConversationId::from_bytes(bytes(number))
}

/// As many bytes as are wanted, different for each number and well mixed.
fn bytes<const N: usize>(number: u32) -> [u8; N] {
    let hash: Hash = portcullis_crypto::hash("portcullis bench", &[&number.to_le_bytes()]);
    let mut bytes = [0; N];
    for (slot, byte) in bytes.iter_mut().zip(hash.as_bytes()) {
        *slot = *byte;
    }
    bytes
}
