//! By way of the server: a blob is put there from the byte on that the server lacks, and fetched from the byte on
//! that a part lacks, while it is still being put there if need be. HTTP/1.1, one connection for each try, over the
//! same TLS as everything else.
//!
//! A broken connection is nothing that anybody is told: it is tried again, after pauses that grow.

mod body;
mod http;

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{CONTENT_RANGE, RANGE};
use hyper::{Method, StatusCode};
use portcullis_client_core::Fault;
use portcullis_proto::TransferId;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::halt::Halt;
use super::limits::{ANSWER, RELAY_DOUBLINGS, RELAY_PAUSE, RELAY_VAIN, STALLED_RELAY};
use super::meter::Meter;
use super::part::Part;
use super::pieces::{keep, pipe, seal};
use super::sealed::Sealed;
use super::stop::Stop;
use crate::net::Connector;
use body::Pieces;
use http::{Asked, UPLOAD_BEGIN, UPLOAD_OFFSET, number};

/// What moving a blob to or from the server needs.
#[derive(Clone)]
pub(super) struct Relaying {
    pub(super) server: Connector,
    pub(super) transfer: TransferId,
    pub(super) token: String,
    pub(super) meter: Arc<Meter>,
    pub(super) stop: Stop,
}

/// Puts a blob on the server, from the first byte on that anybody lacks.
///
/// # Errors
/// [`Halt`], but not [`Halt::Broken`].
pub(super) async fn upload(
    sealed: Arc<Sealed>,
    begin: u64,
    relaying: &Relaying,
) -> Result<(), Halt> {
    let mut pause = Pause::default();
    loop {
        let before = relaying.meter.get();
        let tried = tokio::select! {
            () = relaying.stop.wanted() => return Err(Halt::Stopped),
            tried = put(&sealed, begin, relaying) => tried,
        };
        match tried {
            Err(Halt::Broken) => {}
            ended => return ended,
        }
        pause.wait(relaying.meter.get() > before, &relaying.stop).await?;
    }
}

/// Fetches what a part lacks. The part is lost only if it can't go on.
///
/// # Errors
/// [`Halt`], but not [`Halt::Broken`].
pub(super) async fn fetch(
    mut part: Part,
    relaying: &Relaying,
) -> Result<(Part, Result<(), Halt>), Halt> {
    let mut pause = Pause::default();
    while !part.is_whole() {
        let before = part.offset();
        let (back, tried) = get(part, relaying).await?;
        part = back;
        match tried {
            Err(Halt::Broken) => {}
            ended => return Ok((part, ended)),
        }
        pause.wait(part.offset() > before, &relaying.stop).await?;
        if pause.vain >= RELAY_VAIN {
            return Ok((part, Err(Halt::Lacking)));
        }
    }
    Ok((part, Ok(())))
}

/// Asks what the server has, and sends the rest.
async fn put(sealed: &Arc<Sealed>, begin: u64, relaying: &Relaying) -> Result<(), Halt> {
    let asked = Asked::connect(relaying).await?;
    let head = asked.ask(Method::HEAD, Vec::new(), Pieces::none());
    let (head, asked) = in_time(head).await?;
    refusal(head.status())?;
    let end = number(&head, UPLOAD_OFFSET).ok_or(Halt::Broken)?;
    let (offset, anew) = goes_on(begin, number(&head, UPLOAD_BEGIN), end);
    let of = sealed.blob().bytes();
    relaying.meter.set(offset);
    if offset >= of {
        return Ok(());
    }
    let (into, from) = pipe();
    let (sealed, stop) = (Arc::clone(sealed), relaying.stop.clone());
    let sealing = spawn_blocking(move || seal(&sealed, offset, into, &stop));
    let range = format!("bytes {offset}-{}/{of}", of - 1);
    let mut headers = vec![(CONTENT_RANGE, range)];
    headers.extend(anew.then(|| (UPLOAD_BEGIN, offset.to_string())));
    let body = Pieces::new(from, of - offset, Arc::clone(&relaying.meter));
    let answer = tokio::select! {
        answer = asked.ask(Method::PUT, headers, body) => answer,
        () = stalled(&relaying.meter, STALLED_RELAY) => Err(Halt::Broken),
    };
    // What stopped the sealing is why there is no answer. The pieces are gone by now, so it has ended.
    sealing.await.unwrap_or(Err(Halt::Stopped))?;
    let (answer, _) = answer?;
    refusal(answer.status())
}

/// Where an upload goes on, and whether anew: at the end of what is there, unless something is lacked from before
/// that, or only what comes later. A server that says nothing of a beginning can't begin elsewhere.
fn goes_on(lacked: u64, begins: Option<u64>, end: u64) -> (u64, bool) {
    match begins {
        Some(begins) if !(begins..=end).contains(&lacked) => (lacked, true),
        _ => (end, false),
    }
}

/// Asks for the rest of a blob, and keeps what comes.
async fn get(part: Part, relaying: &Relaying) -> Result<(Part, Result<(), Halt>), Halt> {
    let (into, from) = pipe();
    let (meter, stop) = (Arc::clone(&relaying.meter), relaying.stop.clone());
    let (blob, offset) = (part.blob(), part.offset());
    let keeping = spawn_blocking(move || {
        let mut part = part;
        let kept = keep(&mut part, from, &meter, &stop);
        (part, kept)
    });
    let came = async {
        let range = format!("bytes={offset}-");
        let asked = Asked::connect(relaying).await?;
        let answer = asked.ask(Method::GET, vec![(RANGE, range)], Pieces::none());
        let (answer, _asked) = in_time(answer).await?;
        refusal(answer.status())?;
        if answer.status() != StatusCode::PARTIAL_CONTENT {
            return Err(Halt::Broken);
        }
        body::collect(answer.into_body(), blob.pieces_from(offset).map(|piece| piece.len), into)
            .await
    };
    let came = tokio::select! {
        () = relaying.stop.wanted() => Err(Halt::Stopped),
        came = came => came,
        () = stalled(&relaying.meter, STALLED_RELAY) => Err(Halt::Broken),
    };
    let (part, kept) = keeping.await.map_err(|_| Halt::Stopped)?;
    // What can't be kept counts more than that no more came.
    let ended = match (kept, came) {
        (Ok(()), _) => Ok(()),
        (Err(Halt::Broken), Err(halt)) => Err(halt),
        (Err(halt), _) => Err(halt),
    };
    Ok((part, ended))
}

/// What an answer means that is none.
fn refusal(status: StatusCode) -> Result<(), Halt> {
    Err(match status {
        status if status.is_success() => return Ok(()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Halt::TokenRefused,
        StatusCode::RANGE_NOT_SATISFIABLE => Halt::Lacking,
        StatusCode::NOT_FOUND | StatusCode::GONE => Halt::Fault(Fault::Expired),
        StatusCode::INSUFFICIENT_STORAGE | StatusCode::PAYLOAD_TOO_LARGE => {
            Halt::Fault(Fault::NoRoom)
        }
        // Somebody else is at it, or it has other bytes than was thought, or it is in trouble: asking again helps.
        _ => Halt::Broken,
    })
}

async fn in_time<T>(answer: impl Future<Output = Result<T, Halt>>) -> Result<T, Halt> {
    tokio::time::timeout(ANSWER, answer).await.unwrap_or(Err(Halt::Broken))
}

/// Waits until nothing has moved for so long.
async fn stalled(meter: &Meter, time: Duration) {
    loop {
        let before = meter.get();
        sleep(time).await;
        if meter.get() == before {
            return;
        }
    }
}

/// Pauses between tries, which grow as long as nothing is gained.
#[derive(Default)]
struct Pause {
    vain: u32,
}

impl Pause {
    async fn wait(&mut self, gained: bool, stop: &Stop) -> Result<(), Halt> {
        self.vain = if gained { 0 } else { (self.vain + 1).min(RELAY_DOUBLINGS) };
        tokio::select! {
            () = stop.wanted() => Err(Halt::Stopped),
            () = sleep(RELAY_PAUSE * 2_u32.pow(self.vain)) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first byte that anybody lacks, what the server has, and where it goes on.
    #[test]
    fn where_an_upload_goes_on() {
        let check = |lacked: u64, begins: Option<u64>, end: u64, expected: (u64, bool)| {
            assert_eq!(goes_on(lacked, begins, end), expected, "{lacked} {begins:?} {end}");
        };
        check(0, Some(0), 0, (0, false));
        check(0, Some(0), 70, (70, false));
        check(40, Some(0), 0, (40, true));
        check(40, Some(0), 10, (40, true));
        check(40, Some(0), 40, (40, false));
        check(40, Some(0), 70, (70, false));
        check(40, Some(20), 70, (70, false));
        check(40, Some(40), 40, (40, false));
        check(40, Some(60), 70, (40, true));
        check(0, Some(60), 70, (0, true));
        check(40, None, 0, (0, false));
        check(40, None, 70, (70, false));
    }
}
