//! What a connection costs that says nothing.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context as _, ensure};

use crate::Options;
use crate::process::Server;
use crate::table::Table;

/// The transport with many idle connections.
pub(crate) fn rows(options: &Options) -> anyhow::Result<Table> {
    let server = Server::start(&["serve-broadcast"])?;
    // The first ones pay for what is made once.
    let warm = (0..100)
        .map(|_| open(server.address))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let before = server.resident()?;
    let many = options.connections;
    let idle = (0..many)
        .map(|_| open(server.address))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let after = server.resident()?;
    let each = (after - before) as f64 / idle.len() as f64;
    drop(warm);
    Ok(Table {
        head: vec![
            "idle connections",
            "KiB resident before",
            "after",
            "KiB each",
        ],
        rows: vec![vec![
            many.to_string(),
            before.to_string(),
            after.to_string(),
            format!("{each:.2}"),
        ]],
    })
}

/// Opens a WebSocket connection, and returns once the server has taken it over.
pub(crate) fn open(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(HANDSHAKE)?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream
            .read_exact(&mut byte)
            .context("an answer to the handshake")?;
        head.extend_from_slice(&byte);
    }
    ensure!(
        head.starts_with(b"HTTP/1.1 101 "),
        "refused: {}",
        String::from_utf8_lossy(&head)
    );
    // The answer to a ping says that the connection is open indeed.
    stream.write_all(&[0x89, 0x80, 0, 0, 0, 0])?;
    let mut pong = [0; 2];
    stream.read_exact(&mut pong).context("a pong")?;
    ensure!(pong == [0x8a, 0], "not a pong: {pong:?}");
    Ok(stream)
}

const HANDSHAKE: &[u8] = b"GET /connect HTTP/1.1\r\n\
    Host: localhost\r\n\
    Connection: Upgrade\r\n\
    Upgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: portcullis.v1\r\n\r\n";
