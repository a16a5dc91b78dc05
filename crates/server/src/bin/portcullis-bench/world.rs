//! People who exist only for a measurement: their accounts are put into the store, and they resume
//! by tokens, since a real login takes a tenth of a second on purpose. NO SECURITY: every secret
//! follows from a number.

use std::path::Path;

use anyhow::{Context as _, bail};
use portcullis_crypto::{AuthKey, Hash, IdentityKey, Purpose, Secret, Stretch};
use portcullis_proto::{
    Access, AccountId, Bytes, ChannelName, ClientFrame, ConversationId, ConversationKind, DeviceId,
    Draft, Envelope, Event, Reference, Request, Role, Seen, ServerFrame, Timestamp, UserName,
    session_proof,
};
use portcullis_server::sqlite::SqliteStore;
use portcullis_server_core::defences::token_hash;
use portcullis_server_core::store::{
    Account, Conversation, Device, InsertError, Login, Membership, Span, Store as _, Token,
};

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

/// A request that says `body` bytes. `count` is never used twice by the same person.
pub(crate) fn submit(number: u32, conversations: u32, count: u64, body: usize) -> String {
    // Scattered over the index, as random ones are.
    let scattered = count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut reference = [0; 16];
    for (slot, byte) in reference.iter_mut().zip(scattered.to_le_bytes()) {
        *slot = byte;
    }
    let request = Request::Submit {
        conversation: conversation_id(number % conversations),
        epoch: 0,
        device: device_id(number),
        envelopes: vec![Draft {
            reference: Reference::from_bytes(reference),
            body: Bytes(vec![b'x'; body]),
        }],
    };
    ClientFrame { id: count + 2, request }.encode()
}

fn conversation(number: u32) -> anyhow::Result<Conversation> {
    let id = conversation_id(number);
    Ok(Conversation {
        id,
        kind: ConversationKind::Channel,
        name: ChannelName::parse(&format!("#bench{number}")).ok().context("a channel's name")?,
        access: Access::Open,
        epoch: 0,
        end: Seen { seq: 0, chain: Envelope::chain_start(id) },
    })
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
