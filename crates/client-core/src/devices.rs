//! This account's own devices: the list, new and retired ones.

use crate::client::{Client, Pending, Step};
use crate::effect::Key;
use crate::login::Stage;
use crate::records::OwnDevice;
use crate::show::{DeviceView, Show, Warning};
use portcullis_crypto::IdentityKey;
use portcullis_proto::{
    AccountId, DeviceEntry, DeviceId, DeviceList, ListRecord, LoggedIn, Refusal, Request,
    RevokedEntry, SignedList, Timestamp, UserName,
};

/// Version 1 of a list.
pub(crate) fn first_list(account: AccountId, entry: DeviceEntry) -> DeviceList {
    DeviceList {
        account,
        version: 1,
        previous: DeviceList::origin(account),
        devices: vec![entry],
        revoked: Vec::new(),
    }
}

/// The next version: with a device more, or one less.
pub(crate) fn next_list(
    before: &ListRecord,
    added: Option<DeviceEntry>,
    removed: Option<DeviceId>,
    now: Timestamp,
) -> DeviceList {
    let mut list = before.list().clone();
    list.version = list.version.saturating_add(1);
    list.previous = before.hash();
    let gone = list.devices.iter().position(|entry| Some(entry.device) == removed);
    if let Some(at) = gone {
        let gone = list.devices.remove(at).revoke(now);
        list.revoked.push(gone);
    }
    list.devices.extend(added);
    list
}

impl Client {
    /// This device's entry for the list.
    pub(crate) fn entry(&self, step: &Step<'_>, device: &OwnDevice) -> DeviceEntry {
        let name = self.config.device_name.clone();
        let (auth, leaf) = (device.auth.public(), device.leaf.public());
        DeviceEntry { device: device.id, name, auth, leaf, added_at: step.now }
    }

    /// The list that the server shows at a login: signed, and no older than what is known.
    pub(crate) fn check_own_list(
        &mut self,
        step: &mut Step<'_>,
        name: &UserName,
        proven: &LoggedIn,
    ) -> Option<ListRecord> {
        let opened = proven.list.open(proven.account, &proven.identity);
        let known = self.own_list();
        let older = |list: &ListRecord| {
            known.is_some_and(|known| {
                let (seen, shown) = (known.list().version, list.list().version);
                shown < seen || (shown == seen && known.hash() != list.hash())
            })
        };
        let warning = match opened {
            Ok(list) if !older(&list) => return Some(list),
            Ok(_) => Warning::OlderList { name: name.clone() },
            Err(_) => Warning::ForgedList { name: name.clone() },
        };
        self.attempt = None;
        step.warn(None, warning);
        step.out.disconnect = true;
        None
    }

    /// The newest verified list of this account.
    pub(crate) fn own_list(&self) -> Option<&ListRecord> {
        self.own.as_ref()?.list.as_ref().map(|(_, record)| record)
    }

    /// Publishes a list without a device, after the password was confirmed.
    pub(crate) fn publish_without(
        &mut self,
        step: &mut Step<'_>,
        identity: &IdentityKey,
        device: DeviceId,
        newest: &SignedList,
    ) {
        let Some(own) = &self.own else { return };
        let Ok(list) = newest.open(own.account, &own.identity) else {
            let name = own.name.clone();
            self.attempt = None;
            return step.warn(None, Warning::ForgedList { name });
        };
        let next = next_list(&list, None, Some(device), step.now).sign(identity);
        self.stage(Stage::ListSent);
        self.ask(step, Request::PublishList { list: next }, Pending::Login);
    }

    /// The session says which version of the own list the server has.
    pub(crate) fn own_list_announced(&mut self, step: &mut Step<'_>, version: u64) {
        let Some(own) = &self.own else { return };
        let (account, name) = (own.account, own.name.clone());
        let known = self.own_list().map_or(0, |list| list.list().version);
        if version < known {
            step.warn(None, Warning::OlderList { name });
        } else if version > known {
            // Nothing is decided by the older list any more.
            self.checked.remove(&account);
            self.ask_account(step, account);
        }
    }

    /// Takes later versions of the own list in; each has to follow the one before.
    pub(crate) fn extend_own_list(
        &mut self,
        step: &mut Step<'_>,
        after: u64,
        lists: &[SignedList],
    ) {
        for signed in lists {
            let (Some(own), Some(known)) = (&self.own, self.own_list().cloned()) else {
                return;
            };
            let name = own.name.clone();
            let whose = (own.account, &own.identity, &name);
            let record = match self.take_list(whose, Some(&known), after, signed) {
                Ok(Some(record)) => record,
                Ok(None) => continue,
                Err(warning) => return step.warn(None, warning),
            };
            self.tell_device_changes(step, &name, Some(known.list()), record.list());
            if let Some(own) = &mut self.own {
                own.list = Some((signed.clone(), record));
            }
            self.touch(Key::Account);
        }
    }

    /// Says which devices came and went between two versions of somebody's list.
    pub(crate) fn tell_device_changes(
        &self,
        step: &mut Step<'_>,
        name: &UserName,
        before: Option<&DeviceList>,
        list: &DeviceList,
    ) {
        let Some(before) = before else { return };
        let own = self.own.as_ref().filter(|own| own.account == list.account);
        let this = own.and_then(|own| own.device.as_ref()).map(|device| device.id);
        for entry in &list.devices {
            if before.keys_of(entry.device).is_none() && Some(entry.device) != this {
                let device = entry.name.clone();
                step.warn(
                    None,
                    match own {
                        Some(_) => Warning::OwnDeviceAdded { device },
                        None => Warning::DeviceAdded { name: name.clone(), device },
                    },
                );
            }
        }
        let gone = |entry: &&RevokedEntry| before.in_use(entry.device).is_some();
        for _ in list.revoked.iter().filter(gone) {
            step.warn(
                None,
                match own {
                    Some(_) => Warning::OwnDeviceRevoked,
                    None => Warning::DeviceRevoked { name: name.clone() },
                },
            );
        }
    }

    /// This home is older than what the server has seen from its device: its keys must never be used
    /// again. The history stays; the device is left, and another is enrolled in its place.
    pub(crate) fn retire(&mut self, step: &mut Step<'_>) {
        step.warn(None, Warning::Restored);
        if let Some(own) = &mut self.own {
            own.retire();
        }
        self.touch(Key::Account);
        let reason = "this home was restored; it may have been sent before";
        self.forget_outboxes(step, reason);
        step.out.disconnect = true;
    }

    /// This device was taken off the list. It must not come back by itself, by a password that it still
    /// remembers: whoever took it off may have lost it to somebody else. A person has to log in.
    pub(crate) fn removed(&mut self, step: &mut Step<'_>) {
        self.attempt = None;
        self.password = None;
        if let Some(own) = &mut self.own {
            own.retire();
            // It is off the list already.
            own.retired = None;
        }
        self.touch(Key::Account);
        self.forget_outboxes(step, "this device was removed from the account");
        let message = "this device was removed from the account; log in to add it as a new one";
        let refusal = Refusal::new(portcullis_proto::Code::Forbidden, message);
        step.show(Show::Refused { what: "log in", refusal });
        step.show(Show::Need(self.need()));
        step.out.disconnect = true;
    }

    /// Lists this account's devices.
    pub(crate) fn show_devices(&self, step: &mut Step<'_>) {
        let this = self.own_device();
        let entries = self.own_list().into_iter().flat_map(|list| &list.list().devices);
        let view = |entry: &DeviceEntry| DeviceView {
            id: entry.device,
            name: entry.name.clone(),
            added_at: entry.added_at,
            this: Some(entry.device) == this,
        };
        step.show(Show::Devices(entries.map(view).collect()));
    }

    /// A command that needs a session came without one.
    pub(crate) fn not_online(&self, step: &mut Step<'_>, what: &'static str) {
        let code = portcullis_proto::Code::NotNow;
        let refusal = Refusal::new(code, "there is no connection to the server now");
        step.show(Show::Refused { what, refusal });
    }
}
