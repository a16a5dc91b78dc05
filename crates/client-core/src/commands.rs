//! What a person wants, turned into requests.

use crate::client::{Client, Pending, Step};
use crate::encrypted::Then;
use crate::event::Command;
use crate::login::Goal;
use crate::show::Show;
use portcullis_proto::{
    AccountId, Code, ConversationId, ConversationSummary, PersonName, Refusal, Request,
};

impl Client {
    pub(crate) fn command(&mut self, step: &mut Step<'_>, command: Command) {
        if let Some(guest) = conversation_of(&command).and_then(|id| self.guest_of(id)) {
            return self.command_with_guest(step, guest, command);
        }
        match command {
            Command::Register { name, password, invite } => {
                self.attempt(step, Goal::Register { name, password, invite });
            }
            Command::LogIn { name, password } => self.attempt(step, Goal::LogIn { name, password }),
            Command::Say { conversation, what } => self.say(step, conversation, what),
            Command::Tell(PersonName::User(name), text) => {
                self.run(step, vec![name], Then::Tell(text));
            }
            Command::CreateGroup(name, members) => self.run(step, members, Then::Group(name)),
            Command::Invite(id, name) if self.is_encrypted(id) => {
                self.run(step, vec![name], Then::Add(id));
            }
            // Whoever takes themselves out leaves.
            Command::Remove(id, name) if self.name() == Some(&name) => {
                self.change_plan(step, id, |plan| plan.leave = true);
            }
            Command::Remove(id, name) => self.change_member(step, id, &name, |plan, account| {
                plan.remove.insert(account);
            }),
            Command::SetOwner(id, name) => self.change_member(step, id, &name, |plan, account| {
                plan.owner = Some(account);
            }),
            Command::Rename(id, name) => {
                self.change_plan(step, id, |plan| plan.name = Some(name));
            }
            Command::Leave(id) if self.is_encrypted(id) => {
                self.change_plan(step, id, |plan| plan.leave = true);
            }
            Command::ShowMembers(id) => self.show_members(step, id),
            Command::MarkVerified(name) => self.mark_verified(step, &name),
            Command::AcceptIdentity(name) => self.accept_identity(step, &name),
            Command::ListDevices => self.show_devices(step),
            Command::MarkRead(id) => self.mark_read(step, id),
            Command::Tell(PersonName::Guest(name), text) => self.tell_guest(step, name, text),
            Command::Offer { conversation, offer, place, relay_now } => {
                self.offer_files(step, (conversation, *offer), (place, relay_now));
            }
            Command::Answer { transfer, place } => self.answer_offer(step, transfer, place),
            Command::Pause(id) => self.pause_transfer(step, id),
            Command::Resume(id) => self.resume_transfer(step, id),
            Command::Cancel(id) => self.cancel_transfer(step, id),
            Command::ListTransfers => self.show_transfers(step),
            Command::AutoAccept(name, bytes) => {
                self.run(step, vec![name], Then::AutoAccept(bytes));
            }
            Command::AllowDirect(name, allow) => {
                self.run(step, vec![name], Then::AllowDirect(allow));
            }
            _ if !self.is_open() => self.not_online(step, "do this"),
            command => self.command_online(step, command),
        }
    }

    /// Something that is wanted in a conversation with a guest.
    fn command_with_guest(&mut self, step: &mut Step<'_>, guest: AccountId, command: Command) {
        match command {
            Command::Say { what, .. } => self.say_to_guest(step, guest, what),
            Command::MarkRead(_) => self.mark_talk_read(step, guest),
            Command::Leave(_) => self.close_talk(step, guest),
            Command::Offer { .. } => {
                let message = "files are for directs and groups, which nobody else can read";
                let refusal = Refusal::new(Code::Forbidden, message);
                step.show(Show::Refused { what: "offer these files", refusal });
            }
            _ => {
                let message = "a conversation with a guest has you two alone in it, and no name";
                let refusal = Refusal::new(Code::Forbidden, message);
                step.show(Show::Refused { what: "do this", refusal });
            }
        }
    }

    fn mark_read(&mut self, step: &mut Step<'_>, id: ConversationId) {
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return;
        };
        if conversation.unread == 0 {
            return;
        }
        conversation.unread = 0;
        if let Some(encrypted) = &mut conversation.encrypted {
            encrypted.looked_at = encrypted.last_said;
        }
        self.touch(crate::Key::Conversation(id));
        self.show_conversation(step, id);
    }

    fn is_encrypted(&self, id: ConversationId) -> bool {
        self.conversations.get(&id).is_some_and(|conversation| conversation.encrypted.is_some())
    }

    fn command_online(&mut self, step: &mut Step<'_>, command: Command) {
        let (request, pending) = match command {
            Command::Join(name) => (Request::Join { name }, Pending::Enter("join this channel")),
            Command::Create(name, access) => {
                (Request::CreateChannel { name, access }, Pending::Enter("make this channel"))
            }
            Command::Leave(conversation) => {
                let done = "You have left.".to_owned();
                (Request::Leave { conversation }, Pending::Simple("leave", done))
            }
            Command::Invite(conversation, name) => {
                let done = format!("{name} may join.");
                (Request::Invite { conversation, name }, Pending::Simple("invite", done))
            }
            Command::ListChannels => (Request::Channels { after: None }, Pending::Channels),
            Command::ListUsers => (Request::Users { after: None }, Pending::Users(0)),
            Command::ShowSafetyNumber(name) => {
                let named = self.people.values().find(|person| person.name == name);
                let known = named.and_then(|person| person.devices.as_ref());
                let after_version = known.map_or(0, |list| list.list().version);
                let request = Request::AccountByName { name: name.clone(), after_version };
                (request, Pending::SafetyNumber(name, after_version))
            }
            Command::ListGuests => return self.list_guests(step),
            Command::AllowGuests(allow) => return self.allow_guests(step, allow),
            Command::RevokeDevice(device, password) => {
                return self.attempt(step, Goal::Revoke { device, password });
            }
            Command::ChangePassword { old, new } => {
                return self.attempt(step, Goal::Change { old, new });
            }
            Command::SignOut => {
                if let Some(own) = &mut self.own {
                    own.token = None;
                    self.touch(crate::Key::Account);
                }
                (Request::SignOut {}, Pending::Simple("sign out", "Signed out.".to_owned()))
            }
            // All others are dealt with before a session is asked for.
            _ => return,
        };
        self.ask(step, request, pending);
    }

    pub(crate) fn channels_listed(&self, step: &mut Step<'_>, channels: &[ConversationSummary]) {
        step.show(Show::Channels(channels.iter().map(Self::channel_view).collect()));
    }
}

/// Where something is wanted.
const fn conversation_of(command: &Command) -> Option<ConversationId> {
    match command {
        Command::Say { conversation: id, .. }
        | Command::Invite(id, _)
        | Command::Remove(id, _)
        | Command::SetOwner(id, _)
        | Command::Rename(id, _)
        | Command::Leave(id)
        | Command::ShowMembers(id)
        | Command::Offer { conversation: id, .. }
        | Command::MarkRead(id) => Some(*id),
        _ => None,
    }
}
