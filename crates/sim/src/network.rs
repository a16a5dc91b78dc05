//! A connection: two pipes of bytes that keep their order. Frames are told apart by a length of four
//! bytes, so that a cut can fall into the middle of one, as it does in TCP.

use std::collections::VecDeque;

/// One direction of a connection.
#[derive(Debug, Default)]
struct Pipe {
    under_way: VecDeque<u8>,
    arrived: Vec<u8>,
}

/// A connection between a device and the server.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    to_server: Pipe,
    to_device: Pipe,
    /// While above 0, nothing moves; counts down.
    pub(crate) stalled: u32,
    /// The server no longer knows of it, and the device was not told.
    pub(crate) half_open: bool,
}

/// Who receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Server,
    Device,
}

impl Connection {
    fn pipe(&mut self, to: End) -> &mut Pipe {
        match to {
            End::Server => &mut self.to_server,
            End::Device => &mut self.to_device,
        }
    }

    pub(crate) fn send(&mut self, to: End, frame: &str) {
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX).to_le_bytes();
        let pipe = self.pipe(to);
        pipe.under_way.extend(length);
        pipe.under_way.extend(frame.bytes());
    }

    /// Moves up to `bytes` bytes on, and gives the frames that are complete now.
    pub(crate) fn deliver(&mut self, to: End, bytes: usize) -> Vec<String> {
        if self.stalled > 0 {
            self.stalled -= 1;
            return Vec::new();
        }
        let pipe = self.pipe(to);
        let count = bytes.min(pipe.under_way.len());
        pipe.arrived.extend(pipe.under_way.drain(..count));
        let mut frames = Vec::new();
        while let Some((length, rest)) = pipe.arrived.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            let Some(frame) = rest.get(..length) else {
                break;
            };
            frames.push(String::from_utf8_lossy(frame).into_owned());
            pipe.arrived.drain(..4 + length);
        }
        frames
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.to_server.under_way.is_empty() && self.to_device.under_way.is_empty()
    }
}
