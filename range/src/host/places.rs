//! How many connections there may be at once: whoever comes then waits until one goes.
//!
//! Leaves out whose they are: all learners come from loopback.

use crate::limits;
use axum::serve::Listener;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A listener with so many places.
#[derive(Debug)]
pub(super) struct Places {
    listener: TcpListener,
    free: Arc<Semaphore>,
}

/// A connection, and its place until it ends.
#[derive(Debug)]
pub(super) struct Placed {
    stream: TcpStream,
    _place: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(super) fn new(listener: TcpListener, count: usize) -> Self {
        Self { listener, free: Arc::new(Semaphore::new(count)) }
    }
}

impl Listener for Places {
    type Io = Placed;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Placed, SocketAddr) {
        // Nobody closes this semaphore, so there is always a place in the end.
        let place = Arc::clone(&self.free).acquire_owned().await.ok();
        loop {
            if let Ok((stream, address)) = self.listener.accept().await {
                // A frame goes out when it is there: a script that waits for one must not wait for the next.
                // Without this it is slower, and no more.
                let _ = stream.set_nodelay(true);
                return (Placed { stream, _place: place }, address);
            }
            tokio::time::sleep(Duration::from_millis(limits::ACCEPT_PAUSE_MILLIS)).await;
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl AsyncRead for Placed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Placed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_comes_when_all_places_are_taken_waits_for_one() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut places = Places::new(listener, 2);
        let address = places.local_addr().unwrap();
        let mut come = Vec::new();
        for _ in 0..3 {
            come.push(TcpStream::connect(address).await.unwrap());
        }
        let (first, _) = places.accept().await;
        let (second, _) = places.accept().await;
        let third = tokio::spawn(async move { places.accept().await.1 });
        tokio::task::yield_now().await;
        assert!(!third.is_finished());
        drop(first);
        assert_eq!(third.await.unwrap(), come.pop().unwrap().local_addr().unwrap());
        drop(second);
    }
}
