//! A session belongs to a device that has signed this very connection's nonce.
//!
//! Attack: a stolen token or password is used from another machine, or a recorded login is replayed.
//! CWE-294, authentication bypass by capture-replay; CWE-613.
//! Precedent: CVE-2023-5339 (Mattermost: session tokens in a log, usable by whoever reads it).

use crate::Session;
use portcullis_crypto::{AuthPublic, Purpose, Signature};
use portcullis_proto::{AccountId, Code, DeviceId, Refusal, session_proof};

/// What a client claims when it opens a session.
#[derive(Debug)]
pub struct Claim<'a> {
    /// The account that was proven before, by password or token.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
    /// The key that stands in the device list.
    pub key: &'a AuthPublic,
    /// Its signature over the nonce.
    pub proof: &'a Signature,
}

/// Proof that the peer holds a device's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceProven {
    account: AccountId,
    device: DeviceId,
}

impl DeviceProven {
    /// Whose device.
    #[must_use]
    pub const fn account(self) -> AccountId {
        self.account
    }

    /// Which.
    #[must_use]
    pub const fn device(self) -> DeviceId {
        self.device
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(account: AccountId, device: DeviceId) -> Self {
        Self { account, device }
    }
}

/// Checks the signature over this connection's nonce.
///
/// # Errors
/// [`Code::LoginFailed`].
pub fn prove_device(session: &Session, claim: &Claim<'_>) -> Result<DeviceProven, Refusal> {
    let signed = session_proof(session.nonce, claim.account, claim.device);
    claim
        .key
        .verify(Purpose::SessionProof, &signed, claim.proof)
        .map_err(|_| Refusal::new(Code::LoginFailed, "the device could not prove its key"))?;
    Ok(DeviceProven {
        account: claim.account,
        device: claim.device,
    })
}
