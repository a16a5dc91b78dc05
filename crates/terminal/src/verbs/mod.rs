//! The headless verbs: a device without a screen, for scripts and bots. Each prints JSON lines on
//! standard output, and all else on standard error.
//!
//! Leaves out the command line itself: that is the binary's.

mod channels;
mod exit;
mod files;
mod group;
mod guests;
mod options;
mod output;
mod quiet;
mod register;
mod send;
mod session;
mod tail;
mod transfers;
mod users;

use std::time::Duration;

pub use channels::{create, join};
pub use exit::{Exit, Failure};
pub use files::{Receive, SendFiles, receive, send_files};
pub use group::{Group, group};
pub use guests::guests;
pub use options::{Common, data_folder, homes_at};
pub use output::note;
pub use register::register;
use send::reach;
pub use send::{Source, send};
pub use tail::{Tail, tail};
pub use transfers::{Which, transfers};
pub use users::users;

use session::Session;

/// How long a verb may take that ends by itself.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long nothing may move before whoever waits for a file is told for which.
const WAITED: Duration = Duration::from_secs(10);

/// How long is waited before a file that can't be kept is tried again: somebody may have made room. Doubled each time …
const AGAIN: Duration = Duration::from_secs(1);

/// … so many times, to a minute.
const AGAIN_DOUBLINGS: u32 = 6;

/// How long is waited at most, after all is done, for what lets classroom guests find the device: a key takes a second on a
/// slow machine.
const TO_BE_FOUND: Duration = Duration::from_secs(10);

/// Does what a verb is for, within a time, and then lets guests find this device, where that takes any doing. What was done
/// stays done if they can't.
async fn within_then_found(
    limit: Option<Duration>,
    work: impl Future<Output = Result<Session, Failure>>,
) -> Result<(), Failure> {
    let mut session = within(limit, work).await?;
    let wait = limit.map_or(TO_BE_FOUND, |limit| limit.min(TO_BE_FOUND));
    let found = tokio::time::timeout(wait, session.be_found()).await;
    if !matches!(found, Ok(Ok(()))) {
        note("classroom guests can't write to this device yet");
    }
    Ok(())
}

/// Ends work that takes too long.
async fn within<T>(
    limit: Option<Duration>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let Some(limit) = limit else { return work.await };
    let ended = tokio::time::timeout(limit, work).await;
    ended.unwrap_or_else(|_| {
        let seconds = limit.as_secs();
        Err(Failure::new(Exit::Unreachable, format!("not done within {seconds} s")))
    })
}
