//! A direct connection of either kind, before and after it is proven.

use std::net::Shutdown;
use std::sync::Arc;

use portcullis_client_core::defences::HELLO;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;

use super::super::halt::Halt;
use super::super::meter::Meter;
use super::super::part::Part;
use super::super::sealed::Sealed;
use super::super::stop::Stop;
use super::pace::{too_slow, unless_slow};
use super::quic::QuicStream;
use super::tcp;

/// A connection between two devices.
pub(super) enum Wire {
    Tcp(TcpStream),
    Quic(QuicStream),
}

impl Wire {
    /// Says who is there, and from where on; none if it is broken.
    pub(super) async fn say(&mut self, hello: &[u8; HELLO]) -> Option<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(hello).await.ok(),
            Self::Quic(stream) => stream.say(hello).await,
        }
    }

    /// Hears that.
    pub(super) async fn hear(&mut self) -> Option<[u8; HELLO]> {
        match self {
            Self::Tcp(stream) => {
                let mut hello = [0; HELLO];
                stream.read_exact(&mut hello).await.ok()?;
                Some(hello)
            }
            Self::Quic(stream) => stream.hear().await,
        }
    }

    /// Sends a blob from a byte on.
    ///
    /// # Errors
    /// [`Halt`].
    pub(super) async fn send(
        self,
        sealed: Arc<Sealed>,
        offset: u64,
        meter: Arc<Meter>,
        stop: Stop,
    ) -> Result<(), Halt> {
        match self {
            Self::Tcp(stream) => {
                let stream = stream.into_std().map_err(|_| Halt::Broken)?;
                let socket = stream.try_clone().map_err(|_| Halt::Broken)?;
                let metered = Arc::clone(&meter);
                let sent = move || tcp::send(&sealed, stream, offset, &metered, &stop);
                let (sent, slow) = paced(spawn_blocking(sent), &meter, &socket).await;
                unless_slow(sent.unwrap_or(Err(Halt::Stopped)), slow)
            }
            Self::Quic(stream) => stream.send(sealed, offset, &meter, &stop).await,
        }
    }

    /// Receives what a part lacks. The part is lost only if this process is about to end.
    ///
    /// # Errors
    /// [`Halt`].
    pub(super) async fn receive(
        self,
        mut part: Part,
        meter: Arc<Meter>,
        stop: Stop,
    ) -> Result<(Part, Result<(), Halt>), Halt> {
        match self {
            Self::Tcp(stream) => {
                let Ok(stream) = stream.into_std() else { return Ok((part, Err(Halt::Broken))) };
                let Ok(socket) = stream.try_clone() else { return Ok((part, Err(Halt::Broken))) };
                let metered = Arc::clone(&meter);
                let received = spawn_blocking(move || {
                    let ended = tcp::receive(&mut part, stream, &metered, &stop);
                    (part, ended)
                });
                let (received, slow) = paced(received, &meter, &socket).await;
                let (part, ended) = received.map_err(|_| Halt::Stopped)?;
                Ok((part, unless_slow(ended, slow)))
            }
            Self::Quic(stream) => stream.receive(part, meter, &stop).await,
        }
    }
}

/// Waits for what moves, and ends the connection where that is too slow; says whether it was.
async fn paced<T>(
    moving: impl Future<Output = T>,
    meter: &Meter,
    socket: &std::net::TcpStream,
) -> (T, bool) {
    tokio::pin!(moving);
    tokio::select! {
        moved = &mut moving => return (moved, false),
        () = too_slow(meter) => {}
    }
    // Where that fails, it has ended already.
    let _ = socket.shutdown(Shutdown::Both);
    (moving.await, true)
}
