//! `POST /api/upload`: a form with the field `file`, or the file alone as the body, and the address that
//! it gets.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use portcullis_proto::{Code, Refusal};
use portcullis_server_core::Peer;
use portcullis_server_core::defences::{SOUND, UploadAsked, UploadName};
use portcullis_server_core::form::{Form, Piece};

use super::draft::Draft;
use super::limits::FORM_BYTES;
use super::refused::{Refused, json};
use super::source::Source;
use super::{Place, Uploads};
use crate::clock::now;
use crate::http::{Site, peer};
use crate::metrics::Metrics;

/// Takes a file.
pub(super) async fn receive(State(site): State<Site>, request: Request<Body>) -> Response<Body> {
    let counters = &site.sockets.metrics().uploads;
    let refuse = |refused: Refused| {
        counters.count(&refused);
        refused.response()
    };
    let Some(uploads) = &site.uploads else {
        let message = "files are taken from classroom guests, who are not admitted here";
        return refuse(Refusal::new(Code::Forbidden, message).into());
    };
    let Some(peer) = peer(&request, site.behind_proxy) else { return refuse(Refused::Malformed) };
    let (head, body) = request.into_parts();
    let most = uploads.settings.policy.file_bytes.saturating_add(FORM_BYTES);
    let mut source = Source::new(body, most, &uploads.settings);
    match take(uploads, Peer::new(peer.ip()), &head.headers, &mut source).await {
        Ok(address) => {
            Metrics::count(&counters.taken);
            json(StatusCode::OK, &serde_json::json!({ "file_url": address }))
        }
        Err(refused) => {
            // Who waits for our leave to send hasn't sent anything; reading would give that leave.
            if !head.headers.contains_key(EXPECT) {
                tokio::spawn(source.drain());
            }
            refuse(refused)
        }
    }
}

/// Takes a file, and says its address.
async fn take(
    uploads: &Arc<Uploads>,
    from: Peer,
    headers: &HeaderMap,
    source: &mut Source,
) -> Result<String, Refused> {
    let form = Form::new(value(headers, &CONTENT_TYPE).unwrap_or_default())?;
    let body = value(headers, &CONTENT_LENGTH).and_then(|length| length.parse().ok());
    let around = if form.is_some() { FORM_BYTES } else { 0 };
    let place = uploads.admit(&UploadAsked { from, body, around, now: now() })?;
    let (name, called) = match form {
        Some(form) => take_form(place, form, source).await?,
        None => (take_body(place, source).await?, None),
    };
    let (base, name) = (&uploads.settings.base, name.as_str());
    Ok(match (SOUND.attach_upload)(called.as_deref()).segment() {
        Some(segment) => format!("{base}/files/{name}/{segment}"),
        None => format!("{base}/files/{name}"),
    })
}

async fn take_body(place: Place, source: &mut Source) -> Result<UploadName, Refused> {
    let mut draft = Draft::begin(place, None).await?;
    while let Some(bytes) = source.next().await? {
        draft.write(&bytes).await?;
    }
    draft.publish().await
}

/// How far the file of a form is.
enum Progress {
    Before(Place),
    Within(Draft),
    Whole(Draft),
}

async fn take_form(
    place: Place,
    mut form: Form,
    source: &mut Source,
) -> Result<(UploadName, Option<String>), Refused> {
    let (mut progress, mut called) = (Progress::Before(place), None);
    while let Some(bytes) = source.next().await? {
        form.push(&bytes);
        while let Some(piece) = form.piece()? {
            progress = match (progress, piece) {
                (Progress::Before(place), Piece::Begins(name)) => {
                    called = name;
                    Progress::Within(Draft::begin(place, called.as_deref()).await?)
                }
                (Progress::Within(mut draft), Piece::Bytes(bytes)) => {
                    draft.write(&bytes).await?;
                    Progress::Within(draft)
                }
                (Progress::Within(draft), Piece::Ends) => Progress::Whole(draft),
                (progress, _) => progress,
            };
        }
    }
    match progress {
        Progress::Whole(draft) => Ok((draft.publish().await?, called)),
        _ => Err(Refused::Malformed),
    }
}

fn value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
