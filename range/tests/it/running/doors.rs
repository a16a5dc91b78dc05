//! The doors of a range that runs, as a learner's script has them: HTTP and WebSockets, and nothing else of
//! the worlds. Only time is the test's own, so that nobody has to wait for it.

use super::Script;
use futures_util::stream;
use portcullis_range::doors::{Doors, Overheard, Way};
use portcullis_range::flaws::{Flaw, Lost};
use portcullis_range::host::Background;
use portcullis_range::world::{Held, HeldId, Line, Order};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::mpsc as of_threads;
use tokio::sync::mpsc;

/// A range that runs in this process, behind its sockets, with a clock that is told when a second has passed.
pub(super) struct Running {
    // It ends before its clock and its folder do.
    range: Background,
    seconds: mpsc::Sender<()>,
    passed: of_threads::Receiver<()>,
    _folder: tempfile::TempDir,
}

impl Running {
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (seconds, ticks) = mpsc::channel(1);
        let (told, passed) = of_threads::channel();
        // Whoever asks for a second has seen the one before pass everywhere.
        let clock = stream::unfold((ticks, told), |(mut ticks, told)| async move {
            told.send(()).ok()?;
            ticks.recv().await?;
            Some(((), (ticks, told)))
        });
        let range = Background::start(folder.path().join("range"), clock).unwrap();
        passed.recv().unwrap();
        Self { range, seconds, passed, _folder: folder }
    }

    fn second(&self) {
        self.seconds.blocking_send(()).unwrap();
        self.passed.recv().unwrap();
    }

    /// Somebody joins; what they come back with.
    pub(super) fn join(&self, name: &str) -> String {
        let joined = self.post(None, "/api/learners", &json!({"name": name}));
        joined["token"].as_str().unwrap().to_owned()
    }

    pub(super) fn get(&self, token: &str, path: &str) -> Value {
        let request = ureq::get(format!("http://{}{path}", self.range.address()));
        let mut answer = request.header("Authorization", format!("Bearer {token}")).call().unwrap();
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
    }

    pub(super) fn post(&self, token: Option<&str>, path: &str, body: &Value) -> Value {
        let mut request = ureq::post(format!("http://{}{path}", self.range.address()));
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut answer = request.send(body.to_string()).unwrap();
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
    }
}

/// A learner at the doors of their world of one flaw.
pub(super) struct Outside<'r> {
    range: &'r Running,
    token: &'r str,
    slug: &'static str,
    nonce: String,
    entrance: Value,
    /// Each with what it has heard and nobody has asked for.
    scripts: BTreeMap<Line, (Script, Vec<Value>)>,
    pages: Vec<Script>,
    workshop: Script,
    wire: Option<Script>,
    held: BTreeMap<HeldId, Held>,
    overheard: Vec<Overheard>,
    last_passage: u64,
}

impl<'r> Outside<'r> {
    pub(super) fn new(range: &'r Running, token: &'r str, flaw: &Flaw) -> Self {
        let page = range.get(token, &format!("/api/flaws/{}", flaw.slug));
        let entrance = range.get(token, &format!("/api/flaws/{}/entrance", flaw.slug));
        let door = |name: &str| entrance[name].as_str().map(Script::open);
        let (workshop, wire) = (door("workshop").unwrap(), door("wire"));
        Self {
            range,
            token,
            slug: flaw.slug,
            nonce: nonce(page["story"].as_str().unwrap()),
            entrance,
            scripts: BTreeMap::new(),
            pages: Vec::new(),
            workshop,
            wire,
            held: BTreeMap::new(),
            overheard: Vec::new(),
            last_passage: 0,
        }
    }

    fn add(&mut self, script: Script) -> Line {
        let line = Line::numbered(u64::try_from(self.scripts.len()).unwrap());
        self.scripts.insert(line, (script, Vec::new()));
        line
    }

    fn keep(&mut self, frames: Vec<Value>) {
        for frame in frames {
            let text = |name: &str| frame[name].as_str().unwrap().to_owned();
            let id = HeldId(frame["frame"].as_u64().unwrap());
            let up = frame["up"].as_bool().unwrap();
            self.held.insert(id, Held { id, whose: text("whose"), up, text: text("text") });
        }
    }
}

impl Doors for Outside<'_> {
    fn nonce(&self) -> &str {
        &self.nonce
    }

    fn enter(&mut self, way: Way) -> Result<Line, Lost> {
        let door = match way {
            Way::Connect => "connect",
            Way::Session => "session",
            Way::Desk => "desk",
        };
        let url = self.entrance[door].as_str().ok_or_else(|| Lost::new("going in", door))?;
        let script = Script::open(url);
        Ok(self.add(script))
    }

    fn send(&mut self, line: Line, text: &str) -> Result<(), Lost> {
        let (script, heard) = self.scripts.get_mut(&line).unwrap();
        let sent = script.0.send(tungstenite::Message::text(text));
        sent.map_err(|error| Lost::new("sending", error))?;
        // What else is done, is done once this has come in.
        heard.extend(script.settled());
        Ok(())
    }

    fn receive(&mut self, line: Line) -> Vec<String> {
        let (script, heard) = self.scripts.get_mut(&line).unwrap();
        heard.extend(script.settled());
        heard.drain(..).map(|frame| frame.to_string()).collect()
    }

    fn order(&mut self, order: Order) -> Result<Value, Lost> {
        let at_the_wire = match &order {
            Order::Pass { frame } | Order::Replace { frame, .. } => {
                self.held.remove(&HeldId(*frame));
                true
            }
            Order::Hold { on } => {
                if !on {
                    self.held.clear();
                }
                true
            }
            Order::Sever { .. } | Order::Send { .. } => true,
            _ => false,
        };
        let script = match &mut self.wire {
            Some(wire) if at_the_wire => wire,
            _ => &mut self.workshop,
        };
        script.send(&json!(order));
        let mut held = Vec::new();
        let answer = loop {
            let frame = script.hear().map_err(|why| Lost::new(order.what(), why))?;
            match frame.get("frame") {
                Some(_) => held.push(frame),
                None => break frame,
            }
        };
        self.keep(held);
        match answer.get("refused") {
            Some(why) => Err(Lost::new(order.what(), why)),
            None => Ok(answer["done"].clone()),
        }
    }

    fn held(&mut self) -> Vec<Held> {
        let held = self.wire.as_mut().map(Script::settled).unwrap_or_default();
        self.keep(held);
        self.held.values().cloned().collect()
    }

    fn page(&mut self, origin: &str) -> Result<(), Lost> {
        let url = self.entrance["page"].as_str().ok_or_else(|| Lost::new("a page", "no door"))?;
        let (door, _) = url.split_once('=').unwrap();
        self.pages.push(Script::open(&format!("{door}={origin}")));
        Ok(())
    }

    fn visits(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        for mut page in std::mem::take(&mut self.pages) {
            match page.settled().iter().any(|frame| frame["event"] == "visit") {
                true => lines.push(self.add(page)),
                false => self.pages.push(page),
            }
        }
        lines
    }

    fn overheard(&mut self) -> Vec<Overheard> {
        loop {
            let path = format!("/api/flaws/{}/wire?after={}", self.slug, self.last_passage);
            let answer = self.range.get(self.token, &path);
            let passages = answer["passages"].as_array().unwrap();
            let Some(last) = passages.last() else { return self.overheard.clone() };
            self.last_passage = last["number"].as_u64().unwrap();
            self.overheard.extend(passages.iter().map(|passage| Overheard {
                at: passage["at"].as_u64().unwrap(),
                from: passage["from"].as_str().unwrap().to_owned(),
                to: passage["to"].as_str().unwrap().to_owned(),
                frame: serde_json::from_str(passage["frame"].as_str().unwrap()).unwrap(),
            }));
        }
    }

    fn wait(&mut self, seconds: u32) -> Result<(), Lost> {
        (0..seconds).for_each(|_| self.range.second());
        Ok(())
    }
}

/// The learner's word, as it stands in a story that has one.
pub(super) fn nonce(story: &str) -> String {
    let mut words = story.split(|letter: char| !letter.is_ascii_alphanumeric());
    let is_nonce = |word: &&str| {
        let capital = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        word.len() == 10 && word.bytes().all(capital)
    };
    words.find(is_nonce).unwrap_or_default().to_owned()
}
