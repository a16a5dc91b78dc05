//! Guests' clients that are web pages on another port: what their browser asks and has to be told before
//! it lets them read our answers. Source: the Fetch standard, "CORS protocol".

use axum::body::Body;
use axum::middleware::Next;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};

/// What a page is told besides: no more than the two requests that there are.
const ALLOWED: [(HeaderName, &str); 4] = [
    (ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST"),
    (ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
    (ACCESS_CONTROL_EXPOSE_HEADERS, "content-disposition"),
    (ACCESS_CONTROL_MAX_AGE, "600"),
];

/// Lets a page read our answers. Its origin was admitted by the defence `admit_origin`, or the request
/// would not have come this far.
pub(super) async fn answer(request: Request<Body>, next: Next) -> Response<Body> {
    let origin = request.headers().get(ORIGIN).cloned();
    let mut response = if request.method() == Method::OPTIONS {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        for (header, value) in ALLOWED {
            headers.insert(header, HeaderValue::from_static(value));
        }
    }
    response
}
