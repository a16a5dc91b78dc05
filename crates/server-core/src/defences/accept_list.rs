//! A device list is stored only if its account's identity key signed it and it follows the one before.
//!
//! Attack: somebody with a session, or a confused client, overwrites the list: a stranger's device is
//! added, a revoked one comes back, two devices publish at once and one of them vanishes.
//! CWE-345, insufficient verification of data authenticity.
//! Precedent: CVE-2022-39250 (Matrix SDKs: keys accepted without the chain of signatures).

use crate::Context;
use crate::store::Account;
use portcullis_proto::{BadList, Code, DeviceList, ListRecord, Refusal, SignedList, Successor};

/// Proof that a list may be stored as the account's newest.
#[derive(Debug, Clone)]
pub struct ListAccepted {
    list: ListRecord,
    before: Option<DeviceList>,
}

impl ListAccepted {
    /// The list.
    #[must_use]
    pub const fn list(&self) -> &DeviceList {
        self.list.list()
    }

    /// The list that it follows.
    #[must_use]
    pub const fn before(&self) -> Option<&DeviceList> {
        self.before.as_ref()
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(list: ListRecord, before: Option<DeviceList>) -> Self {
        Self { list, before }
    }
}

/// Verifies the list against the account's identity key and its newest stored list. The server checks
/// this for its own order; the clients check it again for themselves.
///
/// # Errors
/// [`Code::ListRefused`], with the reason.
pub fn accept_list(
    context: &Context<'_>,
    account: &Account,
    signed: &SignedList,
) -> Result<ListAccepted, Refusal> {
    let list = signed.open(account.id, &account.identity).map_err(refused)?;
    let Some(newest) = context.tx.newest_list(account.id)? else {
        let first = list.list().version == 1;
        return first
            .then_some(ListAccepted { list, before: None })
            .ok_or_else(|| refused(BadList::Skips));
    };
    let newest = newest.signed.open(account.id, &account.identity).map_err(refused)?;
    match newest.followed_by(&list).map_err(refused)? {
        Successor::Next => Ok(ListAccepted { list, before: Some(newest.list().clone()) }),
        Successor::Same => Err(refused(BadList::Older)),
    }
}

fn refused(reason: BadList) -> Refusal {
    Refusal::new(Code::ListRefused, reason.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use crate::testing::{Person, World};
    use portcullis_crypto::{Hash, IdentityKey};
    use portcullis_proto::{AccountId, Request, RevokedEntry, Timestamp};

    /// Makes the list that mira's first device publishes; her second device is in use, her third revoked.
    type Forge = fn(&mut World, &Person, &Person, &Person) -> SignedList;

    fn revoked(person: &Person) -> RevokedEntry {
        person.entry().revoke(Timestamp(9))
    }

    fn attack(defences: Defences, forge: Forge) -> Result<(), Code> {
        let mut world = World::with(defences);
        let mut mira = world.person("mira");
        let second = world.enrol(&mut mira);
        let third = world.enrol(&mut mira);
        mira.list = mira.next_list(|list| {
            list.devices.retain(|entry| entry.device != third.device);
            list.revoked.push(revoked(&third));
        });
        let list = mira.list.clone();
        world.ask(mira.connection, Request::PublishList { list }).unwrap();
        let list = forge(&mut world, &mira, &second, &third);
        let published = world.attempt(mira.connection, Request::PublishList { list });
        published.map(|_| ())
    }

    const HONEST: &[Forge] = &[
        |_, mira, _, _| mira.next_list(|_| {}),
        |_, mira, _, _| mira.next_list(|list| list.devices.reverse()),
        |_, mira, second, _| {
            mira.next_list(|list| {
                list.devices.retain(|entry| entry.device != second.device);
                list.revoked.push(revoked(second));
            })
        },
    ];

    /// What only the signature stops: no twin gets at such a list, since it can't be opened.
    const UNSIGNED: &[(&str, Forge)] = &[
        ("unsigned", |_, mira, _, _| {
            let mut list = mira.next_list(|_| {});
            list.list.0.push(b' ');
            list
        }),
        ("by another identity", |world, mira, _, _| {
            let mut thief = mira.clone();
            thief.identity = IdentityKey::generate(&mut world.rng);
            let mut list = mira.next_list(|_| {});
            list.signature =
                thief.identity.sign(portcullis_crypto::Purpose::DeviceList, list.list.as_slice());
            list
        }),
        ("of another account", |_, mira, _, _| {
            mira.next_list(|list| list.account = AccountId::from_bytes([9; 16]))
        }),
        ("one device twice", |_, mira, _, _| {
            mira.next_list(|list| list.devices.push(mira.entry()))
        }),
        ("no device at all", |_, mira, second, _| {
            mira.next_list(|list| {
                list.devices.clear();
                list.revoked.extend([revoked(mira), revoked(second)]);
            })
        }),
    ];

    /// What a server stores that looks at the signature alone.
    const UNCHAINED: &[(&str, Forge)] = &[
        ("skips a version", |_, mira, _, _| mira.next_list(|list| list.version += 1)),
        ("names another predecessor", |_, mira, _, _| {
            mira.next_list(|list| list.previous = Hash::from_bytes([0; 32]))
        }),
        ("brings a revoked device back", |_, mira, _, third| {
            mira.next_list(|list| {
                list.revoked.clear();
                list.devices.push(third.entry());
            })
        }),
        ("forgets a device", |_, mira, second, _| {
            mira.next_list(|list| list.devices.retain(|entry| entry.device != second.device))
        }),
        ("gives a device another key", |world, mira, second, _| {
            let key = portcullis_crypto::AuthKey::generate(&mut world.rng);
            mira.next_list(|list| {
                let entry = list.devices.iter_mut();
                let mut entry = entry.filter(|entry| entry.device == second.device);
                entry.next().unwrap().auth = key.public();
            })
        }),
    ];

    fn unchained(
        context: &Context<'_>,
        account: &Account,
        signed: &SignedList,
    ) -> Result<ListAccepted, Refusal> {
        let open = |signed: &SignedList| signed.open(account.id, &account.identity);
        let list = open(signed).map_err(refused)?;
        let before = context.tx.newest_list(account.id)?;
        let before = before.map(|before| open(&before.signed)).transpose();
        let before = before.map_err(refused)?;
        Ok(ListAccepted::unproven(list, before.map(|before| before.list().clone())))
    }

    #[test]
    fn only_the_next_version_in_the_chain_is_stored() {
        let unsound = Defences { accept_list: unchained, ..SOUND };
        for honest in HONEST {
            assert_eq!(attack(SOUND, *honest), Ok(()));
        }
        for (what, forge) in UNSIGNED {
            assert_eq!(attack(SOUND, *forge), Err(Code::ListRefused), "{what}");
            assert_eq!(attack(unsound, *forge), Err(Code::ListRefused), "{what}");
        }
        for (what, forge) in UNCHAINED {
            assert_eq!(attack(SOUND, *forge), Err(Code::ListRefused), "{what}");
            assert_eq!(attack(unsound, *forge), Ok(()), "{what}");
        }
    }

    #[test]
    fn a_list_adds_only_the_device_that_publishes_it() {
        let stranger: Forge = |world, mira, _, _| {
            let new = world.stranger_device(mira);
            mira.next_list(|list| list.devices.push(new.entry()))
        };
        assert_eq!(attack(SOUND, stranger), Err(Code::ListRefused));

        // Nor does a device that logs in bring a companion along, or one that is somebody else's.
        let mut world = World::new();
        let (mira, oleg) = (world.person("mira"), world.person("oleg"));
        for companion in [world.stranger_device(&mira), oleg] {
            let new = world.stranger_device(&mira);
            let connection = world.connect();
            world.log_in(connection, "mira", &mira.password).unwrap();
            let list = mira.next_list(|list| {
                list.devices.extend([new.entry(), companion.entry()]);
            });
            let open = Request::Open {
                device: new.device,
                proof: world.proof(&new, connection),
                list: Some(list),
            };
            assert_eq!(world.attempt(connection, open), Err(Code::ListRefused));
        }
    }

    #[test]
    fn of_two_that_publish_at_once_one_is_told() {
        let mut world = World::new();
        let mut mira = world.person("mira");
        let second = world.enrol(&mut mira);
        let rename = |person: &Person, name: &str| {
            let name = portcullis_proto::DeviceName::parse(name).unwrap();
            let list = person.next_list(|list| list.devices[0].name = name);
            (person.connection, Request::PublishList { list })
        };
        let both = vec![rename(&mira, "desk"), rename(&second, "sofa")];
        let codes = world.batch(both).into_iter();
        let codes: Vec<_> = codes.map(|r| r.err().map(|refusal| refusal.code)).collect();
        assert_eq!(codes, [None, Some(Code::ListRefused)]);
    }

    #[test]
    fn a_first_list_is_version_one() {
        let mut world = World::new();
        let mut newcomer = world.newcomer("mira", None).unwrap();
        let second = newcomer.person.next_list(|_| {});
        if let Request::RegisterFinish { list, .. } = &mut newcomer.finish {
            *list = second;
        }
        let done = world.attempt(newcomer.person.connection, newcomer.finish);
        assert_eq!(done, Err(Code::ListRefused));
    }
}
