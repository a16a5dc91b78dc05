//! Commands that were mistyped, and the words that tell a person what to type instead.

use super::command::{COMMANDS, Entry};
use portcullis_proto::BadName;
use std::fmt;

/// Why a line is no command; `Display` tells a person what to type instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandError {
    /// No such command; perhaps this one was meant.
    Unknown {
        /// What was typed, without its slash.
        typed: String,
        /// The nearest usage.
        nearest: Option<&'static str>,
    },
    /// The command was typed otherwise than it must be.
    Misused {
        /// The command's name.
        name: &'static str,
        /// How it is typed.
        usage: &'static str,
        /// What is wrong.
        problem: Problem,
    },
}

/// What is wrong with a command's arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// It needs this.
    Needs(&'static str),
    /// This is more than it takes.
    Extra(String),
    /// This is no name.
    Name(BadName),
    /// This word is not one of those it knows.
    Word(String),
    /// This does not count messages.
    Number(String),
    /// A password was typed where others can read it.
    OpenPassword,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { typed, nearest: Some(usage) } => {
                write!(f, "there is no /{typed}; did you mean {usage} ?")
            }
            Self::Unknown { typed, nearest: None } => {
                write!(f, "there is no /{typed}; /help shows what there is")
            }
            Self::Misused { problem: Problem::OpenPassword, .. } => f.write_str(
                "never type a password here: /password alone opens a form that hides it",
            ),
            Self::Misused { name, usage, problem } => {
                match problem {
                    Problem::Needs(what) => write!(f, "/{name} needs {what}")?,
                    Problem::Extra(word) => write!(f, "/{name} does not take {word:?}")?,
                    Problem::Name(bad) => write!(f, "{bad}")?,
                    Problem::Word(word) => write!(f, "/{name} does not know {word:?}")?,
                    Problem::Number(word) => {
                        write!(f, "{word} does not count messages: 1 is the last one")?;
                    }
                    Problem::OpenPassword => {}
                }
                write!(f, ": {usage}")
            }
        }
    }
}

impl std::error::Error for CommandError {}

/// The command that begins like this, or that differs in one typing mistake.
pub(super) fn nearest(typed: &str) -> Option<&'static Entry> {
    let begins = |entry: &&Entry| !typed.is_empty() && entry.name.starts_with(typed);
    let mistyped = |entry: &&Entry| is_one_mistake(entry.name, typed);
    COMMANDS.iter().find(begins).or_else(|| COMMANDS.iter().find(mistyped))
}

/// Whether one letter was left out, added, changed, or two were swapped.
fn is_one_mistake(meant: &str, typed: &str) -> bool {
    let (meant, typed): (Vec<_>, Vec<_>) = (meant.chars().collect(), typed.chars().collect());
    let same = meant.iter().zip(&typed).take_while(|(meant, typed)| meant == typed).count();
    let rest = |text: &[char], skipped: usize| text.get(same + skipped..).map(<[char]>::to_vec);
    let swapped = |text: &[char]| match text.get(same..) {
        Some([first, second, rest @ ..]) => [&[*second, *first], rest].concat(),
        _ => Vec::new(),
    };
    let agree = |meant: Option<Vec<char>>, typed| meant.is_some() && meant == typed;
    agree(rest(&meant, 1), rest(&typed, 0))
        || agree(rest(&meant, 0), rest(&typed, 1))
        || agree(rest(&meant, 1), rest(&typed, 1))
        || agree(rest(&meant, 0), Some(swapped(&typed)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use crate::ui::command::parse;

    #[test]
    fn what_is_answered() {
        for (line, expected) in [
            ("/invite", "/invite needs a user name: /invite USER…"),
            ("/msg", "/msg needs a user name: /msg USER [TEXT]"),
            ("/group", "/group needs a name for the group: /group NAME USER…"),
            ("/group team", "/group needs a user name: /group NAME USER…"),
            ("/reply", "/reply needs a text: /reply [N] TEXT"),
            ("/reply 2", "/reply needs a text: /reply [N] TEXT"),
            ("/react 2", "/react needs an emoji, or a short word: /react [N] EMOJI"),
            ("/react so good", "/react does not take \"good\": /react [N] EMOJI"),
            ("/delete 0", "0 does not count messages: 1 is the last one: /delete [N]"),
            ("/delete it", "/delete does not take \"it\": /delete [N]"),
            ("/grop team bob", "there is no /grop; did you mean /group NAME USER… ?"),
            ("/kick", "/kick needs a user name: /kick USER"),
            (
                "/rename a b",
                "a group's name is + and 2 to 32 characters: letters a-z, digits, and . _ - after the first: /rename NAME",
            ),
            ("/all ", "/all needs a text: /all TEXT"),
            ("/list now", "/list does not take \"now\": /list"),
            ("/verify bob no", "/verify does not know \"no\": /verify USER [yes]"),
            ("/file", "/file needs a path: /file [USER|+GROUP] PATH…"),
            ("/file 'a b", "/file needs the other quotation mark: /file [USER|+GROUP] PATH…"),
            (
                "/autoaccept bob lots",
                "/autoaccept does not know \"lots\": /autoaccept USER SIZE|off",
            ),
            ("/direct bob", "/direct needs on or off: /direct USER on|off"),
            (
                "/transfers stop 1",
                "/transfers does not know \"stop\": /transfers [pause|resume|cancel [N]]",
            ),
            ("/guests maybe", "/guests does not know \"maybe\": /guests [on|off]"),
            ("/devices revoke", "/devices needs a device's name: /devices [revoke NAME]"),
            ("/lst", "there is no /lst; did you mean /list ?"),
            ("/jion", "there is no /jion; did you mean /join #NAME ?"),
            ("/inv", "there is no /inv; did you mean /invite USER… ?"),
            ("/dance", "there is no /dance; /help shows what there is"),
            ("/", "there is no /; /help shows what there is"),
            (
                "/password hunter2",
                "never type a password here: /password alone opens a form that hides it",
            ),
            (
                "/invite b!",
                "a user name has 2 to 32 characters: letters a-z, digits, and . _ - after the first: /invite USER…",
            ),
        ] {
            assert_eq!(parse(line).unwrap_err().to_string(), expected, "{line}");
        }
    }
}
