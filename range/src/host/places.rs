//! The connections of a range: how many there may be at once, how long they may be silent, and how long leave unread
//! what is written to them. Whoever comes when all places are taken waits until one goes.
//!
//! Leaves out whose they are: all learners come from loopback. What a learner holds is bounded where they are known.

use crate::limits;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Sleep;

/// A listener with so many places.
#[derive(Debug)]
struct Places {
    listener: TcpListener,
    free: Arc<Semaphore>,
    /// How long a connection may take nothing of what is written to it.
    patience: Duration,
}

/// A connection, and its place until it ends.
#[derive(Debug)]
struct Placed {
    stream: TcpStream,
    _place: Option<OwnedSemaphorePermit>,
    patience: Duration,
    /// Until when what waits to be written may wait.
    unread: Option<Pin<Box<Sleep>>>,
}

/// Answers whoever comes, until `stopped`; then all connections end.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    stopped: impl Future<Output = ()>,
) {
    let patience = Duration::from_millis(limits::UNREAD_MILLIS);
    let places = Places::new(listener, limits::CONNECTIONS, patience);
    let mut connections = JoinSet::new();
    let mut stopped = pin!(stopped);
    loop {
        tokio::select! {
            () = &mut stopped => return,
            placed = places.accept() => drop(connections.spawn(answer(placed, router.clone()))),
            Some(_) = connections.join_next() => {}
        }
    }
}

/// What waits for a request, or for the rest of one, waits for a while only.
async fn answer(placed: Placed, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits::SILENT_MILLIS))
        .serve_connection(TokioIo::new(placed), TowerToHyperService::new(router))
        .with_upgrades();
    // Whatever goes wrong with HTTP concerns this peer alone, and it has been told.
    let _ = connection.await;
}

impl Places {
    fn new(listener: TcpListener, count: usize, patience: Duration) -> Self {
        Self { listener, free: Arc::new(Semaphore::new(count)), patience }
    }

    async fn accept(&self) -> Placed {
        // Nobody closes this semaphore, so there is always a place in the end.
        let place = Arc::clone(&self.free).acquire_owned().await.ok();
        loop {
            if let Ok((stream, _)) = self.listener.accept().await {
                // A frame goes out when it is there: a script that waits for one must not wait for the next.
                // Without this it is slower, and no more.
                let _ = stream.set_nodelay(true);
                return Placed { stream, _place: place, patience: self.patience, unread: None };
            }
            tokio::time::sleep(Duration::from_millis(limits::ACCEPT_PAUSE_MILLIS)).await;
        }
    }
}

impl Placed {
    /// What came of a write, or that it has waited for too long.
    fn in_time(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.unread = None;
            return written;
        }
        let patience = self.patience;
        let unread = self.unread.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        unread.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
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
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.in_time(context, written)
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
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.in_time(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const PATIENCE: Duration = Duration::from_millis(20);

    /// What nobody reads is not held for ever; whoever reads gets all of it.
    #[tokio::test]
    async fn what_is_left_unread_ends() {
        let much = vec![7; 64 * 1024 * 1024];
        for reads in [false, true] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let patience = if reads { Duration::from_secs(60) } else { PATIENCE };
            let places = Places::new(listener, 1, patience);
            let mut peer = TcpStream::connect(address).await.unwrap();
            let mut placed = places.accept().await;
            if reads {
                let mut heard = vec![0; much.len()];
                let (wrote, read) =
                    tokio::join!(placed.write_all(&much), peer.read_exact(&mut heard));
                assert_eq!((wrote.unwrap(), read.unwrap()), ((), much.len()));
            } else {
                let refused = placed.write_all(&much).await.unwrap_err();
                assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
            }
        }
    }

    #[tokio::test]
    async fn whoever_comes_when_all_places_are_taken_waits_for_one() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let places = Places::new(listener, 2, PATIENCE);
        let mut come = Vec::new();
        for _ in 0..3 {
            come.push(TcpStream::connect(address).await.unwrap());
        }
        let (first, second) = (places.accept().await, places.accept().await);
        let third = tokio::spawn(async move { places.accept().await.stream.peer_addr().unwrap() });
        tokio::task::yield_now().await;
        assert!(!third.is_finished());
        drop(first);
        assert_eq!(third.await.unwrap(), come.pop().unwrap().local_addr().unwrap());
        drop(second);
    }
}
