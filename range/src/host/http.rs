//! The interface over HTTP: JSON in, JSON out, and a stream of what happens. `range/README.md` documents it.

use super::board::answer;
use super::{Host, Refused, guard, socket};
use crate::flaws::{self, Flaw};
use crate::limits;
use axum::body::{Body, Bytes};
use axum::extract::{
    DefaultBodyLimit, FromRequest as _, FromRequestParts, Path, Query, Request, State,
};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream::{self, Stream};
use portcullis_proto::UserName;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

type Shared = State<Arc<Host>>;
type Answered = Result<Json<Value>, Refused>;

/// Everything under the range's address.
pub(crate) fn router(host: Arc<Host>) -> Router {
    let address = host.address();
    Router::new()
        .route("/", get(welcome))
        .route("/api/manifest", get(manifest))
        .route("/api/learners", post(join))
        .route("/api/board", get(show_board))
        .route("/api/receipts", get(receipts))
        .route("/api/events", get(events))
        .route("/api/flaws/{slug}", get(show))
        .route("/api/flaws/{slug}/hint", post(hint))
        .route("/api/flaws/{slug}/entrance", get(entrance))
        .route("/api/flaws/{slug}/submit", post(submit))
        .route("/api/flaws/{slug}/wire", get(wire))
        .route("/api/flaws/{slug}/diff", get(diff))
        .route("/api/flaws/{slug}/fix", post(fix))
        .route("/api/flaws/{slug}/reset", post(reset))
        .route("/worlds/{ticket}/{door}", get(socket::enter))
        .layer(middleware::from_fn(whole))
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES))
        .layer(middleware::from_fn_with_state(address, guard::guard))
        .layer(middleware::from_fn(in_time))
        .layer(middleware::map_response(in_form))
        .with_state(host)
}

/// Waits for the rest of a request no longer than for its beginning.
async fn whole(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let patience = Duration::from_millis(limits::SILENT_MILLIS);
    let read = Bytes::from_request(Request::from_parts(parts.clone(), body), &());
    match tokio::time::timeout(patience, read).await {
        Ok(Ok(body)) => next.run(Request::from_parts(parts, Body::from(body))).await,
        Ok(Err(refused)) => refused.into_response(),
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

/// Waits for an answer no longer than whoever asks would.
async fn in_time(request: Request, next: Next) -> Response {
    let patience = Duration::from_millis(limits::ANSWER_MILLIS);
    let answered = tokio::time::timeout(patience, next.run(request)).await;
    answered.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response())
}

/// Gives errors that are not the range's own, but of what it is built on, the form that all others have.
async fn in_form(response: Response) -> Response {
    let status = response.status();
    let is_json = |value: &HeaderValue| value.as_bytes() == b"application/json";
    let error = status.is_client_error() || status.is_server_error();
    if !error || response.headers().get(header::CONTENT_TYPE).is_some_and(is_json) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let said = axum::body::to_bytes(body, limits::BODY_BYTES).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let message = match said.trim() {
        "" => status.canonical_reason().unwrap_or("it can't be done"),
        said => said,
    };
    let code = match status {
        StatusCode::FORBIDDEN => "not_from_here",
        StatusCode::NOT_FOUND => "no_address",
        StatusCode::METHOD_NOT_ALLOWED => "no_method",
        StatusCode::PAYLOAD_TOO_LARGE => "too_long",
        StatusCode::REQUEST_TIMEOUT => "too_slow",
        _ => "malformed",
    };
    // What else it says, such as which methods there are, stays.
    parts.headers.remove(header::CONTENT_TYPE);
    parts.headers.remove(header::CONTENT_LENGTH);
    let body = Json(json!({"refusal": code, "message": message}));
    (status, parts.headers, body).into_response()
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, code) = self.code();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = Json(json!({"refusal": code, "message": self.to_string()}));
        match self {
            // RFC 9110 section 10.2.3.
            Self::TooOften(seconds) | Self::Crowded(seconds) => {
                (status, [(header::RETRY_AFTER, seconds.to_string())], body).into_response()
            }
            _ => (status, body).into_response(),
        }
    }
}

/// Who asks: the holder of the `Bearer` token (RFC 6750).
struct Asking(UserName);

impl FromRequestParts<Arc<Host>> for Asking {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, host: &Arc<Host>) -> Result<Self, Refused> {
        let header = parts.headers.get(header::AUTHORIZATION);
        let token = header.and_then(|header| header.to_str().ok()?.strip_prefix("Bearer "));
        host.learner(token.ok_or(Refused::Stranger)?).map(Self)
    }
}

fn find(slug: &str) -> Result<&'static Flaw, Refused> {
    flaws::find(slug).ok_or(Refused::NoFlaw)
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused::Malformed(error.to_string()))
}

/// Does what takes its time, while connections go on.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Refused::World("this broke down".to_owned()))?
}

async fn welcome() -> &'static str {
    "NO SECURITY. This is the Portcullis range: worlds that are flawed on purpose, for teaching on one's own\n\
     machine. Use `portcullis-range`; programs find the interface described in range/README.md.\n"
}

/// Which flaws are active here, for anybody who has to know.
async fn manifest() -> Json<Value> {
    let slugs: Vec<&str> = flaws::ALL.iter().map(|flaw| flaw.slug).collect();
    Json(json!({"portcullis_range": 1, "security": "none", "flaws": slugs}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Joining {
    name: UserName,
    #[serde(default)]
    code: Option<String>,
}

async fn join(State(host): Shared, body: Bytes) -> Answered {
    let Joining { name, code } = read(&body)?;
    let token = host.join(&name, code.as_deref())?;
    Ok(Json(json!({"learner": name, "token": token})))
}

async fn show_board(State(host): Shared, Asking(name): Asking) -> Answered {
    Ok(Json(host.board(&name)))
}

async fn receipts(State(host): Shared, Asking(name): Asking) -> Answered {
    Ok(Json(json!({"key": host.receipt_key(), "receipts": host.receipts(&name)})))
}

async fn show(State(host): Shared, Asking(name): Asking, Path(slug): Path<String>) -> Answered {
    Ok(Json(host.show(&name, find(&slug)?)))
}

async fn hint(State(host): Shared, Asking(name): Asking, Path(slug): Path<String>) -> Answered {
    Ok(Json(json!({"hints": host.hint(&name, find(&slug)?)?})))
}

async fn entrance(State(host): Shared, Asking(name): Asking, Path(slug): Path<String>) -> Answered {
    let flaw = find(&slug)?;
    Ok(Json(apart(move || host.entrance(&name, flaw)).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Submitted {
    value: String,
}

async fn submit(
    State(host): Shared,
    Asking(name): Asking,
    Path(slug): Path<String>,
    body: Bytes,
) -> Answered {
    let Submitted { value } = read(&body)?;
    if value.len() > limits::VALUE_BYTES {
        return Err(Refused::Malformed("the value is too long".to_owned()));
    }
    let flaw = find(&slug)?;
    let answered = apart(move || host.submit(&name, flaw, &value)).await?;
    Ok(Json(answer(&answered)))
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn wire(
    State(host): Shared,
    Asking(name): Asking,
    Path(slug): Path<String>,
    Query(After { after }): Query<After>,
) -> Answered {
    let flaw = find(&slug)?;
    Ok(Json(apart(move || host.wire(&name, flaw, after)).await?))
}

async fn diff(State(host): Shared, Asking(name): Asking, Path(slug): Path<String>) -> Answered {
    Ok(Json(host.diff(&name, find(&slug)?)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    fix: usize,
}

async fn fix(
    State(host): Shared,
    Asking(name): Asking,
    Path(slug): Path<String>,
    body: Bytes,
) -> Answered {
    let (Chosen { fix }, flaw) = (read(&body)?, find(&slug)?);
    // Several whole worlds are played through.
    let tried = apart(move || host.fix(&name, flaw, fix)).await?;
    Ok(Json(answer(&tried)))
}

async fn reset(State(host): Shared, Asking(name): Asking, Path(slug): Path<String>) -> Answered {
    host.begin_anew(&name, find(&slug)?)?;
    Ok(Json(json!({"reset": slug})))
}

/// Server-sent events: what happens to the learner's progress.
async fn events(
    State(host): Shared,
    Asking(name): Asking,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refused> {
    let open = Some((host.room(&name)?, host.news.subscribe()));
    let stream = stream::unfold((open, name), |(open, name)| async move {
        let (place, mut news) = open?;
        loop {
            match news.recv().await {
                Ok(told) if told.learner == name => {
                    let data = json!({"flaw": told.slug, "what": told.what}).to_string();
                    let event = Event::default().event(told.what).data(data);
                    let open = (!told.is_last()).then_some((place, news));
                    return Some((Ok(event), (open, name)));
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

impl Host {
    /// The key that receipts are verified by.
    #[must_use]
    pub fn receipt_key(&self) -> String {
        self.signer.key()
    }
}
