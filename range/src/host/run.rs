//! Running: a loopback address, the teacher's socket, a clock for the worlds, until somebody says stop.
//!
//! Leaves out whose clock it is: that is passed in, and [`seconds`] is the machine's.

use super::{Host, http, places, teacher};
use crate::plane::{Folder, FolderError};
use futures_util::{Stream, StreamExt as _, stream};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// Why a range does not run.
#[derive(Debug)]
pub enum RunError {
    /// An address that others can reach was asked for, or is what came of it.
    NotLoopback(IpAddr),
    /// The folder can't be used.
    Folder(FolderError),
    /// It is the range of this class, or of none, and another was asked for.
    OtherClass(PathBuf, String),
    /// It ended where it should not.
    Broken,
    /// The system says no.
    Io(SocketAddr, io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoopback(address) => write!(
                f,
                "{address} can be reached from elsewhere, and nothing here is secure: the range listens on \
                 loopback only; a class comes by `ssh -L`"
            ),
            Self::Folder(error) => write!(f, "{error}"),
            Self::OtherClass(path, own) if own.is_empty() => {
                write!(f, "{} is a range without a class; name another folder", path.display())
            }
            Self::OtherClass(path, own) => {
                write!(f, "{} is the range of class {own}", path.display())
            }
            Self::Broken => f.write_str("the range broke down"),
            Self::Io(address, error) => write!(f, "{address}: {error}"),
        }
    }
}

impl std::error::Error for RunError {}

/// Runs until `stopped`; a new folder takes the class's name, which is empty at home. `ready` is told once it can be
/// reached. In the worlds that somebody is connected to a second passes for each of `seconds`, and has passed
/// everywhere when the next one is asked for.
///
/// # Errors
/// [`RunError`].
pub async fn run(
    address: SocketAddr,
    folder: &Path,
    class: &str,
    seconds: impl Stream<Item = ()> + Send + 'static,
    ready: impl FnOnce(&Host),
    stopped: impl Future<Output = ()> + Send + 'static,
) -> Result<(), RunError> {
    let listener = bind(address).await?;
    let bound = listener.local_addr().map_err(|error| RunError::Io(address, error))?;
    // Not before there is an address: what can't run leaves nothing behind.
    let opened = Folder::open(folder, class).map_err(RunError::Folder)?;
    let own = opened.folder.class();
    if !class.is_empty() && own != class {
        return Err(RunError::OtherClass(folder.to_owned(), own.to_owned()));
    }
    let host = Arc::new(Host::new(opened, bound));
    let teacher = teacher::listen(Arc::clone(&host), folder).map_err(RunError::Folder)?;
    let clock = tokio::spawn(tick(Arc::clone(&host), seconds));
    ready(&host);
    places::serve(listener, http::router(host), stopped).await;
    clock.abort();
    teacher.abort();
    Ok(())
}

/// Binds a loopback address, and looks again at what came of it.
async fn bind(address: SocketAddr) -> Result<TcpListener, RunError> {
    if !address.ip().is_loopback() {
        return Err(RunError::NotLoopback(address.ip()));
    }
    let listener =
        TcpListener::bind(address).await.map_err(|error| RunError::Io(address, error))?;
    let bound = listener.local_addr().map_err(|error| RunError::Io(address, error))?;
    if !bound.ip().is_loopback() {
        return Err(RunError::NotLoopback(bound.ip()));
    }
    Ok(listener)
}

/// Where a range is if nobody says otherwise.
#[must_use]
pub const fn default_address() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 12399)
}

/// Seconds as they pass outside.
pub fn seconds() -> impl Stream<Item = ()> + Send + 'static {
    stream::unfold(None, |clock| async {
        let mut clock = clock.unwrap_or_else(|| {
            let mut clock = tokio::time::interval(Duration::from_secs(1));
            clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            clock
        });
        clock.tick().await;
        Some(((), Some(clock)))
    })
}

async fn tick(host: Arc<Host>, seconds: impl Stream<Item = ()> + Send) {
    let mut seconds = pin!(seconds);
    while seconds.next().await.is_some() {
        let host = Arc::clone(&host);
        // Worlds compute; the connections must not wait for them.
        let _ = tokio::task::spawn_blocking(move || host.tick()).await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_loopback_is_bound() {
        for address in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0", "[2001:db8::1]:0"] {
            let refused = bind(address.parse().unwrap()).await;
            assert!(matches!(refused, Err(RunError::NotLoopback(_))), "{address}");
        }
        assert!(
            bind("127.0.0.1:0".parse().unwrap())
                .await
                .unwrap()
                .local_addr()
                .unwrap()
                .ip()
                .is_loopback()
        );
    }
}
