//! Secrets, keys, login, sealing, hashes and safety numbers of Portcullis.
//!
//! Everything here is a plain function of its arguments: no IO, no clock, and no randomness but what
//! is passed in as `&mut dyn `[`Randomness`]; [`classic`] alone draws its own, and says why. The crate
//! compiles for `wasm32-unknown-unknown`.
//!
//! It leaves out what encrypts conversations (the suites), what travels (the wire format), and any
//! decision about who may do what. It holds no algorithm of its own: each module names the RFC or
//! paper that it follows, and the library that does the work.

#![forbid(unsafe_code)]

pub mod classic;
pub mod file;
pub mod hash;
pub mod opaque;
pub mod random;
pub mod safety;
pub mod seal;
pub mod secret;
pub mod sign;
pub mod stretch;
pub mod testing;
pub mod work;
pub mod wrap;

pub use classic::{
    BadClassicKey, ClassicError, ClassicKey, ClassicPublic, LARGEST_CLASSIC_KEY,
    SMALLEST_CLASSIC_KEY, Salt, classic_open, classic_seal, sha256,
};
pub use file::{BadChunk, ChunkHash, FileCipher, FileKey, FileRoot, Shape};
pub use hash::{Hash, chain_next, chain_start, hash};
pub use opaque::{
    ClientLogin, ClientRegistration, LoggedIn, LoginError, PasswordRecord, Registered, ServerLogin,
    ServerSetup, SessionKey,
};
pub use rand_core::CryptoRngCore;
pub use random::Randomness;
pub use safety::SafetyNumber;
pub use seal::{BadSeal, SealKey};
pub use secret::{Password, Secret};
pub use sign::{
    AuthKey, AuthPublic, BadKey, BadSignature, EndpointKey, EndpointPublic, IdentityKey,
    IdentityPublic, LeafKey, LeafPublic, Purpose, Signature,
};
pub use stretch::{BadStretch, Stretch, StretchFailed, stretch};
pub use work::{Job, Outcome, perform};
pub use wrap::{ExportKey, WrappedIdentity, unwrap_store_key, wrap_store_key};
