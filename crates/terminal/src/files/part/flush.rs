//! Makes what was written durable while more arrives, so that little is left to wait for in the end. A thread of
//! its own, since the disk answers when it likes.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::super::limits::FLUSH;

/// Flushes one file after the other.
#[derive(Debug, Default)]
pub(super) struct Flusher {
    /// Bytes that were written since the last time.
    written: u64,
    running: Option<Running>,
}

/// The way to the thread, and the thread.
type Running = (SyncSender<Arc<File>>, JoinHandle<io::Result<()>>);

impl Flusher {
    /// So many bytes were written to a file. Never waits.
    pub(super) fn wrote(&mut self, file: &Arc<File>, bytes: u64) {
        self.written += bytes;
        if self.written < FLUSH {
            return;
        }
        let (files, _) = self.running.get_or_insert_with(start);
        // If it is still at the one before, this one has to wait for more.
        if files.try_send(Arc::clone(file)).is_ok() {
            self.written = 0;
        }
    }

    /// Waits for what is being flushed.
    ///
    /// # Errors
    /// What the disk said; it says it only once, so it must not be lost here.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.written = 0;
        let Some((files, thread)) = self.running.take() else { return Ok(()) };
        drop(files);
        thread.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
    }
}

fn start() -> Running {
    let (files, waiting) = sync_channel::<Arc<File>>(1);
    let thread = std::thread::spawn(move || waiting.iter().try_for_each(|file| file.sync_data()));
    (files, thread)
}
