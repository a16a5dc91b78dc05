//! The two ends of every path: on one side a thread reads and seals, on the other a thread verifies, opens and
//! writes. What is between them, a socket or the server, only carries pieces. Buffers go back and are used again.

use portcullis_client_core::defences::ChunkAccepted;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::halt::Halt;
use super::limits::PIECES_WAITING;
use super::meter::Meter;
use super::part::{Judge, Kept, Part};
use super::sealed::{Outgoing, Sealed};
use super::stop::Stop;

/// The end that pieces are put into, and from which used buffers come back.
pub(super) struct Giver<T> {
    pieces: Sender<T>,
    spare: Receiver<Vec<u8>>,
}

/// The end that pieces are taken from, and by which buffers go back.
pub(super) struct Taker<T> {
    pieces: Receiver<T>,
    spare: Sender<Vec<u8>>,
}

/// A way for pieces from one thread to another.
pub(super) fn pipe<T>() -> (Giver<T>, Taker<T>) {
    let (into, from) = channel(PIECES_WAITING);
    let (give_back, spare) = channel(PIECES_WAITING);
    (Giver { pieces: into, spare }, Taker { pieces: from, spare: give_back })
}

impl<T> Giver<T> {
    /// A buffer, used or new.
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        self.spare.try_recv().unwrap_or_default()
    }

    /// Waits for room; false if nobody takes pieces any more.
    pub(super) fn put_blocking(&self, piece: T) -> bool {
        self.pieces.blocking_send(piece).is_ok()
    }

    /// The same, for a task.
    pub(super) async fn put(&self, piece: T) -> bool {
        self.pieces.send(piece).await.is_ok()
    }
}

impl<T> Taker<T> {
    /// The next piece; none after the last.
    pub(super) fn take_blocking(&mut self) -> Option<T> {
        self.pieces.blocking_recv()
    }

    /// The same, for a task.
    pub(super) async fn take(&mut self) -> Option<T> {
        self.pieces.recv().await
    }

    /// The same, for what is polled.
    pub(super) fn poll_take(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<T>> {
        self.pieces.poll_recv(context)
    }

    /// Gives a buffer back.
    pub(super) fn give_back(&self, buffer: Vec<u8>) {
        // One too many is let go.
        let _ = self.spare.try_send(buffer);
    }

    /// A way to give buffers back from elsewhere.
    pub(super) fn spare(&self) -> Sender<Vec<u8>> {
        self.spare.clone()
    }
}

/// Reads and seals, from a byte of the blob on, until all is there or nobody takes it any more.
///
/// # Errors
/// [`Halt`]: what can't be read, or may not leave.
pub(super) fn seal(
    sealed: &Sealed,
    offset: u64,
    mut into: Giver<Outgoing>,
    stop: &Stop,
) -> Result<(), Halt> {
    let mut pieces = sealed.pieces_from(offset);
    while let Some(piece) = pieces.next(into.buffer()) {
        stop.check()?;
        if !into.put_blocking(piece?) {
            return Ok(());
        }
    }
    Ok(())
}

/// Verifies, opens and writes until nothing comes any more. Opening has one thread, writing another.
///
/// # Errors
/// [`Halt::Fault`] for what is not what was offered, or can't be kept; [`Halt::Broken`] if some is missing.
pub(super) fn keep(
    part: &mut Part,
    mut from: Taker<Vec<u8>>,
    meter: &Meter,
    stop: &Stop,
) -> Result<(), Halt> {
    while part.wants_hashes() {
        let piece = from.take_blocking().ok_or(Halt::Broken)?;
        stop.check()?;
        part.take_hashes(&piece)?;
        meter.set(part.offset());
        from.give_back(piece);
    }
    let (judge, kept) = part.halves();
    let (first, (into, opened)) = (kept.next_chunk(), pipe());
    let spare = from.spare();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| write(kept, opened, &spare, meter, stop));
        let opening = first.map_or(Ok(()), |first| open(judge, first, from, into, stop));
        // What can't be written stops the opening, and is why.
        writing.join().unwrap_or(Err(Halt::Stopped)).and(opening)
    })?;
    if part.is_whole() { Ok(()) } else { Err(Halt::Broken) }
}

fn open(
    judge: &Judge,
    first: u64,
    mut from: Taker<Vec<u8>>,
    into: Giver<ChunkAccepted>,
    stop: &Stop,
) -> Result<(), Halt> {
    for index in first.. {
        let Some(piece) = from.take_blocking() else { break };
        stop.check()?;
        if !into.put_blocking(judge.open_chunk(index, piece)?) {
            break;
        }
    }
    Ok(())
}

fn write(
    kept: &mut Kept,
    mut opened: Taker<ChunkAccepted>,
    spare: &Sender<Vec<u8>>,
    meter: &Meter,
    stop: &Stop,
) -> Result<(), Halt> {
    while let Some(chunk) = opened.take_blocking() {
        stop.check()?;
        kept.write(&chunk)?;
        meter.set(kept.offset());
        // One too many is let go.
        let _ = spare.try_send(chunk.into_buffer());
    }
    Ok(())
}
