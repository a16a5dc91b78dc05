//! The forms: log in, register, unlock this home, change the password. A form checks what a
//! person can put right at once (names, a password typed twice); all else the server answers.
//! It leaves out drawing (`panes/form.rs`).

use super::Action;
use super::input::{Edit, InputLine};
use super::password::Password;
use super::view::{FormView, Registration};
use portcullis_proto::{DeviceId, DeviceName, UserName};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Characters that a new password has at least: NIST SP 800-63B, 3.1.1.2.
const PASSWORD_CHARACTERS: usize = 8;

/// Characters below which a new password is called short: whoever holds the server's files can
/// guess at it offline.
const LONG_PASSWORD_CHARACTERS: usize = 14;

/// Bytes of the other fields.
const FIELD_BYTES: usize = 64;

/// What a form is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    LogIn,
    Register,
    Unlock,
    ChangePassword,
    Revoke,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Name,
    Invitation,
    OldPassword,
    Password,
    Again,
}

impl Field {
    /// The field's label.
    pub(super) fn label(self, purpose: Purpose) -> &'static str {
        match (self, purpose) {
            (Self::Name, _) => "User name",
            (Self::Invitation, _) => "Invitation",
            (Self::OldPassword, _) => "Password now",
            (Self::Password, Purpose::ChangePassword) => "New password",
            (Self::Password, _) => "Password",
            (Self::Again, _) => "Once again",
        }
    }
}

/// Whether a form was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    Never,
    /// And the answer is awaited.
    Now,
    /// And it has to be filled in again.
    Refused,
}

/// A form being filled in.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) purpose: Purpose,
    name: InputLine,
    invitation: InputLine,
    old: Password,
    password: Password,
    again: Password,
    needs_invitation: bool,
    /// The device to be taken off the list.
    device: Option<(DeviceId, DeviceName)>,
    given: Given,
    focus: usize,
    /// What the person can put right, in words.
    pub(super) error: Option<String>,
}

impl Form {
    /// The form for what the server and this home have.
    pub(super) fn first(view: &FormView) -> Self {
        match (&view.account, view.registration) {
            (Some(_), _) => Self::new(Purpose::Unlock, view),
            (None, Registration::Closed) => Self::new(Purpose::LogIn, view),
            (None, _) => Self::new(Purpose::Register, view),
        }
    }

    /// The form behind `/password`.
    pub(super) fn change_password() -> Self {
        Self::new(Purpose::ChangePassword, &FormView::default())
    }

    /// The form behind `/devices revoke`.
    pub(super) fn revoke(device: DeviceId, name: DeviceName) -> Self {
        Self { device: Some((device, name)), ..Self::new(Purpose::Revoke, &FormView::default()) }
    }

    /// The device to be taken off the list, if the form is for that.
    pub(super) fn device(&self) -> Option<&DeviceName> {
        self.device.as_ref().map(|(_, name)| name)
    }

    fn new(purpose: Purpose, view: &FormView) -> Self {
        let mut name = InputLine::new(FIELD_BYTES);
        name.insert(view.name.as_deref().unwrap_or_default());
        let mut form = Self {
            purpose,
            name,
            invitation: InputLine::new(FIELD_BYTES),
            old: Password::default(),
            password: Password::default(),
            again: Password::default(),
            needs_invitation: view.registration == Registration::Invite,
            device: None,
            given: Given::Never,
            focus: 0,
            error: None,
        };
        form.focus_first();
        form
    }

    /// Begins with what is not filled in: a password that is typed at once must not end up in the name.
    fn focus_first(&mut self) {
        let is_named = !self.name.text().is_empty();
        let is_open = |field: &&Field| !(is_named && **field == Field::Name);
        let first = self.fields().iter().find(is_open).copied();
        self.focus = self.fields().iter().position(|field| Some(*field) == first).unwrap_or(0);
    }

    /// Takes over what the server has said meanwhile.
    pub(super) fn follow(&mut self, view: &FormView) {
        self.needs_invitation = view.registration == Registration::Invite;
        if view.registration == Registration::Closed && self.purpose == Purpose::Register {
            self.purpose = Purpose::LogIn;
            self.focus_first();
        }
    }

    /// What became of the passwords that were handed in, if they were.
    pub(super) fn answer<'a>(&self, answer: Option<&'a FormView>) -> Option<&'a FormView> {
        answer.filter(|_| self.given != Given::Never)
    }

    /// Whether the passwords that were handed in were taken. Where they were refused, they are forgotten.
    pub(super) fn is_taken(&mut self, answer: Option<&FormView>) -> bool {
        if self.given == Given::Now && answer.is_some_and(|answer| answer.error.is_some()) {
            self.given = Given::Refused;
            self.forget_passwords();
        }
        self.given == Given::Now && answer.is_none()
    }

    /// The fields, in their order.
    pub(super) fn fields(&self) -> &'static [Field] {
        match self.purpose {
            Purpose::LogIn => &[Field::Name, Field::Password],
            Purpose::Register if self.needs_invitation => {
                &[Field::Name, Field::Invitation, Field::Password, Field::Again]
            }
            Purpose::Register => &[Field::Name, Field::Password, Field::Again],
            Purpose::Unlock | Purpose::Revoke => &[Field::Password],
            Purpose::ChangePassword => &[Field::OldPassword, Field::Password, Field::Again],
        }
    }

    /// The field that is being typed into.
    pub(super) fn focus(&self) -> Field {
        self.fields().get(self.focus).copied().unwrap_or(Field::Password)
    }

    /// The line of an open field.
    pub(super) fn line(&self, field: Field) -> Option<&InputLine> {
        match field {
            Field::Name => Some(&self.name),
            Field::Invitation => Some(&self.invitation),
            _ => None,
        }
    }

    /// How many dots a hidden field shows.
    pub(super) fn dots(&self, field: Field) -> usize {
        match field {
            Field::OldPassword => self.old.characters(),
            Field::Password => self.password.characters(),
            Field::Again => self.again.characters(),
            Field::Name | Field::Invitation => 0,
        }
    }

    /// A word of advice on what is typed so far.
    pub(super) fn advice(&self) -> Option<&'static str> {
        let is_new = matches!(self.purpose, Purpose::Register | Purpose::ChangePassword);
        let length = self.password.characters();
        if !is_new || length == 0 || self.focus() != Field::Password {
            None
        } else if length < LONG_PASSWORD_CHARACTERS {
            Some("Longer is better: four or five random words.")
        } else {
            Some("A good length.")
        }
    }

    /// A key; what it completes is returned.
    pub(super) fn handle_key(&mut self, key: KeyEvent, view: &FormView) -> Option<Action> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter if self.focus + 1 < self.fields().len() => self.move_focus(1),
            KeyCode::Enter => return self.submit(),
            KeyCode::Tab | KeyCode::Down => self.move_focus(1),
            KeyCode::BackTab | KeyCode::Up => self.move_focus(self.fields().len() - 1),
            KeyCode::F(2) if self.purpose == Purpose::Unlock => return Some(Action::OtherAccount),
            KeyCode::F(2) => self.change_purpose(view),
            KeyCode::Backspace => self.edit(Edit::Backspace),
            KeyCode::Char('h') if control => self.edit(Edit::Backspace),
            KeyCode::Char('u') if control => self.edit(Edit::CutToStart),
            KeyCode::Char('w') if control => self.edit(Edit::CutWordBefore),
            KeyCode::Char('a') if control => self.edit(Edit::Home),
            KeyCode::Char('e') if control => self.edit(Edit::End),
            KeyCode::Delete => self.edit(Edit::Delete),
            KeyCode::Left => self.edit(Edit::Left),
            KeyCode::Right => self.edit(Edit::Right),
            KeyCode::Home => self.edit(Edit::Home),
            KeyCode::End => self.edit(Edit::End),
            _ => {
                if let Some(letter) = super::keys::letter(key) {
                    self.insert(letter.encode_utf8(&mut [0; 4]));
                }
            }
        }
        None
    }

    /// Types or pastes into the focused field.
    pub(super) fn insert(&mut self, text: &str) {
        self.error = None;
        let text = text.trim_end_matches(['\r', '\n']);
        let without_spaces = || text.replace(char::is_whitespace, "");
        match self.focus() {
            Field::Name => _ = self.name.insert(&without_spaces()),
            Field::Invitation => _ = self.invitation.insert(&without_spaces()),
            Field::OldPassword => self.old.push(text),
            Field::Password => self.password.push(text),
            Field::Again => self.again.push(text),
        }
    }

    /// Forgets the passwords, as after a refusal.
    pub(super) fn forget_passwords(&mut self) {
        self.old = Password::default();
        self.password = Password::default();
        self.again = Password::default();
        let is_password = |field: &Field| !matches!(field, Field::Name | Field::Invitation);
        self.focus = self.fields().iter().position(is_password).unwrap_or(0);
    }

    fn edit(&mut self, edit: Edit) {
        self.error = None;
        let open = match self.focus() {
            Field::Name => &mut self.name,
            Field::Invitation => &mut self.invitation,
            Field::OldPassword => return self.old.edit(edit),
            Field::Password => return self.password.edit(edit),
            Field::Again => return self.again.edit(edit),
        };
        open.edit(edit, &mut String::new());
    }

    fn move_focus(&mut self, by: usize) {
        self.focus = (self.focus + by) % self.fields().len().max(1);
    }

    fn change_purpose(&mut self, view: &FormView) {
        self.purpose = match self.purpose {
            Purpose::LogIn if view.registration != Registration::Closed => Purpose::Register,
            Purpose::Register => Purpose::LogIn,
            other => other,
        };
        self.error = None;
        self.focus_first();
    }

    fn submit(&mut self) -> Option<Action> {
        match self.checked() {
            Ok(action) => {
                self.given = Given::Now;
                Some(action)
            }
            Err((field, error)) => {
                self.focus = self.fields().iter().position(|other| *other == field).unwrap_or(0);
                self.error = Some(error);
                None
            }
        }
    }

    fn checked(&self) -> Result<Action, (Field, String)> {
        let wrong = |field, error: &str| Err((field, error.to_owned()));
        let is_new = matches!(self.purpose, Purpose::Register | Purpose::ChangePassword);
        for field in self.fields() {
            match field {
                Field::Invitation if self.invitation.text().is_empty() => {
                    return wrong(*field, "this server asks for an invitation code");
                }
                Field::OldPassword if self.old.is_empty() => {
                    return wrong(*field, "type your password of now");
                }
                Field::Password if self.password.is_empty() => {
                    return wrong(*field, "type a password");
                }
                Field::Password if is_new && self.password.characters() < PASSWORD_CHARACTERS => {
                    return wrong(*field, "a password has at least 8 characters");
                }
                Field::Again if self.again != self.password => {
                    return wrong(*field, "the two passwords differ");
                }
                _ => {}
            }
        }
        let name =
            || UserName::parse(self.name.text()).map_err(|error| (Field::Name, error.to_string()));
        let password = self.password.clone();
        Ok(match self.purpose {
            Purpose::LogIn => Action::LogIn { name: name()?, password },
            Purpose::Register => Action::Register {
                name: name()?,
                password,
                invitation: self.needs_invitation.then(|| self.invitation.text().to_owned()),
            },
            Purpose::Unlock => Action::Unlock { password },
            Purpose::Revoke => match &self.device {
                Some((device, _)) => Action::RevokeDevice { device: *device, password },
                None => return wrong(Field::Password, "which device is not known"),
            },
            Purpose::ChangePassword => {
                Action::ChangePassword { old: self.old.clone(), new: password }
            }
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    /// Types the text, `\n` for Enter, and returns the action, or what is wrong.
    fn check(form: &mut Form, view: &FormView, typed: &str) -> Result<Action, Option<String>> {
        for letter in typed.chars() {
            let code = if letter == '\n' { KeyCode::Enter } else { KeyCode::Char(letter) };
            if let Some(action) = form.handle_key(KeyEvent::new(code, KeyModifiers::NONE), view) {
                return Ok(action);
            }
        }
        Err(form.error.clone())
    }

    #[test]
    fn registering() {
        let view = FormView::default();
        for (typed, expected) in [
            ("a!\nlong enough\nlong enough\n", "a user name has 2 to 32"),
            ("alice\nshort\nshort\n", "a password has at least 8"),
            ("alice\nlong enough\nlong enuogh\n", "the two passwords differ"),
            ("alice\n\n\n", "type a password"),
        ] {
            let error = check(&mut Form::first(&view), &view, typed).unwrap_err().unwrap();
            assert!(error.starts_with(expected), "{typed:?}: {error}");
        }
        let action = check(&mut Form::first(&view), &view, "Alice\nlong enough\nlong enough\n");
        let Ok(Action::Register { name, password, invitation: None }) = action else {
            panic!("{action:?}")
        };
        assert_eq!((name.as_str(), password.reveal()), ("alice", "long enough"));
    }

    #[test]
    fn a_name_that_was_asked_for_stands_there_already() {
        let view = FormView { name: Some("mira".into()), ..FormView::default() };
        let mut form = Form::first(&view);
        assert_eq!(form.focus(), Field::Password);
        let action = check(&mut form, &view, "long enough\nlong enough\n");
        let Ok(Action::Register { name, password, .. }) = action else { panic!("{action:?}") };
        assert_eq!((name.as_str(), password.reveal()), ("mira", "long enough"));
        let mut form = Form::first(&view);
        form.handle_key(KeyEvent::new(KeyCode::F(2), KeyModifiers::NONE), &view);
        assert_eq!((form.purpose, form.focus()), (Purpose::LogIn, Field::Password));
    }

    #[test]
    fn the_form_fits_the_server() {
        let view = |account: Option<&str>, registration| FormView {
            account: account.map(str::to_owned),
            registration,
            ..FormView::default()
        };
        for (view, purpose, fields) in [
            (view(None, Registration::Open), Purpose::Register, 3),
            (view(None, Registration::Invite), Purpose::Register, 4),
            (view(None, Registration::Closed), Purpose::LogIn, 2),
            (view(Some("alice"), Registration::Open), Purpose::Unlock, 1),
        ] {
            let form = Form::first(&view);
            assert_eq!((form.purpose, form.fields().len()), (purpose, fields));
        }
    }

    #[test]
    fn other_forms() {
        let view = FormView { registration: Registration::Closed, ..FormView::default() };
        let action = check(&mut Form::first(&view), &view, "bob\nx\n").unwrap();
        assert!(matches!(action, Action::LogIn { .. }));
        let action = check(&mut Form::change_password(), &view, "old\nlong enough\nlong enough\n");
        assert!(matches!(action, Ok(Action::ChangePassword { .. })));
    }

    #[test]
    fn passwords_are_not_shown() {
        let view = FormView::default();
        let mut form = Form::first(&view);
        let action = check(&mut form, &view, "alice\nhunter2hunter2\nhunter2hunter2\n").unwrap();
        assert!(!format!("{form:?}{action:?}").contains("hunter2"));
        insta::assert_snapshot!(format!("{action:?}"), @r#"Register { name: "alice", password: Password(…), invitation: None }"#);
        form.forget_passwords();
        assert_eq!((form.dots(Field::Password), form.focus()), (0, Field::Password));
    }
}
