//! The load: many connections in one thread, some of which send and keep so many messages under
//! way. It counts whole frames, and fails if one is missing: nothing may have been dropped.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::frames::Counter;

/// Makes the n-th message of a sender, as it goes onto the wire.
pub(crate) type Compose = Box<dyn FnMut(u32, u64) -> Vec<u8>>;

/// How latency is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Latency {
    /// Until the last connection has the event: it is written to last.
    LastReceiver,
    /// Until the sender has its reply.
    Reply,
}

/// When a message counts as done, so that the next may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// With its reply.
    Replied,
    /// When its sender hears it.
    Heard,
    /// When the last connection hears it: senders don't hear themselves.
    HeardByOthers,
}

/// What shall be sent.
pub(crate) struct Plan {
    /// The first so many connections send.
    pub(crate) senders: usize,
    /// Messages that each has under way.
    pub(crate) outstanding: u64,
    pub(crate) done: Done,
    /// Connections that hear each message.
    pub(crate) audience: u64,
    pub(crate) latency: Latency,
    pub(crate) compose: Compose,
}

/// The connections, and what has come of them.
pub(crate) struct Load {
    plan: Plan,
    poll: Poll,
    peers: Vec<Peer>,
    pub(crate) latencies: Vec<Duration>,
    buffer: Vec<u8>,
}

struct Peer {
    stream: TcpStream,
    counter: Counter,
    sent: u64,
    unsent: Vec<u8>,
    under_way: VecDeque<Instant>,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) events: u64,
    pub(crate) replies: u64,
    pub(crate) bytes: u64,
}

impl Load {
    /// Takes over connections that are ready to send. `bare`: frames of so many bytes, no headers.
    pub(crate) fn new(
        plan: Plan,
        streams: Vec<std::net::TcpStream>,
        bare: Option<usize>,
    ) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let mut peers = Vec::new();
        for (index, stream) in streams.into_iter().enumerate() {
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            let interests = if index < plan.senders {
                Interest::READABLE | Interest::WRITABLE
            } else {
                Interest::READABLE
            };
            poll.registry().register(&mut stream, Token(index), interests)?;
            peers.push(Peer {
                stream,
                counter: Counter::new(bare),
                sent: 0,
                unsent: Vec::new(),
                under_way: VecDeque::new(),
            });
        }
        Ok(Load { plan, poll, peers, latencies: Vec::new(), buffer: vec![0; 1 << 20] })
    }

    pub(crate) fn counted(&self) -> Counted {
        let mut sum = Counted::default();
        for Counted { events, replies, bytes } in self.peers.iter().map(|peer| peer.counter.counted)
        {
            sum.events += events;
            sum.replies += replies;
            sum.bytes += bytes;
        }
        sum
    }

    pub(crate) fn run(&mut self, how_long: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + how_long;
        while Instant::now() < end {
            self.top_up()?;
            self.receive()?;
        }
        Ok(())
    }

    /// Waits until everything sent has reached everybody.
    pub(crate) fn finish(&mut self) -> anyhow::Result<()> {
        let patience = Instant::now() + Duration::from_secs(10);
        let sent = self.peers.iter().map(|peer| peer.sent).sum::<u64>();
        while self.counted().events < sent * self.plan.audience {
            let counted = self.counted();
            ensure!(Instant::now() < patience, "of {sent} messages arrived {counted:?}");
            for peer in &mut self.peers {
                peer.write()?;
            }
            self.receive()?;
        }
        Ok(())
    }

    /// Sends until as many messages are under way as shall be.
    fn top_up(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        let own_latency = self.plan.latency == Latency::Reply;
        let mut sent_at = Vec::new();
        let heard_last = self.peers.last().map_or(0, |peer| peer.counter.counted.events);
        for (number, peer) in (0..).zip(self.peers.iter_mut().take(self.plan.senders)) {
            let counted = peer.counter.counted;
            let done = match self.plan.done {
                Done::Replied => counted.replies,
                Done::Heard => counted.events,
                Done::HeardByOthers => heard_last,
            };
            while peer.sent < done + self.plan.outstanding {
                let message = (self.plan.compose)(number, peer.sent);
                peer.unsent.extend_from_slice(&message);
                peer.sent += 1;
                if own_latency {
                    peer.under_way.push_back(now);
                } else {
                    sent_at.push(now);
                }
            }
            peer.write()?;
        }
        if !own_latency && let Some(last) = self.peers.last_mut() {
            last.under_way.extend(sent_at);
        }
        Ok(())
    }

    fn receive(&mut self) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(1_024);
        self.poll.poll(&mut events, Some(Duration::from_millis(10)))?;
        let last = self.peers.len() - 1;
        for event in &events {
            let index = event.token().0;
            let peer = self.peers.get_mut(index).context("a connection")?;
            let before = peer.counter.counted;
            peer.read(&mut self.buffer)?;
            let now = Instant::now();
            let arrived = match self.plan.latency {
                Latency::Reply => peer.counter.counted.replies - before.replies,
                Latency::LastReceiver if index == last => {
                    peer.counter.counted.events - before.events
                }
                Latency::LastReceiver => 0,
            };
            for _ in 0..arrived {
                let sent = peer.under_way.pop_front().context("more than was sent")?;
                self.latencies.push(now - sent);
            }
        }
        Ok(())
    }
}

impl Peer {
    fn write(&mut self) -> anyhow::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> anyhow::Result<()> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => anyhow::bail!("the server has closed a connection"),
                Ok(count) => self.counter.feed(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
