//! `send --file` and `receive`: files without a screen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use portcullis_client_core::{
    Command, Fault, History, PersonView, RecipientState, Show, TransferState, TransferView,
    kind_of, quoted, size, titled,
};
use portcullis_proto::{ConversationName, FileName, Holds, Refusal, TransferId, UserName};
use serde::Serialize;
use tokio::time::Instant;

use crate::device::Core;

use super::{
    AGAIN, AGAIN_DOUBLINGS, Common, Exit, Failure, Session, TIMEOUT, WAITED, output, reach,
};

/// What the core calls that which it may refuse of an offer.
const OFFER: &str = "offer these files";

/// What `send --file` prints once nobody needs this device any more.
#[derive(Serialize)]
struct Sent<'a> {
    conversation: &'a ConversationName,
    transfer: TransferId,
    title: &'a FileName,
    files: u32,
    bytes: u64,
    kind: &'static str,
    programs: bool,
    /// What has become of it: on the server, or with its recipients.
    state: &'static str,
}

/// What `receive` prints for each transfer that is there.
#[derive(Serialize)]
struct Got<'a> {
    sender: &'a UserName,
    transfer: TransferId,
    title: &'a FileName,
    files: u32,
    bytes: u64,
    kind: &'static str,
    programs: bool,
    paths: &'a [String],
}

/// Offers files, and returns once all of it lies on the server, or its recipients have it.
///
/// # Errors
/// [`Failure`]; then nothing was offered, or it goes on with the next verb of this home.
pub async fn send_files(
    common: &Common,
    to: &ConversationName,
    what: SendFiles,
) -> Result<(), Failure> {
    if matches!(to, ConversationName::Channel(_) | ConversationName::Classic(_)) {
        let why = "files go to a user or a +group, whom nobody else can overhear";
        return Err(Failure::new(Exit::Usage, why));
    }
    let mut session = Session::begin(common, History::None).await?;
    // Recipients of what goes directly may be away for days.
    session.be_patient(common.timeout.or((!what.direct).then_some(TIMEOUT)));
    run_send(session, to, what).await
}

/// What `send --file` sends.
#[derive(Debug, Clone)]
pub struct SendFiles {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// Hands them over directly and stays until they are received; the recipient learns this device's address.
    pub direct: bool,
}

async fn run_send(
    mut session: Session,
    to: &ConversationName,
    what: SendFiles,
) -> Result<(), Failure> {
    session.log_in().await?;
    let id = reach(&mut session, to).await?;
    let SendFiles { paths, direct } = what;
    if let (true, ConversationName::Direct(name)) = (direct, to) {
        session.command(Command::AllowDirect(name.clone(), true))?;
    }
    // What earlier commands have offered goes on by itself; it is not what this one is about.
    let earlier = Core::transfers(session.device().client());
    let news = session.device_mut().offer(id, paths, !direct);
    let mut shows = session.take_in(news)?;
    let (mut roomless, mut stands) = (None, false);
    loop {
        // Why the server refuses it says more than that it has ended.
        if let Some(refusal) = own_refusal(&shows, &earlier) {
            return Err(Failure::refused(OFFER, refusal));
        }
        let offered = shows.iter().rev().find_map(|show| match show {
            Show::Transfer(about) if about.own && !earlier.contains(&about.transfer) => Some(about),
            _ => None,
        });
        if let Some(about) = offered {
            stands = true;
            if let Some(state) = settled(about, direct)? {
                print(to, about, state)?;
                return tidy_up(&mut session).await;
            }
            if about.roomless && roomless.is_none() {
                output::note(&waits_directly(about, to, session.patience()));
                roomless = Some(about.transfer);
            }
        }
        shows = match (session.next().await, roomless) {
            // With `--direct` it was said that it may take days, and the next verb goes on with it.
            (Err(failure), Some(transfer)) if !direct => {
                return Err(withdraw(&mut session, transfer, failure).await);
            }
            (Err(Failure { exit, message, .. }), _) if direct && stands => {
                let words = "the offer stands; `portcullis transfers --cancel` takes it back";
                return Err(Failure::new(exit, format!("{message}; {words}")));
            }
            (shows, _) => shows?,
        };
    }
}

/// What is said where the server has no room for what others may take directly.
fn waits_directly(about: &TransferView, to: &ConversationName, limit: Option<Duration>) -> String {
    let time = limit.map(|limit| format!(" for {} s", limit.as_secs())).unwrap_or_default();
    let title = titled(&about.title, about.holds);
    format!("the server has no room for {title}: waiting{time} for {to} to take it directly")
}

/// Takes an offer back that nobody has taken while somebody waited for it.
async fn withdraw(session: &mut Session, transfer: TransferId, why: Failure) -> Failure {
    session.be_patient(Some(WAITED));
    let ended = match session.command(Command::Cancel(transfer)) {
        Ok(_) => tidy_up(session).await,
        Err(failure) => Err(failure),
    };
    let Failure { exit, message, .. } = why;
    let words = match ended {
        Ok(()) => "the offer was withdrawn",
        Err(_) => "the offer is withdrawn with the next command of this home",
    };
    Failure::new(exit, format!("{message}; {words}"))
}

/// Why nothing was offered. What is refused to earlier commands, or is about something else, is not this one's.
fn own_refusal<'a>(shows: &'a [Show], earlier: &BTreeSet<TransferId>) -> Option<&'a Refusal> {
    let ends = |show: &Show| match show {
        Show::Transfer(about) if earlier.contains(&about.transfer) => {
            matches!(about.state, TransferState::Ended(_))
        }
        _ => false,
    };
    // The core shows what has ended, and then why.
    let before = std::iter::once(None).chain(shows.iter().map(Some));
    before.zip(shows).find_map(|(before, show)| match show {
        Show::Refused { what: OFFER, refusal } if !before.is_some_and(ends) => Some(refusal),
        _ => None,
    })
}

/// What has become of an own transfer, once this device is no longer needed.
fn settled(about: &TransferView, direct: bool) -> Result<Option<&'static str>, Failure> {
    let title = quoted(&about.title);
    let failed = |why: String| Err(Failure::new(Exit::Refused, format!("{title}: {why}")));
    match &about.state {
        TransferState::Stored if !direct => Ok(Some("stored")),
        TransferState::Done(_) => Ok(Some("received")),
        TransferState::Declined => failed(match about.recipients.as_slice() {
            [(_, RecipientState::Full)] => {
                "nobody was asked: too many of your offers wait for an answer there".to_owned()
            }
            _ => "nobody wants it".to_owned(),
        }),
        TransferState::Ended(reason) => failed(reason.to_string()),
        TransferState::Failed(fault) => failed(fault.to_string()),
        _ => Ok(None),
    }
}

fn print(to: &ConversationName, about: &TransferView, state: &'static str) -> Result<(), Failure> {
    output::line(&Sent {
        conversation: to,
        transfer: about.transfer,
        title: &about.title,
        files: about.files,
        bytes: about.bytes,
        kind: kind(about.holds),
        programs: about.holds.programs,
        state,
    })
}

/// What `receive` takes.
#[derive(Debug, Clone, Default)]
pub struct Receive {
    /// From these people; from everybody if there are none.
    pub from: Vec<UserName>,
    /// No more bytes than this of one transfer.
    pub most: Option<u64>,
    /// Receives directly where its sender can be reached, who learns this device's address.
    pub direct: bool,
    /// Ends once something is there, or can't go on, and nothing else is under way.
    pub once: bool,
}

/// Takes what is offered, and prints a line for each transfer that is there.
///
/// # Errors
/// [`Failure`]; what was under way goes on with the next `receive` of this home.
pub async fn receive(common: &Common, what: &Receive) -> Result<(), Failure> {
    let mut session = Session::begin(common, History::All).await?;
    session.device().check_folder(None).map_err(|why| Failure::new(Exit::Usage, why))?;
    session.be_patient(common.timeout);
    let mut receiving = Receiving::new(what);
    receiving.go_on(&mut session)?;
    let mut shows = session.command(Command::ListTransfers)?;
    loop {
        for show in &shows {
            match show {
                Show::Listed if !receiving.unknown.is_empty() => {
                    session.command(Command::ListUsers)?;
                }
                Show::People { people, more, .. } => receiving.know(people, *more)?,
                Show::Transfers(all) => {
                    for about in all {
                        receiving.look_at(&mut session, about)?;
                    }
                }
                Show::Transfer(about) => receiving.look_at(&mut session, about)?,
                _ => {}
            }
        }
        if receiving.is_over() {
            tidy_up(&mut session).await?;
            return receiving.outcome();
        }
        receiving.tell_wait(&session);
        shows = session.next().await?;
        if receiving.again.is_some_and(|again| again <= Instant::now()) {
            shows.extend(receiving.go_on(&mut session)?);
        }
    }
}

/// Says what is left to be said, and lets go of what is needed no more, here and on the server.
pub(super) async fn tidy_up(session: &mut Session) -> Result<(), Failure> {
    while session.has_unsent() || session.device().client().has_lingering_transfers() {
        session.next().await?;
    }
    session.device_mut().tidied_up().await;
    Ok(())
}

struct Receiving<'a> {
    what: &'a Receive,
    /// Of those who are named, who may have no account: whoever waits for one that is misspelt waits for ever.
    unknown: Vec<UserName>,
    /// What is received, in words.
    under_way: BTreeMap<TransferId, String>,
    got: u64,
    /// Something can't go on until somebody has removed what is in its way.
    halted: bool,
    /// When that is tried again, and how often it was in vain.
    again: Option<Instant>,
    vain: u32,
    /// It was told what is waited for.
    told: bool,
}

impl<'a> Receiving<'a> {
    fn new(what: &'a Receive) -> Self {
        let (unknown, under_way) = (what.from.clone(), BTreeMap::new());
        Self { what, unknown, under_way, got: 0, halted: false, again: None, vain: 0, told: false }
    }

    /// Tries again what something was in the way of: somebody may have removed it.
    fn go_on(&mut self, session: &mut Session) -> Result<Vec<Show>, Failure> {
        self.again = None;
        let halted = |about: &TransferView| match about.state {
            TransferState::Failed(fault) => !about.own && !fault.is_final(),
            _ => false,
        };
        let all = session.device().client().transfers().into_iter();
        let again = all.filter(|about| halted(about) && self.wants(about));
        let again: Vec<Command> = again.map(|about| Command::Resume(about.transfer)).collect();
        session.commands(again)
    }

    /// These have accounts, and perhaps others.
    fn know(&mut self, people: &[PersonView], more: bool) -> Result<(), Failure> {
        self.unknown.retain(|name| people.iter().all(|person| person.name != *name));
        match self.unknown.first() {
            Some(name) if !more => {
                let why = format!("there is no account called {name}");
                Err(Failure::new(Exit::Refused, why))
            }
            _ => Ok(()),
        }
    }

    /// Says what is waited for, once that takes a while.
    fn tell_wait(&mut self, session: &Session) {
        if session.quiet_for() < WAITED || !session.is_listed() {
            self.told = false;
        } else if !std::mem::replace(&mut self.told, true) {
            for what in self.under_way.values() {
                output::note(&format!("waiting for {what}"));
            }
            if self.what.once && self.under_way.is_empty() {
                output::note("waiting for somebody to offer files");
            }
        }
    }

    fn begins(&mut self, about: &TransferView) {
        let what = format!("{} to send {}", about.sender, offered(about));
        self.under_way.insert(about.transfer, what);
    }

    /// Something is in the way. Who waits for one file ends; else it is tried again, after pauses that grow.
    fn fails(&mut self, about: &TransferView, fault: Fault) {
        let was = self.under_way.remove(&about.transfer).is_some();
        if fault.is_final() && !was {
            // It was told when it happened.
            return;
        }
        self.halted |= was;
        if was && !fault.is_final() && !self.what.once {
            self.again = Some(Instant::now() + AGAIN * 2_u32.pow(self.vain));
            self.vain = (self.vain + 1).min(AGAIN_DOUBLINGS);
        }
        output::note(&format!("{} of {}: {fault}", quoted(&about.title), about.sender));
    }

    fn look_at(&mut self, session: &mut Session, about: &TransferView) -> Result<(), Failure> {
        let (transfer, title, sender) = (about.transfer, &about.title, &about.sender);
        if about.own {
            return Ok(());
        }
        match &about.state {
            TransferState::Offered if self.wants(about) => {
                output::note(&format!("{sender} offers {}", offered(about)));
                self.begins(about);
                if self.what.direct {
                    session.command(Command::AllowDirect(sender.clone(), true))?;
                }
                session.command(Command::Answer { transfer, place: Some(String::new()) })?;
            }
            TransferState::Offered => left_alone(about),
            TransferState::Done(paths) if self.under_way.remove(&transfer).is_some() => {
                (self.got, self.vain) = (self.got + 1, 0);
                output::line(&Got {
                    sender,
                    transfer,
                    title,
                    files: about.files,
                    bytes: about.bytes,
                    kind: kind(about.holds),
                    programs: about.holds.programs,
                    paths,
                })?;
            }
            TransferState::Failed(fault) => self.fails(about, *fault),
            TransferState::Ended(reason) if self.under_way.remove(&transfer).is_some() => {
                self.halted = true;
                output::note(&format!("{} of {sender}: {reason}", quoted(title)));
            }
            TransferState::Waiting | TransferState::Direct | TransferState::Relayed => {
                if self.wants(about) {
                    self.begins(about);
                } else if session.device_mut().leave_alone(transfer) {
                    left_alone(about);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn wants(&self, about: &TransferView) -> bool {
        let from = self.what.from.is_empty() || self.what.from.contains(&about.sender);
        from && self.what.most.is_none_or(|most| about.bytes <= most)
    }

    fn is_over(&self) -> bool {
        self.what.once && (self.got > 0 || self.halted) && self.under_way.is_empty()
    }

    fn outcome(&self) -> Result<(), Failure> {
        if self.halted {
            let message = "not all was received; the next `receive` goes on with what still can be";
            return Err(Failure::new(Exit::Failed, message));
        }
        Ok(())
    }
}

fn left_alone(about: &TransferView) {
    output::note(&format!("left alone: {} of {}", offered(about), about.sender));
}

/// What is offered: `photos/ (folder, 214 files, 1.2 GB)`.
fn offered(about: &TransferView) -> String {
    let kind = kind_of(about.files, about.holds).map(|kind| kind + ", ").unwrap_or_default();
    format!("{} ({kind}{})", titled(&about.title, about.holds), size(about.bytes))
}

/// What it is, in a word for programs.
pub(super) const fn kind(holds: Holds) -> &'static str {
    match holds {
        Holds { tops: 0 | 1, folder: true, .. } => "folder",
        Holds { tops: 0 | 1, .. } => "file",
        _ => "several",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use portcullis_proto::{Code, ConversationId, EndReason, Reference};

    const EARLIER: TransferId = TransferId::from_bytes([1; 16]);
    const OWN: TransferId = TransferId::from_bytes([2; 16]);

    fn show(transfer: TransferId, state: TransferState) -> Show {
        Show::Transfer(Box::new(TransferView {
            transfer,
            conversation: ConversationId::LOBBY,
            message: Reference::from_bytes([1; 16]),
            sender: UserName::parse("mira").unwrap(),
            own: true,
            title: FileName::parse("a").unwrap(),
            files: 1,
            bytes: 1,
            holds: Holds::FILE,
            place: String::new(),
            roomless: false,
            state,
            recipients: Vec::new(),
            expires: None,
        }))
    }

    #[test]
    fn refusals_that_are_this_command_s() {
        let refused = |what| Show::Refused { what, refusal: Refusal::new(Code::NoRoom, "full") };
        let ended = |transfer| show(transfer, TransferState::Ended(EndReason::Failed));
        let check = |shows: &[Show], expected: bool| {
            let found = own_refusal(shows, &[EARLIER].into());
            assert_eq!(found.is_some(), expected, "{shows:?}");
        };
        check(&[], false);
        check(&[ended(OWN)], false);
        check(&[refused(OFFER)], true);
        check(&[ended(OWN), refused(OFFER)], true);
        check(&[ended(EARLIER), refused(OFFER)], false);
        check(&[ended(EARLIER), refused(OFFER), ended(OWN), refused(OFFER)], true);
        check(&[show(EARLIER, TransferState::Stored), refused(OFFER)], true);
        check(
            &[refused("list the guests"), refused("publish this device's key for guests")],
            false,
        );
    }
}
