//! A range in a thread of its own, for whoever measures or tests one: without a class, at a free port of loopback.

use super::{Host, RunError, run};
use futures_util::Stream;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// A range that runs until this is stopped or dropped.
#[derive(Debug)]
pub struct Background {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), RunError>>>,
}

impl Background {
    /// Starts it, with a clock, and waits until it can be reached.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn start(
        folder: PathBuf,
        seconds: impl Stream<Item = ()> + Send + 'static,
    ) -> Result<Self, RunError> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (told, addresses) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
            let runtime = runtime.map_err(|error| RunError::Io(any, error))?;
            // Whoever started it waits for this.
            let ready = move |host: &Host| {
                let _ = told.send(host.address());
            };
            let until = async { drop(stopped.await) };
            runtime.block_on(run(any, &folder, "", seconds, ready, until))
        });
        match addresses.recv() {
            Ok(address) => Ok(Self { address, stop: Some(stop), thread: Some(thread) }),
            // It has ended before it could be reached.
            Err(_) => Err(thread
                .join()
                .map_or(RunError::Broken, |ran| ran.err().unwrap_or(RunError::Broken))),
        }
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it, and says how it ran.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn stop(mut self) -> Result<(), RunError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), RunError> {
        // It may have ended already.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let joined = self.thread.take().map(JoinHandle::join);
        joined.unwrap_or(Ok(Ok(()))).unwrap_or(Err(RunError::Broken))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Whoever wants to know how it ran stops it.
        let _ = self.end();
    }
}
