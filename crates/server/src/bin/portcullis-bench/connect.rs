//! Opening connections, one after the other, each until the server has taken it over.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context as _, ensure};

use crate::world;

/// Opens a WebSocket connection.
pub(crate) fn open(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let mut stream = handshake(address)?;
    // The answer to a ping says that the connection is open indeed.
    stream.write_all(&[0x89, 0x80, 0, 0, 0, 0])?;
    let mut pong = [0; 2];
    stream.read_exact(&mut pong).context("a pong")?;
    ensure!(pong == [0x8a, 0], "not a pong: {pong:?}");
    Ok(stream)
}

/// Opens a connection and a session on it.
pub(crate) fn resume(address: SocketAddr, number: u32) -> anyhow::Result<TcpStream> {
    let mut stream = handshake(address)?;
    let greeting = text(&mut stream)?;
    stream.write_all(&frame(world::resume(number, &greeting)?.as_bytes()))?;
    let answer = text(&mut stream)?;
    ensure!(answer.starts_with(r#"{"id":1,"reply":"opened""#), "not resumed: {answer}");
    Ok(stream)
}

/// Opens a classroom guest's connection, and waits until the server lists it.
pub(crate) fn guest(address: SocketAddr, hello: &str) -> anyhow::Result<TcpStream> {
    let mut stream = Opening::begin_at(address, "/")?.finish()?;
    stream.write_all(&frame(hello.as_bytes()))?;
    stream.write_all(&frame(portcullis_proto::classroom::write_list_request().as_bytes()))?;
    let answer = text(&mut stream)?;
    ensure!(answer.contains("client_list"), "not a list: {answer}");
    Ok(stream)
}

/// A client's text frame. Its mask of zeros leaves the payload as it is; unmasking it costs the
/// server the same.
pub(crate) fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u16::try_from(payload.len()) {
        Ok(short @ 0..126) => frame.push(0x80 | short as u8),
        Ok(medium) => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&medium.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

pub(crate) fn handshake(address: SocketAddr) -> anyhow::Result<TcpStream> {
    Opening::begin(address)?.finish()
}

/// A connection whose handshake is not answered yet.
pub(crate) struct Opening(TcpStream);

impl Opening {
    /// Connects and asks.
    pub(crate) fn begin(address: SocketAddr) -> anyhow::Result<Self> {
        Self::begin_at(address, "/connect")
    }

    fn begin_at(address: SocketAddr, path: &str) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        write!(stream, "GET {path} HTTP/1.1\r\n{HANDSHAKE}")?;
        Ok(Opening(stream))
    }

    /// Sends, once greeted, what resumes person `number`'s session, and a request behind it.
    pub(crate) fn resume_and_ask(self, number: u32, request: &str) -> anyhow::Result<TcpStream> {
        let mut stream = self.finish()?;
        let greeting = text(&mut stream)?;
        let mut frames = frame(world::resume(number, &greeting)?.as_bytes());
        frames.extend(frame(request.as_bytes()));
        stream.write_all(&frames)?;
        Ok(stream)
    }

    fn finish(self) -> anyhow::Result<TcpStream> {
        let mut stream = self.0;
        read_head(&mut stream)?;
        Ok(stream)
    }
}

fn read_head(stream: &mut TcpStream) -> anyhow::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).context("an answer to the handshake")?;
        head.extend_from_slice(&byte);
    }
    ensure!(head.starts_with(b"HTTP/1.1 101 "), "refused: {}", String::from_utf8_lossy(&head));
    Ok(())
}

/// The next frame, which must be a text.
pub(crate) fn text(stream: &mut TcpStream) -> anyhow::Result<String> {
    let mut head = [0; 2];
    stream.read_exact(&mut head)?;
    ensure!(head[0] == 0x81, "not a text frame: {head:?}");
    let mut length = usize::from(head[1]);
    if length == 126 {
        let mut longer = [0; 2];
        stream.read_exact(&mut longer)?;
        length = u16::from_be_bytes(longer).into();
    } else if length == 127 {
        let mut longer = [0; 8];
        stream.read_exact(&mut longer)?;
        length = usize::try_from(u64::from_be_bytes(longer))?;
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload)?;
    Ok(String::from_utf8(payload)?)
}

const HANDSHAKE: &str = "Host: localhost\r\n\
    Connection: Upgrade\r\n\
    Upgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: portcullis.v1\r\n\r\n";
