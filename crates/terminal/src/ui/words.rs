//! What follows a command, read word by word.

use super::mistake::Problem;
use portcullis_proto::{ChannelName, GroupName, PersonName, UserName};

/// What was not read yet.
pub(super) struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(text.trim())
    }

    /// The next word.
    pub(super) fn next(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start();
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }

    /// All the rest, as it was typed; may be empty.
    pub(super) fn all(&mut self) -> String {
        std::mem::take(&mut self.0).trim().to_owned()
    }

    /// All the rest, which must not be empty.
    pub(super) fn text(&mut self, what: &'static str) -> Result<String, Problem> {
        let text = self.all();
        if text.is_empty() { Err(Problem::Needs(what)) } else { Ok(text) }
    }

    /// A word that there must be.
    pub(super) fn word(&mut self, what: &'static str) -> Result<String, Problem> {
        self.next().map(str::to_owned).ok_or(Problem::Needs(what))
    }

    /// An account's name.
    pub(super) fn user(&mut self) -> Result<UserName, Problem> {
        let word = self.next().ok_or(Problem::Needs("a user name"))?;
        let word = word.strip_prefix('@').unwrap_or(word);
        UserName::parse(word.trim_end_matches(',')).map_err(Problem::Name)
    }

    /// The name of an account, or of a classroom guest.
    pub(super) fn person(&mut self) -> Result<PersonName, Problem> {
        let word = self.next().ok_or(Problem::Needs("a user name"))?;
        PersonName::parse(word.strip_prefix('@').unwrap_or(word)).map_err(Problem::Name)
    }

    /// At least one account's name.
    pub(super) fn users(&mut self) -> Result<Vec<UserName>, Problem> {
        let mut users = vec![self.user()?];
        while !self.0.trim().is_empty() {
            users.push(self.user()?);
        }
        Ok(users)
    }

    /// A channel's name; its sign may be left out.
    pub(super) fn channel(&mut self) -> Result<ChannelName, Problem> {
        let word = self.next().ok_or(Problem::Needs("a channel name"))?;
        ChannelName::parse(&format!("#{}", word.strip_prefix('#').unwrap_or(word)))
            .map_err(Problem::Name)
    }

    /// A group's name; its sign may be left out.
    pub(super) fn group(&mut self) -> Result<GroupName, Problem> {
        let word = self.next().ok_or(Problem::Needs("a name for the group"))?;
        GroupName::parse(&format!("+{}", word.strip_prefix('+').unwrap_or(word)))
            .map_err(Problem::Name)
    }

    /// At least one word, some of them in quotation marks, or with a backslash before a space, as in a shell.
    pub(super) fn quoted(&mut self, what: &'static str) -> Result<Vec<String>, Problem> {
        let mut found = Vec::new();
        while let Some(word) = self.next_quoted()? {
            found.push(word);
        }
        if found.is_empty() { Err(Problem::Needs(what)) } else { Ok(found) }
    }

    /// A path, if there is one.
    pub(super) fn path(&mut self) -> Result<Option<String>, Problem> {
        self.next_quoted()
    }

    fn next_quoted(&mut self) -> Result<Option<String>, Problem> {
        let text = self.0.trim_start();
        let (mut word, mut quote, mut escaped) = (String::new(), None, false);
        let mut end = text.len();
        for (at, letter) in text.char_indices() {
            match (letter, quote) {
                _ if escaped => {
                    word.push(letter);
                    escaped = false;
                }
                ('\\', None | Some('"')) => escaped = true,
                (mark, Some(open)) if mark == open => quote = None,
                ('"' | '\'', None) => quote = Some(letter),
                (space, None) if space.is_whitespace() => {
                    end = at;
                    break;
                }
                _ => word.push(letter),
            }
        }
        self.0 = text.get(end..).unwrap_or_default();
        match quote {
            Some(_) => Err(Problem::Needs("the other quotation mark")),
            None => Ok((!word.is_empty()).then_some(word)),
        }
    }

    /// How many messages back; the last one unless a number is the next word.
    pub(super) fn back(&mut self) -> Result<usize, Problem> {
        self.number().map(|number| number.unwrap_or(1))
    }

    /// A number from 1 on, if the next word is one.
    pub(super) fn number(&mut self) -> Result<Option<usize>, Problem> {
        let before = self.0;
        match self.next() {
            Some(word) if word.bytes().all(|byte| byte.is_ascii_digit()) => {
                let number = word.parse().ok().filter(|number| *number > 0);
                number.map(Some).ok_or_else(|| Problem::Number(word.to_owned()))
            }
            _ => {
                self.0 = before;
                Ok(None)
            }
        }
    }
}
