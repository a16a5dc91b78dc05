//! What was seen of how guests write, kept for when they come back: no `hello` shows how its client computes fingerprints, or
//! how long its vectors are. In memory only.

use std::collections::HashMap;

use portcullis_proto::AccountId;
use portcullis_proto::classroom::DialectId;

use crate::defences::{FrameAdmitted, HelloAdmitted};
use crate::limits;

/// The habits of the guests that spoke last: when as many have spoken as are remembered, those that spoke before them
/// are forgotten together.
#[derive(Debug, Default)]
pub struct Habits {
    last: HashMap<AccountId, DialectId>,
    before: HashMap<AccountId, DialectId>,
}

impl Habits {
    /// A guest comes: with what is known of it.
    #[must_use]
    pub fn greet(&self, hello: HelloAdmitted) -> HelloAdmitted {
        let guest = hello.key().id();
        match self.last.get(&guest).or_else(|| self.before.get(&guest)) {
            Some(known) => hello.as_before(*known),
            None => hello,
        }
    }

    /// A guest has said something.
    pub fn learn(&mut self, said: &FrameAdmitted) {
        if self.last.len() >= limits::GUESTS_REMEMBERED {
            self.before = std::mem::take(&mut self.last);
        }
        self.last.insert(said.guest().id(), said.dialect());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{admit_frame, admit_hello};
    use crate::testing::{Guest, guest_key, read, signed};
    use portcullis_proto::classroom::{Dialect, Fingerprint, Outgoing, write_chat};

    /// Guest 1 says this and comes back: whether it is known then how it writes.
    fn check(make: impl Fn(&Guest) -> String, known: impl Fn(Dialect) -> bool) {
        let (guest, mut habits) = (Guest::new(1), Habits::default());
        let comes = |habits: &Habits| habits.greet(admit_hello(&read(&guest.hello())).unwrap());
        let hello = comes(&habits);
        assert!(!known(hello.dialect().row()));
        let said = admit_frame(&mut hello.state(), read(&make(&guest))).unwrap();
        habits.learn(&said);
        let again = comes(&habits);
        assert!(known(again.dialect().row()) && known(again.state().dialect.row()));
        // Of others it says nothing.
        let other = habits.greet(admit_hello(&read(&Guest::new(2).hello())).unwrap());
        assert!(!known(other.dialect().row()));
    }

    #[test]
    fn how_a_guest_writes_is_known_when_it_comes_back() {
        for kind in Fingerprint::all() {
            let sender = guest_key(1).fingerprint(kind);
            let Some(seen) = guest_key(1).fingerprint_in(&sender) else { continue };
            if seen == DialectId::BY_THE_TEXT.row().fingerprint {
                continue;
            }
            let data =
                serde_json::json!({"type": "public_chat", "sender": sender, "message": "hi"});
            let say = |guest: &Guest| signed(&guest.key, &data.to_string(), 1);
            check(say, |row| row.fingerprint == seen);
        }
        let short = Dialect { iv_bytes: 12, ..DialectId::BY_THE_TEXT.row() };
        let say = |guest: &Guest| {
            let (other, iv, key) = (guest_key(2), &[3; 16], &[4; 16]);
            let outgoing = Outgoing { to: &[(&other, "localhost:1")], text: "hi", iv, key };
            write_chat(short, &guest.key, 1, &outgoing).unwrap()
        };
        check(say, |row| row.iv_bytes == 12);
    }
}
