//! `GET /files/{id}` and `GET /files/{id}/{name}`: a file for whoever knows its address. The name is only
//! what it is to be called when it is saved.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use bytes::BytesMut;
use http::header::CONTENT_LENGTH;
use http::{HeaderName, HeaderValue, Response};
use portcullis_server_core::defences::SOUND;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{self, Sender};

use super::Uploads;
use super::limits::{PIECE_BYTES, PIECES_AHEAD};
use super::refused::Refused;
use crate::body::Pieces;
use crate::clock::now;
use crate::http::Site;
use crate::metrics::Metrics;

/// Hands on a file without a name.
pub(super) async fn nameless(State(site): State<Site>, Path(id): Path<String>) -> Response<Body> {
    answer(&site, &id, None).await
}

/// Hands on a file.
pub(super) async fn named(
    State(site): State<Site>,
    Path((id, name)): Path<(String, String)>,
) -> Response<Body> {
    answer(&site, &id, Some(&name)).await
}

async fn answer(site: &Site, id: &str, name: Option<&str>) -> Response<Body> {
    let counters = &site.sockets.metrics().uploads;
    let found = match &site.uploads {
        Some(uploads) => hand_on(uploads, id, name).await,
        None => Err(Refused::Missing),
    };
    match found {
        Ok(response) => {
            Metrics::count(&counters.fetched);
            response
        }
        Err(refused) => {
            counters.count(&refused);
            refused.response()
        }
    }
}

async fn hand_on(
    uploads: &Uploads,
    id: &str,
    name: Option<&str>,
) -> Result<Response<Body>, Refused> {
    // Only a name that stands in the ledger gets to the disk.
    let entry = uploads.lock().find(id, now()).ok_or(Refused::Missing)?;
    let permit = uploads.fetches.clone().try_acquire_owned().map_err(|_| Refused::Busy)?;
    let file = File::open(uploads.settings.folder.join(id)).await;
    let file = file.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Refused::Missing, // it has expired this moment
        _ => error.into(),
    })?;
    let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
    tokio::spawn(read(file, sender, uploads.settings.fetch_stall, permit));
    let mut response = Response::new(Body::new(Pieces::new(pieces, entry.bytes)));
    let headers = response.headers_mut();
    for (header, value) in (SOUND.attach_upload)(name).headers() {
        let value = HeaderValue::try_from(value).map_err(|_| Refused::Failed)?;
        headers.insert(HeaderName::from_static(header), value);
    }
    headers.insert(CONTENT_LENGTH, entry.bytes.into());
    Ok(response)
}

/// Reads a file as fast as it is fetched; whoever stops fetching loses it.
async fn read(
    mut file: File,
    sender: Sender<io::Result<Bytes>>,
    stall: Duration,
    _permit: OwnedSemaphorePermit,
) {
    loop {
        let mut piece = BytesMut::with_capacity(PIECE_BYTES);
        let piece = match file.read_buf(&mut piece).await {
            Ok(0) => return,
            Ok(_) => Ok(piece.freeze()),
            Err(error) => Err(error),
        };
        let failed = piece.is_err();
        if sender.send_timeout(piece, stall).await.is_err() || failed {
            return;
        }
    }
}
