//! One conversation's lines, in the order of the log: messages and changes of members at their sequence
//! numbers, notices where they came up, own messages at the end until the server has given them a number.
//! It leaves out looks and names' marks: those are known when a line is shown.

use super::super::limits;
use super::changes::{AT_THE_END, Change, Changes};
use super::marks::Marks;
use crate::ui::safe_text::SafeLine;
use crate::ui::view::{
    Change as Changed, Delivery, Level, Line, LineKey, LineKind, Message as MessageView, Quote,
    Trust,
};
use portcullis_client_core::{Body, ConversationView, IdentityState, Message, Notice};
use portcullis_proto::{ConversationKind, Reference, Timestamp};
use std::collections::BTreeMap;

/// What is quoted of a message that this device never had.
const FROM_BEFORE: &str = "a message from before this device was added";

/// What is quoted of a message that the screen has not.
const EARLIER: &str = "an earlier message";

/// Columns of what is quoted of a message in a sentence.
const QUOTED_COLUMNS: usize = 48;

/// A conversation.
#[derive(Debug)]
pub(super) struct Room {
    /// As the core has shown it last.
    pub(super) about: ConversationView,
    pub(super) unread: u64,
    /// Whether one of the unread messages names the reader.
    pub(super) mention: bool,
    /// How the reader has come to be outside; none while the reader is in it.
    pub(super) outside: Option<Outside>,
    /// Somebody has brought the reader in, who has not looked at it yet.
    pub(super) is_invitation: bool,
    /// The first message that was not looked at.
    pub(super) first_unread: Option<LineKey>,
    /// Whether the home's history was looked into.
    pub(super) is_loaded: bool,
    /// Whether the home may have older messages than those here.
    pub(super) has_older: bool,
    entries: Vec<Entry>,
    changes: Changes,
    marks: Marks,
    /// The number of the oldest message, or change of one, that was taken in.
    oldest: Option<u64>,
}

/// How a reader has come to be outside of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outside {
    /// By leaving it: it goes from the list as soon as another one is opened.
    Left,
    /// By somebody else: what was said stays in reach until the program ends.
    TakenOut,
}

/// A line and its place.
#[derive(Debug)]
struct Entry {
    key: LineKey,
    /// Its number, or that of the message after which it came up.
    seq: u64,
    at: Timestamp,
    what: What,
}

#[derive(Debug)]
enum What {
    Message(Said),
    /// A change of the conversation, which stands in the log.
    Change(String),
    /// What the program says.
    Notice(String, Level),
}

/// What somebody said, as it was at first.
#[derive(Debug)]
struct Said {
    id: Reference,
    sender: String,
    text: String,
    answers: Option<Reference>,
    identity: IdentityState,
    own: bool,
    mention: bool,
    state: Delivery,
}

/// What became of a message that was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inserted {
    /// It was there before.
    Nothing,
    /// It is a line.
    Line,
    /// It changes another one.
    Change,
    /// It says what became of the conversation.
    Notice,
}

/// A message that somebody means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picked {
    /// Its id.
    pub(crate) id: Reference,
    /// What it says now.
    pub(crate) text: String,
    /// Who says what, in short.
    pub(crate) words: String,
}

impl Room {
    pub(super) fn new(view: ConversationView) -> Self {
        Self {
            unread: view.unread,
            about: view,
            mention: false,
            outside: None,
            is_invitation: false,
            first_unread: None,
            is_loaded: false,
            has_older: false,
            entries: Vec::new(),
            changes: Changes::default(),
            marks: Marks::default(),
            oldest: None,
        }
    }

    /// Takes a message in at its place.
    pub(super) fn insert(&mut self, key: LineKey, message: &Message, reader: &str) -> Inserted {
        let Message { id, seq, sent_at, body, .. } = message;
        let sender = message.sender.as_str();
        let own = message.identity == IdentityState::Own;
        self.oldest = Some(self.oldest.map_or(*seq, |oldest| oldest.min(*seq)));
        if let Some((target, change)) = Change::of(body, *id, *seq, *sent_at, sender) {
            let is_new = self.changes.insert(target, change);
            return if is_new { Inserted::Change } else { Inserted::Nothing };
        }
        let waiting = self.take_out(*id, sender).map(|entry| entry.key);
        if waiting.is_none() && self.has(*seq) {
            return Inserted::Nothing;
        }
        let (what, inserted) = match body {
            Body::Notices(notices) => (What::Change(told(sender, notices)), Inserted::Notice),
            body => {
                let (text, answers) = words_of(body);
                let mention = !own && mentions(&text, reader);
                let said = Said {
                    id: *id,
                    sender: sender.to_owned(),
                    text,
                    answers,
                    identity: message.identity,
                    own,
                    mention,
                    state: Delivery::Sent,
                };
                (What::Message(said), Inserted::Line)
            }
        };
        let place = self.entries.partition_point(|entry| entry.seq < *seq);
        let key = waiting.unwrap_or(key);
        self.entries.insert(place, Entry { key, seq: *seq, at: *sent_at, what });
        inserted
    }

    /// Something of one's own that waits.
    pub(super) fn push_pending(
        &mut self,
        key: LineKey,
        sender: &str,
        id: Reference,
        body: &Body,
        at: Timestamp,
    ) {
        if let Some((target, change)) = Change::of(body, id, AT_THE_END, at, sender) {
            self.changes.insert(target, change);
            return;
        }
        let (text, answers) = words_of(body);
        let said = Said {
            id,
            sender: sender.to_owned(),
            text,
            answers,
            identity: IdentityState::Own,
            own: true,
            mention: false,
            state: Delivery::Sending,
        };
        self.entries.push(Entry { key, seq: AT_THE_END, at, what: What::Message(said) });
    }

    /// Something of one's own has its number; its line moves there.
    pub(super) fn mark_sent(&mut self, id: Reference, seq: u64) {
        let Some(mut entry) = self.take_out_own(id) else {
            return self.changes.mark_sent(id, seq);
        };
        entry.seq = seq;
        if let What::Message(said) = &mut entry.what {
            said.state = Delivery::Sent;
        }
        let place = self.entries.partition_point(|other| other.seq < seq);
        self.entries.insert(place, entry);
    }

    /// An own message has failed; its line stays where it came up. Whether there was one.
    pub(super) fn mark_failed(&mut self, id: Reference, reason: &str) -> bool {
        let Some(mut entry) = self.take_out_own(id) else {
            return false;
        };
        if let What::Message(said) = &mut entry.what {
            said.state = Delivery::Failed(reason.to_owned());
        }
        if entry.seq == AT_THE_END {
            entry.seq = self.newest();
        }
        let place = self.entries.partition_point(|other| other.seq <= entry.seq);
        self.entries.insert(place, entry);
        true
    }

    /// An own change of a message has failed: it does not count. Whether there was one.
    pub(super) fn take_back(&mut self, id: Reference) -> bool {
        self.changes.remove(id)
    }

    /// Somebody has come so far.
    pub(super) fn mark(&mut self, name: &str, delivered: u64, read: u64) {
        self.marks.set(name, delivered, read);
    }

    /// Says something where the conversation stands now.
    pub(super) fn push_notice(&mut self, key: LineKey, at: Timestamp, text: String, level: Level) {
        let seq = self.newest();
        let place = self.entries.partition_point(|entry| entry.seq <= seq);
        let what = What::Notice(text, level);
        self.entries.insert(place, Entry { key, seq, at, what });
    }

    /// The number before which the home may have older messages.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.oldest
    }

    /// Whether anything is here that was said.
    pub(super) fn has_lines(&self) -> bool {
        self.entries.iter().any(|entry| !matches!(entry.what, What::Notice(..)))
    }

    /// What somebody else has done to the reader, if that is the last change of the conversation.
    pub(super) fn done_to(&self, reader: &str) -> Option<&str> {
        let mut changes = self.entries.iter().rev().filter_map(|entry| match &entry.what {
            What::Change(text) => Some(text.as_str()),
            What::Message(_) | What::Notice(..) => None,
        });
        let by_another = |text: &&str| mentions(text, reader) && !text.starts_with(reader);
        changes.next().filter(by_another)
    }

    /// The key of the message from which on so many of others were not looked at.
    pub(super) fn unread_from(&self, unread: u64) -> Option<LineKey> {
        let is_other = |entry: &&Entry| entry.said().is_some_and(|said| !said.own);
        let others: Vec<LineKey> =
            self.entries.iter().filter(is_other).map(|entry| entry.key).collect();
        let read = others.len().saturating_sub(usize::try_from(unread).unwrap_or(usize::MAX));
        others.get(read).copied()
    }

    /// Forgets the oldest lines of a long conversation; the home still has them.
    pub(super) fn trim(&mut self) {
        if self.entries.len() > limits::LINES {
            let kept = limits::LINES_KEPT;
            self.entries.drain(..self.entries.len() - kept);
            self.has_older = true;
            let in_log = |entry: &&Entry| !matches!(entry.what, What::Notice(..));
            self.oldest = self.entries.iter().find(in_log).map(|entry| entry.seq);
            self.changes.forget_before(self.oldest.unwrap_or(AT_THE_END));
        }
    }

    /// The message that is so many back, 1 being the last; of the reader's own only, if `own`. What was
    /// taken back, or is not on the server, does not count.
    pub(super) fn pick(&self, back: usize, own: bool) -> Option<Picked> {
        let meant = |said: &&Said| !own || said.own;
        self.standing().filter(meant).nth(back.checked_sub(1)?).map(|said| self.picked(said))
    }

    /// The last message that was changed.
    pub(super) fn pick_changed(&self) -> Option<Picked> {
        let changed = |said: &&Said| self.changes.texts(said.id, &said.sender).next().is_some();
        self.standing().find(changed).map(|said| self.picked(said))
    }

    /// All that a message has said, each time with when that was.
    pub(super) fn versions(&self, id: Reference) -> Vec<(&str, Timestamp)> {
        let all = self.entries.iter().filter_map(|entry| Some((entry.said()?, entry.at)));
        let Some((said, at)) = all.into_iter().find(|(said, _)| said.id == id) else {
            return Vec::new();
        };
        let first = std::iter::once((said.text.as_str(), at));
        first.chain(self.changes.texts(id, &said.sender)).collect()
    }

    /// What somebody reacts with to a message.
    pub(super) fn reaction_of(&self, id: Reference, name: &str) -> Option<&str> {
        self.changes.reaction_of(id, name)
    }

    /// The lines as the screen takes them; `trust` says what is known of a sender now.
    pub(super) fn lines(&self, trust: impl Fn(&str) -> Option<Trust>) -> Vec<Line> {
        let said = self.entries.iter().filter_map(|entry| Some((entry.seq, entry.said()?)));
        let own = said.clone().filter(|(_, said)| said.own && said.state == Delivery::Sent);
        let own: Vec<u64> = own.map(|(seq, _)| seq).collect();
        let is_direct = self.about.kind == ConversationKind::Direct;
        let context = Context {
            room: self,
            // Where two messages have one id, the first had it first.
            by_id: said.rev().map(|(_, said)| (said.id, said)).collect(),
            marks: self.marks.words(&own, is_direct),
        };
        self.entries.iter().map(|entry| context.line(entry, &trust)).collect()
    }

    /// What was said and stands, the last first.
    fn standing(&self) -> impl Iterator<Item = &Said> {
        let stands = |said: &&Said| said.state == Delivery::Sent && !self.is_deleted(said);
        self.entries.iter().rev().filter_map(Entry::said).filter(stands)
    }

    fn picked(&self, said: &Said) -> Picked {
        let text = self.text_now(said);
        let first = text.lines().next().unwrap_or_default();
        let words = SafeLine::name(&format!("{}: {first}", said.sender)).cut(QUOTED_COLUMNS);
        Picked { id: said.id, text: text.to_owned(), words: words.as_str().to_owned() }
    }

    fn is_deleted(&self, said: &Said) -> bool {
        self.changes.is_deleted(said.id, &said.sender)
    }

    fn text_now<'a>(&'a self, said: &'a Said) -> &'a str {
        self.changes.texts(said.id, &said.sender).next_back().map_or(&said.text, |(text, _)| text)
    }

    fn take_out(&mut self, id: Reference, sender: &str) -> Option<Entry> {
        self.take_out_where(|said| said.id == id && said.sender == sender)
    }

    fn take_out_own(&mut self, id: Reference) -> Option<Entry> {
        self.take_out_where(|said| said.id == id && said.own)
    }

    fn take_out_where(&mut self, is_it: impl Fn(&Said) -> bool) -> Option<Entry> {
        let at = self.entries.iter().rposition(|entry| entry.said().is_some_and(&is_it))?;
        Some(self.entries.remove(at))
    }

    fn has(&self, seq: u64) -> bool {
        let from = self.entries.partition_point(|entry| entry.seq < seq);
        let there = self.entries.iter().skip(from);
        there.take_while(|entry| entry.seq == seq).any(|entry| match &entry.what {
            What::Message(said) => said.state == Delivery::Sent,
            What::Change(_) => true,
            What::Notice(..) => false,
        })
    }

    fn newest(&self) -> u64 {
        let numbered = self.entries.iter().rev().find(|entry| entry.seq != AT_THE_END);
        numbered.map_or(0, |entry| entry.seq)
    }
}

impl Entry {
    const fn said(&self) -> Option<&Said> {
        match &self.what {
            What::Message(said) => Some(said),
            What::Change(_) | What::Notice(..) => None,
        }
    }
}

/// What a line's look depends on besides itself.
struct Context<'a> {
    room: &'a Room,
    by_id: BTreeMap<Reference, &'a Said>,
    marks: BTreeMap<u64, String>,
}

impl Context<'_> {
    fn line(&self, entry: &Entry, trust: impl Fn(&str) -> Option<Trust>) -> Line {
        let what = match &entry.what {
            What::Notice(text, level) => LineKind::Notice { text: text.clone(), level: *level },
            What::Change(text) => LineKind::Notice { text: text.clone(), level: Level::Info },
            What::Message(said) => LineKind::Message(self.message(said, entry.seq, trust)),
        };
        Line { key: entry.key, at: entry.at.0, what }
    }

    fn message(&self, said: &Said, seq: u64, trust: impl Fn(&str) -> Option<Trust>) -> MessageView {
        let changes = &self.room.changes;
        let edited = changes.texts(said.id, &said.sender).next();
        let change = match (self.room.is_deleted(said), edited) {
            (true, _) => Changed::Deleted,
            (false, Some(_)) => Changed::Edited,
            (false, None) => Changed::None,
        };
        let stands = change != Changed::Deleted;
        let text = if stands { self.room.text_now(said).to_owned() } else { String::new() };
        let waits = said.state == Delivery::Sent && changes.is_waiting(said.id);
        let marks = self.marks.get(&seq).filter(|_| said.own).cloned();
        MessageView {
            sender: said.sender.clone(),
            own: said.own,
            mention: said.mention,
            answers: said.answers.filter(|_| stands).map(|id| self.quote(id)),
            text,
            change,
            reactions: if stands { changes.reactions(said.id) } else { Vec::new() },
            state: if waits { Delivery::Sending } else { said.state.clone() },
            marks: marks.unwrap_or_default(),
            trust: match said.identity {
                IdentityState::Own => Trust::Verified,
                identity => {
                    trust(&said.sender).unwrap_or_else(|| super::people::trust(Some(identity)))
                }
            },
        }
    }

    fn quote(&self, id: Reference) -> Quote {
        let Some(said) = self.by_id.get(&id) else {
            // What the home has not is from before this device; the rest was not looked into.
            let known = self.room.is_loaded && !self.room.has_older;
            let text = if known { FROM_BEFORE } else { EARLIER };
            return Quote { sender: String::new(), text: text.to_owned() };
        };
        let text = match self.room.is_deleted(said) {
            true => "(deleted)",
            false => self.room.text_now(said),
        };
        Quote { sender: said.sender.clone(), text: text.to_owned() }
    }
}

fn told(sender: &str, notices: &[Notice]) -> String {
    let words = notices.iter().map(|notice| match notice {
        Notice::Before(_) => notice.to_string(),
        _ => format!("{sender} {notice}"),
    });
    words.collect::<Vec<_>>().join("\n")
}

/// A message's text, and what it answers.
fn words_of(body: &Body) -> (String, Option<Reference>) {
    match body {
        Body::Text { text, reply_to } => (text.clone(), *reply_to),
        Body::Offer(offered) => (offered.to_string(), None),
        Body::Step(step) => (step.to_string(), None),
        Body::Unknown(kind) => {
            (format!("(a message of the kind \"{kind}\", which this version can't show)"), None)
        }
        _ => ("(a message that this version can't show)".to_owned(), None),
    }
}

/// Whether a text names somebody, as a word of its own.
pub(super) fn mentions(text: &str, reader: &str) -> bool {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let named = |word: &str| word.trim_end_matches(['.', '-']).eq_ignore_ascii_case(reader);
    !reader.is_empty() && text.split(|letter| !is_name(letter)).any(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_named() {
        for (text, expected) in [
            ("alice: hello", true),
            ("hello @Alice!", true),
            ("ask alice.", true),
            ("malice", false),
            ("alice-two", false),
            ("", false),
        ] {
            assert_eq!(mentions(text, "alice"), expected, "{text}");
        }
    }
}
