//! A WebSocket client of bare bytes: it can break every rule that a library would keep.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

/// A client frame: first byte, masked payload.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = header(first, 0x80, payload.len() as u64);
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// First byte and length, with `mask` as the second byte's highest bit.
pub(crate) fn header(first: u8, mask: u8, length: u64) -> Vec<u8> {
    match length {
        0..126 => vec![first, mask | length as u8],
        126..65_536 => [&[first, mask | 126][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[first, mask | 127][..], &length.to_be_bytes()].concat(),
    }
}

/// A frame as the server sent it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(first: u8, payload: impl AsRef<[u8]>) -> Self {
        Frame { first, payload: payload.as_ref().to_vec() }
    }

    /// The status code of a close frame.
    pub(crate) fn code(&self) -> Option<u16> {
        let code = self.payload.first_chunk::<2>()?;
        (self.first == CLOSE).then(|| u16::from_be_bytes(*code))
    }
}

pub(crate) struct Client {
    pub(crate) socket: TcpStream,
}

impl Client {
    /// Connects, without a handshake. Whatever takes longer than ten seconds has failed.
    pub(crate) fn dial(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket.set_nodelay(true).unwrap();
        Client { socket }
    }

    /// Connects and upgrades at `path`.
    pub(crate) fn open(address: SocketAddr, path: &str) -> Self {
        let mut client = Client::dial(address);
        client.send(upgrade(path).as_bytes());
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        client
    }

    /// Sends bytes; a peer that has hung up meanwhile is no error here.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes);
    }

    /// The status line and headers of an HTTP response.
    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.socket.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        String::from_utf8(head).unwrap()
    }

    /// The next frame; `None`: the server has hung up.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 2];
        self.socket.read_exact(&mut head).ok()?;
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.socket.read_exact(&mut length).ok()?;
                u64::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                self.socket.read_exact(&mut length).ok()?;
                u64::from_be_bytes(length)
            }
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.socket.read_exact(&mut payload).ok()?;
        Some(Frame { first: head[0], payload })
    }

    /// All that comes until the server hangs up.
    pub(crate) fn rest(&mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

/// A sound handshake for `path`.
pub(crate) fn upgrade(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: portcullis.v1\r\n\r\n"
    )
}
