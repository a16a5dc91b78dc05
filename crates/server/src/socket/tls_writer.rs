//! The task that writes for one TLS connection: encryption has a state of its own, so nobody else
//! may write to such a socket.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncWriteExt as _, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::server::TlsStream;

use super::connection::Connection;
use super::outbox::Wire;

/// Writes what waits until the connection ends.
pub(super) async fn write(connection: Arc<Connection>, mut half: WriteHalf<TlsStream<TcpStream>>) {
    let Wire::Tls(bells) = &connection.outbox.wire else {
        return;
    };
    tokio::select! {
        () = bells.stop_writing.notified() => {}
        () = write_until_closed(&connection, &bells.wake, &mut half) => {}
    }
    connection.kill();
}

/// Writes until the close frame is out or the socket fails.
async fn write_until_closed(
    connection: &Connection,
    wake: &Notify,
    half: &mut WriteHalf<TlsStream<TcpStream>>,
) {
    while write_queue(connection, half).await.is_ok() {
        connection.relieved();
        if connection.outbox.is_over() {
            // Says close_notify, where the peer still listens.
            let _ = half.shutdown().await;
            return;
        }
        wake.notified().await;
    }
}

async fn write_queue(
    connection: &Connection,
    half: &mut WriteHalf<TlsStream<TcpStream>>,
) -> io::Result<()> {
    while let Some(chunk) = connection.outbox.take(&connection.sockets.settings) {
        half.write_all(&chunk).await?;
        connection.outbox.taken(chunk.len());
        connection.relieved();
    }
    half.flush().await
}
