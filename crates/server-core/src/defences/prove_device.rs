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
    Ok(DeviceProven { account: claim.account, device: claim.device })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::ConnectionId;
    use crate::defences::{Defences, SOUND};
    use crate::testing::{Person, World};
    use portcullis_crypto::AuthKey;
    use portcullis_proto::{Bytes, Request};

    /// Makes a proof for the second connection; mira's own connection is the first.
    type Forge = fn(&mut World, &Person, ConnectionId) -> Signature;

    fn sign(
        world: &World,
        key: &AuthKey,
        at: ConnectionId,
        who: AccountId,
        as_: DeviceId,
    ) -> Signature {
        let signed = session_proof(world.nonce(at), who, as_);
        key.sign(Purpose::SessionProof, &signed)
    }

    const HONEST: Forge = |world, mira, here| world.proof(mira, here);

    const FORGED: &[(&str, Forge)] = &[
        ("replayed from another connection", |world, mira, _| world.proof(mira, mira.connection)),
        ("for another account", |world, mira, here| {
            let other = AccountId::from_bytes([1; 16]);
            sign(world, &mira.auth, here, other, mira.device)
        }),
        ("for another device", |world, mira, here| {
            let other = DeviceId::from_bytes([1; 16]);
            sign(world, &mira.auth, here, mira.account, other)
        }),
        ("by another key", |world, mira, here| {
            let key = AuthKey::generate(&mut world.rng);
            sign(world, &key, here, mira.account, mira.device)
        }),
        ("for another purpose", |world, mira, here| {
            let signed = session_proof(world.nonce(here), mira.account, mira.device);
            mira.auth.sign(Purpose::ChannelMessage, &signed)
        }),
        ("none at all", |_, _, _| Signature::from_bytes([0; 64])),
    ];

    /// Opens a session with a stolen token, and with a stolen password.
    fn attack(defences: Defences, forge: Forge) -> [Result<(), Code>; 2] {
        let mut world = World::with(defences);
        let mira = world.person("mira");
        let (by_token, by_password) = (world.connect(), world.connect());
        let proof = forge(&mut world, &mira, by_token);
        let resume = Request::Resume { token: mira.token.clone(), device: mira.device, proof };
        let resumed = world.attempt(by_token, resume).map(|_| ());
        world.log_in(by_password, "mira", &mira.password).unwrap();
        let proof = forge(&mut world, &mira, by_password);
        let open = Request::Open { device: mira.device, proof, list: None };
        [resumed, world.attempt(by_password, open).map(|_| ())]
    }

    #[test]
    fn only_the_device_itself_opens_a_session() {
        let unchecked = Defences {
            prove_device: |_, claim| Ok(DeviceProven::unproven(claim.account, claim.device)),
            ..SOUND
        };
        assert_eq!(attack(SOUND, HONEST), [Ok(()); 2]);
        for (what, forge) in FORGED {
            assert_eq!(attack(SOUND, *forge), [Err(Code::LoginFailed); 2], "{what}");
            assert_eq!(attack(unchecked, *forge), [Ok(()); 2], "{what}");
        }
    }

    #[test]
    fn a_device_of_somebody_else_opens_nothing() {
        let mut world = World::new();
        let (mira, oleg) = (world.person("mira"), world.person("oleg"));
        let connection = world.connect();
        world.log_in(connection, "mira", &mira.password).unwrap();
        let request = world.open(&oleg, connection);
        assert_eq!(world.attempt(connection, request), Err(Code::LoginFailed));
        let connection = world.connect();
        let request = Request::Resume {
            token: Bytes(mira.token.0.clone()),
            device: oleg.device,
            proof: world.proof(&oleg, connection),
        };
        assert_eq!(world.attempt(connection, request), Err(Code::LoginFailed));
    }

    #[test]
    fn a_newcomer_proves_the_device_of_its_first_list() {
        let mut world = World::new();
        let newcomer = world.newcomer("mira", None).unwrap();
        let (mut finish, connection) = (newcomer.finish, newcomer.person.connection);
        let other = world.connect();
        if let Request::RegisterFinish { proof, .. } = &mut finish {
            *proof = world.proof(&newcomer.person, other);
        }
        assert_eq!(world.attempt(connection, finish), Err(Code::LoginFailed));
    }
}
