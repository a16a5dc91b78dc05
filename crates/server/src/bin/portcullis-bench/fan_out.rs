//! One sender, many receivers, in one room: what a delivery costs the server.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::Options;
use crate::process::Server;
use crate::table::Table;

/// The floor, and the transport.
pub(crate) fn rows(options: &Options) -> anyhow::Result<Table> {
    let receivers = options.receivers.to_string();
    let frame = options.frame.to_string();
    let floor = ["serve-floor", "--receivers", &receivers, "--frame", &frame];
    let floor = measure(options, &floor, Wire::Bare)?;
    let transport = measure(options, &["serve-broadcast"], Wire::WebSocket)?;
    Ok(Table {
        head: vec![
            "fan-out",
            "µs CPU/delivery",
            "deliveries/s",
            "MB/s",
            "p50 ms",
            "p99 ms",
            "B/frame",
            "times the floor",
        ],
        rows: vec![
            floor.row("floor", &floor),
            transport.row("transport, no store", &floor),
        ],
    })
}

/// What is spoken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    Bare,
    WebSocket,
}

struct Measured {
    deliveries: u64,
    elapsed: Duration,
    processor: Duration,
    latencies: Vec<Duration>,
    frame: usize,
}

impl Measured {
    fn cost(&self) -> f64 {
        self.processor.as_secs_f64() * 1e6 / self.deliveries as f64
    }

    fn row(&self, name: &str, floor: &Measured) -> Vec<String> {
        let rate = self.deliveries as f64 / self.elapsed.as_secs_f64();
        let percentile = |hundredths: usize| {
            let index = self.latencies.len() * hundredths / 100;
            let latency = self.latencies.get(index).copied().unwrap_or_default();
            format!("{:.2}", latency.as_secs_f64() * 1e3)
        };
        vec![
            name.to_owned(),
            format!("{:.3}", self.cost()),
            format!("{rate:.0}"),
            format!("{:.0}", rate * self.frame as f64 / 1e6),
            percentile(50),
            percentile(99),
            self.frame.to_string(),
            format!("{:.2}", self.cost() / floor.cost()),
        ]
    }
}

fn measure(options: &Options, server: &[&str], wire: Wire) -> anyhow::Result<Measured> {
    let server = Server::start(server)?;
    let mut load = Load::new(server.address, options, wire)?;
    load.run(Duration::from_secs(1))?;
    load.latencies.clear();
    let (deliveries, processor, started) =
        (load.deliveries(), server.processor_time()?, Instant::now());
    load.run(Duration::from_secs(options.seconds))?;
    let elapsed = started.elapsed();
    let processor = server.processor_time()? - processor;
    let deliveries = load.deliveries() - deliveries;
    load.finish()?;
    load.latencies.sort();
    Ok(Measured {
        deliveries,
        elapsed,
        processor,
        latencies: load.latencies,
        frame: options.frame,
    })
}

/// The sender and its receivers, in one thread. Connection 0 sends; the last one is where the
/// latency is taken, because it is written to last.
struct Load {
    poll: Poll,
    streams: Vec<TcpStream>,
    /// Bytes received by each.
    received: Vec<u64>,
    frame: usize,
    outstanding: usize,
    packet: Vec<u8>,
    sent: u64,
    unsent: Vec<u8>,
    under_way: VecDeque<Instant>,
    latencies: Vec<Duration>,
    buffer: Vec<u8>,
}

impl Load {
    fn new(address: SocketAddr, options: &Options, wire: Wire) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let mut streams = Vec::new();
        for index in 0..options.receivers {
            let stream = match wire {
                Wire::Bare => std::net::TcpStream::connect(address)?,
                Wire::WebSocket => crate::idle::open(address)?,
            };
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            let interests = if index == 0 {
                Interest::READABLE | Interest::WRITABLE
            } else {
                Interest::READABLE
            };
            poll.registry()
                .register(&mut stream, Token(index), interests)?;
            streams.push(stream);
        }
        Ok(Load {
            poll,
            received: vec![0; streams.len()],
            streams,
            frame: options.frame,
            outstanding: options.outstanding,
            packet: packet(options.frame, wire)?,
            sent: 0,
            unsent: Vec::new(),
            under_way: VecDeque::new(),
            latencies: Vec::new(),
            buffer: vec![0; 1 << 20],
        })
    }

    fn deliveries(&self) -> u64 {
        self.received.iter().sum::<u64>() / self.frame as u64
    }

    fn run(&mut self, how_long: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + how_long;
        while Instant::now() < end {
            self.top_up()?;
            self.receive()?;
        }
        Ok(())
    }

    /// Waits until everything sent has reached everybody: nothing may have been dropped.
    fn finish(&mut self) -> anyhow::Result<()> {
        let patience = Instant::now() + Duration::from_secs(10);
        while self.deliveries() < self.sent * self.streams.len() as u64 {
            ensure!(Instant::now() < patience, "deliveries are missing");
            self.write()?;
            self.receive()?;
        }
        Ok(())
    }

    /// Sends until as many messages are under way as shall be.
    fn top_up(&mut self) -> anyhow::Result<()> {
        let seen = self.received.first().copied().unwrap_or_default() / self.frame as u64;
        let now = Instant::now();
        while self.sent < seen + self.outstanding as u64 {
            self.unsent.extend_from_slice(&self.packet);
            self.under_way.push_back(now);
            self.sent += 1;
        }
        self.write()
    }

    fn write(&mut self) -> anyhow::Result<()> {
        let sender = self.streams.first_mut().context("a sender")?;
        while !self.unsent.is_empty() {
            match sender.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(1_024);
        self.poll
            .poll(&mut events, Some(Duration::from_millis(10)))?;
        let last = self.streams.len() - 1;
        for event in &events {
            let index = event.token().0;
            let stream = self.streams.get_mut(index).context("a stream")?;
            let received = self.received.get_mut(index).context("a counter")?;
            let before = *received / self.frame as u64;
            loop {
                match stream.read(&mut self.buffer) {
                    Ok(0) => anyhow::bail!("connection {index} was closed"),
                    Ok(count) => *received += count as u64,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
            if index == last {
                let now = Instant::now();
                for _ in before..*received / self.frame as u64 {
                    let sent = self.under_way.pop_front().context("more than was sent")?;
                    self.latencies.push(now - sent);
                }
            }
        }
        Ok(())
    }
}

/// One message, as its sender sends it.
fn packet(frame: usize, wire: Wire) -> anyhow::Result<Vec<u8>> {
    if wire == Wire::Bare {
        return Ok(vec![b'x'; frame]);
    }
    let payload = frame
        .checked_sub(4)
        .context("a frame of at least 130 bytes")?;
    let length = u16::try_from(payload).context("a frame of at most 65,539 bytes")?;
    ensure!(length > 125, "a frame of at least 130 bytes");
    let mut packet = vec![0x81, 0x80 | 126];
    packet.extend_from_slice(&length.to_be_bytes());
    // A mask of zeros leaves the payload as it is; unmasking it costs the server the same.
    packet.extend_from_slice(&[0; 4]);
    packet.resize(packet.len() + payload, b'x');
    Ok(packet)
}
