//! Slash commands: one table with a row for each, from which the parser, the completion and the
//! help are made. It leaves out what the commands do: that is the client core's.

use super::mistake::{CommandError, Problem, nearest};
use portcullis_proto::{ChannelName, DeviceName, UserName};

/// What a person asked for in the input line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Text for the open conversation.
    Say(String),
    /// Who is there?
    List,
    /// Text for everybody: for `#lobby`.
    All(String),
    /// Enter an open channel, or one that invited us.
    Join(ChannelName),
    /// Make a channel.
    Create(ChannelName, Access),
    /// Invite into the open channel.
    Invite(UserName),
    /// Show the safety number to compare; with `true`, it was compared and agrees.
    Verify(UserName, bool),
    /// Accept a person's new identity key.
    Accept(UserName),
    /// Show this account's devices.
    Devices,
    /// Take a device off the list.
    Revoke(DeviceName),
    /// Change the password, which is asked for in a form.
    Password,
    /// Leave the open channel.
    Leave,
    /// Show keys and commands.
    Help,
    /// Leave the program.
    Quit,
}

/// Who may enter a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Anybody.
    #[default]
    Open,
    /// Who is invited.
    Invitation,
}

/// What a command's argument is; completion offers such ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// An account's name.
    User,
    /// A channel's name.
    Channel,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Anything.
    Text,
}

/// A row of the command table.
#[derive(Debug)]
pub struct Entry {
    /// The command without its slash.
    pub name: &'static str,
    /// A second name, or "".
    pub alias: &'static str,
    /// How it is typed.
    pub usage: &'static str,
    /// What it does, in words.
    pub help: &'static str,
    /// Its arguments in their order.
    pub arguments: &'static [Argument],
    parse: fn(&mut Words<'_>) -> Result<Command, Problem>,
}

/// All commands, in the order of the help.
pub static COMMANDS: &[Entry] = &[
    Entry {
        name: "list",
        alias: "who",
        usage: "/list",
        help: "who is here",
        arguments: &[],
        parse: |_| Ok(Command::List),
    },
    Entry {
        name: "all",
        alias: "",
        usage: "/all TEXT",
        help: "say something to everybody, in #lobby",
        arguments: &[Argument::Text],
        parse: |words| words.text("a text").map(Command::All),
    },
    Entry {
        name: "join",
        alias: "j",
        usage: "/join #NAME",
        help: "enter a channel",
        arguments: &[Argument::Channel],
        parse: |words| words.channel().map(Command::Join),
    },
    Entry {
        name: "create",
        alias: "",
        usage: "/create #NAME [open|invitation]",
        help: "make a channel, open to all or by invitation",
        arguments: &[Argument::Channel, Argument::Word(&["open", "invitation"])],
        parse: |words| Ok(Command::Create(words.channel()?, words.access()?)),
    },
    Entry {
        name: "invite",
        alias: "",
        usage: "/invite USER",
        help: "invite somebody into this channel",
        arguments: &[Argument::User],
        parse: |words| words.user().map(Command::Invite),
    },
    Entry {
        name: "verify",
        alias: "",
        usage: "/verify USER [yes]",
        help: "compare safety numbers; yes: they agree",
        arguments: &[Argument::User, Argument::Word(&["yes"])],
        parse: |words| Ok(Command::Verify(words.user()?, words.yes()?)),
    },
    Entry {
        name: "accept",
        alias: "",
        usage: "/accept USER",
        help: "accept somebody's changed identity key",
        arguments: &[Argument::User],
        parse: |words| words.user().map(Command::Accept),
    },
    Entry {
        name: "devices",
        alias: "",
        usage: "/devices [revoke NAME]",
        help: "your devices; take one off the list",
        arguments: &[Argument::Word(&["revoke"]), Argument::Text],
        parse: |words| words.devices(),
    },
    Entry {
        name: "password",
        alias: "",
        usage: "/password",
        help: "change your password",
        arguments: &[],
        parse: |_| Ok(Command::Password),
    },
    Entry {
        name: "leave",
        alias: "part",
        usage: "/leave",
        help: "leave this channel",
        arguments: &[],
        parse: |_| Ok(Command::Leave),
    },
    Entry {
        name: "help",
        alias: "h",
        usage: "/help",
        help: "keys and commands",
        arguments: &[],
        parse: |_| Ok(Command::Help),
    },
    Entry {
        name: "quit",
        alias: "q",
        usage: "/quit",
        help: "leave the program",
        arguments: &[],
        parse: |_| Ok(Command::Quit),
    },
];

/// Reads a line as a person typed it. What does not begin with `/` is text; `//x` is the text `/x`.
///
/// # Errors
/// Says what to type instead.
pub fn parse(line: &str) -> Result<Command, CommandError> {
    let Some(rest) = line.strip_prefix('/') else {
        return Ok(Command::Say(line.to_owned()));
    };
    if rest.starts_with('/') {
        return Ok(Command::Say(rest.to_owned()));
    }
    let (typed, arguments) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let typed = typed.to_lowercase();
    let Some(entry) = find(&typed) else {
        let nearest = nearest(&typed).map(|entry| entry.usage);
        return Err(CommandError::Unknown { typed, nearest });
    };
    let misused = |problem| CommandError::Misused { name: entry.name, usage: entry.usage, problem };
    let mut words = Words(arguments.trim());
    let command = (entry.parse)(&mut words).map_err(misused)?;
    match words.next() {
        Some(_) if command == Command::Password => Err(misused(Problem::OpenPassword)),
        Some(word) => Err(misused(Problem::Extra(word.to_owned()))),
        None => Ok(command),
    }
}

/// The row of a command's name or alias.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    let is_meant = |entry: &&Entry| entry.name == name || (entry.alias == name && !name.is_empty());
    COMMANDS.iter().find(is_meant)
}

/// What follows a command, read word by word.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start();
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }

    fn rest(&mut self) -> Option<&'a str> {
        let rest = std::mem::take(&mut self.0).trim();
        (!rest.is_empty()).then_some(rest)
    }

    fn text(&mut self, what: &'static str) -> Result<String, Problem> {
        self.rest().map(str::to_owned).ok_or(Problem::Needs(what))
    }

    fn user(&mut self) -> Result<UserName, Problem> {
        let word = self.next().ok_or(Problem::Needs("a user name"))?;
        UserName::parse(word.strip_prefix('@').unwrap_or(word)).map_err(Problem::Name)
    }

    /// A channel's name; its sign may be left out.
    fn channel(&mut self) -> Result<ChannelName, Problem> {
        let word = self.next().ok_or(Problem::Needs("a channel name"))?;
        ChannelName::parse(&format!("#{}", word.strip_prefix('#').unwrap_or(word)))
            .map_err(Problem::Name)
    }

    fn access(&mut self) -> Result<Access, Problem> {
        match self.next() {
            None | Some("open") => Ok(Access::Open),
            Some("invitation") => Ok(Access::Invitation),
            Some(other) => Err(Problem::Word(other.to_owned())),
        }
    }

    fn yes(&mut self) -> Result<bool, Problem> {
        match self.next() {
            None => Ok(false),
            Some("yes") => Ok(true),
            Some(other) => Err(Problem::Word(other.to_owned())),
        }
    }

    fn devices(&mut self) -> Result<Command, Problem> {
        match self.next() {
            None => Ok(Command::Devices),
            Some("revoke") => {
                let name = self.rest().ok_or(Problem::Needs("a device's name"))?;
                DeviceName::parse(name).map(Command::Revoke).map_err(Problem::Name)
            }
            Some(other) => Err(Problem::Word(other.to_owned())),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    fn user(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    fn channel(name: &str) -> ChannelName {
        ChannelName::parse(name).unwrap()
    }

    #[test]
    fn what_is_understood() {
        for (line, expected) in [
            ("hello", Command::Say("hello".into())),
            ("  two\nlines", Command::Say("  two\nlines".into())),
            ("//list", Command::Say("/list".into())),
            ("/list", Command::List),
            ("/WHO", Command::List),
            ("/list  ", Command::List),
            ("/all good  morning ", Command::All("good  morning".into())),
            ("/all a\nb", Command::All("a\nb".into())),
            ("/join #Dev", Command::Join(channel("#dev"))),
            ("/j dev", Command::Join(channel("#dev"))),
            ("/create #dev", Command::Create(channel("#dev"), Access::Open)),
            ("/create dev invitation", Command::Create(channel("#dev"), Access::Invitation)),
            ("/invite @Bob", Command::Invite(user("bob"))),
            ("/verify bob", Command::Verify(user("bob"), false)),
            ("/verify bob yes", Command::Verify(user("bob"), true)),
            ("/accept bob", Command::Accept(user("bob"))),
            ("/devices", Command::Devices),
            (
                "/devices revoke old laptop",
                Command::Revoke(DeviceName::parse("old laptop").unwrap()),
            ),
            ("/password", Command::Password),
            ("/leave", Command::Leave),
            ("/help", Command::Help),
            ("/q", Command::Quit),
        ] {
            assert_eq!(parse(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn the_table_is_of_a_piece() {
        for entry in COMMANDS {
            assert!(entry.usage.starts_with(&format!("/{}", entry.name)), "{}", entry.name);
            let same = |other: &&Entry| [other.name, other.alias].contains(&entry.name);
            assert_eq!(COMMANDS.iter().filter(same).count(), 1, "{}", entry.name);
        }
    }
}
