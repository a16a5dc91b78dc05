//! All that a request may see and touch, passed in.

use crate::defences::{CapabilityKey, Defences};
use crate::{BlobPolicy, Disk, GuestPolicy, Guests, Presence, RateLimits, store::Store};
use portcullis_crypto::{Randomness, ServerSetup, Stretch};
use portcullis_proto::Timestamp;

/// The world of one request.
pub struct Context<'a> {
    /// The store, within the batch's transaction.
    pub tx: &'a dyn Store,
    /// The time of the batch.
    pub now: Timestamp,
    /// Randomness fit for keys.
    pub rng: &'a mut dyn Randomness,
    /// How often who has asked: in memory, outside the transaction, so that a refusal still counts.
    pub limits: &'a mut RateLimits,
    /// Who is here: in memory as well.
    pub presence: &'a mut Presence,
    /// Which classroom guests are here: in memory as well.
    pub guests: &'a mut Guests,
    /// What tokens for `/blobs` are made with.
    pub capabilities: &'a CapabilityKey,
    /// How full the disk is.
    pub disk: Disk,
    /// What makes this server this one.
    pub instance: &'a Instance,
    /// The security decisions.
    pub defences: &'a Defences,
}

/// What differs from server to server (and, in the range, from learner to learner).
#[derive(Debug)]
pub struct Instance {
    /// The OPAQUE set-up: without it no password of this server can be checked.
    pub setup: ServerSetup,
    /// Who may register.
    pub registration: Registration,
    /// How new passwords are stretched.
    pub stretch: Stretch,
    /// Multiplies every rate limit; 1 but for load tests.
    pub rate_factor: u32,
    /// What people may store for each other.
    pub blobs: BlobPolicy,
    /// Classroom guests; none are admitted where there is nothing here.
    pub guests: Option<GuestPolicy>,
}

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// Anyone who reaches the server.
    Open,
    /// Who has an invitation code of the operator.
    Invite,
    /// Nobody.
    Closed,
}
