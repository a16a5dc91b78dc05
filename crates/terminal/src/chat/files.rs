//! Files, as a person asks for them: what is offered and where, and what becomes of what others offer.

use super::{ChatError, Shell};
use crate::ui::command::{Command as Typed, TransferVerb};
use crate::ui::paths::expand;
use crate::ui::view::ConversationKind;
use portcullis_client_core::{Command, ConversationView, TransferState, TransferView};
use portcullis_proto::{ConversationId, ConversationName, PersonName};
use std::path::PathBuf;

/// What is said of files for classroom guests, whose protocol has no offers.
const TO_GUESTS: &str = "guests get files by an address: curl -F file=@PATH http://SERVER/api/upload makes one, to be told to them";

impl Shell {
    /// Does what is wanted about files.
    pub(super) fn obey_about_files(
        &mut self,
        open: Option<ConversationId>,
        command: Typed,
    ) -> Result<(), ChatError> {
        match command {
            Typed::File(words) => self.offer(open, words),
            Typed::Get(number, folder) => self.take_offer(open, number, folder.as_deref()),
            Typed::Decline(number) => self.answer_offer(open, number, None),
            Typed::Transfers(None) => self.command(Command::ListTransfers),
            Typed::Transfers(Some((verb, number))) => self.change_transfer(verb, number),
            Typed::AutoAccept(name, bytes) => self.command(Command::AutoAccept(name, bytes)),
            Typed::Direct(name, may) => self.command(Command::AllowDirect(name, may)),
            // All others are dealt with before.
            _ => Ok(()),
        }
    }

    /// Offers files: where the first word says, if it names somebody or a group and no file, else in the
    /// open conversation.
    fn offer(
        &mut self,
        open: Option<ConversationId>,
        mut words: Vec<String>,
    ) -> Result<(), ChatError> {
        let named = self.named(&words);
        if named.is_some() {
            words.remove(0);
        }
        if words.is_empty() {
            self.nothing_comes("which files? /file [USER|+GROUP] PATH…");
            return Ok(());
        }
        if let Some(name @ ConversationName::Group(_)) = &named
            && self.has_several(name)
        {
            let why =
                format!("several groups are called {name}: open one of them, and /file PATH…");
            self.nothing_comes(why);
            return Ok(());
        }
        let paths = words.iter().map(|word| expand(word)).collect();
        let known = |name: &ConversationName| self.device.as_ref()?.client().find(name);
        match (named.as_ref().and_then(known), named) {
            (Some(conversation), _) => {
                self.model.open(conversation);
                return self.offer_in(conversation, paths);
            }
            // There is no conversation with them yet.
            (None, Some(ConversationName::Direct(name))) => {
                self.model.want(ConversationName::Direct(name.clone()));
                self.to_offer = Some((ConversationName::Direct(name.clone()), paths));
                return self.command(Command::Tell(PersonName::User(name), String::new()));
            }
            (None, _) => {
                if let Some(conversation) = self.here(open) {
                    return self.offer_in(conversation, paths);
                }
            }
        }
        Ok(())
    }

    fn offer_in(
        &mut self,
        conversation: ConversationId,
        paths: Vec<PathBuf>,
    ) -> Result<(), ChatError> {
        if !self.is_encrypted(conversation) {
            self.nothing_comes(match self.model.kind(conversation) {
                Some(ConversationKind::Guest) => TO_GUESTS,
                _ => "files go to somebody alone, or to a group: /file USER PATH…",
            });
            return Ok(());
        }
        let relay_now = self.model.is_away(conversation);
        let Some(device) = &mut self.device else { return Ok(()) };
        let news = device.offer(conversation, paths, relay_now);
        self.show(news)
    }

    /// A conversation is there: what was to be offered in it is offered.
    pub(super) fn offer_what_waits(&mut self, view: &ConversationView) -> Result<(), ChatError> {
        if self.to_offer.as_ref().is_some_and(|(name, _)| *name == view.name)
            && let Some((_, paths)) = self.to_offer.take()
        {
            return self.offer_in(view.id, paths);
        }
        Ok(())
    }

    /// Whom or which group the first of several words names, unless there is such a file.
    fn named(&self, words: &[String]) -> Option<ConversationName> {
        let (first, rest) = words.split_first()?;
        let name = ConversationName::parse(first.strip_prefix('@').unwrap_or(first)).ok()?;
        let is_there = match &name {
            ConversationName::Direct(user) => self.model.is_known(user) || self.model.has(&name),
            name => self.model.has(name),
        };
        (is_there && (!rest.is_empty() || !expand(first).exists())).then_some(name)
    }

    /// Whether more than one conversation has this name.
    fn has_several(&self, name: &ConversationName) -> bool {
        let all = self.device.iter().flat_map(|device| device.client().conversations());
        all.filter(|view| view.name == *name).nth(1).is_some()
    }

    fn is_encrypted(&self, id: ConversationId) -> bool {
        let kinds = [ConversationKind::Direct, ConversationKind::Group];
        self.model.kind(id).is_some_and(|kind| kinds.contains(&kind))
    }

    /// Takes an offer, into a folder or the default one.
    fn take_offer(
        &mut self,
        open: Option<ConversationId>,
        number: Option<usize>,
        folder: Option<&str>,
    ) -> Result<(), ChatError> {
        let place = folder.map(expand).map(std::path::absolute).transpose();
        let Ok(place) = place else {
            self.nothing_comes("there is no such folder");
            return Ok(());
        };
        // Once it is taken, another folder can't be named.
        let checked = self.device.as_ref().map(|device| device.check_folder(place.as_deref()));
        if let Some(Err(why)) = checked {
            self.nothing_comes(why);
            return Ok(());
        }
        let place = place.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        self.answer_offer(open, number, Some(place))
    }

    fn answer_offer(
        &mut self,
        open: Option<ConversationId>,
        number: Option<usize>,
        place: Option<String>,
    ) -> Result<(), ChatError> {
        let verb = if place.is_some() { "/get" } else { "/decline" };
        match self.model.transfers().offered(number, open, verb).map(|about| about.transfer) {
            Ok(transfer) => self.command(Command::Answer { transfer, place }),
            Err(why) => {
                self.nothing_comes(why);
                Ok(())
            }
        }
    }

    /// Halts a transfer, goes on with it, or ends it; without a number, the only one that this can be done with.
    fn change_transfer(
        &mut self,
        verb: TransferVerb,
        number: Option<usize>,
    ) -> Result<(), ChatError> {
        let fits = match (verb, number) {
            // One that is named is the person's to judge.
            (_, Some(_)) | (TransferVerb::Cancel, None) => is_open,
            (TransferVerb::Pause, None) => can_pause,
            (TransferVerb::Resume, None) => can_resume,
        };
        let transfer = match self.model.transfers().only(number, fits) {
            Ok(about) => about.transfer,
            Err(0) => {
                let why = "there is no such transfer, or it is over: /transfers shows all";
                self.nothing_comes(why);
                return Ok(());
            }
            Err(count) => {
                let why = format!("which of the {count}? /transfers shows their numbers");
                self.nothing_comes(why);
                return Ok(());
            }
        };
        self.command(match verb {
            TransferVerb::Pause => Command::Pause(transfer),
            TransferVerb::Resume => Command::Resume(transfer),
            TransferVerb::Cancel => Command::Cancel(transfer),
        })
    }
}

const fn is_open(about: &TransferView) -> bool {
    !about.state.is_over()
}

const fn can_pause(about: &TransferView) -> bool {
    let is_halted = can_resume(about) || matches!(about.state, TransferState::Offered);
    is_open(about) && !is_halted
}

const fn can_resume(about: &TransferView) -> bool {
    is_open(about) && matches!(about.state, TransferState::Paused | TransferState::Failed(_))
}
