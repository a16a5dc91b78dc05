//! After the password: making the account or opening the session, with this device or a new one; and
//! what a confirmed password was confirmed for.

use super::{Attempt, Goal, Link, Stage, too_long};
use crate::client::{Client, Pending, Step};
use crate::conversation::Conversation;
use crate::effect::Key;
use crate::records::{Own, OwnDevice, Registering};
use crate::show::{Show, Warning};
use portcullis_crypto::{
    AuthKey, ClientRegistration, ExportKey, Hash, IdentityKey, Purpose, Registered, Signature,
    WrappedIdentity,
};
use portcullis_proto::{
    AccountId, Bytes, DeviceId, LoggedIn as Proven, Opened, Request, UserName, session_proof,
};

impl Client {
    pub(super) fn send_registration(
        &mut self,
        step: &mut Step<'_>,
        account: AccountId,
        registered: Registered,
    ) {
        if let Some(Attempt { goal: Goal::Change { .. }, .. }) = &self.attempt {
            return self.send_change(step, account, registered);
        }
        let Link::Greeted(nonce) = self.link else {
            return;
        };
        let Some(Attempt { goal: Goal::Register { name, password, invite }, .. }) = &self.attempt
        else {
            return;
        };
        self.password = Some(password.clone());
        let identity = IdentityKey::generate(step.rng);
        let own = OwnDevice::generate(step.rng);
        let entry = self.entry(step, &own);
        let list = crate::devices::first_list(account, entry).sign(&identity);
        let opened = list.open(account, &identity.public()).ok();
        let wrapped = registered.export.wrap_identity(step.rng, &identity, account.as_bytes());
        let (device, proof) = (own.id, prove(&own.auth, nonce, account, own.id));
        let (name, invite) = (name.clone(), invite.clone());
        self.begin_keys(account, &own);
        self.own = Some(Own {
            account,
            name,
            identity: identity.public(),
            device: Some(own),
            list: opened.map(|record| (list.clone(), record)),
            token: None,
            acknowledged: 0,
            retired: None,
            registering: Some(Registering { invite }),
        });
        self.touch(Key::Account);
        let request = Request::RegisterFinish {
            upload: Bytes(registered.upload),
            identity: identity.public(),
            wrapped_identity: Bytes(wrapped.as_bytes().to_vec()),
            list,
            device,
            proof,
        };
        self.stage(Stage::RegisterSent);
        self.ask(step, request, Pending::Login);
    }

    /// The server has accepted the password: opens the session, or does what it was confirmed for.
    pub(super) fn password_proven(
        &mut self,
        step: &mut Step<'_>,
        export: &ExportKey,
        proven: Proven,
    ) {
        let wrapped = WrappedIdentity::from_bytes(proven.wrapped_identity.as_slice());
        let identity = wrapped.and_then(|w| export.unwrap_identity(&w, proven.account.as_bytes()));
        let identity = identity.ok().filter(|key| key.public() == proven.identity);
        let known = self.own.as_ref().map(|own| (own.account, own.identity));
        let same = known.is_none_or(|known| known == (proven.account, proven.identity));
        let Some(identity) = identity.filter(|_| same) else {
            let name = self.attempt_name();
            self.attempt = None;
            if let Some(name) = name {
                step.warn(None, Warning::IdentityChanged { name });
            }
            step.out.disconnect = true;
            return;
        };
        match self.attempt.as_ref().map(|attempt| &attempt.goal) {
            Some(Goal::Change { new, .. }) => {
                let Ok((state, request)) = ClientRegistration::start(new, step.rng) else {
                    return self.give_up(step, too_long());
                };
                self.confirmed = Some(identity);
                self.stage(Stage::RegisterAsked(state));
                let request = Request::PasswordStart { request: Bytes(request) };
                self.ask(step, request, Pending::Login);
            }
            Some(Goal::Revoke { device, .. }) => {
                let device = *device;
                self.publish_without(step, &identity, device, &proven.list);
            }
            Some(Goal::LogIn { name, password }) => {
                let (name, password) = (name.clone(), password.clone());
                self.password = Some(password);
                self.open_as_device(step, &identity, name, &proven);
            }
            Some(Goal::Register { .. }) | None => {}
        }
    }

    /// Opens the session as this device, or as a new one with the next version of the list.
    fn open_as_device(
        &mut self,
        step: &mut Step<'_>,
        identity: &IdentityKey,
        name: UserName,
        proven: &Proven,
    ) {
        let Link::Greeted(nonce) = self.link else {
            return;
        };
        let account = proven.account;
        let Some(list) = self.check_own_list(step, &name, proven) else {
            return;
        };
        let known = self.own.as_ref().and_then(|own| own.device.as_ref());
        let gone = |device| list.list().revoked.iter().any(|entry| entry.device == device);
        if known.is_some_and(|device| gone(device.id)) {
            return self.removed(step);
        }
        let known = known.filter(|device| list.list().in_use(device.id).is_some());
        let (own, next) = match known {
            Some(device) => (device.clone(), None),
            None => {
                let own = OwnDevice::generate(step.rng);
                let entry = self.entry(step, &own);
                let retired = self.own.as_ref().and_then(|own| own.retired);
                let next = crate::devices::next_list(&list, Some(entry), retired, step.now);
                (own, Some(next.sign(identity)))
            }
        };
        self.begin_keys(account, &own);
        let (device, proof) = (own.id, prove(&own.auth, nonce, account, own.id));
        let acknowledged = self.own.as_ref().map_or(0, |own| own.acknowledged);
        let retired = self.own.as_ref().and_then(|own| own.retired);
        self.own = Some(Own {
            account,
            name,
            identity: proven.identity,
            device: Some(own),
            // The next version is known only once the server has taken it.
            list: Some((proven.list.clone(), list)),
            token: None,
            acknowledged: if next.is_some() { 0 } else { acknowledged },
            retired,
            registering: None,
        });
        self.touch(Key::Account);
        self.stage(Stage::Opening);
        self.ask(step, Request::Open { device, proof, list: next }, Pending::Login);
    }

    pub(super) fn opened(&mut self, step: &mut Step<'_>, opened: Opened) {
        if let Some(Attempt { goal: Goal::LogIn { password, .. }, .. }) = self.attempt.take() {
            self.password = Some(password);
        }
        let Some(own) = &mut self.own else { return };
        if opened.account != own.account || own.device.as_ref().map(|d| d.id) != Some(opened.device)
        {
            step.warn(None, Warning::Nonsense);
            step.out.disconnect = true;
            return;
        }
        if let Some(token) = opened.token {
            own.token = Some(token.0);
        }
        let waiting: u64 = self.conversations.values().map(Conversation::unacknowledged).sum();
        if (self.defences.is_restored)(opened.submitted, own.acknowledged, waiting) {
            return self.retire(step);
        }
        self.unsettled = (opened.submitted > own.acknowledged).then_some(opened.submitted);
        self.all_listed = false;
        own.retired = None;
        own.registering = None;
        let (name, device) = (own.name.clone(), opened.device);
        self.touch(Key::Account);
        self.link = Link::Open;
        step.show(Show::Online { name, device });
        self.own_list_announced(step, opened.list_version);
        self.list_conversations(step);
        self.fill_stock(step, opened.stock);
        self.fetch_inbox(step);
        self.resume_errands(step);
        self.resume_transfers(step.now);
        self.flush_all(step);
    }

    fn send_change(&mut self, step: &mut Step<'_>, account: AccountId, registered: Registered) {
        let Some(identity) = self.confirmed.take() else {
            return;
        };
        let wrapped = registered.export.wrap_identity(step.rng, &identity, account.as_bytes());
        let request = Request::PasswordFinish {
            upload: Bytes(registered.upload),
            wrapped_identity: Bytes(wrapped.as_bytes().to_vec()),
        };
        self.stage(Stage::ChangeSent);
        self.ask(step, request, Pending::Login);
    }
}

pub(super) fn prove(key: &AuthKey, nonce: Hash, account: AccountId, device: DeviceId) -> Signature {
    key.sign(Purpose::SessionProof, &session_proof(nonce, account, device))
}
