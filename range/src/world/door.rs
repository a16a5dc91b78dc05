//! A world's front door: what becomes of a frame before the server looks at it.
//!
//! The chat has no such place, since its table of requests is closed; the sound door is that table and
//! nothing else.

use super::World;
use crate::plane::Secrets;
use portcullis_proto::{Code, Refusal, Request, RequestKind, Timestamp};
use portcullis_server_core::{ConnectionId, decode};

/// What becomes of a frame.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it lives for one frame")]
pub enum Entered {
    /// It asks the server for something, or for nothing that there is; with the id to answer under.
    Asked(Result<(u64, Request), (u64, Refusal)>),
    /// It has had its answer, if any.
    Answered(Option<String>),
}

/// What a door can see.
#[derive(Debug, Clone, Copy)]
pub struct House<'a> {
    /// What differs in this world from others.
    pub secrets: &'a Secrets,
    /// The time.
    pub now: Timestamp,
    /// Whether the frame comes on a connection that has logged in.
    pub has_session: bool,
}

/// How a door decides.
pub type Door = fn(&House<'_>, &str) -> Entered;

/// Lets in what stands in the table of requests, and nothing else.
#[must_use]
pub fn only_the_table(_: &House<'_>, text: &str) -> Entered {
    Entered::Asked(decode(text))
}

impl World {
    /// What a frame asks for, once it is through the door.
    pub(super) fn enter(&self, connection: ConnectionId, text: &str) -> Entered {
        let has_session = self.sessions.contains(&connection);
        let house = House { secrets: &self.secrets, now: self.now, has_session };
        match (self.twins.door)(&house, text) {
            Entered::Asked(Ok((id, request))) if self.shut.contains(&request.kind()) => {
                let told = "this server does not say that to anybody";
                Entered::Asked(Err((id, Refusal::new(Code::Forbidden, told))))
            }
            Entered::Asked(Err(refused)) => match &self.shelf {
                Some(shelf) => match shelf.answer(self.twins.resume, text) {
                    Some(answer) => Entered::Answered(Some(answer)),
                    None => Entered::Asked(Err(refused)),
                },
                None => Entered::Asked(Err(refused)),
            },
            entered => entered,
        }
    }

    /// Takes requests out of what this world's server offers.
    pub(super) fn shut(&mut self, kinds: &[RequestKind]) {
        self.shut.extend_from_slice(kinds);
    }
}
