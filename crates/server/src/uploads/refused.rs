//! What is refused, as which status and sentence, and how often each was.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use portcullis_proto::{Code, Refusal};

use crate::metrics::row;

/// Why a file isn't taken, or isn't handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// By the defence that says who may send.
    May(Refusal),
    /// Longer than its headers said it would be, or than a file may be.
    TooLarge,
    /// It came too slowly.
    TooSlow,
    /// A form that can't be read, or one without a file; a peer without an address.
    Malformed,
    /// The connection ended in the middle.
    Cut,
    /// There is no such file, or no more.
    Missing,
    /// As many files as possible are on their way already.
    Busy,
    /// The disk.
    Failed,
}

/// A kind of refusal: its name in the metrics, its status, and the sentence that the peer is told.
type Row = (&'static str, StatusCode, &'static str);

/// All kinds, in the order of [`Refused::kind`]. Those of the defence bring their own sentences.
const ROWS: [Row; KINDS] = [
    ("forbidden", StatusCode::FORBIDDEN, ""),
    ("too_often", StatusCode::TOO_MANY_REQUESTS, ""),
    ("full", StatusCode::INSUFFICIENT_STORAGE, ""),
    ("too_large", StatusCode::PAYLOAD_TOO_LARGE, "this file is too large"),
    ("too_slow", StatusCode::REQUEST_TIMEOUT, "this file came too slowly"),
    ("malformed", StatusCode::BAD_REQUEST, "send a form with the field `file`, or the file alone"),
    ("cut", StatusCode::BAD_REQUEST, "the file did not come to its end"),
    ("missing", StatusCode::NOT_FOUND, "there is no such file, or no more"),
    ("busy", StatusCode::SERVICE_UNAVAILABLE, "too many files are being fetched; try again"),
    ("failed", StatusCode::INTERNAL_SERVER_ERROR, "the file could not be stored or read"),
];

const KINDS: usize = 10;

impl Refused {
    const fn kind(&self) -> usize {
        match self {
            Self::May(refusal) => match refusal.code {
                Code::RateLimited => 1,
                Code::Unavailable => 2,
                Code::TooLarge => 3,
                _ => 0,
            },
            Self::TooLarge => 3,
            Self::TooSlow => 4,
            Self::Malformed => 5,
            Self::Cut => 6,
            Self::Missing => 7,
            Self::Busy => 8,
            Self::Failed => 9,
        }
    }

    /// What the peer is told: `{"error":"…"}`.
    pub(super) fn response(&self) -> Response<Body> {
        let (_, status, sentence) = ROWS.get(self.kind()).copied().unwrap_or(ROWS[0]);
        let (sentence, wait) = match self {
            Self::May(refusal) => (refusal.message.as_str(), refusal.retry_after),
            Self::Busy => (sentence, Some(1_000)),
            _ => (sentence, None),
        };
        let mut response = json(status, &serde_json::json!({ "error": sentence }));
        if let Some(wait) = wait {
            let seconds = HeaderValue::from(wait.div_ceil(1000));
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::May(refusal)
    }
}

impl From<portcullis_server_core::form::BadForm> for Refused {
    fn from(_: portcullis_server_core::form::BadForm) -> Self {
        Self::Malformed
    }
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        tracing::warn!(%error, "a guest's file");
        Self::Failed
    }
}

/// An answer in JSON.
pub(super) fn json(status: StatusCode, value: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// How many files came and went, and how many were refused for what.
#[derive(Debug, Default)]
pub struct Counters {
    pub(super) taken: AtomicU64,
    pub(super) fetched: AtomicU64,
    refused: [AtomicU64; KINDS],
}

impl Counters {
    pub(super) fn count(&self, refused: &Refused) {
        if let Some(counter) = self.refused.get(refused.kind()) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Adds the counters to a text exposition.
    pub(crate) fn render(&self, text: &mut String) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        row(text, "upload_taken", "files of guests taken", read(&self.taken));
        row(text, "upload_fetched", "files of guests handed on", read(&self.fetched));
        for ((name, ..), counter) in ROWS.iter().zip(&self.refused) {
            let name = format!("upload_{name}");
            row(text, &name, "requests about files of guests refused", read(counter));
        }
    }
}
