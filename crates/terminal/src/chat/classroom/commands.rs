//! What a visitor asks for. A classroom knows texts alone, so most commands of a chat say so.

use super::Visitor;
use crate::chat::ChatError;
use crate::chat::model::id_of;
use crate::ui::Action;
use crate::ui::command::Command as Typed;
use crate::ui::view::Level;
use portcullis_client_core::{Command, Saying};
use portcullis_proto::{ConversationId, PersonName};

/// What is said of commands that nothing here answers to.
const UNKNOWN_HERE: &str = "a classroom server knows texts alone: /msg ~NAME TEXT, /all, /list";

impl Visitor {
    /// Does what the screen's state asks for.
    pub(super) fn act(&mut self, action: Action) -> Result<(), ChatError> {
        match action {
            Action::Command { command, open } => return self.obey(command, open.map(id_of)),
            Action::Open(key) => self.model.open(id_of(key)),
            Action::LoadOlder => return self.load_history(true),
            Action::Answer(_) => self.model.close_dialog(),
            Action::Redraw => self.must_redraw = true,
            Action::Quit => self.is_over = true,
            // Forms of accounts, of which there are none.
            _ => self.nothing_comes(UNKNOWN_HERE),
        }
        Ok(())
    }

    fn obey(&mut self, command: Typed, open: Option<ConversationId>) -> Result<(), ChatError> {
        match command {
            Typed::Say(text) => return self.say(open, text),
            Typed::All(text) => return self.say(Some(ConversationId::LOBBY), text),
            Typed::List | Typed::Guests(None) => return self.command(Command::ListGuests),
            Typed::Tell(PersonName::User(_), _) => {
                self.nothing_comes("people here are called by their keys: /msg ~NAME; /list");
            }
            Typed::Tell(name, _) if self.is_me(&name) => {
                self.nothing_comes("that is you: a private message goes to somebody else");
            }
            Typed::Tell(name, text) => {
                self.model.want(name.clone().into());
                self.model.saying(&text);
                return self.command(Command::Tell(name, text));
            }
            Typed::Leave => match open.filter(|id| *id != ConversationId::LOBBY) {
                Some(id) => return self.command(Command::Leave(id)),
                None => self.nothing_comes("all who are here are in it; /quit leaves"),
            },
            _ => self.nothing_comes(UNKNOWN_HERE),
        }
        Ok(())
    }

    fn say(&mut self, open: Option<ConversationId>, text: String) -> Result<(), ChatError> {
        match open {
            Some(conversation) if !self.model.is_outside(conversation) => {
                self.model.saying(&text);
                self.command(Command::Say { conversation, what: Saying::Text(text) })
            }
            _ => {
                self.nothing_comes("no conversation is open: Alt-Up and Alt-Down open one");
                Ok(())
            }
        }
    }

    fn is_me(&self, name: &PersonName) -> bool {
        let own = self.device.client().name();
        own.is_some_and(|own| own.as_str() == name.as_str())
    }

    /// Says why nothing comes of the line, and puts it back.
    fn nothing_comes(&mut self, why: &str) {
        self.ui.give_back();
        self.ui.show_hint(why, Level::Warning);
    }
}
