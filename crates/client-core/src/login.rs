//! From a connection to an open session: by registration, by password, or by an earlier token; and the
//! confirmation of a password within a session.

mod enrol;

use self::enrol::prove;
use crate::client::{Client, Pending, Step};
use crate::effect::Key;
use crate::event::JobId;
use crate::limits;
use crate::records::Registering;
use crate::show::{Show, Warning};
use portcullis_crypto::{
    ClientLogin, ClientRegistration, ExportKey, Hash, Job, LoggedIn, Outcome, Password, Secret,
    Stretch,
};
use portcullis_proto::{
    AccountId, Bytes, Code, DeviceId, Refusal, Reply, Request, Stretching, UserName,
};
use std::fmt;

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
pub(crate) enum Goal {
    /// A new account.
    Register { name: UserName, password: Password, invite: Option<String> },
    /// A session.
    LogIn { name: UserName, password: Password },
    /// To take a device out.
    Revoke { device: DeviceId, password: Password },
    /// To change the password.
    Change { old: Password, new: Password },
}

impl fmt::Debug for Goal {
    /// Leaves out passwords and invitation codes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Register { .. } => "Register(..)",
            Self::LogIn { .. } => "LogIn(..)",
            Self::Revoke { .. } => "Revoke(..)",
            Self::Change { .. } => "Change(..)",
        })
    }
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
        self.attempt = Some(Attempt { goal, stage: Stage::Waiting, tries: 0 });
        match self.link {
            Link::Greeted(_) | Link::Open => self.go_on(step),
            Link::Offline | Link::Connected => step.show(Show::Progress("connecting")),
        }
    }

    /// The server's greeting: goes on with what was wanted, or resumes.
    pub(crate) fn greeted(&mut self, step: &mut Step<'_>, nonce: Hash) {
        self.link = Link::Greeted(nonce);
        if let (Some(own), Some(password)) = (&self.own, &self.password)
            && self.attempt.is_none()
        {
            let goal = Goal::LogIn { name: own.name.clone(), password: password.clone() };
            self.attempt = Some(Attempt { goal, stage: Stage::Waiting, tries: 0 });
        }
        if self.attempt.is_some() {
            self.go_on(step);
        } else {
            step.show(Show::Need(self.need()));
        }
    }

    fn go_on(&mut self, step: &mut Step<'_>) {
        let Some(attempt) = &self.attempt else { return };
        match &attempt.goal {
            Goal::Register { .. } => self.ask_registration(step),
            Goal::LogIn { .. } if self.can_resume() => self.resume(step),
            Goal::Revoke { .. } | Goal::Change { .. } if !self.is_open() => {}
            _ => self.ask_login(step),
        }
    }

    fn can_resume(&self) -> bool {
        self.own.as_ref().is_some_and(|own| own.token.is_some() && own.device.is_some())
    }

    fn resume(&mut self, step: &mut Step<'_>) {
        let (Some(own), Link::Greeted(nonce)) = (&self.own, &self.link) else {
            return;
        };
        let (Some(token), Some(device)) = (&own.token, &own.device) else {
            return;
        };
        let proof = prove(&device.auth, *nonce, own.account, device.id);
        let request = Request::Resume { token: Bytes(token.clone()), device: device.id, proof };
        self.stage(Stage::Resuming);
        self.ask(step, request, Pending::Login);
    }

    fn ask_registration(&mut self, step: &mut Step<'_>) {
        let Some(Attempt { goal: Goal::Register { name, password, invite }, .. }) = &self.attempt
        else {
            return;
        };
        let Ok((state, request)) = ClientRegistration::start(password, step.rng) else {
            return self.give_up(step, too_long());
        };
        let (name, invite) = (name.clone(), invite.clone());
        let request = Request::RegisterStart { name, invite, request: Bytes(request) };
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
        let request = Request::LoginStart { name, request: Bytes(request) };
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
                Reply::RegisterChallenge { account, response, stretching },
            ) => {
                self.stretch_registration(step, state, account, &response, stretching);
            }
            (Stage::LoginAsked(state), Reply::LoginChallenge { response, stretching }) => {
                self.stretch_login(step, state, &response, stretching);
            }
            (Stage::LoginSent(export), Reply::LoggedIn(proven)) => {
                self.password_proven(step, &export, proven);
            }
            (Stage::Resuming | Stage::RegisterSent | Stage::Opening, Reply::Opened(opened)) => {
                self.opened(step, opened);
            }
            (Stage::ChangeSent, Reply::Done) => {
                if let Some(Attempt { goal: Goal::Change { new, .. }, .. }) = self.attempt.take() {
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
            // A server that is busy is asked again over the next connection, by itself.
            (_, code) if code.passes() && self.logs_in_by_itself() => {
                step.show(Show::Progress("the server is busy; trying again"));
                step.out.disconnect = true;
            }
            _ if self.registers_again(step, &refusal) => {}
            _ => self.give_up(step, refusal),
        }
    }

    /// Whether this is a login of a home that has its account, so that nobody waits at a form for it.
    fn logs_in_by_itself(&self) -> bool {
        let login = matches!(&self.attempt, Some(Attempt { goal: Goal::LogIn { .. }, .. }));
        login && self.own.as_ref().is_some_and(|own| own.registering.is_none())
    }

    /// A login failed for an account whose registration was cut off: it was not stored, or somebody
    /// else has taken the name since; registering again will tell.
    fn registers_again(&mut self, step: &mut Step<'_>, refusal: &Refusal) -> bool {
        let begun = self.own.as_ref().and_then(|own| own.registering.clone());
        let (Some(Registering { invite }), Code::LoginFailed) = (begun, refusal.code) else {
            return false;
        };
        let Some(Attempt { goal: Goal::LogIn { name, password }, .. }) = self.attempt.take() else {
            return false;
        };
        self.own = None;
        self.touch(Key::Account);
        self.attempt(step, Goal::Register { name, password, invite });
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
        let job = Job::FinishRegistration { state, password, response, name, stretch, seed };
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
        let job = Job::FinishLogin { state, password, response, name, stretch, seed };
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
                    Ok(LoggedIn { finalization, export, .. }) => {
                        let request = Request::LoginFinish { finalization: Bytes(finalization) };
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
                attempt.goal = Goal::LogIn { name: name.clone(), password: password.clone() };
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
}

fn too_long() -> Refusal {
    Refusal::new(Code::TooLarge, "this password is too long")
}

fn bad_answer() -> Refusal {
    Refusal::new(Code::Malformed, "the server's answer does not fit")
}
