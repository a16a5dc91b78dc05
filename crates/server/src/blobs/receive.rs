//! `PUT /blobs/{id}`: appends to a blob. What has arrived stays, however the request ends, and the next one
//! goes on from there.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, EXPECT};
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use portcullis_server_core::defences::{BlobUse, CapabilityAccepted};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::limits::{PIECE_BYTES, PIECE_PACKETS};
use super::pace::Pace;
use super::range::{Stretch, stored};
use super::refused::Refused;
use super::slot::{Slot, Turn};
use super::{Blobs, UPLOAD_BEGIN, UPLOAD_OFFSET, folder};
use crate::body::{drain, packet};
use crate::http::{Site, sole};

/// Takes in the next bytes of a blob.
pub(super) async fn put(
    State(site): State<Site>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response<Body> {
    let Some(blobs) = site.blobs else { return Refused::Missing.response() };
    let (head, body) = request.into_parts();
    let waits = head.headers.contains_key(EXPECT);
    // A task of its own: when the connection breaks, what has arrived is still written.
    let storing = tokio::spawn(async move {
        let mut body = body;
        let result = store(&blobs, &id, &head.headers, &mut body).await;
        if let Err(refused) = result {
            blobs.counters.count(refused);
            // Who waits for our leave to send hasn't sent anything; reading would give that leave.
            if !waits {
                tokio::spawn(drain(body));
            }
        }
        result
    });
    match storing.await.unwrap_or(Err(Refused::Failed)) {
        Ok(offset) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response.headers_mut().insert(UPLOAD_OFFSET, offset.into());
            response
        }
        Err(refused) => refused.response(),
    }
}

/// Stores what the headers announce, and says how much is there then.
async fn store(
    blobs: &Blobs,
    id: &str,
    headers: &HeaderMap,
    body: &mut Body,
) -> Result<u64, Refused> {
    let (accepted, slot) = blobs.admit(id, headers, Some(BlobUse::Store))?;
    let stretch = stretch(headers, &accepted)?;
    let anew = begins_anew(headers, stretch)?;
    let mut turn = slot.begin_turn().await?;
    let _place = blobs.uploads.take(accepted.account()).ok_or(Refused::Busy)?;
    let mut writing =
        Writing::open(Arc::clone(&slot), (stretch.start, anew), blobs.settings.gather).await?;
    let received = receive(blobs, &slot, &mut turn, body, stretch, &mut writing).await;
    let written = writing.finish(received.is_ok()).await;
    blobs
        .counters
        .bytes_stored
        .fetch_add(slot.stored().saturating_sub(stretch.start), Ordering::Relaxed);
    received?;
    written?;
    Ok(slot.stored())
}

/// Which bytes come. Where their number is said twice it has to be the same.
fn stretch(headers: &HeaderMap, accepted: &CapabilityAccepted) -> Result<Stretch, Refused> {
    let value = |name: &HeaderName| sole(headers, name).map_err(|()| Refused::Malformed);
    let range = value(&CONTENT_RANGE)?.and_then(|range| stored(range, accepted.bytes()));
    let stretch = range.ok_or(Refused::Malformed)?;
    match value(&CONTENT_LENGTH)? {
        Some(length) if length != stretch.len().to_string() => Err(Refused::Malformed),
        _ => Ok(stretch),
    }
}

/// Whether the blob is to begin with these bytes, whatever is there.
fn begins_anew(headers: &HeaderMap, stretch: Stretch) -> Result<bool, Refused> {
    match sole(headers, &UPLOAD_BEGIN).map_err(|()| Refused::Malformed)? {
        None => Ok(false),
        Some(begin) if begin == stretch.start.to_string() => Ok(true),
        Some(_) => Err(Refused::Malformed),
    }
}

async fn receive(
    blobs: &Blobs,
    slot: &Slot,
    turn: &mut Turn,
    body: &mut Body,
    stretch: Stretch,
    writing: &mut Writing,
) -> Result<(), Refused> {
    let mut left = stretch.len();
    let mut pace = Pace::begin(blobs.settings.pace, Instant::now());
    loop {
        let next = tokio::select! {
            next = timeout(blobs.settings.stall, packet(body)) => next,
            () = turn.over() => return Err(slot.why_over()),
        };
        let packet = next.map_err(|_| Refused::TooSlow)?;
        let Some(bytes) = packet.transpose().map_err(|_| Refused::Cut)? else {
            return if left == 0 { Ok(()) } else { Err(Refused::Malformed) };
        };
        let count = bytes.len();
        left = left.checked_sub(count as u64).ok_or(Refused::Malformed)?;
        writing.add(bytes).await?;
        if !pace.keeps_up(count, Instant::now()) {
            return Err(Refused::TooSlow);
        }
    }
}

/// Bytes on their way to the disk: one piece is gathered while the one before is written.
struct Writing {
    slot: Arc<Slot>,
    file: Arc<File>,
    packets: Vec<Bytes>,
    gathered: usize,
    /// How long, at most, and since when.
    gather: Duration,
    since: Instant,
    under_way: Option<JoinHandle<io::Result<()>>>,
    /// A piece could not be written, so what follows it has no place.
    failed: bool,
}

impl Writing {
    /// Opens a blob's file to go on at `start`: where it ends, or anew.
    async fn open(
        slot: Arc<Slot>,
        (start, anew): (u64, bool),
        gather: Duration,
    ) -> Result<Self, Refused> {
        let opened = blocking(move || {
            if anew {
                slot.begin_anew(start);
            }
            let path = slot.path();
            let file = folder::open(&path)?;
            // It may have been dropped, and its file removed, before it was made.
            if slot.is_gone() {
                folder::remove(&path);
                return Ok(Err(Refused::Missing));
            }
            // What somebody has cut off by hand comes again; what lies beyond was never acknowledged.
            let (length, known) = (file.metadata()?.len(), slot.stored());
            let end = length.min(known).max(slot.begins());
            if length != end {
                file.set_len(end)?;
            }
            slot.note(end);
            Ok(if end == start { Ok((slot, file)) } else { Err(Refused::Elsewhere(end)) })
        });
        let (slot, file) = opened.await??;
        Ok(Self {
            slot,
            file: Arc::new(file),
            packets: Vec::new(),
            gathered: 0,
            gather,
            since: Instant::now(),
            under_way: None,
            failed: false,
        })
    }

    /// Adds a packet; once enough is gathered, or for long enough, it is written while more comes.
    async fn add(&mut self, bytes: Bytes) -> io::Result<()> {
        self.gathered += bytes.len();
        self.packets.push(bytes);
        let enough = self.gathered >= PIECE_BYTES || self.packets.len() >= PIECE_PACKETS;
        if enough || self.since.elapsed() >= self.gather {
            self.flush().await?;
        }
        Ok(())
    }

    /// Begins to write what is gathered, once what came before is written.
    async fn flush(&mut self) -> io::Result<()> {
        self.settle().await?;
        (self.gathered, self.since) = (0, Instant::now());
        let packets = std::mem::take(&mut self.packets);
        let (slot, file) = (Arc::clone(&self.slot), Arc::clone(&self.file));
        self.under_way = Some(spawn_blocking(move || append(&slot, &file, &packets)));
        Ok(())
    }

    /// Waits for what is being written.
    async fn settle(&mut self) -> io::Result<()> {
        let written = match self.under_way.take() {
            Some(writing) => writing.await.map_err(io::Error::other).flatten(),
            None if self.failed => Err(ErrorKind::Other.into()),
            None => Ok(()),
        };
        self.failed |= written.is_err();
        written
    }

    /// Writes what is left; and has it on the disk, if it is to be acknowledged.
    async fn finish(mut self, acknowledged: bool) -> io::Result<()> {
        self.flush().await?;
        self.settle().await?;
        if acknowledged {
            blocking(move || self.file.sync_data()).await?;
        }
        Ok(())
    }
}

/// Appends to a file, and tells whoever waits for it. Of what can't be written nothing stays.
fn append(slot: &Slot, file: &File, packets: &[Bytes]) -> io::Result<()> {
    let (before, bytes) =
        (slot.stored(), packets.iter().map(|packet| packet.len() as u64).sum::<u64>());
    match write_all(file, packets) {
        Ok(()) => {
            slot.note(before + bytes);
            Ok(())
        }
        Err(error) => {
            // Where this fails too, the next one to write cuts off what is too much.
            let _ = file.set_len(before);
            Err(error)
        }
    }
}

fn write_all(mut file: &File, packets: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<_> = packets.iter().map(|packet| IoSlice::new(packet)).collect();
    let mut left = slices.as_mut_slice();
    IoSlice::advance_slices(&mut left, 0); // leaves out empty ones
    while !left.is_empty() {
        match file.write_vectored(left) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Does what waits for the disk where nobody else waits for it.
async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(act).await.map_err(io::Error::other)?
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    const GATHER: Duration = Duration::from_secs(9);

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn slot(path: &std::path::Path, stored: u64) -> Arc<Slot> {
        Arc::new(Slot::new(path.to_owned(), 1_000, 0..stored))
    }

    /// A disk without room: Linux has one for tests (full(4)).
    #[cfg(target_os = "linux")]
    #[test]
    fn nothing_follows_a_piece_that_could_not_be_written() {
        run(async {
            let slot = slot("/dev/full".as_ref(), 0);
            let mut writing = Writing::open(Arc::clone(&slot), (0, false), GATHER).await.unwrap();
            writing.add(Bytes::from_static(&[1; PIECE_BYTES])).await.unwrap();
            let second = writing.add(Bytes::from_static(&[2; PIECE_BYTES])).await.unwrap_err();
            assert_eq!(Refused::from(second), Refused::Full);
            assert!(writing.finish(true).await.is_err());
            assert_eq!(slot.stored(), 0);
        });
    }

    /// A file, what is known of its length, and what is there once two bytes more are.
    #[test]
    fn writing_goes_on_where_both_file_and_knowledge_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let check = |before: &[u8], known: u64, expected: &[u8]| {
            std::fs::write(&path, before).unwrap();
            let slot = slot(&path, known);
            run(async {
                let start = known.min(before.len() as u64);
                let mut writing =
                    Writing::open(Arc::clone(&slot), (start, false), GATHER).await.unwrap();
                writing.add(Bytes::from_static(b"")).await.unwrap();
                writing.add(Bytes::from_static(b"xy")).await.unwrap();
                writing.finish(true).await.unwrap();
            });
            assert_eq!(std::fs::read(&path).unwrap(), expected);
            assert_eq!(slot.stored(), expected.len() as u64);
        };
        check(b"", 0, b"xy");
        check(b"abc", 3, b"abcxy");
        check(b"abc", 2, b"abxy");
        check(b"abc", 9, b"abcxy");
    }

    #[test]
    fn no_file_is_made_of_a_blob_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let slot = slot(&path, 0);
        slot.end();
        run(async {
            assert!(matches!(Writing::open(slot, (0, false), GATHER).await, Err(Refused::Missing)))
        });
        assert!(!path.exists());
    }
}
