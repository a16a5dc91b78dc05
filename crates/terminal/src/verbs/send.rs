//! `send`: says something and waits until the server has made it durable. Lost connections, restarts of
//! the server and crashes of this program cost time, never a message and never a second copy.

use std::collections::BTreeSet;
use std::io::{BufRead as _, Read as _};

use portcullis_client_core::{Command, History, Saying, Show};
use portcullis_proto::{ConversationId, ConversationName, PersonName, Reference, limits};
use serde::Serialize;
use tokio::sync::mpsc;

use super::{Common, Exit, Failure, Session, TIMEOUT, output, within_then_found};

/// Messages that may be under way: two submits' worth, so that one is always being made durable.
const UNDER_WAY: usize = 2 * limits::SUBMIT_ENVELOPES;

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// One text.
    Text(String),
    /// Each line of standard input that is not empty.
    Lines,
}

#[derive(Serialize)]
struct Line<'a> {
    conversation: &'a ConversationName,
    seq: u64,
    id: Reference,
}

/// Sends, and prints a line for each message that is durable, in order.
///
/// # Errors
/// [`Failure`]; what was printed stays true.
pub async fn send(common: &Common, to: &ConversationName, source: Source) -> Result<(), Failure> {
    // Nobody knows how long standard input is going to be.
    let default = (source != Source::Lines).then_some(TIMEOUT);
    within_then_found(common.timeout.or(default), run(common, to, source)).await
}

async fn run(common: &Common, to: &ConversationName, source: Source) -> Result<Session, Failure> {
    if let Source::Text(text) = &source {
        may_say(text)?;
    }
    let mut session = Session::begin(common, History::None).await?;
    session.log_in().await?;
    if session.has_unsent() {
        output::note("what an earlier command has left unsent goes first");
    }
    let id = reach(&mut session, to).await?;
    let mut sending = Sending { to, id, under_way: BTreeSet::new(), failed: None };
    let mut texts = read(source);
    let mut more = true;
    while more || !sending.under_way.is_empty() || session.has_unsent() {
        let room = UNDER_WAY.saturating_sub(sending.under_way.len());
        tokio::select! {
            text = texts.recv(), if more && room > 0 => match text {
                None => more = false,
                Some(text) => sending.say(&mut session, text, &mut texts, room)?,
            },
            shows = session.next() => sending.look_at(&shows?)?,
        }
        more = more && sending.failed.is_none();
    }
    sending.failed.map_or(Ok(session), Err)
}

/// The conversation of this name. A direct one, or one with a guest who is here, is begun where there is none.
pub(super) async fn reach(
    session: &mut Session,
    to: &ConversationName,
) -> Result<ConversationId, Failure> {
    let name = match to {
        ConversationName::Direct(name) => PersonName::User(name.clone()),
        ConversationName::Classic(name) => PersonName::Guest(name.clone()),
        ConversationName::Channel(_) | ConversationName::Group(_) => {
            return session.find_listed(to).await;
        }
    };
    if let Some(id) = session.find(to)? {
        return Ok(id);
    }
    let ask = || Command::Tell(name.clone(), String::new());
    let mut shows = session.command(ask())?;
    loop {
        let again = Session::refused_for_now(&shows)?;
        if let Some(id) = session.find(to)? {
            return Ok(id);
        }
        if again {
            // What was not refused, the core goes on with by itself when it is connected again.
            session.log_in().await?;
            shows = session.command(ask())?;
        } else {
            shows = session.next().await?;
        }
    }
}

struct Sending<'a> {
    to: &'a ConversationName,
    id: ConversationId,
    under_way: BTreeSet<Reference>,
    failed: Option<Failure>,
}

impl Sending<'_> {
    /// Says a text, and those that wait behind it.
    fn say(
        &mut self,
        session: &mut Session,
        first: Result<String, Failure>,
        texts: &mut mpsc::Receiver<Result<String, Failure>>,
        room: usize,
    ) -> Result<(), Failure> {
        let mut commands = Vec::new();
        let mut next = Some(first);
        while let Some(text) = next {
            match text {
                Ok(text) => {
                    let (conversation, what) = (self.id, Saying::Text(text));
                    commands.push(Command::Say { conversation, what });
                }
                Err(failure) => {
                    self.failed = Some(failure);
                    break;
                }
            }
            next = if commands.len() < room { texts.try_recv().ok() } else { None };
        }
        let shows = session.commands(commands)?;
        self.look_at(&shows)
    }

    fn look_at(&mut self, shows: &[Show]) -> Result<(), Failure> {
        for show in shows {
            match show {
                Show::Pending { id, .. } => {
                    self.under_way.insert(*id);
                }
                // Others are from an earlier command, whose caller has gone.
                Show::Sent { id, seq, .. } if self.under_way.remove(id) => {
                    output::line(&Line { conversation: self.to, seq: *seq, id: *id })?;
                }
                Show::Failed { id, reason, .. } => {
                    self.under_way.remove(id);
                    output::note(&format!("message {id} was not sent: {reason}"));
                    self.failed.get_or_insert(Failure::new(Exit::Refused, "not all was sent"));
                }
                Show::Left(id) if *id == self.id => return Err(Session::not_there(self.to)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether a text is one that can be sent, wherever it goes.
fn may_say(text: &str) -> Result<(), Failure> {
    let why = match text.len() {
        0 => "there is nothing to send",
        1..=limits::TEXT_BYTES => return Ok(()),
        _ => "this is too long for a message: at most 16 KiB",
    };
    Err(Failure::new(Exit::Usage, why))
}

/// The texts. Standard input is read on a thread, which nothing waits for: it may block for ever.
fn read(source: Source) -> mpsc::Receiver<Result<String, Failure>> {
    let (sender, texts) = mpsc::channel(UNDER_WAY);
    match source {
        Source::Text(text) => {
            // There is room for one.
            let _ = sender.try_send(Ok(text));
        }
        Source::Lines => {
            std::thread::spawn(move || read_lines(&sender));
        }
    }
    texts
}

fn read_lines(texts: &mpsc::Sender<Result<String, Failure>>) {
    let mut input = std::io::stdin().lock();
    loop {
        let line = match next_line(&mut input) {
            Ok(Some(line)) => Ok(line),
            Ok(None) => return,
            Err(failure) => Err(failure),
        };
        let ends = line.is_err();
        let empty = line.as_ref().is_ok_and(String::is_empty);
        if !empty && texts.blocking_send(line).is_err() || ends {
            return;
        }
    }
}

/// The next line, without its end; longer ones than a message may be are not read to their end.
fn next_line(input: &mut impl std::io::BufRead) -> Result<Option<String>, Failure> {
    let mut line = Vec::new();
    let most = limits::TEXT_BYTES as u64 + 2;
    let read = input.by_ref().take(most).read_until(b'\n', &mut line);
    let failed = |why: String| Failure::new(Exit::Failed, format!("standard input: {why}"));
    if read.map_err(|error| failed(error.kind().to_string()))? == 0 {
        return Ok(None);
    }
    let text = line.strip_suffix(b"\n").unwrap_or(&line);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    if text.len() > limits::TEXT_BYTES {
        return Err(failed("a line is longer than a message may be: 16 KiB".to_owned()));
    }
    let text = String::from_utf8(text.to_vec());
    text.map(Some).map_err(|_| failed("a line is not UTF-8".to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: &[Result<&str, ()>]) {
        let mut reader = input;
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut reader).map_err(drop).transpose() {
            let ends = line.is_err();
            lines.push(line);
            if ends {
                break;
            }
        }
        let expected: Vec<_> = expected.iter().map(|line| line.map(str::to_owned)).collect();
        assert_eq!(lines, expected, "{input:?}");
    }

    #[test]
    fn what_can_be_sent() {
        let check = |text: &str, expected| {
            assert_eq!(may_say(text).err().map(|failure| failure.exit), expected);
        };
        check("", Some(Exit::Usage));
        check("a", None);
        check(&"x".repeat(limits::TEXT_BYTES), None);
        check(&"x".repeat(limits::TEXT_BYTES + 1), Some(Exit::Usage));
    }

    #[test]
    fn lines() {
        check(b"", &[]);
        check(b"a\nb", &[Ok("a"), Ok("b")]);
        check(b"a\r\n\nb\n", &[Ok("a"), Ok(""), Ok("b")]);
        check(b"a\xff\nb", &[Err(())]);
        let longest = "x".repeat(limits::TEXT_BYTES);
        check(format!("{longest}\nb\n").as_bytes(), &[Ok(&longest), Ok("b")]);
        check(format!("{longest}x\n").as_bytes(), &[Err(())]);
    }
}
