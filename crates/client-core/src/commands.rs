//! What a person wants, turned into requests.

use crate::client::{Client, Pending, Step};
use crate::event::Command;
use crate::login::Goal;
use crate::show::{ConversationView, Show};
use portcullis_proto::{ConversationSummary, Request};

impl Client {
    pub(crate) fn command(&mut self, step: &mut Step<'_>, command: Command) {
        match command {
            Command::Register { name, password, invite } => {
                self.attempt(step, Goal::Register { name, password, invite });
            }
            Command::LogIn { name, password } => self.attempt(step, Goal::LogIn { name, password }),
            Command::Say { conversation, text } => self.say(step, conversation, text),
            Command::MarkVerified(name) => self.mark_verified(step, &name),
            Command::AcceptIdentity(name) => self.accept_identity(step, &name),
            Command::ListDevices => self.show_devices(step),
            Command::MarkRead(id) => {
                if let Some(conversation) = self.conversations.get_mut(&id)
                    && conversation.unread > 0
                {
                    conversation.unread = 0;
                    let view = conversation.view();
                    self.touch(crate::Key::Conversation(id));
                    step.show(Show::Conversation(view));
                }
            }
            _ if !self.is_open() => self.not_online(step, "do this"),
            command => self.command_online(step, command),
        }
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
        let view = |summary: &ConversationSummary| ConversationView::of(summary, 0);
        step.show(Show::Channels(channels.iter().map(view).collect()));
    }
}
