//! The way in: which home, its password, and the account behind it.
//!
//! A new home is made before the server is asked, since the core must be able to write; where the
//! server then refuses, the home is discarded again.

use super::model::Model;
use super::{ChatError, Shell, clock, config};
use crate::device::Device;
use crate::home::{Home, HomeError};
use crate::net::Link;
use portcullis_client_core::Command;
use portcullis_crypto::{Password, Stretch};
use portcullis_proto::UserName;
use std::path::PathBuf;

/// A home on its way to be opened, and the account in it.
pub(super) struct Entering {
    /// What was typed last.
    password: Password,
    /// What the home's key is wrapped under, once that is known.
    opened_with: Option<Password>,
    /// What the core is asked for as soon as the home is open; none if it was asked before.
    then: Option<Then>,
}

/// What the core is asked for.
enum Then {
    Register {
        name: UserName,
        invite: Option<String>,
    },
    LogIn(UserName),
    /// The account that the home turns out to have.
    Unlock,
}

impl Shell {
    /// The first form: for the account of a home, or for one to be made. None where name and password are known.
    pub(super) fn begin(&mut self) -> Result<(), ChatError> {
        let first = self.folders.first(self.options.user.as_ref());
        let (folder, name) = first.unzip();
        self.model = self.new_model(name);
        if let Some(user) = self.options.user.as_ref().filter(|_| folder.is_none()) {
            self.model.propose(user);
        }
        self.unlocking = folder;
        let known = self.options.user.clone().zip(self.options.password.clone());
        match (known, self.unlocking.is_some()) {
            (None, _) => Ok(()),
            (Some((_, password)), true) => self.unlock(password),
            (Some((name, password)), false) => {
                self.log_in(name, password);
                Ok(())
            }
        }
    }

    /// The form of a home was left: another account is wanted.
    pub(super) fn other_account(&mut self) {
        self.model = self.new_model(None);
        self.unlocking = None;
        self.device = None;
        self.entering = None;
    }

    /// A new account is wanted.
    pub(super) fn register(&mut self, name: UserName, password: Password, invite: Option<String>) {
        let folder = self.folders.of(&name);
        self.enter(folder, password, Then::Register { name, invite });
    }

    /// An account is wanted on this device.
    pub(super) fn log_in(&mut self, name: UserName, password: Password) {
        self.enter(self.folders.of(&name), password, Then::LogIn(name));
    }

    /// The home's account is wanted.
    pub(super) fn unlock(&mut self, password: Password) -> Result<(), ChatError> {
        let folder = self.unlocking.clone();
        match (self.account(), &mut self.entering, folder) {
            // The home is open already: it is the server that asks for the password.
            (Some(name), Some(entering), _) => {
                entering.password = password.clone();
                self.command(Command::LogIn { name, password })?;
            }
            (_, _, Some(folder)) => self.enter(folder, password, Then::Unlock),
            (_, _, None) => self.other_account(),
        }
        Ok(())
    }

    /// A home is open, or is not.
    pub(super) fn opened(&mut self, opened: Result<Home, HomeError>) -> Result<(), ChatError> {
        let Some(entering) = &mut self.entering else { return Ok(()) };
        entering.opened_with = Some(entering.password.clone());
        let link =
            Link::open(self.options.server.clone(), self.options.door.clone(), &self.options.roots);
        let link = link.map_err(ChatError::Tls)?;
        let files = self.options.files.at(&self.options.server, &self.options.roots);
        let (files, config) = (files.map_err(ChatError::Tls)?, config(&self.options));
        let device = opened.and_then(|home| Device::restore(home, link, config, files));
        match device {
            Ok(device) => self.go_on_with(device),
            Err(error) => {
                self.entering = None;
                self.model.set_error(words(&error));
                Ok(())
            }
        }
    }

    /// The session is open: from now on the password that opened it opens the home.
    pub(super) fn entered(&mut self) -> Result<(), ChatError> {
        let (Some(entering), Some(device)) = (&mut self.entering, &mut self.device) else {
            return Ok(());
        };
        let typed = entering.password.clone();
        let before = entering.opened_with.replace(typed.clone());
        if before.is_some_and(|before| before.expose() != typed.expose()) {
            device.home_mut().rewrap(&typed, Stretch::STANDARD)?;
        }
        Ok(())
    }

    /// Nobody is logged in yet: a home that was made for an account that there is not, goes.
    pub(super) fn not_entered(&mut self) -> Result<(), ChatError> {
        if self.account().is_none()
            && let Some(device) = self.device.take()
        {
            self.entering = None;
            device.into_home().discard()?;
        }
        Ok(())
    }

    /// The account of the home that is open.
    pub(super) fn account(&self) -> Option<UserName> {
        self.device.as_ref()?.client().name().cloned()
    }

    fn enter(&mut self, folder: PathBuf, password: Password, then: Then) {
        self.device = None;
        if let Some(error) = Home::in_use(&folder) {
            return self.model.set_error(words(&error));
        }
        self.model.set_busy("opening your home");
        let (finished, key) = (self.finished.clone(), password.clone());
        tokio::spawn(async move {
            let opened = Home::open(&folder, &key, Stretch::STANDARD).await;
            // Where nobody listens, the chat is over.
            let _ = finished.send(opened).await;
        });
        self.entering = Some(Entering { password, opened_with: None, then: Some(then) });
    }

    fn go_on_with(&mut self, device: Device) -> Result<(), ChatError> {
        let Some(entering) = &mut self.entering else { return Ok(()) };
        let (password, then) = (entering.password.clone(), entering.then.take());
        let name = device.client().name().cloned();
        self.model.restore(device.client().conversations());
        self.model.restore_transfers(device.client().transfers());
        if let Some(id) = device.home().opened()? {
            self.model.open(id);
        }
        self.device = Some(device);
        let command = match (name, then) {
            (Some(name), _) | (None, Some(Then::LogIn(name))) => Command::LogIn { name, password },
            (None, Some(Then::Register { name, invite })) => {
                Command::Register { name, password, invite }
            }
            // The home is empty: it was made for an account that there is not.
            (None, _) => {
                self.other_account();
                return Ok(());
            }
        };
        if let Command::LogIn { name, .. } | Command::Register { name, .. } = &command {
            self.model.set_identity(name);
        }
        self.model.set_busy("connecting");
        self.command(command)
    }

    fn new_model(&self, account: Option<String>) -> Model {
        let mut model = Model::new(self.options.server.to_string(), account, &self.options.device);
        model.set_time(clock::now(), self.utc_offset_seconds);
        model.number_after(&self.model);
        model
    }
}

/// Why a home could not be opened, as the form says it.
fn words(error: &HomeError) -> String {
    match error {
        HomeError::WrongPassword(_) => {
            "this password does not open your home; if you changed it on another device, \
             type the one from before"
                .to_owned()
        }
        HomeError::InUse(_, Some(holder)) => {
            format!("your home is in use by process {holder}; end that one first")
        }
        error => error.to_string(),
    }
}
