//! Nobody asks more often than people and well-behaved programs do.
//!
//! Attack: passwords are guessed by the thousand, or one client's flood starves all others.
//! CWE-307, improper restriction of excessive authentication attempts; CWE-770.
//! Precedent: OWASP API4:2023, unrestricted resource consumption; RFC 9807 section 10.8 leaves online
//! guessing to rate limits.

use crate::{Context, Rate, RateKey};
use portcullis_proto::Refusal;

/// Proof that the request was counted and is within its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateAdmitted(());

impl RateAdmitted {
    /// For the range's unsound twins: without counting.
    #[must_use]
    pub const fn unproven() -> Self {
        Self(())
    }
}

/// Takes the request's tokens.
///
/// # Errors
/// [`portcullis_proto::Code::RateLimited`], with the time to wait.
pub fn admit_rate(
    context: &mut Context<'_>,
    key: (Rate, RateKey),
    cost: u32,
) -> Result<RateAdmitted, Refusal> {
    let (now, factor) = (context.now, context.instance.rate_factor);
    context.limits.take(key, cost, factor, now).map_err(Refusal::rate_limited)?;
    Ok(RateAdmitted(()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use crate::Peer;
    use crate::defences::{Defences, SOUND};
    use crate::testing::{Setting, USUAL, World};
    use portcullis_proto::{Code, ConversationId, Request};

    fn world(defences: Defences) -> World {
        World::build(Setting { defences, rate_factor: 1, ..USUAL })
    }

    /// How many guesses at mira's password are answered before the server wants a pause.
    fn guesses(defences: Defences, most: u32) -> u32 {
        let mut world = world(defences);
        world.person("mira");
        let connection = world.connect();
        for guess in 0..most {
            let tried = world.log_in(connection, "mira", &format!("guess {guess}"));
            match tried.unwrap_err() {
                refusal if refusal.code == Code::LoginFailed => {}
                refusal => {
                    assert_eq!(refusal.code, Code::RateLimited);
                    assert_eq!(refusal.retry_after, Some(10_000));
                    return guess;
                }
            }
        }
        most
    }

    #[test]
    fn guessing_is_stopped() {
        let uncounted = Defences { admit_rate: |_, _, _| Ok(RateAdmitted::unproven()), ..SOUND };
        assert_eq!(guesses(SOUND, 50), 8);
        assert_eq!(guesses(uncounted, 50), 50);
    }

    #[test]
    fn names_in_turn_are_stopped_by_address() {
        let mut world = world(SOUND);
        let connection = world.connect();
        let codes = (0..31).map(|n| {
            let tried = world.log_in(connection, &format!("user{n}"), "guess");
            tried.unwrap_err().code
        });
        let codes: Vec<_> = codes.collect();
        assert_eq!(codes[..30], [Code::LoginFailed; 30]);
        assert_eq!(codes[30], Code::RateLimited);
    }

    #[test]
    fn nobody_locks_another_out_and_right_passwords_cost_nothing() {
        let mut world = world(SOUND);
        let mira = world.person("mira");
        let attacker = world.connect();
        for _ in 0..9 {
            let _ = world.log_in(attacker, "mira", "guess");
        }
        for _ in 0..40 {
            let elsewhere = world.connect_from(Peer::new("192.0.2.7".parse().unwrap()));
            let logged_in = world.log_in(elsewhere, "mira", &mira.password);
            assert_eq!(logged_in.map(|l| l.account), Ok(mira.account));
        }
        let refused = world.log_in(attacker, "mira", &mira.password).unwrap_err();
        assert_eq!(refused.code, Code::RateLimited);
        world.wait(10_000);
        assert!(world.log_in(attacker, "mira", &mira.password).is_ok());
    }

    /// Asks the same until it is refused for its rate; a refusal for another reason counts too.
    fn check(request: impl Fn(u32) -> Request, expected: u32) {
        let mut world = world(SOUND);
        let mira = world.person("mira");
        let limited = |world: &mut World, count| {
            let answer = world.ask(mira.connection, request(count));
            answer.is_err_and(|refusal| refusal.code == Code::RateLimited)
        };
        let first = (0..=expected).find(|count| limited(&mut world, *count));
        assert_eq!(first, Some(expected));
    }

    #[test]
    fn floods_are_stopped_even_of_requests_that_are_refused() {
        let lobby = ConversationId::LOBBY;
        let unknown = ConversationId::from_bytes([9; 16]);
        let fetch = |_| Request::Fetch { conversation: unknown, after: 0, limit: 1 };
        check(fetch, 2_000);
        let leave = |_| Request::Leave { conversation: lobby };
        check(leave, 60);
        let submit = |envelopes| {
            move |_| Request::Submit {
                conversation: lobby,
                epoch: 0,
                device: portcullis_proto::DeviceId::from_bytes([0; 16]),
                envelopes: crate::testing::drafts(&vec![1; envelopes]),
            }
        };
        check(submit(0), 2_000); // nothing to say, but said too often
        check(submit(1), 2_000);
        check(submit(64), 31); // each envelope counts
    }
}
