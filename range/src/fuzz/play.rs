//! Two learners at a host: one does what the bytes say, the other nothing. Leaves out how bytes travel.

use super::caller::{Answered, BINARY, Heard, Lobby, Socket, TEXT, Telephone, exchange};
use crate::flaws::Flaw;
use crate::host::{Host, SUBPROTOCOL, router};
use crate::limits;
use crate::plane::{FlagRoot, Folder, Opened};
use axum::http::{HeaderName, HeaderValue, Method};
use portcullis_proto::UserName;
use portcullis_sim::fuzz::Input;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const STEPS: usize = 64;
const ROOT: [u8; 32] = [7; 32];
const METHODS: [&str; 3] = ["GET", "POST", "HEAD"];
const DOORS: [&str; 6] = ["connect", "session", "desk", "workshop", "wire", "page"];
/// Of a flaw; `fix` plays several worlds through, and is asked for once.
const PAGES: [&str; 8] =
    ["", "/hint", "/entrance", "/submit", "/wire", "/wire?after=2", "/diff", "/reset"];
const OTHERS: [&str; 6] =
    ["/", "/api/manifest", "/api/learners", "/api/board", "/api/receipts", "/api/events"];

/// A folder that goes when the play is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("portcullis-range-fuzz-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is in the folder for what may be left.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A way into the world that is open.
struct Open {
    socket: Socket,
    takes_orders: bool,
    /// A page is no connection before somebody comes to it.
    is_line: bool,
}

pub(super) struct Play<'a> {
    host: Arc<Host>,
    telephone: Telephone,
    flaw: &'static Flaw,
    input: Input<'a>,
    /// Whose bytes are played.
    you: UserName,
    token: String,
    ticket: String,
    doors: Vec<Open>,
    /// What nobody but the other learner and the plane may know.
    hidden: Vec<String>,
    others_token: String,
    before: Vec<String>,
    may_fix: bool,
    _scratch: Scratch,
}

impl<'a> Play<'a> {
    /// Both have joined, and have a world of the flaw.
    pub(super) async fn begin(flaw: &'static Flaw, input: Input<'a>) -> Option<Self> {
        let scratch = Scratch::new();
        let opened = Folder::open(&scratch.0, "").ok()?;
        let opened = Opened { root: FlagRoot::from_bytes(ROOT), ..opened };
        let host = Arc::new(Host::new(opened, SocketAddr::from(([127, 0, 0, 1], 12399))));
        let (you, other) = (UserName::parse("mira").ok()?, UserName::parse("oleg").ok()?);
        let (token, others_token) = (host.join(&you, None).ok()?, host.join(&other, None).ok()?);
        let whose = host.whose(&other, flaw, 0);
        let root = FlagRoot::from_bytes(ROOT);
        let secrets = root.secrets(whose);
        let plane = ROOT.iter().map(|byte| format!("{byte:02x}")).collect();
        let hidden = vec![
            secrets.flag.to_string(),
            secrets.nonce,
            host.key_of(&other, flaw, 0),
            others_token.clone(),
            plane,
        ];
        let telephone = serve(&host);
        let (ticket, doors, before) = (String::new(), Vec::new(), Vec::new());
        let mut play = Self {
            host,
            telephone,
            flaw,
            input,
            you,
            token,
            ticket,
            doors,
            hidden,
            others_token,
            before,
            may_fix: true,
            _scratch: scratch,
        };
        let own = play.token.clone();
        play.ask("GET", &format!("/api/flaws/{}/entrance", flaw.slug), &own, &[], &[]).await;
        play.before = play.others_pages().await;
        Some(play)
    }

    /// Steps, each a byte and what it takes.
    pub(super) async fn run(mut self) -> Option<()> {
        for _ in 0..STEPS {
            if self.step().await.is_none() {
                break;
            }
        }
        // What the host has closed is gone after that.
        for door in std::mem::take(&mut self.doors) {
            self.settle(door, 0).await;
        }
        let lines = self.doors.iter().filter(|door| door.is_line).count();
        assert!(lines <= limits::LINES, "{lines} connections to one world");
        assert!(self.others_pages().await == self.before, "another learner's world has changed");
        Some(())
    }

    async fn step(&mut self) -> Option<()> {
        match self.input.below(8)? {
            0 | 1 => self.request().await?,
            2 | 3 => self.open().await?,
            4 => self.host.tick(),
            5 => {
                let at = self.input.below(self.doors.len())?;
                // Whoever hangs up does not say so.
                drop((at < self.doors.len()).then(|| self.doors.swap_remove(at)));
            }
            _ => self.send().await?,
        }
        Some(())
    }

    /// One request: a known one or another, with headers and a body.
    async fn request(&mut self) -> Option<()> {
        let method = match self.input.below(4)? {
            3 => self.input.text()?,
            known => (*METHODS.get(known)?).to_owned(),
        };
        let path = match self.input.below(4)? {
            0 => self.input.pick(&OTHERS)?.to_owned(),
            1 | 2 => format!("/api/flaws/{}{}", self.flaw.slug, self.input.pick(&PAGES)?),
            _ => self.input.text()?,
        };
        let token = match self.input.below(4)? {
            0 => self.input.text()?,
            _ => self.token.clone(),
        };
        let mut headers = Vec::new();
        for _ in 0..self.input.below(3)? {
            headers.push((self.input.text()?, self.input.chunk()?.to_vec()));
        }
        let body = self.input.chunk()?;
        let body = body.repeat(1 + usize::from(self.input.byte()?.saturating_sub(200)) * 8);
        self.ask(&method, &path, &token, &headers, &body).await;
        Some(())
    }

    /// Asks, and looks at the answer. What could not be sent is not asked.
    async fn ask(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(String, Vec<u8>)],
        body: &[u8],
    ) -> String {
        let is_fix = path.contains("/fix");
        let sendable = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
        if !sendable
            || Method::from_bytes(method.as_bytes()).is_err()
            || HeaderValue::from_str(token).is_err()
            || is_fix && !std::mem::take(&mut self.may_fix)
        {
            return String::new();
        }
        let host = self.host.address().to_string();
        let mut request = head(method, path, token, body.len(), &host).into_bytes();
        for (name, value) in headers.iter().filter(|(name, value)| is_plain(name, value)) {
            request.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        request.extend([b"\r\n", body].concat());
        let answered = self.telephone.ask(&request).await.map(|(answered, _)| answered);
        assert!(answered.is_some(), "{method} {path} is not answered");
        let Some(answered) = answered else { return String::new() };
        self.check_answer(method, path, &answered);
        if token == self.token {
            self.learn_ticket(&answered.body);
        }
        answered.body
    }

    /// The doors change with every reset.
    fn learn_ticket(&mut self, body: &str) {
        let parts = body.split_once("/worlds/").and_then(|(_, rest)| rest.split_once('/'));
        if let Some((ticket, _)) = parts {
            self.ticket = ticket.to_owned();
        }
    }

    fn check_answer(&self, method: &str, path: &str, answered: &Answered) {
        let Answered { status, head, body } = answered;
        let json: Option<Value> = serde_json::from_str(body).ok();
        let has = |name: &str| json.as_ref().is_some_and(|json| json[name].is_string());
        let fits = match status {
            _ if method == "HEAD" => true,
            200 if path.starts_with("/api") => {
                json.as_ref().is_some_and(Value::is_object) || answered.is_of("text/event-stream")
            }
            200 => body.starts_with("NO SECURITY."),
            // What is no HTTP, or too much of it, does not come as far as the range.
            400 | 414 | 431 if body.is_empty() && !head.contains("content-type") => true,
            _ => answered.is_of("application/json") && has("refusal") && has("message"),
        };
        assert!(fits, "{method} {path}: {status} {body}");
        assert!(!body.contains("has broken down"), "a world panicked");
        let passages = json.as_ref().and_then(|json| json["passages"].as_array());
        assert!(passages.is_none_or(|passages| passages.len() <= limits::PAGE), "too long a page");
        // The wire is the world's; all else is the range's own.
        assert!(path.contains("/wire") || !body.contains(&self.own_flag()), "{path} has the flag");
        self.check_hidden(body);
    }

    /// What the other learner sees. Their own answers hold what is theirs, so they are not looked at.
    async fn others_pages(&self) -> Vec<String> {
        let slug = self.flaw.slug;
        let mut pages = Vec::new();
        for path in [
            "/api/board".to_owned(),
            "/api/receipts".to_owned(),
            format!("/api/flaws/{slug}"),
            format!("/api/flaws/{slug}/entrance"),
            format!("/api/flaws/{slug}/wire"),
        ] {
            let request =
                head("GET", &path, &self.others_token, 0, &self.host.address().to_string());
            let answered = self.telephone.ask(format!("{request}\r\n").as_bytes()).await;
            pages.extend(answered.map(|(answered, _)| answered.body));
        }
        assert!(pages.len() == 5, "another learner is not answered");
        pages
    }

    /// Opens a door, known or not, with the ticket or without.
    async fn open(&mut self) -> Option<()> {
        let door = match self.input.below(8)? {
            6 => self.input.text()?,
            7 => format!("page?at={}", self.input.text()?),
            known => (*DOORS.get(known)?).to_owned(),
        };
        let ticket =
            if self.input.below(8)? == 7 { self.input.text()? } else { self.ticket.clone() };
        let door = if door == "page" { "page?at=https://cats.example".to_owned() } else { door };
        let path = format!("/worlds/{ticket}/{door}");
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Some(());
        }
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
             Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n",
            self.host.address()
        );
        let answered = self.telephone.ask(request.as_bytes()).await;
        assert!(answered.is_some(), "{path} is not answered");
        let (answered, stream) = answered?;
        if answered.status != 101 {
            self.check_answer("GET", &path, &answered);
            return Some(());
        }
        let (takes_orders, is_line) = (door.starts_with('w'), !door.starts_with(['w', 'p']));
        let open = Open { socket: Socket(stream), takes_orders, is_line };
        self.settle(open, 0).await;
        Some(())
    }

    /// Sends over an open door, mostly text.
    async fn send(&mut self) -> Option<()> {
        let at = self.input.below(self.doors.len())?;
        let how = self.input.byte()?;
        let text = self.input.text()?;
        let text = text.repeat(1 + usize::from(how.saturating_sub(200)) * 8);
        if at >= self.doors.len() {
            return Some(());
        }
        let mut door = self.doors.swap_remove(at);
        let kind = if how == 199 { BINARY } else { TEXT };
        // Whether it arrives shows when it is answered.
        let _ = door.socket.send(kind, text.as_bytes()).await;
        self.settle(door, 1).await;
        Some(())
    }

    /// Hears what has come on a door, which stays open unless the host has closed it. So many orders are answered.
    async fn settle(&mut self, mut door: Open, orders: usize) {
        if orders == 0 {
            // Whether it arrives shows when it is answered.
            let _ = door.socket.ping().await;
        }
        let mut answers = 0;
        loop {
            match door.socket.hear().await {
                Heard::Text(text) => {
                    self.check_hidden(&text);
                    answers += usize::from(self.check_text(&text, door.takes_orders));
                }
                Heard::End => return,
                Heard::Pong => break,
            }
        }
        assert!(!door.takes_orders || answers == orders, "{answers} answers to {orders} orders");
        self.doors.push(door);
    }

    /// Looks at what came over a door; whether it is the answer to an order.
    fn check_text(&self, text: &str, takes_orders: bool) -> bool {
        let json: Option<Value> = serde_json::from_str(text).ok();
        let has = |name: &str| json.as_ref().is_some_and(|json| json.get(name).is_some());
        let is_answer = has("done") || has("refused");
        // Whoever holds the wire makes frames of any form.
        let fits = match takes_orders {
            true => is_answer || has("frame") && has("whose") && has("up") && has("text"),
            false => {
                self.flaw.role.holds_the_wire() || has("event") || has("reply") || has("refusal")
            }
        };
        assert!(fits, "{text}");
        assert!(!takes_orders || !text.contains("has broken down"), "a world panicked");
        is_answer
    }

    fn own_flag(&self) -> String {
        let variant = self.host.row(&self.you, self.flaw.slug).worlds();
        let whose = self.host.whose(&self.you, self.flaw, variant);
        FlagRoot::from_bytes(ROOT).flag(whose).to_string()
    }

    fn check_hidden(&self, text: &str) {
        assert!(!self.hidden.iter().any(|hidden| text.contains(hidden)), "told: {text}");
    }
}

/// The host answers, in this thread.
fn serve(host: &Arc<Host>) -> Telephone {
    let (telephone, lobby): (Telephone, Lobby) = exchange();
    let router = router(Arc::clone(host));
    tokio::spawn(async move { axum::serve(lobby, router).await });
    telephone
}

/// What stands before the headers of one's own.
fn head(method: &str, path: &str, token: &str, length: usize, host: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nConnection: close\r\nHost: {host}\r\n\
         Content-Length: {length}\r\nAuthorization: Bearer {token}\r\n"
    )
}

/// Whether it is a header, and none that says where the request ends.
fn is_plain(name: &str, value: &[u8]) -> bool {
    let frames = ["connection", "content-length", "transfer-encoding", "expect", "upgrade"];
    let known =
        HeaderName::from_bytes(name.as_bytes()).is_ok_and(|name| !frames.contains(&name.as_str()));
    known && HeaderValue::from_bytes(value).is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::flaws::find;

    /// Plays steps at a lesson on the wire; how many doors are open then, and how many hints were taken.
    async fn check(steps: &[u8], doors: usize, hints: usize) {
        let mut play = Play::begin(find("no-tag").unwrap(), Input::new(steps)).await.unwrap();
        while play.step().await.is_some() {}
        let row = play.host.row(&play.you, "no-tag");
        assert_eq!((play.doors.len(), row.hints), (doors, hints), "{steps:?}");
    }

    #[tokio::test]
    async fn what_the_bytes_say_is_done() {
        check(&[], 0, 0).await;
        for door in 0..5 {
            check(&[2, door, 0], 1, 0).await;
        }
        // Nobody has a browser here, but a page may be up; with another ticket nothing opens.
        check(&[2, 5, 0], 1, 0).await;
        check(&[2, 0, 7, 1, b'x'], 0, 0).await;
        // A closed door, and one that is hung up.
        check(&[2, 0, 0, 6, 0, 199, 1, b'x'], 0, 0).await;
        check(&[2, 0, 0, 5, 0], 0, 0).await;
        let hint = [0, 1, 1, 1, 1, 0, 0, 0];
        check(&hint, 0, 1).await;
        check(&[hint, hint].concat(), 0, 2).await;
    }
}
