//! What a person asks for, as commands of the core.

use super::model::id_of;
use super::model::words::{leave_own, short};
use super::{Asking, ChatError, Shell};
use crate::device::News;
use crate::ui::command::{self, Command as Typed};
use crate::ui::view::{ConversationKind, Level};
use crate::ui::{Action, Password as TypedPassword};
use portcullis_client_core::{Command, DeviceView, MemberView, Saying, Show};
use portcullis_crypto::Password;
use portcullis_proto::{
    Access, ConversationId, ConversationName, DeviceName, GroupName, PersonName, UserName,
};

/// The kinds of conversation for a command, and what to say in another.
type Kinds = (&'static [ConversationKind], &'static str);

const CHANGE: Kinds =
    (&[ConversationKind::Group], "this is for groups; /group NAME USER… makes one");
const INVITE: Kinds = (
    &[ConversationKind::Channel, ConversationKind::Group],
    "a direct conversation is for two; /group NAME USER… makes a group",
);
const LEAVE: Kinds = (
    &[ConversationKind::Channel, ConversationKind::Group, ConversationKind::Guest],
    "a direct conversation is for ever, and can't be left",
);
const MEMBERS: Kinds = (
    &[ConversationKind::Direct, ConversationKind::Group],
    "a channel has no list of members; /list shows who is here",
);

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
                self.model.password_given();
                return self.command(Command::ChangePassword { old, new });
            }
            Action::RevokeDevice { device, password } => {
                self.model.password_given();
                return self.command(Command::RevokeDevice(device, secret(&password)));
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
            Typed::Tell(PersonName::User(name), _) if self.is_me(&name) => {
                self.nothing_comes("that is you: a private message goes to somebody else");
                Ok(())
            }
            Typed::Tell(name, text) => {
                self.model.want(name.clone().into());
                self.model.saying(&text);
                self.command(Command::Tell(name, text))
            }
            Typed::Reply(back, text) => self.reply(open, back, text),
            Typed::Edit(back, text) => self.edit(open, back, text),
            Typed::Delete(back) => self.delete(open, back),
            Typed::React(back, emoji) => self.react(open, back, emoji),
            Typed::History(back) => {
                self.tell_versions(back);
                Ok(())
            }
            Typed::Join(name) => {
                self.model.want(ConversationName::Channel(name.clone()));
                self.command(Command::Join(name))
            }
            Typed::Create(name, access) => {
                self.model.want(ConversationName::Channel(name.clone()));
                let access = match access {
                    command::Access::Open => Access::Open,
                    command::Access::Invitation => Access::Invitation,
                };
                self.command(Command::Create(name, access))
            }
            Typed::Group(name, members) => self.make_group(name, members),
            Typed::Invite(names) => self.invite(open, names),
            Typed::Members => self.in_kind(open, MEMBERS, Command::ShowMembers),
            Typed::Kick(name) if self.is_me(&name) => {
                self.nothing_comes("that is you: /leave leaves the group");
                Ok(())
            }
            Typed::Kick(name) => self.in_kind(open, CHANGE, |id| Command::Remove(id, name)),
            Typed::Rename(name) => self.in_kind(open, CHANGE, |id| Command::Rename(id, name)),
            Typed::Owner(name) => self.in_kind(open, CHANGE, |id| Command::SetOwner(id, name)),
            Typed::Leave => self.leave(open),
            Typed::Verify(name, _) if self.is_me(&name) => {
                self.hint("that is you");
                Ok(())
            }
            Typed::Verify(name, false) => self.command(Command::ShowSafetyNumber(name)),
            Typed::Verify(name, true) => self.mark_verified(name),
            Typed::Accept(name) => {
                self.model.accepted(&name);
                self.command(Command::AcceptIdentity(name))?;
                self.trust_changed();
                self.command(Command::ListUsers)
            }
            Typed::Guests(None) => self.list_guests(),
            Typed::Guests(Some(allow)) => self.command(Command::AllowGuests(allow)),
            Typed::Devices => self.command(Command::ListDevices),
            Typed::Revoke(name) => self.revoke(name),
            Typed::Password | Typed::Help | Typed::Quit => Ok(()),
            about_files => self.obey_about_files(open, about_files),
        }
    }

    fn make_group(&mut self, name: GroupName, members: Vec<UserName>) -> Result<(), ChatError> {
        let called = ConversationName::Group(name.clone());
        if self.model.has(&called) {
            self.hint(format!("there is a {name} already: the ids behind the names tell which"));
        }
        self.model.want(called);
        self.command(Command::CreateGroup(name, members))
    }

    fn say(&mut self, open: Option<ConversationId>, text: String) -> Result<(), ChatError> {
        let Some(conversation) = self.here(open) else {
            return Ok(());
        };
        self.model.saying(&text);
        self.command(Command::Say { conversation, what: Saying::Text(text) })
    }

    /// The open conversation, if something can be done in it; if not, nothing comes of what was typed.
    pub(super) fn here(&mut self, open: Option<ConversationId>) -> Option<ConversationId> {
        match open {
            None => self.nothing_comes("no conversation is open: /join #NAME, or /msg USER"),
            Some(id) if self.model.is_outside(id) => {
                self.nothing_comes("you are no longer in it; Alt-Up and Alt-Down open another");
            }
            Some(id) => return Some(id),
        }
        None
    }

    /// Says why nothing comes of the line, and puts it back.
    pub(super) fn nothing_comes(&mut self, why: impl Into<String>) {
        self.ui.give_back();
        self.hint(why);
    }

    /// Does something in the open conversation, if that is of a kind for it.
    fn in_kind(
        &mut self,
        open: Option<ConversationId>,
        kinds: Kinds,
        command: impl FnOnce(ConversationId) -> Command,
    ) -> Result<(), ChatError> {
        match self.here_in_kind(open, kinds) {
            Some(id) => self.command(command(id)),
            None => Ok(()),
        }
    }

    /// The open conversation, if that is of a kind for what is wanted.
    fn here_in_kind(
        &mut self,
        open: Option<ConversationId>,
        (kinds, otherwise): Kinds,
    ) -> Option<ConversationId> {
        let id = self.here(open)?;
        let fits = self.model.kind(id).is_some_and(|kind| kinds.contains(&kind));
        if !fits {
            self.nothing_comes(otherwise);
        }
        fits.then_some(id)
    }

    /// Invites those who are not there; of a channel only the server knows who is.
    fn invite(
        &mut self,
        open: Option<ConversationId>,
        names: Vec<UserName>,
    ) -> Result<(), ChatError> {
        let Some(id) = self.here_in_kind(open, INVITE) else {
            return Ok(());
        };
        let members = self.members(id)?;
        let is_there = |name: &UserName| members.iter().any(|member| member.name == *name);
        let (there, new): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| self.is_me(name) || is_there(name));
        if !there.is_empty() {
            let there: Vec<&str> = there.iter().map(UserName::as_str).collect();
            let (names, are) = (there.join(", "), if there.len() == 1 { "is" } else { "are" });
            let place = self.model.name(id).map(ToString::to_string).unwrap_or_default();
            self.hint(format!("{names} {are} in {place} already"));
        }
        new.into_iter().try_for_each(|name| self.command(Command::Invite(id, name)))
    }

    /// Leaves a channel or group; one's own group only after a question.
    fn leave(&mut self, open: Option<ConversationId>) -> Result<(), ChatError> {
        let Some(id) = self.here_in_kind(open, LEAVE) else {
            return Ok(());
        };
        let members = self.members(id)?;
        if members.iter().any(|member| member.owner && self.is_me(&member.name)) {
            let name = self.model.name(id).map(ToString::to_string).unwrap_or_default();
            self.asking = Some(Asking::Leave(id));
            self.model.ask(leave_own(&name, members.len() - 1));
            return Ok(());
        }
        self.command(Command::Leave(id))
    }

    /// The members of an encrypted conversation, as far as this device knows.
    fn members(&mut self, id: ConversationId) -> Result<Vec<MemberView>, ChatError> {
        let Some(device) = &mut self.device else { return Ok(Vec::new()) };
        let shown = device.command(Command::ShowMembers(id))?;
        let members = shown.into_iter().find_map(|news| match news {
            News::Show(Show::Members { members, .. }) => Some(members),
            _ => None,
        });
        Ok(members.unwrap_or_default())
    }

    /// Says which guests are here, and whether they may write.
    fn list_guests(&mut self) -> Result<(), ChatError> {
        let allowed = self.device.as_ref().is_some_and(|device| device.client().allows_guests());
        let words = match allowed {
            true => "Guests may write to you; /guests off ends that.",
            false => "Guests can't write to you; /guests on lets them.",
        };
        self.model.say(words.to_owned(), Level::Info);
        self.command(Command::ListGuests)
    }

    fn is_me(&self, name: &UserName) -> bool {
        self.account().as_ref() == Some(name)
    }

    fn answer(&mut self, answer: bool) -> Result<(), ChatError> {
        self.model.close_dialog();
        match self.asking.take().filter(|_| answer) {
            Some(Asking::AreTheSame(name)) => self.mark_verified(name),
            Some(Asking::Leave(id)) => self.command(Command::Leave(id)),
            None => Ok(()),
        }
    }

    fn mark_verified(&mut self, name: UserName) -> Result<(), ChatError> {
        self.command(Command::MarkVerified(name))?;
        self.trust_changed();
        self.command(Command::ListUsers)
    }

    /// Finds the device that is meant, before its owner is asked for the password.
    fn revoke(&mut self, name: DeviceName) -> Result<(), ChatError> {
        let Some(device) = &mut self.device else { return Ok(()) };
        let listed = device.command(Command::ListDevices)?;
        let devices = listed.into_iter().find_map(|news| match news {
            News::Show(Show::Devices(devices)) => Some(devices),
            _ => None,
        });
        let is_meant =
            |device: &DeviceView| device.name == name || short(device.id) == name.as_str();
        let mut meant = devices.into_iter().flatten().filter(is_meant);
        match (meant.next(), meant.next()) {
            (Some(device), None) => self.ui.ask_to_revoke(device.id, device.name),
            (None, _) => {
                self.nothing_comes(format!("no device of yours is called {name}: /devices"))
            }
            (Some(_), Some(_)) => {
                self.nothing_comes(format!(
                    "several are called {name}; take the number in /devices"
                ));
            }
        }
        Ok(())
    }

    pub(super) fn hint(&mut self, text: impl Into<String>) {
        self.ui.show_hint(text, Level::Warning);
    }
}

fn secret(typed: &TypedPassword) -> Password {
    Password::new(typed.reveal().to_owned())
}
