//! `transfers`: the files that come to this home and go from it, and an end to some before their time.

use portcullis_client_core::{Command, History, RecipientState, Show, TransferState, TransferView};
use portcullis_proto::{ConversationId, FileName, Timestamp, TransferId, UserName};
use serde::Serialize;

use super::files::{kind, tidy_up};
use super::{Common, Exit, Failure, Session, TIMEOUT, output, within};

/// A transfer, by its place in the list or by its id, which stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The first is 1.
    Number(usize),
    /// The id.
    Id(TransferId),
}

impl Which {
    /// Reads a number or an id.
    ///
    /// # Errors
    /// What they look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let id = text.parse().map(Self::Id).ok();
        let which = id.or_else(|| text.parse().map(Self::Number).ok());
        which.ok_or_else(|| "a transfer is said by its number in the list, or its id".to_owned())
    }

    fn of(self, all: &[TransferView]) -> Option<&TransferView> {
        match self {
            Self::Number(number) => all.get(number.checked_sub(1)?),
            Self::Id(id) => all.iter().find(|about| about.transfer == id),
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    number: usize,
    transfer: TransferId,
    conversation: ConversationId,
    sender: &'a UserName,
    /// Whether this home offers it.
    own: bool,
    title: &'a FileName,
    files: u32,
    bytes: u64,
    kind: &'static str,
    programs: bool,
    state: &'static str,
    /// Why it has ended, or can't go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Where it can't go on: whether trying again is of no use.
    #[serde(rename = "final", skip_serializing_if = "Option::is_none")]
    is_final: Option<bool>,
    /// Until when it waits for an answer, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
    /// Where what was received is.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    paths: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    recipients: Vec<Recipient<'a>>,
}

#[derive(Serialize)]
struct Recipient<'a> {
    name: &'a UserName,
    state: &'static str,
}

/// Prints the transfers, each as a line, the newest last; or ends one, and prints that.
///
/// # Errors
/// [`Failure`].
pub async fn transfers(common: &Common, cancel: Option<Which>) -> Result<(), Failure> {
    within(common.timeout.or(Some(TIMEOUT)), run(common, cancel)).await
}

async fn run(common: &Common, cancel: Option<Which>) -> Result<(), Failure> {
    let mut session = Session::begin(common, History::None).await?;
    session.log_in().await?;
    let all = listed(&session.command(Command::ListTransfers)?);
    let Some(which) = cancel else {
        return all.iter().enumerate().try_for_each(|(at, about)| print(at + 1, about));
    };
    let none = || Failure::new(Exit::Usage, "there is no such transfer; `transfers` lists them");
    let id = which.of(&all).ok_or_else(none)?.transfer;
    let mut shows = session.command(Command::Cancel(id))?;
    loop {
        Session::refused_for_now(&shows)?;
        let now = session.device().client().transfers();
        match now.iter().enumerate().find(|(_, about)| about.transfer == id) {
            Some((at, about)) if about.state.is_over() => {
                print(at + 1, about)?;
                return tidy_up(&mut session).await;
            }
            Some(_) => shows = session.next().await?,
            None => return Err(none()),
        }
    }
}

fn listed(shows: &[Show]) -> Vec<TransferView> {
    let all = shows.iter().find_map(|show| match show {
        Show::Transfers(all) => Some(all.clone()),
        _ => None,
    });
    all.unwrap_or_default()
}

fn print(number: usize, about: &TransferView) -> Result<(), Failure> {
    let (state, reason) = state(&about.state);
    let recipient = |(name, of)| Recipient { name, state: recipient_state(of) };
    output::line(&Line {
        number,
        transfer: about.transfer,
        conversation: about.conversation,
        sender: &about.sender,
        own: about.own,
        title: &about.title,
        files: about.files,
        bytes: about.bytes,
        kind: kind(about.holds),
        programs: about.holds.programs,
        state,
        reason,
        is_final: match &about.state {
            TransferState::Failed(fault) => Some(fault.is_final()),
            _ => None,
        },
        expires: about.expires,
        paths: match &about.state {
            TransferState::Done(paths) => paths,
            _ => &[],
        },
        recipients: about.recipients.iter().map(|(name, of)| recipient((name, *of))).collect(),
    })
}

fn state(state: &TransferState) -> (&'static str, Option<String>) {
    match state {
        TransferState::Offered => ("offered", None),
        TransferState::Waiting => ("waiting", None),
        TransferState::Direct => ("direct", None),
        TransferState::Relayed => ("relayed", None),
        TransferState::Stored => ("stored", None),
        TransferState::Paused => ("paused", None),
        TransferState::Done(_) => ("received", None),
        TransferState::Declined => ("declined", None),
        TransferState::Ended(reason) => ("ended", Some(reason.to_string())),
        TransferState::Failed(fault) => ("failed", Some(fault.to_string())),
    }
}

const fn recipient_state(state: RecipientState) -> &'static str {
    match state {
        RecipientState::Asked => "asked",
        RecipientState::Accepted => "accepted",
        RecipientState::Declined => "declined",
        RecipientState::Full => "full",
        RecipientState::Received => "received",
        RecipientState::Ended(_) => "ended",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ids() {
        let id = TransferId::from_bytes([7; 16]);
        let check = |text: &str, expected| assert_eq!(Which::parse(text).ok(), expected, "{text}");
        check("3", Some(Which::Number(3)));
        check(&id.to_string(), Some(Which::Id(id)));
        check(&"1".repeat(32), Some(Which::Id(TransferId::from_bytes([0x11; 16]))));
        for text in ["", "-1", "all", "1.5", &"1".repeat(31)] {
            check(text, None);
        }
    }
}
