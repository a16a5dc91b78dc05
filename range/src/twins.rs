//! The one lever: every decision of the server, of the clients and of the lessons, of which a flaw changes
//! exactly one.

use crate::lesson;
use crate::shelf::{Within, within};
use crate::world::{Door, only_the_table};
use portcullis_client_core::defences as client;
use portcullis_server_core::defences as server;

/// All decisions of a world.
#[derive(Debug, Clone, Copy)]
pub struct Twins {
    /// The server's.
    pub server: server::Defences,
    /// The scripted people's clients'.
    pub client: client::Defences,
    /// Those of the lesson's suite and desk.
    pub lesson: lesson::Defences,
    /// The front door's.
    pub door: Door,
    /// The shelf's: which bytes of a file may be had.
    pub resume: Within,
}

/// The sound ones: what the chat ships with. A static, since what was changed is told by addresses, and each
/// use of a constant may have copies of small functions of its own.
pub static SOUND: Twins = Twins {
    server: server::SOUND,
    client: client::SOUND,
    lesson: lesson::SOUND,
    door: only_the_table,
    resume: within,
};

impl Twins {
    /// The sound ones, but for what `change` puts in their place.
    #[must_use]
    pub fn with(change: fn(&mut Self)) -> Self {
        let mut twins = SOUND;
        change(&mut twins);
        twins
    }

    /// Whether one of the chat's own decisions is not the sound one; the others are those of lessons and of their
    /// world.
    #[must_use]
    pub fn changes_the_chat(&self) -> bool {
        let of_the_chat = |twins: &Self| format!("{:?}\n{:?}", twins.server, twins.client);
        of_the_chat(self) != of_the_chat(&SOUND)
    }

    /// The names of the decisions that are not the sound ones.
    #[must_use]
    pub fn changed(&self) -> Vec<String> {
        let (sound, own) = (rows(&SOUND), rows(self));
        let differs = sound.iter().zip(&own).filter(|(sound, own)| sound != own);
        differs.filter_map(|(sound, _)| Some(sound.split(':').next()?.trim().to_owned())).collect()
    }
}

/// One row for each decision, as `name: address`.
fn rows(twins: &Twins) -> Vec<String> {
    let text = format!(
        "{:#?}\n{:#?}\n{:#?}\ndoor: {:?}\nresume: {:?}",
        twins.server, twins.client, twins.lesson, twins.door, twins.resume
    );
    text.lines().filter(|line| line.contains(": 0x")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_crypto::Hash;

    #[test]
    fn what_was_changed_is_named() {
        assert_eq!(SOUND.changed(), Vec::<String>::new());
        let twins = Twins::with(|twins| twins.client.same_log = |_: Option<Hash>, _, _| true);
        assert_eq!(twins.changed(), ["same_log"]);
        assert!(twins.changes_the_chat() && !SOUND.changes_the_chat());
        let twins = Twins::with(|twins| twins.resume = |_, _, _| None);
        assert!(!twins.changes_the_chat());
    }
}
