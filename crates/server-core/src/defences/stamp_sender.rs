//! Who says something is who has logged in on this connection, whatever the request claims.
//!
//! Attack: a member submits an envelope in somebody else's name, and everyone is shown the wrong author.
//! CWE-290, authentication bypass by spoofing.
//! Precedent: CVE-2017-5589 (XMPP message carbons), CVE-2016-11065 (Mattermost).

use crate::{Context, Session};
use portcullis_proto::{AccountId, Code, DeviceId, Refusal};

/// The device that a request says it comes from.
#[derive(Debug, Clone, Copy)]
pub struct Claimed(pub DeviceId);

/// Proof of who says something: the session's account and device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    account: AccountId,
    device: DeviceId,
}

impl Sender {
    /// The account.
    #[must_use]
    pub const fn account(self) -> AccountId {
        self.account
    }

    /// The device.
    #[must_use]
    pub const fn device(self) -> DeviceId {
        self.device
    }

    /// For the range's unsound twins: says who is the sender without any check.
    #[must_use]
    pub const fn unproven(account: AccountId, device: DeviceId) -> Self {
        Self { account, device }
    }
}

/// Takes the sender from the session, and refuses a claim that differs from it.
///
/// # Errors
/// [`Code::Forbidden`] for a claim of another device; [`Code::NotNow`] without a session.
pub fn stamp_sender(
    _: &Context<'_>,
    session: &Session,
    Claimed(claimed): Claimed,
) -> Result<Sender, Refusal> {
    let open = session.open()?;
    if claimed != open.device {
        let message = "the envelopes were made by another device than this session's";
        return Err(Refusal::new(Code::Forbidden, message));
    }
    Ok(Sender { account: open.account, device: open.device })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use crate::store::StoreError;
    use crate::testing::{World, drafts};
    use portcullis_proto::{ConversationId, Event, Request};

    /// Oleg submits as a device of `claims`; who is shown as the author, if anyone.
    fn attack(defences: Defences, claims: &str) -> Result<AccountId, Code> {
        let mut world = World::with(defences);
        let (mut mira, mut oleg) = (world.person("mira"), world.person("oleg"));
        let (mira_two, oleg_two) = (world.enrol(&mut mira), world.enrol(&mut oleg));
        let device = match claims {
            "mira" => mira.device,
            "mira's other" => mira_two.device,
            "own" => oleg.device,
            "own other" => oleg_two.device,
            _ => DeviceId::from_bytes([9; 16]),
        };
        let request = Request::Submit {
            conversation: ConversationId::LOBBY,
            epoch: 0,
            device,
            envelopes: drafts(&[1]),
        };
        world.attempt(oleg.connection, request)?;
        let told = world.told();
        let Some((_, Event::Envelope(envelope))) = told.first() else {
            return Err(Code::NotFound);
        };
        assert_eq!(envelope.device, device);
        let names = [(mira.account, "mira"), (oleg.account, "own")];
        assert!(names.iter().any(|(id, _)| *id == envelope.account));
        Ok(envelope.account)
    }

    fn believes(
        context: &Context<'_>,
        _: &Session,
        Claimed(device): Claimed,
    ) -> Result<Sender, Refusal> {
        let row = context.tx.device(device)?.ok_or(StoreError::Corrupt)?;
        Ok(Sender::unproven(row.account, device))
    }

    #[test]
    fn nobody_speaks_in_anothers_name() {
        let unsound = Defences { stamp_sender: believes, ..SOUND };
        let own = attack(SOUND, "own").unwrap();
        for claims in ["mira", "mira's other", "own other", "nobody's"] {
            assert_eq!(attack(SOUND, claims), Err(Code::Forbidden), "{claims}");
        }
        for claims in ["mira", "mira's other"] {
            assert_ne!(attack(unsound, claims), Ok(own), "{claims}");
            assert!(attack(unsound, claims).is_ok(), "{claims}");
        }
    }
}
