//! Bodies of requests and answers, piece by piece: how one is read, thrown away, and made of what comes from a
//! disk. Leaves out what they hold.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

/// The next packet of a request's body; none at its end.
pub(crate) async fn packet(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    loop {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
        match frame.map(|frame| frame.into_data()) {
            Ok(Ok(bytes)) => return Some(Ok(bytes)),
            // Trailers say nothing that is needed.
            Ok(Err(_)) => {}
            Err(error) => return Some(Err(error)),
        }
    }
}

/// Bytes that are read on and thrown away after a refusal: a client that only looks for the answer once
/// it has sent everything would otherwise meet a reset instead.
const DRAIN_BYTES: u64 = 64 * 1024 * 1024;

/// How long that may take.
const DRAIN: Duration = Duration::from_secs(10);

/// Reads on for a while and throws away what comes.
pub(crate) async fn drain(mut body: Body) {
    let draining = async {
        let mut left = DRAIN_BYTES;
        while let Some(Ok(bytes)) = packet(&mut body).await {
            let Some(less) = left.checked_sub(bytes.len() as u64) else { break };
            left = less;
        }
    };
    // However it ends: the answer is on its way.
    let _ = timeout(DRAIN, draining).await;
}

/// The body of an answer, of which so many bytes come from somebody who reads ahead.
pub(crate) struct Pieces {
    pieces: Receiver<io::Result<Bytes>>,
    left: u64,
}

impl Pieces {
    /// A body of `bytes` bytes.
    pub(crate) const fn new(pieces: Receiver<io::Result<Bytes>>, bytes: u64) -> Self {
        Self { pieces, left: bytes }
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = ready!(self.pieces.poll_recv(context));
        Poll::Ready(match piece {
            Some(Ok(bytes)) => {
                self.left = self.left.saturating_sub(bytes.len() as u64);
                Some(Ok(Frame::data(bytes)))
            }
            Some(Err(error)) => Some(Err(error)),
            // The connection must not be taken for a whole answer.
            None if self.left > 0 => Some(Err(io::ErrorKind::TimedOut.into())),
            None => None,
        })
    }
}
