//! What a person does with messages that were said: answers, edits, deletions, reactions. Each says which
//! message it has taken, since people count, and miscount.

use super::{ChatError, Shell};
use crate::chat::model::Picked;
use crate::ui::view::Level;
use portcullis_client_core::{Command, Saying};
use portcullis_proto::ConversationId;

impl Shell {
    pub(super) fn reply(
        &mut self,
        open: Option<ConversationId>,
        back: usize,
        text: String,
    ) -> Result<(), ChatError> {
        self.model.saying(&text);
        self.about(open, (back, false), "answering", |picked| Saying::Reply { to: picked.id, text })
    }

    /// Without a text the message is put into the line, to be changed there.
    pub(super) fn edit(
        &mut self,
        open: Option<ConversationId>,
        back: usize,
        text: String,
    ) -> Result<(), ChatError> {
        if !text.is_empty() {
            let edit = |picked: Picked| Saying::Edit { target: picked.id, text };
            return self.about(open, (back, true), "changed:", edit);
        }
        match self.model.pick(back, true) {
            Some(picked) => self.ui.type_in(&format!("/edit {back} {}", picked.text)),
            None => self.nothing_comes(none_so_far_back(true)),
        }
        Ok(())
    }

    pub(super) fn delete(
        &mut self,
        open: Option<ConversationId>,
        back: usize,
    ) -> Result<(), ChatError> {
        let delete = |picked: Picked| Saying::Delete { target: picked.id };
        self.about(open, (back, true), "deleted:", delete)
    }

    /// The same reaction again takes it back.
    pub(super) fn react(
        &mut self,
        open: Option<ConversationId>,
        back: usize,
        emoji: String,
    ) -> Result<(), ChatError> {
        let picked = self.model.pick(back, false);
        let has = picked.and_then(|picked| self.model.own_reaction(picked.id).map(str::to_owned));
        let (emoji, what) = match has.as_ref() == Some(&emoji) {
            true => (String::new(), "reaction taken back from"),
            false => (emoji, "reacting to"),
        };
        let react = |picked: Picked| Saying::Reaction { target: picked.id, emoji };
        self.about(open, (back, false), what, react)
    }

    pub(super) fn tell_versions(&mut self, back: Option<usize>) {
        if !self.model.tell_versions(back) {
            self.nothing_comes(match back {
                Some(_) => none_so_far_back(false),
                None => "no message here was changed; /history N tells of the N-th last",
            });
        }
    }

    /// Says something of the message that is so many back, and which one that was.
    fn about(
        &mut self,
        open: Option<ConversationId>,
        (back, own): (usize, bool),
        what: &str,
        saying: impl FnOnce(Picked) -> Saying,
    ) -> Result<(), ChatError> {
        let Some(conversation) = self.here(open) else {
            return Ok(());
        };
        let Some(picked) = self.model.pick(back, own) else {
            self.nothing_comes(none_so_far_back(own));
            return Ok(());
        };
        self.ui.show_hint(format!("{what} {}", picked.words), Level::Info);
        self.command(Command::Say { conversation, what: saying(picked) })
    }
}

const fn none_so_far_back(own: bool) -> &'static str {
    match own {
        true => "you have no message so far back here",
        false => "there is no message so far back here",
    }
}
