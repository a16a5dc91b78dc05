//! What keys do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use super::command::Command;
use super::sample::{self, DEV, LOBBY};
use super::state::Overlay;
use super::view::{Dialog, FormView, Level, View};
use super::{Action, Theme, Ui};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

struct Person {
    ui: Ui,
    view: View,
}

impl Person {
    fn new() -> Self {
        let mut person = Self { ui: Ui::new(Theme::Plain), view: sample::busy() };
        person.look();
        person
    }

    fn look(&mut self) {
        let mut terminal = Terminal::new(TestBackend::new(80, 16)).unwrap();
        terminal.draw(|frame| self.ui.render(&self.view, frame)).unwrap();
    }

    fn press(&mut self, code: KeyCode) -> Option<Action> {
        self.ui.handle_key(KeyEvent::new(code, KeyModifiers::NONE), &self.view)
    }

    fn hold(&mut self, modifiers: KeyModifiers, code: KeyCode) -> Option<Action> {
        self.ui.handle_key(KeyEvent::new(code, modifiers), &self.view)
    }

    fn enter(&mut self, text: &str) -> Option<Action> {
        text.chars().for_each(|letter| assert_eq!(self.press(KeyCode::Char(letter)), None));
        self.press(KeyCode::Enter)
    }

    fn input(&mut self) -> String {
        self.ui.place().input.text().to_owned()
    }

    fn hint(&self) -> &str {
        self.ui.hint.as_ref().map_or("", |hint| &hint.text)
    }
}

fn command(command: Command) -> Option<Action> {
    Some(Action::Command { command, open: Some(LOBBY) })
}

#[test]
fn sending() {
    let mut person = Person::new();
    assert_eq!(person.enter("hello"), command(Command::Say("hello".into())));
    assert_eq!(person.input(), "");
    assert_eq!(person.enter("   "), None);
    assert_eq!(person.enter("/list"), command(Command::List));
    let text = command(Command::Say(" /list".into()));
    assert_eq!(person.enter(" /list"), text);
}

#[test]
fn mistakes_stay_in_the_line() {
    let mut person = Person::new();
    assert_eq!(person.enter("/invite"), None);
    assert_eq!(person.hint(), "/invite needs a user name: /invite USER…");
    assert_eq!(person.input(), "/invite");
    person.press(KeyCode::Char(' '));
    assert_eq!(person.hint(), "");
}

#[test]
fn a_paste_is_not_sent() {
    let mut person = Person::new();
    person.ui.handle_paste("/quit\rrm -rf\r", &person.view);
    assert_eq!(person.input(), "/quit\nrm -rf\n");
    assert_eq!(person.hint(), "2 lines pasted; Enter sends them");
}

#[test]
fn drafts_belong_to_conversations() {
    let mut person = Person::new();
    person.press(KeyCode::Char('a'));
    assert_eq!(person.hold(KeyModifiers::ALT, KeyCode::Down), Some(Action::Open(DEV)));
    person.view.open = Some(DEV);
    person.look();
    assert_eq!(person.input(), "");
    person.view.open = Some(LOBBY);
    person.look();
    assert_eq!(person.input(), "a");
}

#[test]
fn switching() {
    let mut person = Person::new();
    let bob = person.view.conversations[4].key;
    for (modifiers, code, expected) in [
        (KeyModifiers::ALT, KeyCode::Char('2'), Some(DEV)),
        (KeyModifiers::ALT, KeyCode::Char('9'), None),
        (KeyModifiers::ALT, KeyCode::Char('a'), Some(DEV)),
        (KeyModifiers::CONTROL, KeyCode::Char('n'), Some(DEV)),
        (KeyModifiers::CONTROL, KeyCode::Char('p'), Some(bob)),
    ] {
        assert_eq!(person.hold(modifiers, code), expected.map(Action::Open), "{code:?}");
    }
}

#[test]
fn leaving() {
    let mut person = Person::new();
    let quit = |person: &mut Person| person.hold(KeyModifiers::CONTROL, KeyCode::Char('c'));
    assert_eq!(quit(&mut person), None);
    person.press(KeyCode::Char('a'));
    person.hold(KeyModifiers::ALT, KeyCode::Enter);
    person.press(KeyCode::Char('b'));
    assert_eq!(quit(&mut person), None);
    assert_eq!(person.input(), "", "the first one clears what is being typed");
    assert_eq!(quit(&mut person), None);
    assert_eq!(quit(&mut person), Some(Action::Quit));
    person.hold(KeyModifiers::CONTROL, KeyCode::Char('y'));
    assert_eq!(person.input(), "a\nb");
    let mut person = Person::new();
    assert_eq!(person.enter("/quit"), Some(Action::Quit));
}

#[test]
fn only_a_clear_yes_is_a_yes() {
    let dialog = |yes: Option<&str>| Dialog {
        title: String::new(),
        body: Vec::new(),
        yes: yes.map(str::to_owned),
        level: Level::Info,
    };
    for (yes, code, expected) in [
        (Some("yes"), KeyCode::Enter, None),
        (Some("yes"), KeyCode::Char('x'), None),
        (Some("yes"), KeyCode::Char('y'), Some(true)),
        (Some("yes"), KeyCode::Char('n'), Some(false)),
        (Some("yes"), KeyCode::Esc, Some(false)),
        (None, KeyCode::Char('y'), Some(false)),
        (None, KeyCode::Enter, Some(false)),
    ] {
        let mut person = Person::new();
        person.view.dialog = Some(dialog(yes));
        assert_eq!(person.press(code), expected.map(Action::Answer), "{yes:?} {code:?}");
    }
}

#[test]
fn passwords_go_into_a_form() {
    let mut person = Person::new();
    assert_eq!(person.enter("/password"), None);
    assert!(matches!(person.ui.overlay, Overlay::Password(_)));
    person.enter("what it was");
    person.enter("what it will be");
    let action = person.enter("what it will be");
    let Some(Action::ChangePassword { old, new }) = action else { panic!("{action:?}") };
    assert_eq!((old.reveal(), new.reveal()), ("what it was", "what it will be"));
    person.view.given = Some(FormView { busy: Some("asking".into()), ..FormView::default() });
    assert_eq!(person.enter("typed ahead"), None);
    person.view.given = Some(FormView { error: Some("it is wrong".into()), ..FormView::default() });
    person.enter("a second try");
    assert_eq!(person.input(), "", "a second try is no message");
    person.enter("what it will be");
    assert!(matches!(person.enter("what it will be"), Some(Action::ChangePassword { .. })));
    person.view.given = None;
    person.look();
    assert!(matches!(person.ui.overlay, Overlay::None));
    person.press(KeyCode::Up);
    assert_eq!(person.input(), "/password");
}

#[test]
fn an_earlier_refusal_is_not_another_forms() {
    let mut person = Person::new();
    person.view.given = Some(FormView { error: Some("it is wrong".into()), ..FormView::default() });
    person.enter("/password");
    assert_eq!(person.ui.overlay_error(&person.view), None);
    person.press(KeyCode::Esc);
    assert!(matches!(person.ui.overlay, Overlay::None));
}

#[test]
fn a_line_that_comes_to_nothing_is_given_back() {
    let mut person = Person::new();
    assert!(person.enter("/msg nobody hello").is_some());
    person.ui.give_back();
    assert_eq!(person.input(), "/msg nobody hello");
    person.ui.give_back();
    assert_eq!(person.input(), "/msg nobody hello", "once");
    assert!(person.press(KeyCode::Enter).is_some());
    person.press(KeyCode::Char('x'));
    person.ui.give_back();
    assert_eq!(person.input(), "x", "never over what was typed since");
    person.press(KeyCode::Backspace);
    assert!(person.enter("/leave").is_some());
    person.ui.give_back();
    assert_eq!(person.input(), "", "a bare command is no loss");
}

#[test]
fn files_that_can_not_be_offered_are_given_back_unless_something_was_said_since() {
    let mut person = Person::new();
    person.enter("/file bob nothing.txt");
    person.ui.give_back_files();
    assert_eq!(person.input(), "/file bob nothing.txt");
    person.press(KeyCode::Enter);
    person.enter("hello");
    person.ui.give_back_files();
    assert_eq!(person.input(), "");
}

#[test]
fn older_lines_are_asked_for_at_the_oldest() {
    let mut person = Person::new();
    person.view.has_older = true;
    assert!(person.ui.shows_newest());
    assert_eq!(person.press(KeyCode::PageUp), None);
    person.look();
    assert!(!person.ui.shows_newest());
    person.press(KeyCode::PageUp);
    person.look();
    assert_eq!(person.press(KeyCode::PageUp), Some(Action::LoadOlder));
    person.press(KeyCode::Esc);
    person.look();
    assert!(person.ui.shows_newest());
}

#[test]
fn panes_come_and_go() {
    let mut person = Person::new();
    for (key, expected) in [(2, (false, true)), (3, (false, false)), (2, (true, false))] {
        person.press(KeyCode::F(key));
        person.look();
        assert_eq!((person.ui.drawn.people, person.ui.drawn.conversations), expected);
    }
}

#[test]
fn the_help_closes_with_any_other_key() {
    let mut person = Person::new();
    assert_eq!(person.enter("/help"), None);
    person.press(KeyCode::PageDown);
    assert!(matches!(person.ui.overlay, Overlay::Help(10)));
    person.press(KeyCode::Char('q'));
    assert!(matches!(person.ui.overlay, Overlay::None));
    assert_eq!(person.input(), "");
}
