//! A token for `/blobs` serves one account to do one thing with one blob, for a while.
//!
//! Attack: somebody who was given a token to fetch one blob stores into it, fetches another, or goes on for
//! ever; or makes up a token, byte by byte, from how long the server takes to refuse it.
//! CWE-639, authorization bypass through a user-controlled key; CWE-208, observable timing discrepancy.
//! Precedent: Flickr's API (Duong and Rizzo, 2009: what was signed could be extended, and read as something
//! else); Keyczar (Lawson, 2009: MACs were compared byte by byte).

use portcullis_crypto::{Randomness, Secret};
use portcullis_proto::{AccountId, Bytes, Code, Refusal, Timestamp, TransferId};

use crate::limits::CAPABILITY_MILLIS;
use crate::store::{Blob, BlobFile};

/// What a token lets somebody do with a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobUse {
    /// Append to it.
    Store,
    /// Read it.
    Fetch,
}

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    usage: BlobUse,
    blob: TransferId,
    file: BlobFile,
    account: AccountId,
    bytes: u64,
    expires_at: Timestamp,
}

impl Capability {
    /// To do this with a blob, from now on for an hour, or until the blob expires.
    #[must_use]
    pub fn new(blob: &Blob, account: AccountId, usage: BlobUse, now: Timestamp) -> Self {
        let expires_at = now.plus_millis(CAPABILITY_MILLIS).min(blob.expires_at);
        Self { usage, blob: blob.id, file: blob.file, account, bytes: blob.bytes, expires_at }
    }

    /// When it ends.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    fn write(&self) -> [u8; SAID] {
        let usage = match self.usage {
            BlobUse::Store => STORE,
            BlobUse::Fetch => FETCH,
        };
        let parts: [&[u8]; 6] = [
            &[usage],
            self.blob.as_bytes(),
            &self.file.0,
            self.account.as_bytes(),
            &self.bytes.to_be_bytes(),
            &self.expires_at.0.to_be_bytes(),
        ];
        let mut said = [0; SAID];
        for (to, from) in said.iter_mut().zip(parts.iter().flat_map(|part| part.iter())) {
            *to = *from;
        }
        said
    }

    fn read(said: &[u8]) -> Option<Self> {
        let (usage, rest) = said.split_first()?;
        let usage = match *usage {
            STORE => BlobUse::Store,
            FETCH => BlobUse::Fetch,
            _ => return None,
        };
        let (blob, rest) = rest.split_first_chunk()?;
        let (file, rest) = rest.split_first_chunk()?;
        let (account, rest) = rest.split_first_chunk()?;
        let (bytes, rest) = rest.split_first_chunk()?;
        Some(Self {
            usage,
            blob: TransferId::from_bytes(*blob),
            file: BlobFile(*file),
            account: AccountId::from_bytes(*account),
            bytes: u64::from_be_bytes(*bytes),
            expires_at: Timestamp(u64::from_be_bytes(rest.try_into().ok()?)),
        })
    }
}

const STORE: u8 = 1;
const FETCH: u8 = 2;

/// Bytes of what a token says: the use, three ids, the size and the end.
const SAID: usize = 1 + 16 + 16 + 16 + 8 + 8;

/// What a server makes tokens with, and accepts them by. Each start makes another, so a restart ends all
/// tokens.
#[derive(Debug, Clone)]
pub struct CapabilityKey(Secret<32>);

impl CapabilityKey {
    /// A fresh one.
    pub fn random(rng: &mut dyn Randomness) -> Self {
        Self(Secret::random(rng))
    }

    /// The token that says this.
    #[must_use]
    pub fn issue(&self, capability: &Capability) -> Bytes {
        let said = capability.write();
        Bytes([&said[..], self.mac(&said).expose()].concat())
    }

    /// BLAKE3 does not let anybody extend what was hashed, so a secret in front makes a MAC (its paper,
    /// section 7.8).
    fn mac(&self, said: &[u8]) -> Secret<32> {
        let parts: [&[u8]; 2] = [self.0.expose(), said];
        let hash = portcullis_crypto::hash("portcullis 2026 blob capability", &parts);
        Secret::from_bytes(*hash.as_bytes())
    }
}

/// What a request to `/blobs` wants.
#[derive(Debug, Clone, Copy)]
pub struct CapabilityAsked {
    /// With which blob.
    pub blob: TransferId,
    /// To do what; none where whoever may do either may do it.
    pub usage: Option<BlobUse>,
    /// When.
    pub now: Timestamp,
}

/// Proof that a request has a token for what it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapabilityAccepted(Capability);

impl CapabilityAccepted {
    /// The blob.
    #[must_use]
    pub const fn blob(&self) -> TransferId {
        self.0.blob
    }

    /// What its bytes are called on the disk: of another blob under the same id they are called otherwise.
    #[must_use]
    pub const fn file(&self) -> BlobFile {
        self.0.file
    }

    /// Who asks.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.0.account
    }

    /// How many bytes the blob will have.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(capability: Capability) -> Self {
        Self(capability)
    }
}

/// Whether a token is this server's, and is for this blob, this use and this time.
///
/// # Errors
/// [`Code::Forbidden`], alike for all reasons.
pub fn accept_capability(
    key: &CapabilityKey,
    asked: &CapabilityAsked,
    token: &Bytes,
) -> Result<CapabilityAccepted, Refusal> {
    let refused =
        || Refusal::new(Code::Forbidden, "this token does not serve here; ask for another");
    let (said, mac) = token.as_slice().split_at_checked(SAID).ok_or_else(refused)?;
    // A `Secret` is compared in constant time.
    if Secret::from_slice(mac) != Some(key.mac(said)) {
        return Err(refused());
    }
    let capability = Capability::read(said).ok_or_else(refused)?;
    let fits = capability.blob == asked.blob
        && asked.usage.is_none_or(|usage| usage == capability.usage)
        && asked.now < capability.expires_at;
    fits.then_some(CapabilityAccepted(capability)).ok_or_else(refused)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use portcullis_proto::ConversationId;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    const BLOB: Blob = Blob {
        id: TransferId::from_bytes([1; 16]),
        file: BlobFile([2; 16]),
        account: AccountId::from_bytes([3; 16]),
        conversation: ConversationId::from_bytes([4; 16]),
        bytes: 5_000_000_000,
        created_at: Timestamp(1_000),
        expires_at: Timestamp(100_000_000),
    };
    const NOW: Timestamp = Timestamp(2_000);
    const END: u64 = NOW.0 + CAPABILITY_MILLIS;

    const UNSOUND: Defences = Defences {
        accept_capability: |_, _, token| {
            let refused = || Refusal::new(Code::Forbidden, "no token");
            let said = token.as_slice().get(..SAID).and_then(Capability::read);
            said.map(CapabilityAccepted::unproven).ok_or_else(refused)
        },
        ..SOUND
    };

    fn key(seed: u64) -> CapabilityKey {
        CapabilityKey::random(&mut ChaCha20Rng::seed_from_u64(seed))
    }

    fn token(usage: BlobUse) -> Bytes {
        key(1).issue(&Capability::new(&BLOB, AccountId::from_bytes([9; 16]), usage, NOW))
    }

    fn accepts(
        defences: Defences,
        key: &CapabilityKey,
        asked: CapabilityAsked,
        token: &Bytes,
    ) -> bool {
        (defences.accept_capability)(key, &asked, token).is_ok()
    }

    fn asked(usage: Option<BlobUse>) -> CapabilityAsked {
        CapabilityAsked { blob: BLOB.id, usage, now: NOW }
    }

    #[test]
    fn a_token_serves_one_use_of_one_blob_for_an_hour() {
        use BlobUse::{Fetch, Store};
        let check = |usage, asked, expected| {
            assert_eq!(accepts(SOUND, &key(1), asked, &token(usage)), expected, "{asked:?}");
            assert!(accepts(UNSOUND, &key(2), asked, &token(usage)), "{asked:?}");
        };
        check(Store, asked(Some(Store)), true);
        check(Store, asked(Some(Fetch)), false);
        check(Store, asked(None), true);
        check(Fetch, asked(Some(Store)), false);
        check(Fetch, asked(Some(Fetch)), true);
        check(Fetch, asked(None), true);
        let other = TransferId::from_bytes([7; 16]);
        check(Fetch, CapabilityAsked { blob: other, ..asked(None) }, false);
        check(Fetch, CapabilityAsked { now: Timestamp(END - 1), ..asked(None) }, true);
        check(Fetch, CapabilityAsked { now: Timestamp(END), ..asked(None) }, false);
    }

    #[test]
    fn a_token_is_accepted_whole_and_by_its_own_server() {
        let good = token(BlobUse::Fetch);
        assert!(accepts(SOUND, &key(1), asked(None), &good));
        assert!(!accepts(SOUND, &key(2), asked(None), &good), "after a restart");
        for place in 0..good.0.len() {
            let mut changed = good.clone();
            changed.0[place] ^= 1;
            assert!(!accepts(SOUND, &key(1), asked(None), &changed), "at {place}");
            changed.0.truncate(place);
            assert!(!accepts(SOUND, &key(1), asked(None), &changed), "the first {place}");
        }
        let longer = Bytes([good.as_slice(), &[0]].concat());
        assert!(!accepts(SOUND, &key(1), asked(None), &longer));
    }

    #[test]
    fn it_says_what_it_was_issued_for() {
        let accepted = accept_capability(&key(1), &asked(None), &token(BlobUse::Fetch)).unwrap();
        assert_eq!((accepted.blob(), accepted.file()), (BLOB.id, BLOB.file));
        assert_eq!(accepted.account(), AccountId::from_bytes([9; 16]));
        assert_eq!((accepted.bytes(), accepted.0.expires_at()), (BLOB.bytes, Timestamp(END)));
        let late = Timestamp(BLOB.expires_at.0 - 5);
        let last = Capability::new(&BLOB, BLOB.account, BlobUse::Store, late);
        assert_eq!(last.expires_at(), BLOB.expires_at);
        assert_eq!(format!("{:?}", key(1)), "CapabilityKey(Secret<32>(..))");
    }
}
