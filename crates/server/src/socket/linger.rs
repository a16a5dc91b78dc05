//! How a connection ends: what waits is written, our side is shut, and the peer gets a moment to
//! read it all. A socket closed with unread bytes would answer with a reset, and the peer's kernel
//! would throw the close frame away. Source: RFC 6455 section 7.1.1.

use std::net::Shutdown;
use std::sync::Arc;

use super::connection::Connection;
use super::limits::LINGER_BYTES;
use super::reader::{ReadSide, fill};

/// Ends `connection`, within [`super::Settings::linger`]. Once the peer has closed, it has nothing
/// more to say that would be worth waiting for.
pub(super) async fn linger(connection: Arc<Connection>, mut side: ReadSide, peer_closed: bool) {
    let wait = connection.sockets.settings.linger;
    // However it ends, the next step is the same.
    let _ = tokio::time::timeout(wait, farewell(&connection, &mut side, peer_closed)).await;
    connection.kill();
    connection.sockets.forget(connection.id());
}

async fn farewell(connection: &Connection, side: &mut ReadSide, peer_closed: bool) {
    connection.drained().await;
    if peer_closed {
        return;
    }
    connection.hang_up(Shutdown::Write);
    let mut thrown_away = 0;
    while let Some(count) = fill(connection, side, <[u8]>::len).await {
        thrown_away += count;
        if thrown_away > LINGER_BYTES {
            return;
        }
    }
}
