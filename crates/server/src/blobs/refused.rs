//! What is refused over HTTP, as which status and sentence, and how often each was. Leaves out refusals of
//! requests over the WebSocket, which are the core's.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use http::header::{CONTENT_RANGE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};

use super::limits::BUSY_MILLIS;
use super::{UPLOAD_BEGIN, UPLOAD_OFFSET};
use crate::http::text;
use crate::metrics::row;

/// Why nothing is stored, or fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is no token.
    NoToken,
    /// The token does not serve here.
    Token,
    /// There is no such blob, or no more.
    Missing,
    /// The headers, or the length of the body, do not fit one another or the blob.
    Malformed,
    /// The blob ends at another offset: this one.
    Elsewhere(u64),
    /// Another upload goes on with this blob.
    TakenOver,
    /// Nothing of what was asked for is in the blob, which has so many bytes.
    Beyond(u64),
    /// The first of the bytes that were asked for will not be there: it has them from this one on.
    Before(u64),
    /// The account, or everybody together, has as many uploads or fetches as may be.
    Busy,
    /// Nothing came for a while.
    TooSlow,
    /// The connection ended in the middle. Nobody reads this.
    Cut,
    /// The disk is full.
    Full,
    /// The disk, otherwise.
    Failed,
}

/// A kind of refusal: its name in the metrics, its status, and the sentence that the peer is told.
type Row = (&'static str, StatusCode, &'static str);

impl Refused {
    /// How many kinds there are.
    const KINDS: usize = 13;

    const fn row(self) -> (usize, Row) {
        use StatusCode as S;
        match self {
            Self::NoToken => (0, ("no_token", S::UNAUTHORIZED, "a token is asked for")),
            Self::Token => (1, ("token", S::FORBIDDEN, "this token does not serve here")),
            Self::Missing => (2, ("missing", S::NOT_FOUND, "there is no such blob, or no more")),
            Self::Malformed => {
                (3, ("malformed", S::BAD_REQUEST, "range, length and blob do not fit one another"))
            }
            Self::Elsewhere(_) => (4, ("elsewhere", S::CONFLICT, "the blob ends elsewhere")),
            Self::TakenOver => (5, ("taken_over", S::CONFLICT, "another upload goes on with it")),
            Self::Beyond(_) => (6, ("beyond", S::RANGE_NOT_SATISFIABLE, "the blob ends before")),
            Self::Busy => (7, ("busy", S::TOO_MANY_REQUESTS, "too many at once; try again")),
            Self::TooSlow => (8, ("too_slow", S::REQUEST_TIMEOUT, "too little came for a while")),
            Self::Cut => (9, ("cut", S::BAD_REQUEST, "the body did not come to its end")),
            Self::Full => (10, ("full", S::INSUFFICIENT_STORAGE, "the disk is full")),
            Self::Failed => {
                (11, ("failed", S::INTERNAL_SERVER_ERROR, "the bytes can't be stored or read"))
            }
            Self::Before(_) => (12, ("before", S::RANGE_NOT_SATISFIABLE, "the blob begins later")),
        }
    }

    /// One of each kind.
    const fn all() -> [Self; Self::KINDS] {
        [
            Self::NoToken,
            Self::Token,
            Self::Missing,
            Self::Malformed,
            Self::Elsewhere(0),
            Self::TakenOver,
            Self::Beyond(0),
            Self::Busy,
            Self::TooSlow,
            Self::Cut,
            Self::Full,
            Self::Failed,
            Self::Before(0),
        ]
    }

    /// What the peer is told.
    pub(super) fn response(self) -> Response<Body> {
        let (_, (_, status, sentence)) = self.row();
        let mut response = text(status, format!("{sentence}\n"));
        let headers = response.headers_mut();
        match self {
            Self::NoToken => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Elsewhere(offset) => {
                headers.insert(UPLOAD_OFFSET, offset.into());
            }
            Self::Beyond(bytes) => {
                // Digits are always a header value.
                if let Ok(value) = HeaderValue::try_from(format!("bytes */{bytes}")) {
                    headers.insert(CONTENT_RANGE, value);
                }
            }
            Self::Before(begins) => {
                headers.insert(UPLOAD_BEGIN, begins.into());
            }
            Self::Busy => {
                headers.insert(RETRY_AFTER, BUSY_MILLIS.div_ceil(1000).into());
            }
            _ => {}
        }
        response
    }
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        tracing::warn!(%error, "a blob's bytes");
        match error.kind() {
            StorageFull | QuotaExceeded => Self::Full,
            _ => Self::Failed,
        }
    }
}

/// How many bytes came and went, and how many requests were refused for what.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) bytes_stored: AtomicU64,
    pub(super) bytes_fetched: AtomicU64,
    refused: [AtomicU64; Refused::KINDS],
}

impl Counters {
    pub(super) fn count(&self, refused: Refused) {
        if let Some(counter) = self.refused.get(refused.row().0) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Adds the counters to a text exposition.
    pub(super) fn render(&self, text: &mut String) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        row(text, "blob_stored_bytes", "bytes of blobs that came", read(&self.bytes_stored));
        row(text, "blob_fetched_bytes", "bytes of blobs that went", read(&self.bytes_fetched));
        for (refused, counter) in Refused::all().into_iter().zip(&self.refused) {
            let (_, (name, ..)) = refused.row();
            row(text, &format!("blob_{name}"), "requests about blobs refused", read(counter));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_counted_by_itself() {
        for (place, refused) in Refused::all().into_iter().enumerate() {
            assert_eq!(refused.row().0, place, "{refused:?}");
        }
    }
}
