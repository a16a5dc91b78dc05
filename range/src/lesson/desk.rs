//! The desk: passes sealed messages on to everybody and understands none of them, and keeps its books.
//!
//! A frame in, frames out. It runs one frame at a time; only a claim takes more than one step, one in a
//! second, so that what happens between two steps can be chosen.

use super::Defences;
use super::books::{Claim, Entry, Invites, Page, Profile, Staff, Step};
use super::frame::{Kind, Request, Sealed, event, reply};
use super::suite::{Key, mac};
use crate::limits;
use portcullis_proto::{Bytes, ChannelName, Code, Refusal, UserName, encode_refusal};
use portcullis_server_core::ConnectionId;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// What the desk does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out {
    /// It sends a frame.
    Frame(ConnectionId, String),
    /// Its books have changed, because of whoever is on this connection.
    Record(ConnectionId, Record),
}

/// What stands in a book now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `seat`, `profile` or `operator`.
    pub book: &'static str,
    /// An invitation, a role, a name.
    pub row: String,
    /// A name, a motto, what they see.
    pub value: String,
}

/// A claim that has not come to its end.
struct Pending {
    connection: ConnectionId,
    id: u64,
    claim: Claim,
}

/// All of it.
pub struct Desk {
    defences: Defences,
    key: Key,
    lines: BTreeMap<ConnectionId, Option<UserName>>,
    posts: Vec<(usize, Sealed)>,
    post_count: usize,
    notes: usize,
    own_keys: Vec<(ChannelName, Key)>,
    invites: Invites,
    invite_count: u32,
    pending: Vec<Pending>,
    seated: Vec<String>,
    profile: Profile,
    /// Who may see the operator's page.
    pub staff: Staff,
    /// What stands on it.
    pub page: String,
    /// What is found in its binary.
    pub strings: Vec<String>,
    log: Vec<String>,
    log_count: u64,
}

impl Desk {
    /// A desk with empty books; what it makes up comes from this key.
    #[must_use]
    pub fn new(defences: Defences, key: Key) -> Self {
        Self {
            defences,
            key,
            lines: BTreeMap::new(),
            posts: Vec::new(),
            post_count: 0,
            notes: 0,
            own_keys: Vec::new(),
            invites: Invites::default(),
            invite_count: 0,
            pending: Vec::new(),
            seated: Vec::new(),
            profile: Profile::default(),
            staff: Staff::default(),
            page: String::new(),
            strings: Vec::new(),
            log: Vec::new(),
            log_count: 0,
        }
    }

    /// The learner's own client holds a key.
    pub fn keep_own(&mut self, place: ChannelName, key: Key) {
        self.own_keys.push((place, key));
    }

    /// Somebody is there.
    pub fn connect(&mut self, connection: ConnectionId, name: Option<UserName>) {
        self.lines.insert(connection, name);
    }

    /// They are gone, and so is what they waited for.
    pub fn disconnect(&mut self, connection: ConnectionId) {
        self.lines.remove(&connection);
        self.pending.retain(|pending| pending.connection != connection);
    }

    /// Whether this connection is one to the desk.
    #[must_use]
    pub fn has(&self, connection: ConnectionId) -> bool {
        self.lines.contains_key(&connection)
    }

    /// Answers a frame.
    pub fn handle(&mut self, connection: ConnectionId, text: &str) -> Vec<Out> {
        let mut out = Vec::new();
        if text.len() > limits::DESK_FRAME_BYTES {
            let refusal = Refusal::new(Code::TooLarge, "the desk takes no frame as long as this");
            return vec![Out::Frame(connection, encode_refusal(0, &refusal))];
        }
        let (id, done) = match Request::read(text) {
            Ok((id, Request::Claim { code, name })) => {
                let claim = Claim { code, name, steps: 0, seated: Vec::new() };
                (id, self.take_claim(Pending { connection, id, claim }, &mut out))
            }
            Ok((id, request)) => (id, self.run(connection, request, &mut out).map(Some)),
            Err((id, refusal)) => (id, Err(refusal)),
        };
        let answer = match done {
            Ok(None) => return out,
            Ok(Some((name, data))) => reply(id, name, &data),
            Err(refusal) => encode_refusal(id, &refusal),
        };
        out.insert(0, Out::Frame(connection, answer));
        out
    }

    /// A second passes: each claim that waits does its next step, in the order in which they came.
    pub fn tick(&mut self) -> Vec<Out> {
        let mut out = Vec::new();
        for pending in std::mem::take(&mut self.pending) {
            self.step(pending, &mut out);
        }
        out
    }

    fn run(&mut self, from: ConnectionId, request: Request, out: &mut Vec<Out>) -> Answer {
        match request {
            Request::Post(sealed) => return self.post(from, sealed, out),
            Request::Posts { after } => return Ok(("posts", self.posts_after(after))),
            Request::Receipt { post, word, work } => {
                let data = json!({"post": post, "word": word, "work": work});
                self.tell_others(from, "receipt", &data, out);
            }
            Request::Ask { to, text } => return self.pass_question(&to, &text, out),
            Request::Answer { text } => {
                let name = self.lines.get(&from).cloned().flatten();
                self.tell_others(from, "answer", &json!({"from": name, "text": text}), out);
            }
            Request::Keys {} => return Ok(("keys", self.keys())),
            Request::Invite {} => return self.give_invite(),
            Request::Profile(change) => return self.change_profile(from, &change, out),
            Request::Strings {} => return Ok(("strings", json!({"strings": self.strings}))),
            Request::Operator { name, password } => {
                return self.show_page(from, &name, &password, out);
            }
            Request::Write { text } => return Ok(self.take_letter(&text)),
            Request::Log {} => return Ok(("log", json!({"lines": self.log}))),
            // Claims are begun where the frame is read, since they are answered later.
            Request::Claim { .. } => return Err(Refusal::new(Code::NotNow, "not as one step")),
        }
        Ok(("done", json!({})))
    }

    fn post(&mut self, from: ConnectionId, sealed: Sealed, out: &mut Vec<Out>) -> Answer {
        if sealed.kind == Kind::Note {
            if self.notes >= limits::NOTES {
                return Err(Refusal::new(
                    Code::RateLimited,
                    "there were too many notes; reset this world",
                ));
            }
            self.notes += 1;
        }
        self.post_count += 1;
        let post = self.post_count;
        self.tell_others(from, "sealed", &json!({"post": post, "message": sealed}), out);
        if self.posts.len() < limits::POSTS {
            self.posts.push((post, sealed));
        }
        Ok(("post", json!({"post": post})))
    }

    fn posts_after(&self, after: usize) -> Value {
        let posts = self.posts.iter().filter(|(post, _)| *post > after);
        let posts: Vec<Value> =
            posts.map(|(post, sealed)| json!({"post": post, "message": sealed})).collect();
        json!({"posts": posts})
    }

    fn pass_question(&self, to: &UserName, text: &str, out: &mut Vec<Out>) -> Answer {
        let mut lines = self.lines.iter();
        let line = lines.find(|(_, name)| name.as_ref() == Some(to)).map(|(line, _)| *line);
        let line =
            line.ok_or_else(|| Refusal::new(Code::NotFound, "nobody of this name is here"))?;
        out.push(Out::Frame(line, event("asked", &json!({"text": text}))));
        Ok(("ask", json!({})))
    }

    fn tell_others(&self, from: ConnectionId, name: &str, data: &Value, out: &mut Vec<Out>) {
        let text = event(name, data);
        let others = self.lines.keys().filter(|line| **line != from);
        out.extend(others.map(|line| Out::Frame(*line, text.clone())));
    }

    fn keys(&self) -> Value {
        let keys = self
            .own_keys
            .iter()
            .map(|(place, key)| (place.to_string(), json!(Bytes(key.as_bytes().to_vec()))));
        Value::Object(keys.collect::<Map<_, _>>())
    }

    fn give_invite(&mut self) -> Answer {
        if self.invite_count >= limits::INVITES {
            return Err(Refusal::new(Code::RateLimited, "there are no invitations left"));
        }
        self.invite_count += 1;
        let code = mac(&self.key, &[b"invite", &self.invite_count.to_be_bytes()]);
        let code: String = code.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        self.invites.give(code.clone());
        Ok(("invite", json!({"code": code})))
    }

    /// Begins a claim, which is answered once it has come to its end.
    fn take_claim(
        &mut self,
        pending: Pending,
        out: &mut Vec<Out>,
    ) -> Result<Option<(&'static str, Value)>, Refusal> {
        let Claim { code, name, .. } = &pending.claim;
        let long = name.len() > limits::DESK_NAME_BYTES || code.len() > limits::DESK_NAME_BYTES;
        if long || self.pending.len() >= limits::PENDING {
            return Err(Refusal::new(Code::TooLarge, "this is too long, or too many wait"));
        }
        self.step(pending, out);
        Ok(None)
    }

    /// One step of a claim: it waits for the next, or is answered.
    fn step(&mut self, mut pending: Pending, out: &mut Vec<Out>) {
        let Pending { connection, id, claim } = &mut pending;
        claim.seated.clone_from(&self.seated);
        let step = (self.defences.claim)(&mut self.invites, claim);
        claim.steps += 1;
        let frame = match step {
            Step::Next if claim.steps < limits::CLAIM_STEPS => {
                let data = json!({"name": claim.name, "steps": claim.steps});
                out.push(Out::Frame(*connection, event("claim_goes_on", &data)));
                return self.pending.push(pending);
            }
            Step::Seated => {
                let row =
                    Record { book: "seat", row: claim.code.clone(), value: claim.name.clone() };
                out.push(Out::Record(*connection, row));
                self.seated.push(claim.name.clone());
                reply(*id, "claim", &json!({"seated": claim.name}))
            }
            Step::Next | Step::Refused => {
                let refusal = Refusal::new(Code::Forbidden, "this invitation is not good");
                encode_refusal(*id, &refusal)
            }
        };
        out.push(Out::Frame(*connection, frame));
    }

    fn change_profile(
        &mut self,
        from: ConnectionId,
        change: &Map<String, Value>,
        out: &mut Vec<Out>,
    ) -> Answer {
        let mut profile = self.profile.clone();
        let changed = (self.defences.update)(&mut profile, change);
        let length = profile.motto.len() + profile.colour.len() + profile.role.len();
        if changed.is_err() || length > limits::PROFILE_BYTES {
            return Err(Refusal::new(Code::Malformed, "there is no such field to change"));
        }
        self.profile = profile;
        let Profile { role, motto, .. } = self.profile.clone();
        out.push(Out::Record(from, Record { book: "profile", row: role, value: motto }));
        Ok(("profile", json!(self.profile)))
    }

    fn show_page(
        &mut self,
        from: ConnectionId,
        name: &str,
        password: &str,
        out: &mut Vec<Out>,
    ) -> Answer {
        let page = (self.defences.admit)(&self.staff, name, password);
        let page =
            page.ok_or_else(|| Refusal::new(Code::LoginFailed, "this is not an operator"))?;
        self.staff.in_use = true;
        let buttons = page == Page::Whole;
        let value = if buttons { "whole" } else { "to read" };
        let row = Record { book: "operator", row: name.to_owned(), value: value.to_owned() };
        out.push(Out::Record(from, row));
        Ok(("operator", json!({"page": self.page, "buttons": buttons})))
    }

    /// A letter to the operator goes into a drawer, and a line about it into the log, which everybody reads.
    fn take_letter(&mut self, text: &str) -> (&'static str, Value) {
        self.log_count += 1;
        let entry = Entry { key: &self.key, number: self.log_count, text };
        let trace = (self.defences.trace)(&entry);
        if self.log.len() < limits::LOG_LINES {
            let bytes = text.len();
            self.log.push(format!("DEBUG a letter of {bytes} bytes was put away, trace={trace}"));
        }
        ("write", json!({"trace": trace}))
    }
}

type Answer = Result<(&'static str, Value), Refusal>;

impl fmt::Debug for Desk {
    /// Without its keys and books.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Desk({} connections, {} messages)", self.lines.len(), self.post_count)
    }
}

#[cfg(test)]
#[allow(clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use crate::twins::SOUND;

    const LINE: ConnectionId = ConnectionId(1);

    fn desk() -> Desk {
        let mut desk = Desk::new(SOUND.lesson, Key::from_bytes([7; 32]));
        desk.connect(LINE, None);
        desk
    }

    /// What the desk answers on the first connection.
    fn ask(desk: &mut Desk, request: &str, data: &Value) -> Value {
        let frame = json!({"id": 9, "request": request, "data": data}).to_string();
        match desk.handle(LINE, &frame).first() {
            Some(Out::Frame(LINE, text)) => serde_json::from_str(text).unwrap_or_default(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_frame_gets_one_answer() {
        let check = |request: &str, data: Value, answered: &str| {
            let answer = ask(&mut desk(), request, &data);
            let (reply, refusal) = (&answer["reply"], &answer["refusal"]);
            assert_eq!(if reply.is_null() { refusal } else { reply }, answered, "{request}");
            assert_eq!(answer["id"], 9);
        };
        check("posts", json!({"after": 0}), "posts");
        check("keys", json!({}), "keys");
        check("ask", json!({"to": "mira", "text": "hello"}), "not_found");
        check("invite", json!({}), "invite");
        check("claim", json!({"code": "none", "name": "ada"}), "forbidden");
        check("claim", json!({"code": "x".repeat(65), "name": "ada"}), "too_large");
        check("profile", json!({"motto": "hello"}), "profile");
        check("profile", json!({"role": "admin"}), "malformed");
        check("profile", json!({"motto": "x".repeat(limits::PROFILE_BYTES)}), "malformed");
        check("operator", json!({"name": "", "password": ""}), "login_failed");
        check("write", json!({"text": "hello"}), "write");
        check("log", json!({}), "log");
        check("dance", json!({}), "malformed");
    }

    #[test]
    fn what_is_long_is_refused_unread() {
        let text = "x".repeat(limits::DESK_FRAME_BYTES + 1);
        let out = desk().handle(LINE, &text);
        let refused =
            |out: &Out| matches!(out, Out::Frame(LINE, text) if text.contains("too_large"));
        assert!(out.len() == 1 && out.iter().all(refused), "{out:?}");
    }

    #[test]
    fn an_invitation_is_good_once() {
        let mut desk = desk();
        let code = ask(&mut desk, "invite", &json!({}))["data"]["code"].clone();
        let claim = json!({"code": code, "name": "ada"});
        let frame = json!({"id": 1, "request": "claim", "data": claim}).to_string();
        let seats = |out: Vec<Out>| out.iter().filter(|out| matches!(out, Out::Record(..))).count();
        assert_eq!(seats(desk.handle(LINE, &frame)), 1);
        assert_eq!(seats(desk.handle(LINE, &frame)), 0);
    }

    #[test]
    fn what_is_passed_goes_to_others_and_is_remembered() {
        let mut desk = desk();
        desk.connect(ConnectionId(2), None);
        let sealed =
            json!({"kind": "word", "from": "mira", "place": "#den", "nonce": "", "body": "AA=="});
        let frame = json!({"id": 1, "request": "post", "data": sealed}).to_string();
        let out = desk.handle(LINE, &frame);
        let to: Vec<u64> = out
            .iter()
            .filter_map(|out| match out {
                Out::Frame(line, _) => Some(line.0),
                Out::Record(..) => None,
            })
            .collect();
        assert_eq!(to, [1, 2]);
        let posts = ask(&mut desk, "posts", &json!({"after": 0}));
        assert_eq!(posts["data"]["posts"][0]["message"]["from"], "mira");
    }
}
