//! Classroom guests in a batch, and what stands for them in the store.

use super::{Server, in_savepoint};
use crate::guests::ask;
use crate::store::{Account, Conversation, Device, InsertError, Login, Store, StoreError};
use crate::{ConnectionId, GuestAsk, GuestOutput, GuestRefused, Output, Peer};
use portcullis_crypto::{AuthKey, IdentityKey, Secret, Stretch};
use portcullis_proto::{AccountId, ConversationId, DeviceId, Timestamp, UserName};

/// Names for what stands for guests in the store, should one be taken. Nobody is shown them.
const NAMES: u32 = 1_000;

impl Server {
    /// Makes what a store needs where guests are admitted: the conversation of what they say privately, and the
    /// account and device in whose name what they say is kept. Nobody can log in as that one: it has no login.
    ///
    /// # Errors
    /// What the store says.
    pub fn prepare_guests(store: &dyn Store) -> Result<(), StoreError> {
        if store.conversation(ConversationId::CLASSROOM)?.is_some() {
            return Ok(());
        }
        store.begin()?;
        match make(store) {
            Ok(()) => store.commit(),
            Err(error) => store.rollback().and(Err(error)),
        }
    }

    /// Carries out what a guest asks, in a savepoint.
    pub(super) fn guest(
        &mut self,
        store: &dyn Store,
        now: Timestamp,
        connection: ConnectionId,
        peer: Peer,
        asked: GuestAsk,
    ) -> Result<Vec<Output>, StoreError> {
        let is_hello = matches!(asked, GuestAsk::Hello(_));
        let mut context = self.context(store, now);
        let mistaken = || GuestRefused::Unavailable;
        let run = || ask(&mut context, connection, peer, asked);
        Ok(match in_savepoint(store, mistaken, run)? {
            Ok(outputs) => {
                // One that made room is gone also where the batch is not durable.
                self.ended.extend(outputs.iter().filter_map(|output| match output {
                    Output::Drop { connection } => Some(*connection),
                    _ => None,
                }));
                outputs
            }
            // Whoever isn't let in would wait for ever.
            Err(why) if is_hello && why != GuestRefused::SecondHello => {
                vec![refused(connection, why), Output::Drop { connection }]
            }
            Err(why) => vec![refused(connection, why)],
        })
    }
}

pub(super) const fn refused(connection: ConnectionId, why: GuestRefused) -> Output {
    Output::Guest(GuestOutput::Refused { connection, why })
}

fn make(store: &dyn Store) -> Result<(), StoreError> {
    match store.insert_conversation(&Conversation::classroom()) {
        Ok(()) => {}
        Err(InsertError::Taken) => return Err(StoreError::Corrupt),
        Err(InsertError::Store(error)) => return Err(error),
    }
    let mut made = Err(InsertError::Taken);
    for number in 0..NAMES {
        if made == Err(InsertError::Taken) {
            made = store.insert_account(&gateway(number)?);
        }
    }
    made.map_err(|error| match error {
        InsertError::Taken => StoreError::Corrupt,
        InsertError::Store(error) => error,
    })?;
    store.put_device(&Device {
        id: DeviceId::GATEWAY,
        account: AccountId::GATEWAY,
        auth: AuthKey::from_secret(&Secret::from_bytes([0; 32])).public(),
        revoked: true,
        submitted: 0,
    })
}

/// Its keys are no secrets: nothing believes what they sign.
fn gateway(number: u32) -> Result<Account, StoreError> {
    let name = match number {
        0 => "guests".to_owned(),
        number => format!("guests-{number}"),
    };
    Ok(Account {
        id: AccountId::GATEWAY,
        name: UserName::parse(&name).map_err(|_| StoreError::Corrupt)?,
        identity: IdentityKey::from_secret(&Secret::from_bytes([0; 32])).public(),
        login: Login { record: Vec::new(), stretch: Stretch::LIGHT, wrapped_identity: Vec::new() },
        disabled: true,
        created_at: Timestamp(0),
    })
}
