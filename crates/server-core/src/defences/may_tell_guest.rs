//! A guest is written to only by who can be answered: by a device whose own key it finds in the list, of an account
//! that allows guests, and not too often.
//!
//! Attack: a device has something sent to a guest that another has signed, or floods one guest, which has no way
//! to refuse; or somebody writes who has shut guests out, and answers go nowhere.
//! CWE-290, authentication bypass by spoofing; CWE-862; CWE-770.
//! Precedent: CVE-2017-5589 (XMPP message carbons: words in another's name).

use crate::defences::Sender;
use crate::store::StoreError;
use crate::{ConnectionId, Context, Rate, RateKey};
use portcullis_crypto::ClassicPublic;
use portcullis_proto::{AccountId, Code, ConversationId, Refusal};

/// Proof that a device may say something to a guest, where that guest is, and by which key the guest knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayTellGuest {
    connections: Vec<ConnectionId>,
    key: ClassicPublic,
}

impl MayTellGuest {
    /// Where the guest is, and the key by which what it is told has to be signed.
    #[must_use]
    pub fn into_parts(self) -> (Vec<ConnectionId>, ClassicPublic) {
        (self.connections, self.key)
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(connections: Vec<ConnectionId>, key: ClassicPublic) -> Self {
        Self { connections, key }
    }
}

/// Looks up whether the account allows guests, the device's key, and where the guest is.
///
/// # Errors
/// [`Code::Forbidden`] for an account that allows no guests, and for a device without a key;
/// [`Code::NotFound`] where the guest has left; [`Code::RateLimited`].
pub fn may_tell_guest(
    context: &mut Context<'_>,
    sender: Sender,
    guest: AccountId,
) -> Result<MayTellGuest, Refusal> {
    let rate = (Rate::Tell, RateKey::Between(sender.account(), guest));
    (context.defences.admit_rate)(context, rate, 1)?;
    let membership = context.tx.membership(sender.account(), ConversationId::CLASSROOM)?;
    if !membership.is_some_and(|membership| membership.role.is_present()) {
        let message = "this account allows no guests, who so couldn't answer";
        return Err(Refusal::new(Code::Forbidden, message));
    }
    let no_key = || Refusal::new(Code::Forbidden, "this device has published no key for guests");
    let key = context.tx.classic_key(sender.device())?.ok_or_else(no_key)?;
    let key = ClassicPublic::from_spki(&key).map_err(|_| StoreError::Corrupt)?;
    let left = || Refusal::new(Code::NotFound, "this guest has left");
    let connections = context.guests.reach(guest).ok_or_else(left)?;
    Ok(MayTellGuest { connections, key })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use crate::GuestOutput;
    use crate::defences::{Defences, SOUND};
    use crate::testing::{Guest, Person, Setting, USUAL, World, chat, classic_key};
    use portcullis_proto::{DeviceId, Reply, Request};

    /// Mira, who has published key 8, and guest 1, who is here.
    fn world(defences: Defences) -> (World, Person, Guest) {
        let setting = Setting { defences, guests: true, rate_factor: 1, ..USUAL };
        let mut world = World::build(setting);
        let mira = world.person("mira");
        world.publish_classic_key(&mira, 8);
        let guest = world.guest(1);
        (world, mira, guest)
    }

    fn request(guest: AccountId, device: DeviceId) -> Request {
        Request::GuestChat { guest, device, frame: chat(&classic_key(8), 1, &[], "hi") }
    }

    /// What happens before mira writes to the guest.
    type Before = fn(&mut World, &mut Person, &Guest);

    const NOTHING: Before = |_, _, _| {};
    const SHUT: Before = |world, mira, _| {
        world.ask(mira.connection, Request::AllowGuests { allow: false }).unwrap();
    };
    const OTHER_DEVICE: Before = |world, mira, _| *mira = world.enrol(mira);
    const GONE: Before = |world, _, guest| world.server.guest_gone(guest.connection);

    /// By which key the gateway will verify what it is given, if it is given anything.
    fn attack(defences: Defences, before: Before) -> Result<ClassicPublic, Code> {
        let (mut world, mut mira, guest) = world(defences);
        before(&mut world, &mut mira, &guest);
        let done = world.attempt_at_gateway(mira.connection, request(guest.id(), mira.device))?;
        let [GuestOutput::Tell { connections, key, .. }] = &done[..] else { panic!("{done:?}") };
        assert_eq!(connections[..], [guest.connection]);
        Ok(key.clone())
    }

    fn careless(_: &mut Context<'_>, _: Sender, _: AccountId) -> Result<MayTellGuest, Refusal> {
        // Of the only guest that these tests have, by the only key.
        Ok(MayTellGuest::unproven(vec![ConnectionId(2)], classic_key(8).public()))
    }

    #[test]
    fn only_who_can_be_answered_writes_to_guests() {
        let unsound = Defences { may_tell_guest: careless, ..SOUND };
        assert_eq!(attack(SOUND, NOTHING), Ok(classic_key(8).public()));
        for (before, code) in
            [(SHUT, Code::Forbidden), (OTHER_DEVICE, Code::Forbidden), (GONE, Code::NotFound)]
        {
            assert_eq!(attack(SOUND, before), Err(code));
            assert!(attack(unsound, before).is_ok());
        }
    }

    #[test]
    fn nobody_floods_a_guest_and_whoever_does_stops_nobody_else() {
        let told = |defences: Defences| {
            let (mut world, mira, guest) = world(defences);
            let count = (0..100)
                .filter(|_| world.ask(mira.connection, request(guest.id(), mira.device)).is_ok());
            let count = count.count();
            let oleg = world.person("oleg");
            world.publish_classic_key(&oleg, 9);
            let done = world.ask(oleg.connection, request(guest.id(), oleg.device));
            assert_eq!(done, Ok(Reply::Done));
            count
        };
        assert_eq!(told(SOUND), 60);
        assert_eq!(told(Defences { may_tell_guest: careless, ..SOUND }), 100);
    }

    #[test]
    fn another_device_of_the_account_speaks_for_itself() {
        let (mut world, mut mira, guest) = world(SOUND);
        let second = world.enrol(&mut mira);
        world.publish_classic_key(&second, 9);
        let wrong = request(guest.id(), mira.device);
        assert_eq!(world.attempt(second.connection, wrong), Err(Code::Forbidden));
        let done = world.attempt_at_gateway(second.connection, request(guest.id(), second.device));
        let Ok([GuestOutput::Tell { key, .. }]) = done.as_deref() else { panic!("{done:?}") };
        assert_eq!(*key, classic_key(9).public());
    }
}
