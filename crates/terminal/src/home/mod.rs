//! A home: the folder of one device. What the client core has persisted lies in it, sealed record by
//! record, and one process holds it at a time.
//!
//! `home.json` has the store key, wrapped under the stretched password (`home.key` has it open, where there is
//! no password); `home.db` (SQLite) has the records; `lock` has the process id of the holder. Leaves out what the records mean: that is the
//! core's. Row keys (ids and sequence numbers) lie open, values never do.

mod bare;
mod error;
mod header;
mod key;
mod lock;
mod look;
mod store;

use std::path::{Path, PathBuf};

use portcullis_client_core::{Key, Message, Write, read_message};
use portcullis_crypto::{Password, Stretch};
use portcullis_proto::ConversationId;
use rand_core::OsRng;
use zeroize::Zeroizing;

pub use error::HomeError;
pub use lock::WAIT;

use header::Header;
use key::Row;
use lock::Lock;
use store::Store;

/// A record that a client is restored from.
pub type Record = (Key, Zeroizing<Vec<u8>>);

/// An open home. It is let go when this is dropped.
#[derive(Debug)]
pub struct Home {
    folder: PathBuf,
    store: Store,
    /// Stands after the store, so that it is let go last.
    _lock: Lock,
}

impl Home {
    /// Opens a home, or makes an empty one. Where another process holds it, waits for [`WAIT`].
    ///
    /// `stretch` is for a home that is made now; one that exists says itself how its password is
    /// stretched. That takes a quarter of a second, on a thread of its own.
    ///
    /// # Errors
    /// [`HomeError`], whose text names the file or the folder.
    pub async fn open(
        folder: &Path,
        password: &Password,
        stretch: Stretch,
    ) -> Result<Self, HomeError> {
        let lock = Lock::take(folder).await?;
        let (folder, password) = (folder.to_owned(), password.clone());
        let opened = tokio::task::spawn_blocking(move || {
            let key = if header::exists(&folder)? {
                Header::read(&folder)?.unlock(&folder, &password)?
            } else {
                Store::refuse_without(&folder, &header::path(&folder))?;
                header::create(&folder, &password, stretch, &mut OsRng)?
            };
            let store = Store::open(&folder, key)?;
            Ok(Self { folder, store, _lock: lock })
        });
        opened.await.map_err(|_| HomeError::OutOfMemory)?
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the client is to be restored from: all records, but of messages only the last
    /// [`CHANGEABLE`](portcullis_client_core::limits::CHANGEABLE) of each conversation.
    ///
    /// # Errors
    /// [`HomeError::Damaged`] where a record doesn't open.
    pub fn load_state(&self) -> Result<Vec<Record>, HomeError> {
        self.store.state()
    }

    /// Carries writes out, all or none; they are on the disk when this returns. Of several writes to
    /// one record the last counts.
    ///
    /// # Errors
    /// [`HomeError`]; then nothing was written.
    pub fn persist(&mut self, writes: &[Write]) -> Result<(), HomeError> {
        self.store.persist(writes, &mut OsRng)
    }

    /// Up to `limit` messages after sequence number `after`, in order.
    ///
    /// # Errors
    /// [`HomeError::Damaged`] where a record doesn't open.
    pub fn messages_after(
        &self,
        conversation: ConversationId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Message>, HomeError> {
        let from = after.saturating_add(1);
        let rows = self.store.messages(conversation, (from, u64::MAX), limit)?;
        rows.iter().map(|value| self.message(value)).collect()
    }

    /// The last `limit` messages before sequence number `before`, in order.
    ///
    /// # Errors
    /// [`HomeError::Damaged`] where a record doesn't open.
    pub fn messages_before(
        &self,
        conversation: ConversationId,
        before: u64,
        limit: u32,
    ) -> Result<Vec<Message>, HomeError> {
        let Some(last) = before.checked_sub(1) else {
            return Ok(Vec::new());
        };
        let rows = self.store.last_messages(conversation, last, limit as usize)?;
        rows.iter().map(|value| self.message(value)).collect()
    }

    /// Up to where the verb `tail` has printed a conversation, if it ever has.
    ///
    /// # Errors
    /// [`HomeError::Damaged`] where the record doesn't open.
    pub fn tailed(&self, conversation: ConversationId) -> Result<Option<u64>, HomeError> {
        let Some(value) = self.store.get(&Row::Tailed(conversation))? else {
            return Ok(None);
        };
        let bytes = value.as_slice().try_into();
        let bytes: [u8; 8] = bytes.map_err(|_| self.store.damaged())?;
        Ok(Some(u64::from_be_bytes(bytes)))
    }

    /// Remembers up to where `tail` has printed.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn set_tailed(
        &mut self,
        tailed: impl IntoIterator<Item = (ConversationId, u64)>,
    ) -> Result<(), HomeError> {
        let rows = tailed.into_iter().map(|(id, seq)| (Row::Tailed(id), seq.to_be_bytes()));
        self.store.put(rows, &mut OsRng)
    }

    /// The conversation that was open last, if one ever was.
    ///
    /// # Errors
    /// [`HomeError::Damaged`] where the record doesn't open.
    pub fn opened(&self) -> Result<Option<ConversationId>, HomeError> {
        let Some(value) = self.store.get(&Row::Opened)? else {
            return Ok(None);
        };
        let bytes = value.as_slice().try_into();
        let bytes: [u8; 16] = bytes.map_err(|_| self.store.damaged())?;
        Ok(Some(ConversationId::from_bytes(bytes)))
    }

    /// Remembers which conversation is open.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn set_opened(&mut self, id: ConversationId) -> Result<(), HomeError> {
        self.store.put([(Row::Opened, id.as_bytes())].into_iter(), &mut OsRng)
    }

    /// Wraps the store key under a new password. Takes as long as stretching does.
    ///
    /// # Errors
    /// [`HomeError`]; then the old password still opens the home.
    pub fn rewrap(&mut self, password: &Password, stretch: Stretch) -> Result<(), HomeError> {
        header::write(&self.folder, self.store.key(), password, stretch, &mut OsRng)
    }

    /// The error for a record that opened, and is not one that a client wrote.
    #[must_use]
    pub fn damaged(&self) -> HomeError {
        self.store.damaged()
    }

    fn message(&self, value: &[u8]) -> Result<Message, HomeError> {
        read_message(value).ok_or_else(|| self.store.damaged())
    }
}

#[cfg(test)]
mod tests;
