//! A password on its way from the keyboard to the shell. It leaves out what makes a good one: that
//! is the form's (`login.rs`).

use super::input::Edit;
use super::safe_text::graphemes;
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of a password: room for any sentence, and allocated once, so that no copy is left behind.
const PASSWORD_BYTES: usize = 1024;

/// A password on its way from the keyboard. Wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// The password itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends what was typed or pasted, as far as it fits.
    pub(super) fn push(&mut self, text: &str) {
        for letter in text.chars().filter(|letter| !letter.is_control()) {
            if self.0.len() + letter.len_utf8() <= PASSWORD_BYTES {
                self.0.push(letter);
            }
        }
    }

    /// A password can only be shortened from its end, or wiped.
    pub(super) fn edit(&mut self, edit: Edit) {
        match edit {
            Edit::Backspace => {
                let last = graphemes(&self.0).next_back().map_or(0, str::len);
                let kept = self.0.len() - last;
                self.0.truncate(kept);
            }
            Edit::CutToStart | Edit::CutWordBefore => *self = Self::default(),
            _ => {}
        }
    }

    /// Characters as a person counts them.
    pub(super) fn characters(&self) -> usize {
        graphemes(&self.0).count()
    }
}

impl Default for Password {
    fn default() -> Self {
        Self(Zeroizing::new(String::with_capacity(PASSWORD_BYTES)))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn editing() {
        let mut password = Password::default();
        password.push("hunter\n2e\u{301}");
        assert_eq!((password.reveal(), password.characters()), ("hunter2e\u{301}", 8));
        password.edit(Edit::Backspace);
        assert_eq!(password.reveal(), "hunter2");
        password.edit(Edit::CutToStart);
        assert!(password.is_empty());
    }

    #[test]
    fn it_never_moves_in_memory() {
        let mut password = Password::default();
        let before = password.reveal().as_ptr();
        password.push(&"é".repeat(PASSWORD_BYTES));
        assert_eq!(password.reveal().len(), PASSWORD_BYTES);
        assert_eq!(password.reveal().as_ptr(), before, "a copy was left behind");
    }

    #[test]
    fn it_is_not_shown() {
        let mut password = Password::default();
        password.push("hunter2");
        assert_eq!(format!("{password:?}"), "Password(…)");
    }
}
