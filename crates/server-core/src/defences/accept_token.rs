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
        Self { hash, device, account }
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
    let device = context.tx.device(token.device)?.filter(|device| !device.revoked);
    let device = device.ok_or_else(refused)?;
    let account = context.tx.account(device.account)?.filter(|account| !account.disabled);
    let account = account.ok_or_else(refused)?;
    Ok(TokenAccepted { hash, device, account })
}

/// What the store keeps of a secret that a client holds. The secret is 128 random bits or more, so a
/// plain hash is enough: there is nothing to guess.
#[must_use]
pub fn token_hash(secret: &[u8]) -> TokenHash {
    TokenHash(portcullis_crypto::hash("portcullis 2026 session token", &[secret]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use crate::limits::TOKEN_MILLIS;
    use crate::store::{Store as _, StoreError};
    use crate::testing::{Person, World};
    use portcullis_proto::{Request, Timestamp};

    /// What happened before the token of mira's second device is used.
    type Before = fn(&mut World, &mut Person, &mut Person);

    const NOTHING: Before = |_, _, _| {};
    const ALMOST_EXPIRED: Before = |world, _, _| world.wait(TOKEN_MILLIS - 1);
    const EXPIRED: Before = |world, _, _| world.wait(TOKEN_MILLIS);
    const DISABLED: Before = |world, mira, _| {
        world.operate(|store| store.set_disabled(mira.account, true));
    };
    const SIGNED_OUT: Before = |world, _, second| {
        world.ask(second.connection, Request::SignOut {}).unwrap();
    };
    const PASSWORD_CHANGED: Before = |world, mira, _| {
        world.confirm(mira).unwrap();
        world.change_password(mira, "another").unwrap();
    };
    const REVOKED: Before = |world, mira, second| {
        let list = mira.next_list(|list| {
            list.devices.retain(|entry| entry.device != second.device);
            list.revoked.push(second.entry().revoke(Timestamp(9)));
        });
        let publish = Request::PublishList { list };
        world.ask(mira.connection, publish).unwrap();
    };
    const REPLACED: Before = |world, mira, second| {
        let connection = world.connect();
        world.log_in(connection, "mira", &mira.password).unwrap();
        let open = world.open(second, connection);
        world.ask(connection, open).unwrap();
    };
    const GUESSED: Before = |_, _, second| second.token.0[0] ^= 1;
    const OF_THE_OTHER_DEVICE: Before = |_, mira, second| second.token = mira.token.clone();

    fn check(defences: Defences, before: Before, expected: Result<(), Code>) {
        let mut world = World::with(defences);
        let mut mira = world.person("mira");
        let mut second = world.enrol(&mut mira);
        before(&mut world, &mut mira, &mut second);
        let connection = world.connect();
        let resume = world.resume(&second, connection);
        let resumed = world.attempt(connection, resume);
        assert_eq!(resumed.map(|_| ()), expected);
    }

    #[test]
    fn a_token_serves_one_device_until_it_ends() {
        check(SOUND, NOTHING, Ok(()));
        check(SOUND, ALMOST_EXPIRED, Ok(()));
        check(SOUND, EXPIRED, Err(Code::LoginFailed));
        check(SOUND, DISABLED, Err(Code::LoginFailed));
        check(SOUND, SIGNED_OUT, Err(Code::LoginFailed));
        check(SOUND, PASSWORD_CHANGED, Err(Code::LoginFailed));
        check(SOUND, REVOKED, Err(Code::LoginFailed));
        check(SOUND, REPLACED, Err(Code::LoginFailed));
        check(SOUND, GUESSED, Err(Code::LoginFailed));
        check(SOUND, OF_THE_OTHER_DEVICE, Err(Code::LoginFailed));
    }

    fn eternal(context: &Context<'_>, token: &Bytes) -> Result<TokenAccepted, Refusal> {
        let hash = token_hash(token.as_slice());
        let token = context.tx.token(hash)?.ok_or(StoreError::Corrupt)?;
        let device = context.tx.device(token.device)?.ok_or(StoreError::Corrupt)?;
        let account = context.tx.account(device.account)?;
        let account = account.ok_or(StoreError::Corrupt)?;
        Ok(TokenAccepted::unproven(hash, device, account))
    }

    #[test]
    fn without_the_checks_it_serves_for_ever() {
        let unsound = Defences { accept_token: eternal, ..SOUND };
        check(unsound, EXPIRED, Ok(()));
        check(unsound, DISABLED, Ok(()));
    }

    #[test]
    fn all_reasons_look_alike() {
        let refusals = [EXPIRED, DISABLED, SIGNED_OUT, REVOKED, GUESSED].map(|before| {
            let mut world = World::new();
            let mut mira = world.person("mira");
            let mut second = world.enrol(&mut mira);
            before(&mut world, &mut mira, &mut second);
            world.come_back(&mut second).unwrap_err()
        });
        assert!(refusals.iter().all(|refusal| *refusal == refusals[0]));
    }

    #[test]
    fn the_store_never_has_the_token_itself() {
        let mut world = World::new();
        let mira = world.person("mira");
        let token = world.store.inner.token(token_hash(&mira.token.0));
        assert_eq!(token.unwrap().unwrap().device, mira.device);
        let shown = format!("{:02x?}", &mira.token.0[..4]);
        assert!(!world.trace().contains(shown.trim_matches(['[', ']'])));
    }
}
