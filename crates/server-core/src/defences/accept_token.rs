//! A session token serves the one device it was made for, until it expires or is taken back.
//!
//! Attack: a token found in a log or a backup opens a session later, elsewhere, or after a sign-out.
//! CWE-613, insufficient session expiration; CWE-256 where tokens are stored in the clear.
//! Precedent: CVE-2023-5339 (Mattermost: tokens in a log).

use crate::Context;
use crate::store::{Account, Device, TokenHash};
use portcullis_proto::{Bytes, Code, Refusal};

/// Proof that a token is valid, and for whom.
#[derive(Debug, Clone)]
pub struct TokenAccepted {
    hash: TokenHash,
    device: Device,
    account: Account,
}

impl TokenAccepted {
    /// The token's hash.
    #[must_use]
    pub const fn hash(&self) -> TokenHash {
        self.hash
    }

    /// The only device that it serves.
    #[must_use]
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// That device's account.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(hash: TokenHash, device: Device, account: Account) -> Self {
        Self {
            hash,
            device,
            account,
        }
    }
}

/// Looks the token up by its hash: the store has never seen the token itself.
///
/// # Errors
/// [`Code::LoginFailed`] alike for unknown, expired, revoked and disabled.
pub fn accept_token(context: &Context<'_>, token: &Bytes) -> Result<TokenAccepted, Refusal> {
    let refused = || Refusal::new(Code::LoginFailed, "log in again with your password");
    let hash = token_hash(token.as_slice());
    let token = context.tx.token(hash)?.ok_or_else(refused)?;
    if token.expires_at <= context.now {
        return Err(refused());
    }
    let device = context
        .tx
        .device(token.device)?
        .filter(|device| !device.revoked);
    let device = device.ok_or_else(refused)?;
    let account = context
        .tx
        .account(device.account)?
        .filter(|account| !account.disabled);
    let account = account.ok_or_else(refused)?;
    Ok(TokenAccepted {
        hash,
        device,
        account,
    })
}

/// What the store keeps of a secret that a client holds. The secret is 128 random bits or more, so a
/// plain hash is enough: there is nothing to guess.
#[must_use]
pub fn token_hash(secret: &[u8]) -> TokenHash {
    TokenHash(portcullis_crypto::hash(
        "portcullis 2026 session token",
        &[secret],
    ))
}
