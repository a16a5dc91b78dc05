//! One connection to the server for one blob, and the requests on it.

use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, HOST, HeaderName};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;

use super::super::halt::Halt;
use super::Relaying;
use super::body::Pieces;

/// From which byte on the server has a blob.
pub(super) const UPLOAD_BEGIN: HeaderName = HeaderName::from_static("upload-begin");

/// Up to which byte.
pub(super) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");

/// Bytes of an answer that are read at once.
const READ: usize = 1024 * 1024;

/// A connection, which ends when this is dropped.
pub(super) struct Asked {
    sender: SendRequest<Pieces>,
    driver: JoinHandle<()>,
    host: String,
    path: String,
    bearer: String,
}

impl Asked {
    pub(super) async fn connect(relaying: &Relaying) -> Result<Self, Halt> {
        let stream = relaying.server.connect().await.map_err(|_| Halt::Broken)?;
        let shaken = http1::Builder::new().max_buf_size(READ).handshake(TokioIo::new(stream));
        let (sender, connection) = shaken.await.map_err(|_| Halt::Broken)?;
        // How it ends is seen by its requests.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Self {
            sender,
            driver,
            host: relaying.server.address().authority(),
            path: format!("/blobs/{}", relaying.transfer),
            bearer: format!("Bearer {}", relaying.token),
        })
    }

    /// Sends a request, and waits for the head of its answer.
    pub(super) async fn ask(
        mut self,
        method: Method,
        headers: Vec<(HeaderName, String)>,
        body: Pieces,
    ) -> Result<(Response<Incoming>, Self), Halt> {
        let request = Request::builder().method(method).uri(&self.path);
        let request = request.header(HOST, &self.host).header(AUTHORIZATION, &self.bearer);
        let request =
            headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let request = request.body(body).map_err(|_| Halt::TokenRefused)?;
        self.sender.ready().await.map_err(|_| Halt::Broken)?;
        let answer = self.sender.send_request(request).await.map_err(|_| Halt::Broken)?;
        Ok((answer, self))
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The number that an answer says in a header.
pub(super) fn number(answer: &Response<Incoming>, name: HeaderName) -> Option<u64> {
    answer.headers().get(name)?.to_str().ok()?.parse().ok()
}
