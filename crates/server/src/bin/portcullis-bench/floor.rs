//! The floor: one thread, one epoll, and nothing else. Whatever whole frames the first connection
//! has sent are copied to every connection with one write. No protocol, no masks, no queues to
//! speak of: what a kernel must do at the least for the same bytes.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

/// Accepts `receivers` connections, then copies.
pub(crate) fn serve(receivers: usize, frame: usize) -> anyhow::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let listening = Token(usize::MAX);
    poll.registry().register(&mut listener, listening, Interest::READABLE)?;
    println!("{}", listener.local_addr()?);
    let mut copier = Copier { streams: Vec::new(), buffer: vec![0; 1 << 20], filled: 0, frame };
    let mut events = Events::with_capacity(1_024);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == listening {
                while copier.streams.len() < receivers
                    && let Ok((mut stream, _)) = listener.accept()
                {
                    stream.set_nodelay(true)?;
                    let interests = Interest::READABLE | Interest::WRITABLE;
                    let token = Token(copier.streams.len());
                    poll.registry().register(&mut stream, token, interests)?;
                    copier.streams.push(Receiver { stream, late: Vec::new() });
                }
            } else if event.token() == Token(0) && event.is_readable() {
                copier.copy()?;
            }
            if event.is_writable()
                && let Some(receiver) = copier.streams.get_mut(event.token().0)
            {
                receiver.catch_up()?;
            }
        }
    }
}

struct Copier {
    streams: Vec<Receiver>,
    buffer: Vec<u8>,
    filled: usize,
    frame: usize,
}

struct Receiver {
    stream: TcpStream,
    /// What the kernel didn't take; hardly ever anything.
    late: Vec<u8>,
}

impl Copier {
    fn copy(&mut self) -> anyhow::Result<()> {
        loop {
            let Some(sender) = self.streams.first_mut() else {
                return Ok(());
            };
            let space = self.buffer.get_mut(self.filled..).unwrap_or_default();
            match sender.stream.read(space) {
                Ok(0) => std::process::exit(0),
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            let whole = self.filled - self.filled % self.frame;
            let frames = self.buffer.get(..whole).unwrap_or_default();
            for receiver in &mut self.streams {
                receiver.write(frames)?;
            }
            self.buffer.copy_within(whole..self.filled, 0);
            self.filled -= whole;
        }
    }
}

impl Receiver {
    fn write(&mut self, frames: &[u8]) -> anyhow::Result<()> {
        let mut written = 0;
        if self.late.is_empty() {
            match self.stream.write(frames) {
                Ok(count) => written = count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.late.extend_from_slice(frames.get(written..).unwrap_or_default());
        Ok(())
    }

    fn catch_up(&mut self) -> anyhow::Result<()> {
        let late = std::mem::take(&mut self.late);
        if late.is_empty() { Ok(()) } else { self.write(&late) }
    }
}
