//! Web pages that people of a world come to. Only what matters of a browser is here: it opens a WebSocket
//! to the server for any page that asks, says whose page it is (`Origin`, RFC 6454), and lets the page have
//! the session that the person has in it already, as a cookie would.
//!
//! Leaves out the pages themselves: what a learner's page does is what the learner does on its connection.

use super::{Line, Person, World, WorldError};
use crate::limits;
use portcullis_client_core::Show;
use portcullis_server_core::defences::{Host, OriginPolicy};

/// Where the server of a world with browsers is, as these see it.
pub const HOST: &str = "127.0.0.1:12345";

/// Where the server's own page is.
pub const HOME: &str = "https://chat.example";

/// Somebody has come to a page of the learner's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// Which page.
    pub origin: String,
    /// The connection that the page has got in their browser.
    pub line: Line,
}

impl World {
    /// The learner puts a page up. Whoever has a browser and reads its address comes.
    ///
    /// # Errors
    /// [`WorldError::NotYours`] for an address that can't be the learner's: it begins with `http://` or
    /// `https://`, and its host is in small letters, ends with `.example` and is not the server's.
    pub fn put_up_page(&mut self, origin: &str) -> Result<(), WorldError> {
        if !may_be_learners(origin) {
            return Err(WorldError::NotYours);
        }
        if self.pages.len() >= limits::LINES {
            return Err(WorldError::TooManyLines);
        }
        self.pages.push(origin.to_owned());
        Ok(())
    }

    /// The learner takes a page down.
    pub fn take_down_page(&mut self, origin: &str) {
        if let Some(place) = self.pages.iter().position(|page| page == origin) {
            self.pages.remove(place);
        }
    }

    /// Whether anybody here has a browser.
    #[must_use]
    pub fn has_browsers(&self) -> bool {
        self.people.iter().any(Person::browses)
    }

    /// Who has come to the learner's pages since the last time.
    pub fn visits(&mut self) -> Vec<Visit> {
        std::mem::take(&mut self.visits)
    }

    /// Somebody opens the server's own page; whether it gets its connection.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn at_home(&mut self, name: &str) -> Result<bool, WorldError> {
        let index = self.people.iter().position(|person| person.name().as_str() == name);
        let line = self.visit(index.ok_or(WorldError::Nobody)?, HOME)?;
        line.iter().for_each(|line| self.close(*line));
        Ok(line.is_some())
    }

    /// Somebody with a browser reads this: a page whose address stands in it is opened.
    pub(super) fn read_links(&mut self, index: usize, show: &Show) {
        let Some(person) = self.people.get(index).filter(|person| person.browses()) else { return };
        let Show::Message(message) = show else { return };
        let text = message.text().filter(|_| !message.own && !person.is_script());
        let words = text.unwrap_or_default().split_whitespace();
        let pages = words.filter(|word| self.pages.iter().any(|page| page == word));
        let clicks: Vec<(usize, String)> = pages.map(|page| (index, page.to_owned())).collect();
        self.clicks.extend(clicks);
    }

    /// A browser opens a page, and the page a connection with the session of whoever sits there.
    pub(super) fn visit(&mut self, who: usize, origin: &str) -> Result<Option<Line>, WorldError> {
        let policy =
            OriginPolicy { on_loopback: true, hosts: Vec::new(), origins: vec![HOME.to_owned()] };
        let admitted =
            (self.twins.server.admit_origin)(&policy, Some(origin), Host(Some(HOST))).is_ok();
        admitted.then(|| self.lend(who)).transpose()
    }
}

/// Whether a learner may have a page there: at a name that nobody has (RFC 2606), written in one way only.
fn may_be_learners(origin: &str) -> bool {
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let own = HOME.strip_prefix("https://");
    let known = |letter: char| {
        letter.is_ascii_lowercase() || letter.is_ascii_digit() || ".-".contains(letter)
    };
    host.is_some_and(|host| {
        let fits = host.len() <= 100 && host.chars().all(known);
        fits && host.ends_with(".example") && Some(host) != own
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_learners_are_nowhere_that_is_somebody_s() {
        let check = |origin: &str, expected: bool| {
            assert_eq!(may_be_learners(origin), expected, "{origin}");
        };
        check("https://cats.example", true);
        check("http://chat.example.cats-2.example", true);
        check("https://cats-chat.example", true);
        check(HOME, false);
        check("http://chat.example", false);
        check("https://CHAT.example", false);
        check("https://chat.example:443", false);
        check("http://localhost", false);
        check("http://127.0.0.1", false);
        check("https://me@chat.example", false);
        check("https://cats.org", false);
        check("null", false);
    }
}
