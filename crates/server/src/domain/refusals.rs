//! What the log says of refusals: that the server itself has failed, once a second at most, and, for
//! whoever looks closely, which codes were given. Leaves out who asked, and for what.

use portcullis_proto::{Code, Refusal, Timestamp};
use portcullis_server_core::Output;

/// Milliseconds between two lines about a failure: a full disk fails every batch, and the log must not
/// fill what is left of it.
const PAUSE_MILLIS: u64 = 1000;

/// Failures that have been logged, and those that were not.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    logged_at: Option<Timestamp>,
    /// Failed requests since then.
    unlogged: u64,
}

impl Refusals {
    /// Logs what a batch has refused.
    pub(super) fn log(&mut self, now: Timestamp, outputs: &[Output]) {
        let mut failed: Option<&Refusal> = None;
        for refusal in outputs.iter().filter_map(refusal) {
            tracing::debug!(code = ?refusal.code, "refused");
            if refusal.code == Code::Unavailable {
                self.unlogged = self.unlogged.saturating_add(1);
                failed = failed.or(Some(refusal));
            }
        }
        if let Some(refusal) = failed
            && self.is_due(now)
        {
            // The sentence of this code says which kind of failure it was, and quotes nothing.
            tracing::error!(error = refusal.message, requests = self.unlogged, "requests failed");
            self.logged_at = Some(now);
            self.unlogged = 0;
        }
    }

    /// A clock that was set back delays no line.
    fn is_due(&self, now: Timestamp) -> bool {
        self.logged_at.is_none_or(|at| now < at || now.0 - at.0 >= PAUSE_MILLIS)
    }
}

fn refusal(output: &Output) -> Option<&Refusal> {
    match output {
        Output::Reply { result: Err(refusal), .. } => Some(refusal),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use portcullis_crypto::{ServerSetup, Stretch};
    use portcullis_proto::{Reply, Request};
    use portcullis_server_core::defences::SOUND;
    use portcullis_server_core::store::{MemoryStore, Store as _, StoreError};
    use portcullis_server_core::{BlobPolicy, ConnectionId, Instance, Registration, Server};
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;
    use crate::domain::{Arrival, Ask, CoreDomain, Domain as _};
    use crate::hub::Batch;
    use crate::socket;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that are logged meanwhile.
    fn logged(act: impl FnOnce()) -> Vec<String> {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_target(false)
            .without_time()
            .with_writer(move || writer.clone());
        tracing::subscriber::with_default(log.finish(), act);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| line.trim().to_owned()).collect()
    }

    fn output(result: Result<Reply, Refusal>) -> Output {
        Output::Reply { connection: ConnectionId(1), id: 1, result }
    }

    #[test]
    fn a_failure_is_logged_once_a_second() {
        let mut refusals = Refusals::default();
        let mut check = |at: u64, error: Option<StoreError>, expected: &[&str]| {
            let result = || error.map_or(Ok(Reply::Done), |error| Err(error.into()));
            let outputs = [output(result()), output(result())];
            let mut lines = logged(|| refusals.log(Timestamp(at), &outputs));
            lines.retain(|line| line.starts_with("ERROR"));
            assert_eq!(lines, expected, "at {at}");
        };
        let full = "ERROR requests failed error=\"the server can't do this now: the disk is full\"";
        check(5000, None, &[]);
        check(5000, Some(StoreError::Full), &[&format!("{full} requests=2")]);
        check(5999, Some(StoreError::Io), &[]);
        check(5999, None, &[]);
        check(6000, Some(StoreError::Full), &[&format!("{full} requests=4")]);
        check(4000, Some(StoreError::Full), &[&format!("{full} requests=2")]);
    }

    #[test]
    fn other_refusals_are_for_whoever_looks_closely() {
        let secret = Refusal::new(Code::NotFound, "of #den and mira");
        let outputs = [output(Err(secret)), output(Ok(Reply::Done))];
        let lines = logged(|| Refusals::default().log(Timestamp(1), &outputs));
        assert_eq!(lines, ["DEBUG refused code=NotFound"]);
    }

    #[test]
    fn a_store_that_fails_leaves_a_line() {
        let mut random = ChaCha20Rng::seed_from_u64(7);
        let instance = Instance {
            setup: ServerSetup::generate(&mut random),
            registration: Registration::Open,
            stretch: Stretch::STANDARD,
            rate_factor: 1,
            blobs: BlobPolicy::default(),
            guests: None,
        };
        let store = MemoryStore::default();
        store.begin().unwrap(); // so that the batch can't
        let server = Server::new(instance, SOUND, Box::new(random));
        let mut domain = CoreDomain::new(server, Box::new(store), None);
        let ask = Ask::Client(Ok((1, Request::SignOut {})));
        let request = Arrival::Request(socket::ConnectionId(1), ask);
        let lines = logged(|| domain.carry_out(vec![request], &mut Batch::new()));
        let failed = lines.iter().filter(|line| line.starts_with("ERROR requests failed"));
        assert_eq!(failed.count(), 1, "{lines:?}");
    }
}
