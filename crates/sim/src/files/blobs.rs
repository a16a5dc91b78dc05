//! The server's blobs: bytes that are appended, and whose last ones are lost with the machine until they are synced.

use crate::{Chance, World};
use portcullis_proto::{Bytes, Refusal, TransferId};
use portcullis_server_core::defences::{BlobUse, CapabilityAsked, SOUND};
use portcullis_server_core::store::BlobFile;
use std::collections::BTreeMap;
use std::ops::Range;

/// All blobs.
#[derive(Debug, Default)]
pub(crate) struct Blobs(BTreeMap<[u8; 16], Blob>);

/// A blob, with zeros where its first bytes are missing.
#[derive(Debug, Default)]
struct Blob {
    begins: usize,
    bytes: Vec<u8>,
    durable: usize,
}

impl Blobs {
    /// Where an upload goes on: at the end of what is there, unless something is lacked from before that, or only what
    /// comes later; then it begins anew.
    pub(crate) fn begin(&mut self, file: BlobFile, lacked: usize) -> usize {
        let blob = self.0.entry(file.0).or_default();
        if !(blob.begins..=blob.bytes.len()).contains(&lacked) {
            *blob = Blob { begins: lacked, bytes: vec![0; lacked], durable: lacked };
        }
        blob.bytes.len()
    }

    /// How many bytes are stored.
    pub(crate) fn held(&self, file: BlobFile) -> usize {
        self.0.get(&file.0).map_or(0, |blob| blob.bytes.len() - blob.begins)
    }

    pub(crate) fn append(&mut self, file: BlobFile, bytes: &[u8]) {
        self.0.entry(file.0).or_default().bytes.extend_from_slice(bytes);
    }

    pub(crate) fn read(&self, file: BlobFile, range: Range<usize>) -> Option<Vec<u8>> {
        let blob = self.0.get(&file.0).filter(|blob| blob.begins <= range.start)?;
        blob.bytes.get(range).map(<[u8]>::to_vec)
    }

    /// What is stored stays.
    pub(crate) fn sync(&mut self, file: BlobFile) {
        if let Some(blob) = self.0.get_mut(&file.0) {
            blob.durable = blob.bytes.len();
        }
    }

    /// The machine dies: some of what was not synced is lost.
    pub(crate) fn crash(&mut self, chance: &mut Chance) {
        for blob in self.0.values_mut() {
            let loose = blob.bytes.len() - blob.durable;
            blob.bytes.truncate(blob.durable + chance.below(loose + 1));
        }
    }

    /// What has no row goes.
    pub(crate) fn sweep(&mut self, has_row: impl Fn(&[u8; 16]) -> bool) {
        self.0.retain(|file, _| has_row(file));
    }

    /// Changes the bytes of each.
    pub(crate) fn tamper(&mut self, tamper: impl FnMut(&mut Vec<u8>)) {
        self.0.values_mut().map(|blob| &mut blob.bytes).for_each(tamper);
    }

    /// Bytes of all of them.
    pub(crate) fn bytes(&self) -> usize {
        self.0.keys().map(|file| self.held(BlobFile(*file))).sum()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

impl World {
    /// The file that a token of the server's lets somebody use; none if the server is gone.
    pub(super) fn accepts_capability(
        &self,
        blob: TransferId,
        usage: BlobUse,
        token: &str,
    ) -> Option<Result<BlobFile, Refusal>> {
        let key = self.capability_key()?;
        let asked = CapabilityAsked { blob, usage: Some(usage), now: self.now };
        let token = Bytes::from_base64(token).unwrap_or(Bytes(Vec::new()));
        let accepted = (SOUND.accept_capability)(&key, &asked, &token);
        Some(accepted.map(|accepted| accepted.file()))
    }
}
