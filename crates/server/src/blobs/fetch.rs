//! `GET /blobs/{id}` and `HEAD /blobs/{id}`: a blob, from any byte on, for whoever has a token. What has not
//! come yet is waited for, so that somebody can fetch while somebody else stores.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use portcullis_server_core::defences::{BlobUse, SOUND};
use tokio::sync::mpsc::{self, Sender};
use tokio::task::spawn_blocking;

use super::limits::{PIECE_BYTES, PIECES_AHEAD};
use super::pace::Pace;
use super::places::Place;
use super::range::{BadRange, Stretch, fetched};
use super::refused::Refused;
use super::slot::Slot;
use super::{Blobs, UPLOAD_BEGIN, UPLOAD_LENGTH, UPLOAD_OFFSET};
use crate::body::Pieces;
use crate::http::{Site, sole};

/// Says how much of a blob is there, to whoever stores or fetches it.
pub(super) async fn head(
    State(site): State<Site>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    answer(&site, |blobs| {
        let (_, slot) = blobs.admit(&id, &headers, None)?;
        let mut response = Response::new(Body::empty());
        response.headers_mut().insert(UPLOAD_BEGIN, slot.begins().into());
        response.headers_mut().insert(UPLOAD_OFFSET, slot.stored().into());
        response.headers_mut().insert(UPLOAD_LENGTH, slot.bytes.into());
        Ok(response)
    })
}

/// Hands on a blob's bytes.
pub(super) async fn get(
    State(site): State<Site>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    answer(&site, |blobs| hand_on(blobs, &id, &headers))
}

fn answer(
    site: &Site,
    act: impl FnOnce(&Arc<Blobs>) -> Result<Response<Body>, Refused>,
) -> Response<Body> {
    let Some(blobs) = &site.blobs else { return Refused::Missing.response() };
    let mut response = act(blobs).unwrap_or_else(|refused| {
        blobs.counters.count(refused);
        refused.response()
    });
    for (header, value) in (SOUND.attach_upload)(None).headers() {
        // They are visible ASCII; a sentence stays a text.
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().entry(HeaderName::from_static(header)).or_insert(value);
        }
    }
    response
}

fn hand_on(blobs: &Arc<Blobs>, id: &str, headers: &HeaderMap) -> Result<Response<Body>, Refused> {
    let (accepted, slot) = blobs.admit(id, headers, Some(BlobUse::Fetch))?;
    let range = sole(headers, &RANGE).map_err(|()| Refused::Malformed)?;
    let stretch = match range.map(|range| fetched(range, slot.bytes)) {
        None => Stretch { start: 0, end: slot.bytes },
        Some(Ok(stretch)) => stretch,
        Some(Err(BadRange::Malformed)) => return Err(Refused::Malformed),
        Some(Err(BadRange::Beyond)) => return Err(Refused::Beyond(slot.bytes)),
    };
    if stretch.start < slot.begins() {
        return Err(Refused::Before(slot.begins()));
    }
    let place = blobs.fetches.take(accepted.account()).ok_or(Refused::Busy)?;
    let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
    let whole = slot.bytes;
    tokio::spawn(read(Arc::clone(blobs), slot, stretch, sender, place));
    let mut response = Response::new(Body::new(Pieces::new(pieces, stretch.len())));
    response.headers_mut().insert(CONTENT_LENGTH, stretch.len().into());
    if range.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let of = format!("bytes {}-{}/{whole}", stretch.start, stretch.end - 1);
        let of = HeaderValue::try_from(of).map_err(|_| Refused::Failed)?;
        response.headers_mut().insert(CONTENT_RANGE, of);
    }
    Ok(response)
}

/// Reads as fast as it is fetched, and no faster than it is stored. Whoever stops fetching loses it.
async fn read(
    blobs: Arc<Blobs>,
    slot: Arc<Slot>,
    stretch: Stretch,
    sender: Sender<io::Result<Bytes>>,
    _place: Place,
) {
    let (stall, mut at, mut reading) = (blobs.settings.stall, stretch.start, None);
    let mut pace = Pace::begin(blobs.settings.pace, Instant::now());
    while at < stretch.end {
        let stored = tokio::select! {
            stored = slot.more_than(at, stall) => stored,
            () = sender.closed() => return,
        };
        let Some(stored) = stored else { return };
        let next = Stretch { start: at, end: stored.min(stretch.end) };
        let from = (reading.take(), Arc::clone(&slot));
        let piece = spawn_blocking(move || piece(from, next)).await;
        let bytes = match piece.unwrap_or_else(|_| Err(io::ErrorKind::Other.into())) {
            Ok((file, bytes)) => {
                reading = Some(file);
                bytes
            }
            Err(error) => {
                blobs.counters.count(error.into());
                return;
            }
        };
        let count = bytes.len();
        at += count as u64;
        blobs.counters.bytes_fetched.fetch_add(count as u64, Ordering::Relaxed);
        let sent = sender.send_timeout(Ok(bytes), stall).await.is_ok();
        if !sent || !pace.keeps_up(count, Instant::now()) {
            return;
        }
    }
}

/// The next piece of a file, which is opened for the first.
fn piece((file, slot): (Option<File>, Arc<Slot>), next: Stretch) -> io::Result<(File, Bytes)> {
    use std::io::Seek as _;
    let mut file = match file {
        Some(file) => file,
        None => {
            let mut file = File::open(slot.path())?;
            file.seek(io::SeekFrom::Start(next.start))?;
            file
        }
    };
    let length = next.len().min(PIECE_BYTES as u64);
    let mut bytes = Vec::with_capacity(PIECE_BYTES);
    (&mut file).take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((file, bytes.into()))
}
