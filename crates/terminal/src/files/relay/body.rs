//! Pieces as the body of a request, without copying them, and the body of an answer as pieces.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::sync::mpsc::Sender;

use super::super::halt::Halt;
use super::super::meter::Meter;
use super::super::pieces::{Giver, Taker};
use super::super::sealed::Outgoing;

/// The body of a request.
pub(super) struct Pieces {
    from: Option<Taker<Outgoing>>,
    left: u64,
    meter: Arc<Meter>,
}

impl Pieces {
    /// No body.
    pub(super) fn none() -> Self {
        Self { from: None, left: 0, meter: Arc::default() }
    }

    /// So many bytes.
    pub(super) const fn new(from: Taker<Outgoing>, bytes: u64, meter: Arc<Meter>) -> Self {
        Self { from: Some(from), left: bytes, meter }
    }
}

impl Body for Pieces {
    type Data = PieceBuf;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<PieceBuf>, Infallible>>> {
        let Some(from) = &mut self.from else { return Poll::Ready(None) };
        // If there are fewer than were announced, the request is not whole, and the server sees that.
        let Some(piece) = ready!(from.poll_take(context)) else { return Poll::Ready(None) };
        let spare = from.spare();
        let bytes = piece.bytes().len() as u64;
        self.left = self.left.saturating_sub(bytes);
        self.meter.add(bytes);
        Poll::Ready(Some(Ok(Frame::data(PieceBuf { piece: Some(piece), at: 0, spare }))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// A piece that is being written; its buffer goes back when it is.
pub(super) struct PieceBuf {
    piece: Option<Outgoing>,
    at: usize,
    spare: Sender<Vec<u8>>,
}

impl Buf for PieceBuf {
    fn remaining(&self) -> usize {
        self.chunk().len()
    }

    fn chunk(&self) -> &[u8] {
        self.piece.as_ref().and_then(|piece| piece.bytes().get(self.at..)).unwrap_or_default()
    }

    fn advance(&mut self, count: usize) {
        self.at += count;
    }
}

impl Drop for PieceBuf {
    fn drop(&mut self) {
        if let Some(piece) = self.piece.take() {
            // One too many is let go.
            let _ = self.spare.try_send(piece.into_buffer());
        }
    }
}

/// Cuts an answer's body into pieces of these lengths.
///
/// # Errors
/// [`Halt::Broken`] where it ends before.
pub(super) async fn collect(
    mut body: Incoming,
    lengths: impl Iterator<Item = usize>,
    mut into: Giver<Vec<u8>>,
) -> Result<(), Halt> {
    let mut frame = Bytes::new();
    for length in lengths {
        let mut piece = into.buffer();
        piece.clear();
        while piece.len() < length {
            if frame.is_empty() {
                frame = next(&mut body).await.ok_or(Halt::Broken)?;
            }
            let now = frame.split_to((length - piece.len()).min(frame.len()));
            piece.extend_from_slice(&now);
        }
        if !into.put(piece).await {
            return Err(Halt::Broken);
        }
    }
    Ok(())
}

/// The next bytes of a body; none at its end, and where it breaks.
async fn next(body: &mut Incoming) -> Option<Bytes> {
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
        if let Ok(bytes) = frame?.ok()?.into_data() {
            return Some(bytes);
        }
    }
}
