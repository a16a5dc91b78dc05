//! The name of a flaw, as it is typed: one that there is, or those that it may have been meant for.

use crate::flaws;
use std::fmt;

/// How alike two names are, from 0 to 1, of which one may have been meant for the other.
const ALIKE: f32 = 0.6;
/// How many of them are told.
const TOLD: usize = 3;

/// The name of a flaw that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slug(&'static str);

/// What was typed is no flaw's name; these are near it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unknown {
    near: Vec<&'static str>,
}

impl Slug {
    pub(super) fn parse(typed: &str) -> Result<Self, Unknown> {
        let known = flaws::ALL.iter().map(|flaw| flaw.slug).collect::<Vec<_>>();
        if let Some(flaw) = flaws::find(typed) {
            return Ok(Self(flaw.slug));
        }
        Err(Unknown {
            near: similar::get_close_matches(&typed.to_lowercase(), &known, TOLD, ALIKE),
        })
    }

    pub(super) const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no flaw of this name; ")?;
        match self.near.as_slice() {
            [] => f.write_str("`portcullis-range board` lists them"),
            near => write!(f, "is it {}? `portcullis-range board` lists all", near.join(", or ")),
        }
    }
}

impl std::error::Error for Unknown {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_or_near_one_or_neither() {
        let check = |typed: &str, expected: Result<&str, &[&str]>| {
            let read = Slug::parse(typed);
            let read = read.as_ref().map(|slug| slug.as_str()).map_err(|un| un.near.as_slice());
            assert_eq!(read, expected, "{typed:?}");
        };
        check("replay", Ok("replay"));
        check("Replay", Err(&["replay"]));
        check("sender-spof", Err(&["sender-spoof"]));
        for nothing_near in ["", "../../manifest", "replay/../../board?x=1#y", "\u{1b}[2J", "é"] {
            check(nothing_near, Err(&[]));
        }
    }
}
