//! How work is stopped that sits in a system call on a thread of its own: a flag that it looks at between two
//! pieces, and the sockets that it waits for, which are shut down.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::halt::Halt;

/// A way to stop a job; whoever holds a copy may do it.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    wanted: AtomicBool,
    notify: Notify,
    sockets: Mutex<Sockets>,
}

/// Copies of sockets, each under a number of its own.
#[derive(Debug, Default)]
struct Sockets {
    last: u64,
    open: Vec<(u64, TcpStream)>,
}

impl Stop {
    /// Stops what looks at it, now and later.
    pub(super) fn stop(&self) {
        self.0.wanted.store(true, Ordering::Release);
        self.0.notify.notify_waiters();
        for (_, socket) in self.sockets().open.drain(..) {
            // One that is closed needs no closing.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Whether it was stopped.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.wanted.load(Ordering::Acquire)
    }

    /// Goes on only if it was not.
    ///
    /// # Errors
    /// [`Halt::Stopped`].
    pub(super) fn check(&self) -> Result<(), Halt> {
        if self.is_wanted() { Err(Halt::Stopped) } else { Ok(()) }
    }

    /// Waits until it is stopped.
    pub(super) async fn wanted(&self) {
        let notified = self.0.notify.notified();
        tokio::pin!(notified);
        // Before looking, so that nothing is missed in between.
        notified.as_mut().enable();
        if !self.is_wanted() {
            notified.await;
        }
    }

    /// Has a socket shut down when it is stopped, for as long as the guard lives.
    pub(super) fn guard(&self, socket: &TcpStream) -> Result<Guard<'_>, Halt> {
        let copy = socket.try_clone().map_err(|_| Halt::Broken)?;
        let mut sockets = self.sockets();
        sockets.last += 1;
        let number = sockets.last;
        sockets.open.push((number, copy));
        drop(sockets);
        let guard = Guard { stop: self, number };
        // It may have been stopped while the copy was on its way.
        self.check().map(|()| guard)
    }

    fn sockets(&self) -> MutexGuard<'_, Sockets> {
        self.0.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket that would be shut down.
pub(super) struct Guard<'a> {
    stop: &'a Stop,
    number: u64,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.stop.sockets().open.retain(|(number, _)| *number != self.number);
    }
}
