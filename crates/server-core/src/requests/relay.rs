//! Keys for the relay: a device says which of its endpoints the server is to carry packets for.

use crate::session::Session;
use crate::{Context, Effect, Effects, limits};
use portcullis_proto::{Bytes, Code, Refusal, Reply};

/// Has the relay admit a key for a while. Asked again, it goes on from then.
pub(crate) fn register(
    context: &Context<'_>,
    session: &Session,
    key: &Bytes,
) -> Result<Effects, Refusal> {
    let open = session.open()?;
    let key: [u8; 32] = key.as_slice().try_into().map_err(|_| {
        Refusal::new(Code::Malformed, "a relay key is an Ed25519 public key of 32 bytes")
    })?;
    let expires_at = context.now.plus_millis(limits::RELAY_KEY_MILLIS);
    let (account, device) = (open.account, open.device);
    let effect = Effect::RegisterRelayKey { account, device, key, expires_at };
    Ok(Effects::reply(Reply::RelayKey { expires_at }).and(effect))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::Output;
    use crate::testing::World;
    use portcullis_proto::Request;

    #[test]
    fn a_key_is_registered_for_the_session_s_account_for_a_while() {
        let mut world = World::new();
        let mira = world.person("mira");
        let expires_at = world.now.plus_millis(limits::RELAY_KEY_MILLIS);
        let register = |bytes: usize| Request::RegisterRelayKey { key: Bytes(vec![7; bytes]) };
        let reply = world.ask(mira.connection, register(32)).unwrap();
        assert_eq!(reply, Reply::RelayKey { expires_at });
        let (account, device) = (mira.account, mira.device);
        let effect = Effect::RegisterRelayKey { account, device, key: [7; 32], expires_at };
        assert!(world.effects().contains(&Output::Effect(effect)));
        for bytes in [0, 31, 33] {
            assert_eq!(world.attempt(mira.connection, register(bytes)), Err(Code::Malformed));
        }
    }
}
