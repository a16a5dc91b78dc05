//! A class at the sockets of a range that runs: each learner has a world, a connection and a thread of their own.
//!
//! The range and the class share this process and its processors, so what is measured is the range and whoever loads
//! it. Leaves out worlds without sockets, which `main` measures.

use portcullis_range::flaws::ALL;
use portcullis_range::host::{self, Background, SUBPROTOCOL};
use serde_json::{Value, json};
use std::error::Error;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::http::HeaderValue;
use tungstenite::{Message, WebSocket};

pub(super) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Requests of each learner, as fast as they are answered …
const AT_ONCE: usize = 50;
/// … and then one a second, as a busy script may do.
const PACED: usize = 10;

/// What a class measured, all learners together.
pub(super) struct Figures {
    /// From a name to a world that can be talked to.
    pub(super) came: Vec<Duration>,
    /// Each answer, when everybody asks as fast as they can, and how long all of it took.
    pub(super) at_once: (Vec<Duration>, Duration),
    /// Each answer, when everybody asks once a second.
    pub(super) paced: Vec<Duration>,
}

/// Has so many learners work in a range with this folder, which must not be there.
pub(super) fn measure(folder: &Path, learners: usize) -> Outcome<Figures> {
    let range = Background::start(folder.to_owned(), host::seconds())?;
    let figures = class(range.address(), learners);
    range.stop()?;
    figures
}

fn class(address: SocketAddr, learners: usize) -> Outcome<Figures> {
    let (sender, receiver) = mpsc::channel();
    let all = Barrier::new(learners);
    let mut figures = Figures { came: Vec::new(), at_once: Default::default(), paced: Vec::new() };
    thread::scope(|scope| {
        for number in 0..learners {
            let (sender, all) = (sender.clone(), &all);
            scope.spawn(move || sender.send(learn(address, number, all)));
        }
        drop(sender);
        for learned in receiver {
            let learned = learned?;
            figures.came.push(learned.came);
            figures.at_once.0.extend(learned.at_once);
            figures.at_once.1 = figures.at_once.1.max(learned.lasted);
            figures.paced.extend(learned.paced);
        }
        Ok(figures)
    })
}

/// What one learner measured.
struct Learned {
    came: Duration,
    at_once: Vec<Duration>,
    lasted: Duration,
    paced: Vec<Duration>,
}

/// Everybody begins each part together; whoever fails is not waited for in vain.
fn learn(address: SocketAddr, number: usize, all: &Barrier) -> Outcome<Learned> {
    all.wait();
    let start = Instant::now();
    let come = come(address, number);
    let came = start.elapsed();
    all.wait();
    let mut socket = come?;
    let start = Instant::now();
    let at_once = (0..AT_ONCE).map(|_| ask(&mut socket)).collect::<Outcome<_>>()?;
    let lasted = start.elapsed();
    // They don't all ask in the same moment, which is the other measurement.
    let second = Duration::from_secs(1);
    let mut next = Instant::now() + second.mul_f64(f64::from(u32::try_from(number)?) * 0.618 % 1.0);
    let mut paced = Vec::with_capacity(PACED);
    for _ in 0..PACED {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        paced.push(ask(&mut socket)?);
        next += second;
    }
    Ok(Learned { came, at_once, lasted, paced })
}

/// A learner joins, has a world begun, and goes in.
fn come(address: SocketAddr, number: usize) -> Outcome<WebSocket<TcpStream>> {
    let flaw = ALL.get(number % ALL.len()).ok_or("there are no flaws")?;
    let url = |path: &str| format!("http://{address}{path}");
    let name = json!({"name": format!("learner-{number}")}).to_string();
    let mut joined = ureq::post(url("/api/learners")).send(name)?;
    let joined: Value = serde_json::from_str(&joined.body_mut().read_to_string()?)?;
    let token = joined["token"].as_str().ok_or("there is no token")?;
    let entrance = ureq::get(url(&format!("/api/flaws/{}/entrance", flaw.slug)));
    let mut entrance = entrance.header("Authorization", format!("Bearer {token}")).call()?;
    let entrance: Value = serde_json::from_str(&entrance.body_mut().read_to_string()?)?;
    let door = entrance["session"].as_str().ok_or("there is no door")?;
    let mut request = door.into_client_request()?;
    let protocol = HeaderValue::from_static(SUBPROTOCOL);
    request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(tungstenite::client(request, stream).map_err(|error| error.to_string())?.0)
}

/// A page of the lobby, and how long it took.
fn ask(socket: &mut WebSocket<TcpStream>) -> Outcome<Duration> {
    let start = Instant::now();
    socket.send(Message::text(super::fetch(7)))?;
    loop {
        let Message::Text(text) = socket.read()? else { continue };
        if serde_json::from_str::<Value>(&text)?["id"] == 7 {
            return Ok(start.elapsed());
        }
    }
}
