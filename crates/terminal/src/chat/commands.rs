//! What a person asks for, as commands of the core.

use super::model::{id_of, words::short};
use super::{ChatError, Shell};
use crate::device::News;
use crate::ui::command::{self, Command as Typed};
use crate::ui::view::Level;
use crate::ui::{Action, Password as TypedPassword};
use portcullis_client_core::{Command, DeviceView, Show};
use portcullis_crypto::Password;
use portcullis_proto::{Access, ConversationId, DeviceName, UserName};

impl Shell {
    /// Does what the screen's state asks for.
    pub(super) fn act(&mut self, action: Action) -> Result<(), ChatError> {
        match action {
            Action::Command { command, open } => return self.obey(command, open.map(id_of)),
            Action::Open(key) => self.model.open(id_of(key)),
            Action::LoadOlder => return self.load_history(true),
            Action::Register { name, password, invitation } => {
                self.register(name, secret(&password), invitation);
            }
            Action::LogIn { name, password } => self.log_in(name, secret(&password)),
            Action::Unlock { password } => return self.unlock(secret(&password)),
            Action::OtherAccount => self.other_account(),
            Action::ChangePassword { old, new } => {
                let (old, new) = (secret(&old), secret(&new));
                return self.command(Command::ChangePassword { old, new });
            }
            Action::RevokeDevice { name, password } => {
                return self.revoke(&name, secret(&password));
            }
            Action::Answer(answer) => return self.answer(answer),
            Action::Redraw => self.must_redraw = true,
            Action::Quit => self.is_over = true,
        }
        Ok(())
    }

    fn obey(&mut self, command: Typed, open: Option<ConversationId>) -> Result<(), ChatError> {
        match command {
            Typed::Say(text) => self.say(open, text),
            Typed::All(text) => self.say(Some(ConversationId::LOBBY), text),
            Typed::List => {
                self.model.list_people();
                self.command(Command::ListUsers)?;
                self.command(Command::ListChannels)
            }
            Typed::Join(name) => {
                self.model.want(name.as_str());
                self.command(Command::Join(name))
            }
            Typed::Create(name, access) => {
                self.model.want(name.as_str());
                let access = match access {
                    command::Access::Open => Access::Open,
                    command::Access::Invitation => Access::Invitation,
                };
                self.command(Command::Create(name, access))
            }
            Typed::Invite(name) => self.in_open(open, |id| Command::Invite(id, name)),
            Typed::Leave => self.in_open(open, Command::Leave),
            Typed::Verify(name, _) if self.account().as_ref() == Some(&name) => {
                self.hint("that is you");
                Ok(())
            }
            Typed::Verify(name, false) => self.command(Command::ShowSafetyNumber(name)),
            Typed::Verify(name, true) => self.mark_verified(name),
            Typed::Accept(name) => {
                self.model.accepted(&name);
                self.command(Command::AcceptIdentity(name))?;
                self.command(Command::ListUsers)
            }
            Typed::Devices => self.command(Command::ListDevices),
            // The screen does these, or asks for the password that they lack.
            Typed::Revoke(_) | Typed::Password | Typed::Help | Typed::Quit => Ok(()),
        }
    }

    fn say(&mut self, open: Option<ConversationId>, text: String) -> Result<(), ChatError> {
        self.model.saying(&text);
        self.in_open(open, |conversation| Command::Say { conversation, text })
    }

    fn in_open(
        &mut self,
        open: Option<ConversationId>,
        command: impl FnOnce(ConversationId) -> Command,
    ) -> Result<(), ChatError> {
        if let Some(id) = open {
            return self.command(command(id));
        }
        self.hint("no conversation is open: /join #NAME");
        Ok(())
    }

    fn answer(&mut self, answer: bool) -> Result<(), ChatError> {
        self.model.close_dialog();
        match self.verifying.take() {
            Some(name) if answer => self.mark_verified(name),
            _ => Ok(()),
        }
    }

    fn mark_verified(&mut self, name: UserName) -> Result<(), ChatError> {
        self.command(Command::MarkVerified(name))?;
        self.command(Command::ListUsers)
    }

    fn revoke(&mut self, name: &DeviceName, password: Password) -> Result<(), ChatError> {
        let Some(device) = &mut self.device else { return Ok(()) };
        let listed = device.command(Command::ListDevices)?;
        let devices = listed.into_iter().find_map(|news| match news {
            News::Show(Show::Devices(devices)) => Some(devices),
            _ => None,
        });
        let is_meant =
            |device: &DeviceView| device.name == *name || short(device.id) == name.as_str();
        let mut meant = devices.into_iter().flatten().filter(is_meant);
        match (meant.next(), meant.next()) {
            (Some(device), None) => self.command(Command::RevokeDevice(device.id, password))?,
            (None, _) => self.hint(format!("no device of yours is called {name}: /devices")),
            (Some(_), Some(_)) => {
                self.hint(format!("several are called {name}; take the number in /devices"));
            }
        }
        Ok(())
    }

    fn hint(&mut self, text: impl Into<String>) {
        self.ui.show_hint(text, Level::Warning);
    }
}

fn secret(typed: &TypedPassword) -> Password {
    Password::new(typed.reveal().to_owned())
}
