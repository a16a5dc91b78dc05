//! From a connection to an open session: by registration, by password, or by an earlier token; and the
//! confirmation of a password within a session.

use crate::client::{Client, Pending, Step};
use crate::effect::Key;
use crate::event::JobId;
use crate::limits;
use crate::records::{Own, Registering};
use crate::show::{Show, Warning};
use portcullis_crypto::{
    AuthKey, ClientLogin, ClientRegistration, ExportKey, Hash, IdentityKey, Job, LoggedIn, Outcome,
    Password, Purpose, Registered, Secret, Stretch, WrappedIdentity,
};
use portcullis_proto::{
    AccountId, Bytes, Code, DeviceId, LoggedIn as Proven, Opened, Refusal, Reply, Request,
    Stretching, UserName, session_proof,
};

/// How far the connection has come.
#[derive(Debug)]
pub(crate) enum Link {
    /// There is none.
    Offline,
    /// It stands, and the server has not greeted yet.
    Connected,
    /// Greeted: nothing was proven yet, or a login is on its way.
    Greeted(Hash),
    /// The session is open.
    Open,
}

/// A registration, login or confirmation: what is wanted, and how far it has come.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) goal: Goal,
    pub(crate) stage: Stage,
    pub(crate) tries: u32,
}

/// What a password is asked for.
#[derive(Debug)]
pub(crate) enum Goal {
    /// A new account.
    Register {
        name: UserName,
        password: Password,
        invite: Option<String>,
    },
    /// A session.
    LogIn { name: UserName, password: Password },
    /// To take a device out.
    Revoke {
        device: DeviceId,
        password: Password,
    },
    /// To change the password.
    Change { old: Password, new: Password },
}

/// How far an attempt has come.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a client has one, for a second")]
pub(crate) enum Stage {
    /// Waits for a connection.
    Waiting,
    /// Tries the token first; the password comes if that fails.
    Resuming,
    /// The first message of a registration, or of a change, is out.
    RegisterAsked(ClientRegistration),
    /// The password is being stretched for it.
    RegisterWork(JobId, AccountId),
    /// The account is to be stored.
    RegisterSent,
    /// The first message of a login is out.
    LoginAsked(ClientLogin),
    /// The password is being stretched for it.
    LoginWork(JobId),
    /// The password was sent in proof.
    LoginSent(ExportKey),
    /// The device opens the session, or is added to the list.
    Opening,
    /// The last message of a change is out.
    ChangeSent,
    /// The list without the device is out.
    ListSent,
}

impl Goal {
    fn password(&self) -> &Password {
        match self {
            Self::Register { password, .. }
            | Self::LogIn { password, .. }
            | Self::Revoke { password, .. } => password,
            Self::Change { old, .. } => old,
        }
    }
}

impl Client {
    /// Begins an attempt, now or as soon as there is a connection.
    pub(crate) fn attempt(&mut self, step: &mut Step<'_>, goal: Goal) {
        self.attempt = Some(Attempt {
            goal,
            stage: Stage::Waiting,
            tries: 0,
        });
        match self.link {
            Link::Greeted(_) | Link::Open => self.advance(step),
            Link::Offline | Link::Connected => step.show(Show::Progress("connecting")),
        }
    }

    /// The server's greeting: goes on with what was wanted, or resumes.
    pub(crate) fn greeted(&mut self, step: &mut Step<'_>, nonce: Hash) {
        self.link = Link::Greeted(nonce);
        if let (Some(own), Some(password)) = (&self.own, &self.password)
            && self.attempt.is_none()
        {
            let goal = Goal::LogIn {
                name: own.name.clone(),
                password: password.clone(),
            };
            self.attempt = Some(Attempt {
                goal,
                stage: Stage::Waiting,
                tries: 0,
            });
        }
        if self.attempt.is_some() {
            self.advance(step);
        } else {
            step.show(Show::Need(self.need()));
        }
    }

    fn advance(&mut self, step: &mut Step<'_>) {
        let Some(attempt) = &self.attempt else { return };
        match &attempt.goal {
            Goal::Register { .. } => self.ask_registration(step),
            Goal::LogIn { .. } if self.can_resume() => self.resume(step),
            Goal::Revoke { .. } | Goal::Change { .. } if !self.is_open() => {}
            _ => self.ask_login(step),
        }
    }

    fn can_resume(&self) -> bool {
        self.own
            .as_ref()
            .is_some_and(|own| own.token.is_some() && own.device.is_some())
    }

    fn resume(&mut self, step: &mut Step<'_>) {
        let (Some(own), Link::Greeted(nonce)) = (&self.own, &self.link) else {
            return;
        };
        let (Some(token), Some((device, key))) = (&own.token, &own.device) else {
            return;
        };
        let proof = prove(key, *nonce, own.account, *device);
        let request = Request::Resume {
            token: Bytes(token.clone()),
            device: *device,
            proof,
        };
        self.stage(Stage::Resuming);
        self.ask(step, request, Pending::Login);
    }

    fn ask_registration(&mut self, step: &mut Step<'_>) {
        let Some(Attempt {
            goal:
                Goal::Register {
                    name,
                    password,
                    invite,
                },
            ..
        }) = &self.attempt
        else {
            return;
        };
        let Ok((state, request)) = ClientRegistration::start(password, step.rng) else {
            return self.give_up(step, too_long());
        };
        let (name, invite) = (name.clone(), invite.clone());
        let request = Request::RegisterStart {
            name,
            invite,
            request: Bytes(request),
        };
        self.stage(Stage::RegisterAsked(state));
        self.ask(step, request, Pending::Login);
    }

    fn ask_login(&mut self, step: &mut Step<'_>) {
        let name = self.attempt_name();
        let (Some(name), Some(attempt)) = (name, &self.attempt) else {
            return;
        };
        let Ok((state, request)) = ClientLogin::start(attempt.goal.password(), step.rng) else {
            return self.give_up(step, too_long());
        };
        self.stage(Stage::LoginAsked(state));
        let request = Request::LoginStart {
            name,
            request: Bytes(request),
        };
        self.ask(step, request, Pending::Login);
    }

    fn attempt_name(&self) -> Option<UserName> {
        match &self.attempt.as_ref()?.goal {
            Goal::Register { name, .. } | Goal::LogIn { name, .. } => Some(name.clone()),
            Goal::Revoke { .. } | Goal::Change { .. } => self.name().cloned(),
        }
    }

    /// A reply to a step of the attempt.
    pub(crate) fn login_replied(&mut self, step: &mut Step<'_>, reply: Reply) {
        let Some(stage) = self.take_stage() else {
            return;
        };
        match (stage, reply) {
            (
                Stage::RegisterAsked(state),
                Reply::RegisterChallenge {
                    account,
                    response,
                    stretching,
                },
            ) => {
                self.stretch_registration(step, state, account, &response, stretching);
            }
            (
                Stage::LoginAsked(state),
                Reply::LoginChallenge {
                    response,
                    stretching,
                },
            ) => {
                self.stretch_login(step, state, &response, stretching);
            }
            (Stage::LoginSent(export), Reply::LoggedIn(proven)) => {
                self.password_proven(step, &export, proven);
            }
            (Stage::Resuming | Stage::RegisterSent | Stage::Opening, Reply::Opened(opened)) => {
                self.opened(step, opened);
            }
            (Stage::ChangeSent, Reply::Done) => {
                if let Some(Attempt {
                    goal: Goal::Change { new, .. },
                    ..
                }) = self.attempt.take()
                {
                    self.password = Some(new);
                }
                step.show(Show::PasswordChanged);
            }
            (Stage::ListSent, Reply::Done) => {
                self.attempt = None;
                step.show(Show::Done("The device was removed.".to_owned()));
            }
            _ => {
                self.attempt = None;
                step.warn(None, Warning::Nonsense);
                step.out.disconnect = true;
            }
        }
    }

    /// A step of the attempt was refused.
    pub(crate) fn login_refused(&mut self, step: &mut Step<'_>, refusal: Refusal) {
        let Some(stage) = self.take_stage() else {
            return;
        };
        let tries = self.attempt.as_ref().map_or(0, |attempt| attempt.tries);
        match (stage, refusal.code) {
            (Stage::Resuming, Code::LoginFailed) => {
                if let Some(own) = &mut self.own {
                    own.token = None;
                    self.touch(Key::Account);
                }
                self.ask_login(step);
            }
            (Stage::Opening | Stage::ListSent, Code::ListRefused)
                if tries < limits::ENROL_TRIES =>
            {
                // Another device was enrolled in the meantime: the same again, upon the newer list.
                if let Some(attempt) = &mut self.attempt {
                    attempt.tries += 1;
                }
                self.ask_login(step);
            }
            (Stage::RegisterSent, _) => {
                self.own = None;
                self.touch(Key::Account);
                self.give_up(step, refusal);
            }
            _ if self.registers_again(step, &refusal) => {}
            _ => self.give_up(step, refusal),
        }
    }

    /// A login failed for an account whose registration was cut off: it was not stored, or somebody
    /// else has taken the name since; registering again will tell.
    fn registers_again(&mut self, step: &mut Step<'_>, refusal: &Refusal) -> bool {
        let begun = self.own.as_ref().and_then(|own| own.registering.clone());
        let (Some(Registering { invite }), Code::LoginFailed) = (begun, refusal.code) else {
            return false;
        };
        let Some(Attempt {
            goal: Goal::LogIn { name, password },
            ..
        }) = self.attempt.take()
        else {
            return false;
        };
        self.own = None;
        self.touch(Key::Account);
        self.attempt(
            step,
            Goal::Register {
                name,
                password,
                invite,
            },
        );
        true
    }

    fn give_up(&mut self, step: &mut Step<'_>, refusal: Refusal) {
        let what = match self.attempt.take().map(|attempt| attempt.goal) {
            Some(Goal::Register { .. }) => "register",
            Some(Goal::Change { .. }) => "change the password",
            Some(Goal::Revoke { .. }) => "remove the device",
            Some(Goal::LogIn { .. }) | None => "log in",
        };
        if !self.is_open() && refusal.code == Code::LoginFailed {
            self.password = None;
        }
        step.show(Show::Refused { what, refusal });
        if !self.is_open() {
            step.show(Show::Need(self.need()));
        }
    }

    fn stretch_registration(
        &mut self,
        step: &mut Step<'_>,
        state: ClientRegistration,
        account: AccountId,
        response: &Bytes,
        stretching: Stretching,
    ) {
        let Some(stretch) = self.accept_stretching(step, stretching) else {
            return;
        };
        let name = self.attempt_name();
        let (Some(name), Some(attempt)) = (name, &self.attempt) else {
            return;
        };
        let password = match &attempt.goal {
            Goal::Change { new, .. } => new.clone(),
            goal => goal.password().clone(),
        };
        let (response, name) = (response.0.clone(), name.as_str().to_owned());
        let seed = Secret::random(step.rng);
        let job = Job::FinishRegistration {
            state,
            password,
            response,
            name,
            stretch,
            seed,
        };
        let job = self.work(step, job);
        step.show(Show::Progress("protecting the password"));
        self.stage(Stage::RegisterWork(job, account));
    }

    fn stretch_login(
        &mut self,
        step: &mut Step<'_>,
        state: ClientLogin,
        response: &Bytes,
        stretching: Stretching,
    ) {
        let Some(stretch) = self.accept_stretching(step, stretching) else {
            return;
        };
        let name = self.attempt_name();
        let (Some(name), Some(attempt)) = (name, &self.attempt) else {
            return;
        };
        let password = attempt.goal.password().clone();
        let (response, name) = (response.0.clone(), name.as_str().to_owned());
        let seed = Secret::random(step.rng);
        let job = Job::FinishLogin {
            state,
            password,
            response,
            name,
            stretch,
            seed,
        };
        let job = self.work(step, job);
        step.show(Show::Progress("checking the password"));
        self.stage(Stage::LoginWork(job));
    }

    fn accept_stretching(&mut self, step: &mut Step<'_>, asked: Stretching) -> Option<Stretch> {
        let accepted = (self.defences.accept_stretching)(asked, self.config.stretch_floor);
        if accepted.is_none() {
            self.attempt = None;
            step.warn(None, Warning::WeakStretching);
            step.out.disconnect = !self.is_open();
        }
        accepted
    }

    /// Slow work is done.
    pub(crate) fn worked(&mut self, step: &mut Step<'_>, id: JobId, outcome: Outcome) {
        match (self.take_stage(), outcome) {
            (Some(Stage::RegisterWork(job, account)), Outcome::FinishRegistration(result))
                if job == id =>
            {
                match result {
                    Ok(registered) => self.send_registration(step, account, registered),
                    Err(_) => self.give_up(step, bad_answer()),
                }
            }
            (Some(Stage::LoginWork(job)), Outcome::FinishLogin(result)) if job == id => {
                match result {
                    Ok(LoggedIn {
                        finalization,
                        export,
                        ..
                    }) => {
                        let request = Request::LoginFinish {
                            finalization: Bytes(finalization),
                        };
                        self.stage(Stage::LoginSent(export));
                        self.ask(step, request, Pending::Login);
                    }
                    Err(_) => {
                        let message = "the name or the password is wrong";
                        let refusal = Refusal::new(Code::LoginFailed, message);
                        if !self.registers_again(step, &refusal) {
                            self.give_up(step, refusal);
                        }
                    }
                }
            }
            // Work of an attempt that was given up, or whose connection is gone.
            (Some(stage), _) => self.stage(stage),
            (None, _) => {}
        }
    }

    fn send_registration(
        &mut self,
        step: &mut Step<'_>,
        account: AccountId,
        registered: Registered,
    ) {
        if let Some(Attempt {
            goal: Goal::Change { .. },
            ..
        }) = &self.attempt
        {
            return self.send_change(step, account, registered);
        }
        let Link::Greeted(nonce) = self.link else {
            return;
        };
        let Some(Attempt {
            goal:
                Goal::Register {
                    name,
                    password,
                    invite,
                },
            ..
        }) = &self.attempt
        else {
            return;
        };
        self.password = Some(password.clone());
        let identity = IdentityKey::generate(step.rng);
        let (device, key) = (DeviceId::random(step.rng), AuthKey::generate(step.rng));
        let entry = self.entry(step, device, &key);
        let list = crate::devices::first_list(account, entry).sign(&identity);
        let wrapped = registered
            .export
            .wrap_identity(step.rng, &identity, account.as_bytes());
        let proof = prove(&key, nonce, account, device);
        self.own = Some(Own {
            account,
            name: name.clone(),
            identity: identity.public(),
            device: Some((device, key)),
            list: Some(list.clone()),
            token: None,
            acknowledged: 0,
            retired: None,
            registering: Some(Registering {
                invite: invite.clone(),
            }),
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
    fn password_proven(&mut self, step: &mut Step<'_>, export: &ExportKey, proven: Proven) {
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
                let request = Request::PasswordStart {
                    request: Bytes(request),
                };
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
        let known = known.filter(|(device, _)| list.list().in_use(*device).is_some());
        let (device, key, next) = match known {
            Some((device, key)) => (*device, key.clone(), None),
            None => {
                let (device, key) = (DeviceId::random(step.rng), AuthKey::generate(step.rng));
                let entry = self.entry(step, device, &key);
                let retired = self.own.as_ref().and_then(|own| own.retired);
                let next = crate::devices::next_list(&list, Some(entry), retired, step.now);
                (device, key, Some(next.sign(identity)))
            }
        };
        let proof = prove(&key, nonce, account, device);
        let acknowledged = self.own.as_ref().map_or(0, |own| own.acknowledged);
        let retired = self.own.as_ref().and_then(|own| own.retired);
        self.own = Some(Own {
            account,
            name,
            identity: proven.identity,
            device: Some((device, key)),
            // The next version is known only once the server has taken it.
            list: Some(proven.list.clone()),
            token: None,
            acknowledged: if next.is_some() { 0 } else { acknowledged },
            retired,
            registering: None,
        });
        self.touch(Key::Account);
        self.stage(Stage::Opening);
        self.ask(
            step,
            Request::Open {
                device,
                proof,
                list: next,
            },
            Pending::Login,
        );
    }

    fn opened(&mut self, step: &mut Step<'_>, opened: Opened) {
        if let Some(Attempt {
            goal: Goal::LogIn { password, .. },
            ..
        }) = self.attempt.take()
        {
            self.password = Some(password);
        }
        let Some(own) = &mut self.own else { return };
        if opened.account != own.account || own.device.as_ref().map(|d| d.0) != Some(opened.device)
        {
            step.warn(None, Warning::Nonsense);
            step.out.disconnect = true;
            return;
        }
        if let Some(token) = opened.token {
            own.token = Some(token.0);
        }
        let waiting: u64 = self
            .conversations
            .values()
            .map(|c| c.outbox.len() as u64)
            .sum();
        if (self.defences.is_restored)(opened.submitted, own.acknowledged, waiting) {
            return self.retire(step);
        }
        own.retired = None;
        own.registering = None;
        let (name, device) = (own.name.clone(), opened.device);
        self.touch(Key::Account);
        self.link = Link::Open;
        step.show(Show::Online { name, device });
        self.own_list_announced(step, opened.list_version);
        self.list_conversations(step);
        self.flush_all(step);
    }

    /// The connection is gone: a login begins anew with the next one, and so does a registration that
    /// was not stored; what needed an open session has failed.
    pub(crate) fn attempt_interrupted(&mut self, step: &mut Step<'_>) {
        let Some(attempt) = &mut self.attempt else {
            return;
        };
        let stage = std::mem::replace(&mut attempt.stage, Stage::Waiting);
        match (&attempt.goal, stage) {
            // It may have been stored: a login will tell.
            (Goal::Register { name, password, .. }, Stage::RegisterSent) => {
                attempt.goal = Goal::LogIn {
                    name: name.clone(),
                    password: password.clone(),
                };
            }
            (Goal::Register { .. } | Goal::LogIn { .. }, _) => {}
            (Goal::Revoke { .. } | Goal::Change { .. }, _) => {
                self.confirmed = None;
                let message = "the connection was lost before it was done";
                self.link = Link::Open;
                self.give_up(step, Refusal::new(Code::Unavailable, message));
                self.link = Link::Offline;
            }
        }
    }

    pub(crate) fn stage(&mut self, stage: Stage) {
        if let Some(attempt) = &mut self.attempt {
            attempt.stage = stage;
        }
    }

    fn take_stage(&mut self) -> Option<Stage> {
        let attempt = self.attempt.as_mut()?;
        Some(std::mem::replace(&mut attempt.stage, Stage::Waiting))
    }

    fn send_change(&mut self, step: &mut Step<'_>, account: AccountId, registered: Registered) {
        let Some(identity) = self.confirmed.take() else {
            return;
        };
        let wrapped = registered
            .export
            .wrap_identity(step.rng, &identity, account.as_bytes());
        let request = Request::PasswordFinish {
            upload: Bytes(registered.upload),
            wrapped_identity: Bytes(wrapped.as_bytes().to_vec()),
        };
        self.stage(Stage::ChangeSent);
        self.ask(step, request, Pending::Login);
    }
}

fn prove(
    key: &AuthKey,
    nonce: Hash,
    account: AccountId,
    device: DeviceId,
) -> portcullis_crypto::Signature {
    key.sign(
        Purpose::SessionProof,
        &session_proof(nonce, account, device),
    )
}

fn too_long() -> Refusal {
    Refusal::new(Code::TooLarge, "this password is too long")
}

fn bad_answer() -> Refusal {
    Refusal::new(Code::Malformed, "the server's answer does not fit")
}
