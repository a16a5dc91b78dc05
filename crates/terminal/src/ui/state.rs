//! What the person at the keyboard is in the middle of: a draft and a position for each
//! conversation, an overlay, a form. Keys change it and may yield an `Action` for the shell.
//! It leaves out drawing (`screen.rs`) and everything that others can see.

use super::action::Action;
use super::command::{self, Command};
use super::completion::{Completion, Offer};
use super::history::History;
use super::input::{Edit, InputLine, with_newlines};
use super::keys::{self, Meaning};
use super::login::{Form, Purpose};
use super::scroll::{Scroll, Wish};
use super::theme::Theme;
use super::view::{ConversationKey, FormView, Level, View};
use portcullis_proto::{DeviceId, DeviceName, limits};
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind};
use std::collections::BTreeMap;

/// A word to the person, in place of the status line until the next key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// In words, one line.
    pub text: String,
    /// How much it matters.
    pub level: Level,
}

/// The state of the keyboard's side.
#[derive(Debug)]
pub struct Ui {
    pub(super) theme: Theme,
    pub(super) open: Option<ConversationKey>,
    places: BTreeMap<ConversationKey, Place>,
    nowhere: Place,
    history: History,
    /// The line that was sent last, and where; for the case that nothing comes of it.
    sent: Option<(Option<ConversationKey>, String)>,
    cut: String,
    pub(super) completion: Option<Completion>,
    pub(super) hint: Option<Hint>,
    pub(super) overlay: Overlay,
    pub(super) form: Option<Form>,
    last_error: Option<String>,
    /// Shown, hidden, or as the width allows.
    pub(super) people: Option<bool>,
    pub(super) conversations: Option<bool>,
    /// What was shown when the screen was drawn last.
    pub(super) drawn: Drawn,
    is_quitting: bool,
}

/// What lies over the chat.
#[derive(Debug, Default)]
pub(super) enum Overlay {
    #[default]
    None,
    /// The help, and how many of its rows are above the pane.
    Help(usize),
    Password(Box<Form>),
}

/// A conversation as the person left it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) input: InputLine,
    pub(super) scroll: Scroll,
}

impl Default for Place {
    fn default() -> Self {
        Self { input: InputLine::new(limits::TEXT_BYTES), scroll: Scroll::default() }
    }
}

/// What was drawn last.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Drawn {
    pub(super) is_oldest: bool,
    pub(super) people: bool,
    pub(super) conversations: bool,
}

impl Ui {
    /// A screen on which nothing happened yet.
    #[must_use]
    pub fn new(theme: Theme) -> Self {
        Self {
            theme,
            open: None,
            places: BTreeMap::new(),
            nowhere: Place::default(),
            history: History::default(),
            sent: None,
            cut: String::new(),
            completion: None,
            hint: None,
            overlay: Overlay::None,
            form: None,
            last_error: None,
            people: None,
            conversations: None,
            drawn: Drawn::default(),
            is_quitting: false,
        }
    }

    /// Whether the newest line of the open conversation is in sight, so that it counts as read.
    #[must_use]
    pub fn shows_newest(&self) -> bool {
        let place = self.open.and_then(|open| self.places.get(&open));
        self.form.is_none() && place.is_some_and(|place| place.scroll.is_newest())
    }

    /// Shows a word in place of the status line, until the next key.
    pub fn show_hint(&mut self, text: impl Into<String>, level: Level) {
        self.hint = Some(Hint { text: text.into(), level });
    }

    /// Puts a text into the line, in place of what is there.
    pub fn type_in(&mut self, text: &str) {
        let place = self.place();
        place.input.take();
        place.input.insert(text);
    }

    /// Nothing came of the line that was sent last: it is put back where it was typed, unless something
    /// else was typed there since.
    pub fn give_back(&mut self) {
        let Some((open, line)) = self.sent.take() else { return };
        // A bare command is no loss.
        let says_something = !line.starts_with('/') || line.contains(char::is_whitespace);
        let input = &mut self.place_of(open).input;
        if says_something && input.text().is_empty() {
            input.insert(&line);
        }
    }

    /// The same once it is known that nothing came of it, unless another line was sent since.
    pub fn give_back_files(&mut self) {
        let offers = |line: &str| line.starts_with("/file ") || line.starts_with("/send ");
        if self.sent.as_ref().is_some_and(|(_, line)| offers(line)) {
            self.give_back();
        }
    }

    /// Asks for the password by which this device is to be taken off the list.
    pub fn ask_to_revoke(&mut self, device: DeviceId, name: DeviceName) {
        self.overlay = Overlay::Password(Box::new(Form::revoke(device, name)));
    }

    /// Something came from the terminal; nothing, once it is gone.
    pub fn handle(&mut self, input: Option<Event>, view: &View) -> Option<Action> {
        match input {
            Some(Event::Key(key)) => self.handle_key(key, view),
            Some(Event::Paste(text)) => {
                self.handle_paste(&text, view);
                None
            }
            Some(_) => None,
            None => Some(Action::Quit),
        }
    }

    /// A key was pressed.
    pub fn handle_key(&mut self, key: KeyEvent, view: &View) -> Option<Action> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        self.follow(view);
        self.hint = None;
        let was_quitting = std::mem::take(&mut self.is_quitting);
        if keys::meaning(key) == Some(Meaning::Quit) {
            return self.quit(was_quitting, view);
        }
        if view.dialog.is_some() {
            return answer(key, view);
        }
        match (&mut self.overlay, &mut self.form, &view.form) {
            (Overlay::Help(_), ..) => return self.handle_help_key(key),
            (Overlay::Password(_), ..) => return self.handle_password_key(key, view),
            (Overlay::None, Some(form), Some(view)) if view.busy.is_none() => {
                return form.handle_key(key, view);
            }
            (Overlay::None, _, Some(_)) => return None,
            (Overlay::None, _, None) => {}
        }
        if let Some(place) = keys::place(key) {
            return view.conversations.get(place).map(|one| Action::Open(one.key));
        }
        match keys::meaning(key) {
            Some(meaning) => self.handle_meaning(meaning, view),
            None => {
                if let Some(letter) = keys::letter(key) {
                    self.insert(letter.encode_utf8(&mut [0; 4]));
                }
                None
            }
        }
    }

    /// A text was pasted. It is never sent by itself, however many lines it has.
    pub fn handle_paste(&mut self, text: &str, view: &View) {
        self.follow(view);
        self.hint = None;
        let is_busy = view.form.as_ref().is_some_and(|form| form.busy.is_some());
        match (&mut self.overlay, &mut self.form) {
            _ if view.dialog.is_some() || is_busy => {}
            (Overlay::Help(_), _) => {}
            (Overlay::Password(form), _) if !is_waiting(form, view) => form.insert(text),
            (Overlay::Password(_), _) => {}
            (Overlay::None, Some(form)) => form.insert(text),
            (Overlay::None, None) => {
                self.insert(text);
                let lines = with_newlines(text).lines().count();
                if lines > 1 && self.hint.is_none() {
                    self.show_hint(format!("{lines} lines pasted; Enter sends them"), Level::Info);
                }
            }
        }
    }

    /// The open conversation's draft and position.
    pub(super) fn place(&mut self) -> &mut Place {
        self.place_of(self.open)
    }

    fn place_of(&mut self, open: Option<ConversationKey>) -> &mut Place {
        match open {
            Some(open) => self.places.entry(open).or_default(),
            None => &mut self.nowhere,
        }
    }

    /// Takes over what changed in the view by itself.
    pub(super) fn follow(&mut self, view: &View) {
        if self.open != view.open {
            // What was typed before any conversation was open is for the first one.
            let typed = self.open.is_none().then(|| self.nowhere.input.take());
            self.open = view.open;
            if let Some(typed) = typed.filter(|typed| !typed.is_empty()) {
                self.place().input.insert(&typed);
            }
            self.completion = None;
            self.history.leave();
        }
        if let Overlay::Password(form) = &mut self.overlay
            && form.is_taken(view.given.as_ref())
        {
            self.overlay = Overlay::None;
        }
        let Some(form_view) = &view.form else {
            self.form = None;
            self.last_error = None;
            return;
        };
        let is_unlock = form_view.account.is_some();
        let fits = |form: &Form| (form.purpose == Purpose::Unlock) == is_unlock;
        if !self.form.as_ref().is_some_and(fits) {
            self.form = Some(Form::first(form_view));
        }
        if let Some(form) = &mut self.form {
            form.follow(form_view);
            let is_new_error = form_view.error.is_some() && form_view.error != self.last_error;
            if is_new_error && matches!(form.purpose, Purpose::LogIn | Purpose::Unlock) {
                form.forget_passwords();
            }
        }
        self.last_error = form_view.error.clone();
    }

    fn handle_meaning(&mut self, meaning: Meaning, view: &View) -> Option<Action> {
        if !matches!(meaning, Meaning::Complete | Meaning::CompleteBack) {
            self.end_completion(meaning == Meaning::Dismiss);
        }
        match meaning {
            Meaning::Send => return self.send(view),
            Meaning::Complete => self.complete(view, false),
            Meaning::CompleteBack => self.complete(view, true),
            Meaning::Dismiss | Meaning::Newest => self.place().scroll.wish(Wish::Newest),
            Meaning::Oldest => return self.scroll_up(Wish::Oldest, view),
            Meaning::PageUp => return self.scroll_up(Wish::PageUp, view),
            Meaning::PageDown => self.place().scroll.wish(Wish::PageDown),
            Meaning::Previous => return neighbour(view, false),
            Meaning::Next => return neighbour(view, true),
            Meaning::NextUnread => return self.next_unread(view),
            Meaning::Help => self.overlay = Overlay::Help(0),
            Meaning::People => self.people = Some(!self.drawn.people),
            Meaning::Conversations => self.conversations = Some(!self.drawn.conversations),
            Meaning::Redraw => return Some(Action::Redraw),
            Meaning::QuitOrDelete if self.place().input.text().is_empty() => {
                return Some(Action::Quit);
            }
            Meaning::QuitOrDelete => self.edit(Edit::Delete),
            Meaning::Edit(edit) => self.edit(edit),
            Meaning::Quit => {}
        }
        None
    }

    /// The first time it clears what is being typed, of which `Ctrl-Y` brings all back.
    fn quit(&mut self, was_quitting: bool, view: &View) -> Option<Action> {
        if was_quitting {
            return Some(Action::Quit);
        }
        let is_typing = matches!(self.overlay, Overlay::None) && view.form.is_none();
        if is_typing && view.dialog.is_none() && !self.place().input.text().is_empty() {
            self.end_completion(false);
            self.cut = self.place().input.take();
            self.show_hint("cleared; Ctrl-Y brings it back, Ctrl-C twice quits", Level::Info);
            return None;
        }
        self.is_quitting = true;
        self.show_hint("Ctrl-C again quits", Level::Warning);
        None
    }

    fn send(&mut self, view: &View) -> Option<Action> {
        let text = self.place().input.text().to_owned();
        if text.trim().is_empty() {
            self.place().input.take();
            return None;
        }
        let command = match command::parse(&text) {
            Ok(command) => command,
            Err(error) => {
                self.show_hint(error.to_string(), Level::Warning);
                return None;
            }
        };
        if matches!(command, Command::Say(_)) && view.open.is_none() {
            self.show_hint("no conversation is open: /join #NAME, or /msg USER", Level::Warning);
            return None;
        }
        self.history.remember(&text);
        let place = self.place();
        place.input.take();
        self.sent = Some((view.open, text));
        match command {
            Command::Help => self.overlay = Overlay::Help(0),
            Command::Password => {
                self.overlay = Overlay::Password(Box::new(Form::change_password()));
            }
            Command::Quit => return Some(Action::Quit),
            command => {
                self.place().scroll.wish(Wish::Newest);
                return Some(Action::Command { command, open: view.open });
            }
        }
        None
    }

    fn insert(&mut self, text: &str) {
        self.end_completion(false);
        self.history.leave();
        if !self.place().input.insert(text) {
            let kilobytes = limits::TEXT_BYTES / 1024;
            let hint = format!("a message has at most {kilobytes} KiB; the rest was left out");
            self.show_hint(hint, Level::Warning);
        }
    }

    fn edit(&mut self, edit: Edit) {
        let place = match self.open {
            Some(open) => self.places.entry(open).or_default(),
            None => &mut self.nowhere,
        };
        if place.input.edit(edit, &mut self.cut) {
            return;
        }
        match edit {
            Edit::Up => self.history.older(&mut place.input),
            _ => self.history.newer(&mut place.input),
        }
    }

    fn complete(&mut self, view: &View, backwards: bool) {
        let mut completion = self.completion.take();
        let input = &mut self.place().input;
        match &mut completion {
            Some(completion) => completion.step(input, backwards),
            None => {
                if let Offer::Several(several) = Completion::begin(input, view, backwards) {
                    completion = Some(several);
                }
            }
        }
        self.completion = completion;
    }

    fn end_completion(&mut self, undo: bool) {
        if let Some(completion) = self.completion.take().filter(|_| undo) {
            completion.undo(&mut self.place().input);
        }
    }

    fn scroll_up(&mut self, wish: Wish, view: &View) -> Option<Action> {
        self.place().scroll.wish(wish);
        let wants_more = wish == Wish::Oldest || self.drawn.is_oldest;
        (view.has_older && wants_more).then_some(Action::LoadOlder)
    }

    fn next_unread(&mut self, view: &View) -> Option<Action> {
        let open = view.conversations.iter().position(|one| Some(one.key) == view.open);
        let (before, after) = view.conversations.split_at(open.unwrap_or(0));
        let others = || after.iter().chain(before).filter(|one| Some(one.key) != view.open);
        let unread = others().find(|one| one.mention);
        let unread = unread.or_else(|| others().find(|one| one.unread > 0 && !one.muted));
        if unread.is_none() {
            self.show_hint("nothing unread", Level::Info);
        }
        unread.map(|one| Action::Open(one.key))
    }

    fn handle_help_key(&mut self, key: KeyEvent) -> Option<Action> {
        let Overlay::Help(above) = &mut self.overlay else {
            return None;
        };
        match key.code {
            KeyCode::Up => *above = above.saturating_sub(1),
            KeyCode::Down => *above += 1,
            KeyCode::PageUp => *above = above.saturating_sub(10),
            KeyCode::PageDown | KeyCode::Char(' ') => *above += 10,
            KeyCode::Home => *above = 0,
            _ => self.overlay = Overlay::None,
        }
        None
    }

    /// The form stays until the password was taken: what is typed next must not end up in a chat.
    fn handle_password_key(&mut self, key: KeyEvent, view: &View) -> Option<Action> {
        let Overlay::Password(form) = &mut self.overlay else {
            return None;
        };
        if key.code == KeyCode::Esc {
            self.overlay = Overlay::None;
            return None;
        }
        if is_waiting(form, view) { None } else { form.handle_key(key, &FormView::default()) }
    }
}

#[cfg(test)]
impl Ui {
    /// What the form over the chat says of an earlier try.
    pub(super) fn overlay_error<'a>(&self, view: &'a View) -> Option<&'a String> {
        match &self.overlay {
            Overlay::Password(form) => form.answer(view.given.as_ref())?.error.as_ref(),
            _ => None,
        }
    }
}

/// Whether the password that was given in a form over the chat is still on its way.
fn is_waiting(form: &Form, view: &View) -> bool {
    form.answer(view.given.as_ref()).is_some_and(|answer| answer.busy.is_some())
}

/// Only a clear yes is a yes; Enter, which a hurried hand presses, is not.
fn answer(key: KeyEvent, view: &View) -> Option<Action> {
    let has_question = view.dialog.as_ref().is_some_and(|dialog| dialog.yes.is_some());
    match (key.code, has_question) {
        (KeyCode::Char('y' | 'Y'), true) => Some(Action::Answer(true)),
        (KeyCode::Char('n' | 'N') | KeyCode::Esc, _) => Some(Action::Answer(false)),
        (KeyCode::Enter | KeyCode::Char(_), false) => Some(Action::Answer(false)),
        _ => None,
    }
}

/// The conversation above or below the open one; around the ends.
fn neighbour(view: &View, below: bool) -> Option<Action> {
    let count = view.conversations.len();
    let open = view.conversations.iter().position(|one| Some(one.key) == view.open);
    let place = match (open, below) {
        (None, _) => 0,
        (Some(open), true) => (open + 1) % count.max(1),
        (Some(open), false) => (open + count - 1) % count.max(1),
    };
    let next = view.conversations.get(place).filter(|one| Some(one.key) != view.open);
    next.map(|one| Action::Open(one.key))
}
