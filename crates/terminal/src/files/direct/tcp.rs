//! A proven connection, from both ends. Threads that block, for nothing is faster: one for the socket, one for the
//! ciphers.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use portcullis_client_core::Fault;

use super::super::halt::Halt;
use super::super::limits::STALLED;
use super::super::meter::Meter;
use super::super::part::Part;
use super::super::pieces::{Giver, keep, pipe, seal};
use super::super::sealed::Sealed;
use super::super::stop::{Guard, Stop};

/// Sends a blob from a byte on; all of it is on its way when this returns.
///
/// # Errors
/// [`Halt`].
pub(super) fn send(
    sealed: &Sealed,
    mut stream: TcpStream,
    offset: u64,
    meter: &Meter,
    stop: &Stop,
) -> Result<(), Halt> {
    let _guard = ready(&stream, stop)?;
    meter.set(offset);
    let (into, mut from) = pipe();
    std::thread::scope(|scope| {
        let sealing = scope.spawn(|| seal(sealed, offset, into, stop));
        let mut sent = Ok(());
        while let Some(piece) = from.take_blocking() {
            if stream.write_all(piece.bytes()).is_err() {
                sent = Err(Halt::Broken);
                break;
            }
            meter.add(piece.bytes().len() as u64);
            from.give_back(piece.into_buffer());
        }
        // So that the other thread ends.
        drop(from);
        joined(sealing.join())?;
        stop.check()?;
        sent?;
        stream.shutdown(Shutdown::Write).map_err(|_| Halt::Broken)
    })
}

/// Receives what a part lacks of a blob.
///
/// # Errors
/// [`Halt`].
pub(super) fn receive(
    part: &mut Part,
    stream: TcpStream,
    meter: &Meter,
    stop: &Stop,
) -> Result<(), Halt> {
    let _guard = ready(&stream, stop)?;
    let (blob, offset) = (part.blob(), part.offset());
    let (into, from) = pipe();
    std::thread::scope(|scope| {
        let keeping = scope.spawn(|| keep(part, from, meter, stop));
        read_pieces(stream, blob.pieces_from(offset).map(|piece| piece.len), into);
        let kept = joined(keeping.join());
        stop.check()?;
        kept
    })
}

/// Reads pieces of these lengths, until the stream ends or nobody takes them.
fn read_pieces(
    mut stream: TcpStream,
    lengths: impl Iterator<Item = usize>,
    mut into: Giver<Vec<u8>>,
) {
    for length in lengths {
        let mut piece = into.buffer();
        piece.resize(length, 0);
        if stream.read_exact(&mut piece).is_err() || !into.put_blocking(piece) {
            return;
        }
    }
}

/// Makes a socket block, but not for ever, and end when it is to.
fn ready<'a>(stream: &TcpStream, stop: &'a Stop) -> Result<Guard<'a>, Halt> {
    let set = stream.set_nonblocking(false);
    let set = set.and_then(|()| stream.set_read_timeout(Some(STALLED)));
    let set = set.and_then(|()| stream.set_write_timeout(Some(STALLED)));
    set.map_err(|_| Halt::Broken)?;
    stop.guard(stream)
}

/// What a thread has come to. None of them panics.
fn joined(result: std::thread::Result<Result<(), Halt>>) -> Result<(), Halt> {
    result.unwrap_or(Err(Halt::Fault(Fault::Disk)))
}
