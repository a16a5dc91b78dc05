//! Runs slow work on the spot: for the headless verbs, the simulator and scripted people, where no
//! screen has to stay alive.

use crate::{Client, Effect, Effects, Event};
use portcullis_crypto::{Job, Outcome, Randomness};
use portcullis_proto::Timestamp;

/// Handles an event and all the work that it leads to. The effects come in the order in which they
/// have to be done; none of them is `Work`.
pub fn drive(
    client: &mut Client,
    event: Event,
    now: Timestamp,
    rng: &mut dyn Randomness,
    perform: &mut dyn FnMut(Job) -> Outcome,
) -> Effects {
    let mut done = Effects::new();
    let mut events = vec![event];
    while let Some(event) = events.pop() {
        for effect in client.handle(event, now, rng) {
            match effect {
                Effect::Work(id, job) => events.push(Event::Worked(id, perform(*job))),
                effect => done.push(effect),
            }
        }
    }
    done
}
