//! A direct connection of either kind, before and after it is proven.

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
                let sent = move || tcp::send(&sealed, stream, offset, &meter, &stop);
                spawn_blocking(sent).await.unwrap_or(Err(Halt::Stopped))
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
                let received = spawn_blocking(move || {
                    let ended = tcp::receive(&mut part, stream, &meter, &stop);
                    (part, ended)
                });
                received.await.map_err(|_| Halt::Stopped)
            }
            Self::Quic(stream) => stream.receive(part, meter, &stop).await,
        }
    }
}
