//! Files that come and go, those that go on by a number, so that a person can say which is meant.

use super::Model;
use crate::files::Progress;
use crate::ui::view::{Level, Transfer, Trust};
use portcullis_client_core::{
    RecipientState, TransferState, TransferView, kind_of, quoted, size, titled,
};
use portcullis_proto::{ConversationId, ConversationName, UserName};

/// Transfers that are over and still listed: enough to look up where something is.
const OVER: usize = 5;

/// Paths that are named of what has arrived.
const PATHS: usize = 3;

/// All transfers that were shown, the newest last. Those that are over have no number, and the older of them leave.
#[derive(Debug, Default)]
pub(in crate::chat) struct Transfers {
    all: Vec<Entry>,
    /// The highest number that any has had: a person may still have it before their eyes.
    numbered: usize,
    /// Bytes that were read of what is to be offered, and how many there are.
    reading: Option<(u64, u64)>,
}

#[derive(Debug)]
struct Entry {
    about: TransferView,
    /// None other has it as long as this program runs.
    number: usize,
    /// It has gone directly, or was to: it is known how.
    was_direct: bool,
    progress: Option<Progress>,
}

impl Model {
    /// The transfers that a restored client knows.
    pub(crate) fn restore_transfers(&mut self, all: Vec<TransferView>) {
        for about in all {
            self.transfers.take(about);
        }
        self.is_stale = true;
    }

    /// Numbers that were shown of another account's transfers mean none of these.
    pub(crate) const fn number_after(&mut self, before: &Self) {
        self.transfers.numbered = before.transfers.numbered;
    }

    /// A transfer is there, or has changed.
    pub(super) fn transfer(&mut self, about: TransferView) {
        let conversation = about.conversation;
        if let Some((words, level)) = self.transfers.take(about) {
            // Whoever waits for a file is not always where it was offered.
            if self.opened() != Some(conversation) {
                self.say(words.clone(), level);
            }
            self.say_in(Some(conversation), words, level);
        }
    }

    /// All transfers, in words.
    pub(super) fn list_transfers(&mut self, all: Vec<TransferView>) {
        all.into_iter().for_each(|about| self.transfer(about));
        let offset = self.view.utc_offset_seconds;
        let words = self.transfers.words(offset, |about| self.keeps_from_direct(about));
        self.say(words, Level::Info);
    }

    /// Who is here, and would get it directly, or give it, if they were verified.
    pub(super) fn keeps_from_direct<'a>(&self, about: &'a TransferView) -> Option<&'a UserName> {
        let waits = |state: &RecipientState| {
            matches!(state, RecipientState::Asked | RecipientState::Accepted)
        };
        let recipients = about.recipients.iter().filter(|(_, state)| waits(state));
        let sender = (!about.own).then_some(&about.sender);
        let others: Vec<&UserName> = recipients.map(|(name, _)| name).chain(sender).collect();
        let are_here = others.iter().all(|name| self.people.is_online(name));
        let is_new =
            |name: &&UserName| self.people.trust(name.as_str()) == Some(Trust::NotVerified);
        others.into_iter().find(is_new).filter(|_| are_here)
    }

    /// How far everything has come that moves, and what is read to be offered.
    pub(crate) fn moved(&mut self, all: &[Progress], reading: Option<(u64, u64)>) {
        let changed = self.transfers.moved(all, reading);
        self.is_stale |= changed;
    }

    /// Whether the other one of a direct is not here now.
    pub(crate) fn is_away(&self, id: ConversationId) -> bool {
        let name = self.name(id);
        name.is_some_and(
            |name| matches!(name, ConversationName::Direct(user) if !self.people.is_online(user)),
        )
    }

    /// Whether there is an account of this name, as far as is known.
    pub(crate) fn is_known(&self, name: &UserName) -> bool {
        self.people.knows(name)
    }

    /// The transfers, to pick one.
    pub(crate) const fn transfers(&self) -> &Transfers {
        &self.transfers
    }
}

impl Transfers {
    /// A transfer is there, or has changed. What a person has to know of it, if anything.
    pub(super) fn take(&mut self, about: TransferView) -> Option<(String, Level)> {
        let known = self.all.iter_mut().find(|entry| entry.about.transfer == about.transfer);
        let Some(entry) = known else {
            self.add(about);
            return None;
        };
        let is_new = entry.about.state != about.state;
        entry.was_direct |= about.state == TransferState::Direct;
        entry.about = about;
        let news = is_new.then(|| news(&entry.about, entry.number)).flatten();
        self.drop_old();
        news
    }

    fn add(&mut self, about: TransferView) {
        self.numbered += 1;
        let number = self.numbered;
        let was_direct = about.state == TransferState::Direct;
        self.all.push(Entry { about, number, was_direct, progress: None });
        self.drop_old();
    }

    /// Lets the oldest go of those that are over.
    fn drop_old(&mut self) {
        let mut over = self.all.len() - self.open().count();
        self.all.retain(|entry| {
            let stays = !entry.about.state.is_over() || over <= OVER;
            over -= usize::from(!stays);
            stays
        });
    }

    fn open(&self) -> impl Iterator<Item = &Entry> {
        self.all.iter().filter(|entry| !entry.about.state.is_over())
    }

    /// Bytes have moved, or were read. True if that shows.
    fn moved(&mut self, all: &[Progress], reading: Option<(u64, u64)>) -> bool {
        for entry in &mut self.all {
            // Of several ways the one that has come furthest.
            let own = all.iter().filter(|progress| progress.transfer == entry.about.transfer);
            entry.progress = own.max_by_key(|progress| progress.bytes).copied();
        }
        let was_reading = std::mem::replace(&mut self.reading, reading).is_some();
        !all.is_empty() || reading.is_some() || was_reading
    }

    /// The offer of this number; without one, the only one that waits for an answer in the open conversation. Another
    /// may come while somebody types.
    ///
    /// # Errors
    /// What to say: nothing waits there, or several do, and what waits elsewhere is taken by its number.
    pub(in crate::chat) fn offered(
        &self,
        number: Option<usize>,
        open: Option<ConversationId>,
        verb: &str,
    ) -> Result<&TransferView, String> {
        let waits = |about: &TransferView| !about.own && about.state == TransferState::Offered;
        let here = |about: &TransferView| number.is_some() || Some(about.conversation) == open;
        let mut fitting = self.fitting(number, |about| waits(about) && here(about));
        match (fitting.next(), fitting.count()) {
            (Some(about), 0) => return Ok(about),
            (Some(_), more) => {
                let count = more + 1;
                let does = if verb == "/get" { "takes" } else { "declines" };
                return Err(format!("which of the {count}? {verb} N {does} one"));
            }
            (None, _) => {}
        }
        let elsewhere = self.open().filter(|entry| number.is_none() && waits(&entry.about)).last();
        Err(match elsewhere {
            Some(Entry { about, number, .. }) => {
                let title = titled(&about.title, about.holds);
                let sender = &about.sender;
                format!("nothing is offered here; {sender} offers {title}: {verb} {number}")
            }
            None => "no such offer waits for an answer: /transfers shows all".to_owned(),
        })
    }

    /// The transfer of this number, or the only one that fits; else how many do.
    pub(in crate::chat) fn only(
        &self,
        number: Option<usize>,
        fits: fn(&TransferView) -> bool,
    ) -> Result<&TransferView, usize> {
        let mut all = self.fitting(number, fits);
        match (all.next(), all.count()) {
            (Some(only), 0) => Ok(only),
            (first, more) => Err(usize::from(first.is_some()) + more),
        }
    }

    fn fitting(
        &self,
        number: Option<usize>,
        fits: impl Fn(&TransferView) -> bool,
    ) -> impl Iterator<Item = &TransferView> {
        let meant = move |entry: &&Entry| number.is_none_or(|number| number == entry.number);
        self.open().filter(meant).map(|entry| &entry.about).filter(move |about| fits(about))
    }

    /// What is not over: what moves or can't go on first, then offers, of which strangers may make many, then what waits.
    pub(super) fn rows<'a>(
        &'a self,
        keeps_from_direct: impl Fn(&'a TransferView) -> Option<&'a UserName>,
    ) -> Vec<Transfer> {
        let mut open: Vec<&Entry> = self.open().collect();
        // Those that are alike stay in order.
        open.sort_by_key(|entry| rank(&entry.about.state));
        let reading = self.reading.map(|(read, of)| Transfer {
            what: format!("reading {} to offer them", size(of)),
            state: String::new(),
            percent: percent(read, of),
        });
        let open = open.into_iter().map(|entry| {
            let mut row = entry.row();
            if entry.is_relayed_for(&keeps_from_direct).is_some() {
                row.state.push_str(", by the server: not verified");
            }
            row
        });
        reading.into_iter().chain(open).collect()
    }

    /// All of them, for `/transfers`.
    pub(super) fn words<'a>(
        &'a self,
        utc_offset_seconds: i32,
        keeps_from_direct: impl Fn(&'a TransferView) -> Option<&'a UserName>,
    ) -> String {
        let row = |entry: &'a Entry| {
            let Transfer { what, state, percent } = entry.row();
            let percent = percent.map(|percent| format!(" · {percent} %")).unwrap_or_default();
            let recipients = recipients(&entry.about);
            let size = size(entry.about.bytes);
            let number = match entry.about.state.is_over() {
                true => "–".to_owned(),
                false => entry.number.to_string(),
            };
            let why = entry.is_relayed_for(&keeps_from_direct).map_or_else(String::new, |name| {
                let way = format!("/verify {name}, or /direct {name} on for both of you");
                format!(" · by the server, since {name} is not verified: {way}")
            });
            let until = entry.about.expires.map_or_else(String::new, |at| {
                format!(" · until {}", crate::ui::date_and_time(at.0, utc_offset_seconds))
            });
            format!("  {number} {what} · {size}{percent} · {state}{until}{why}{recipients}")
        };
        match self.all.as_slice() {
            [] => "No files come or go; /file USER PATH offers some.".to_owned(),
            some => {
                let rows: Vec<String> = some.iter().map(row).collect();
                format!("Transfers:\n{}", rows.join("\n"))
            }
        }
    }
}

impl Entry {
    fn row(&self) -> Transfer {
        let (about, number) = (&self.about, self.number);
        let (title, sender) = (titled(&about.title, about.holds), &about.sender);
        let (kind, all) = match kind_of(about.files, about.holds) {
            None => (String::new(), String::new()),
            Some(kind) => (format!("{kind}, "), format!(" ({kind})")),
        };
        let (what, state) = match &about.state {
            TransferState::Offered => (
                format!("{sender} offers {title} ({kind}{})", size(about.bytes)),
                format!("/get {number} or /decline {number}"),
            ),
            state if about.own => {
                (format!("{title}{all} to {}", names(about)), self.state(state, number))
            }
            state => (format!("{title}{all} from {sender}"), self.state(state, number)),
        };
        let percent = self.progress.and_then(|progress| percent(progress.bytes, progress.of));
        Transfer { what, state, percent }
    }

    /// Who has to be verified for it to go directly, where it goes by the server for no other reason.
    fn is_relayed_for<'a>(
        &'a self,
        keeps_from_direct: impl Fn(&'a TransferView) -> Option<&'a UserName>,
    ) -> Option<&'a UserName> {
        let relayed = self.about.state == TransferState::Relayed && !self.was_direct;
        relayed.then(|| keeps_from_direct(&self.about)).flatten()
    }

    fn state(&self, state: &TransferState, number: usize) -> String {
        match state {
            TransferState::Offered | TransferState::Waiting => "waiting".to_owned(),
            TransferState::Stored => "on the server, to be fetched".to_owned(),
            TransferState::Direct if self.about.own && self.progress.is_none() => {
                "directly, once they take it".to_owned()
            }
            TransferState::Direct => format!("directly, {}", self.rate()),
            TransferState::Relayed => self.rate(),
            TransferState::Paused => format!("paused: /transfers resume {number}"),
            TransferState::Done(paths) if self.about.own || paths.is_empty() => "done".to_owned(),
            TransferState::Done(paths) => format!("done: {}", first(paths)),
            TransferState::Declined => "declined".to_owned(),
            TransferState::Ended(reason) => reason.to_string(),
            TransferState::Failed(fault) if fault.is_final() => fault.to_string(),
            TransferState::Failed(fault) => format!("{fault}: /transfers resume {number}"),
        }
    }

    /// `12 MB/s, 0:41 left`.
    fn rate(&self) -> String {
        let Some((progress, left)) = self.progress.and_then(|it| Some((it, it.left()?))) else {
            return "waiting for bytes".to_owned();
        };
        let left = left.as_secs();
        let (hours, minutes, seconds) = (left / 3600, left / 60 % 60, left % 60);
        let left = match hours {
            0 => format!("{minutes}:{seconds:02}"),
            _ => format!("{hours}:{minutes:02}:{seconds:02}"),
        };
        format!("{}/s, {left} left", size(progress.rate))
    }
}

fn percent(done: u64, of: u64) -> Option<u8> {
    let percent = u64::checked_div(done.saturating_mul(100), of)?;
    u8::try_from(percent.min(100)).ok()
}

const fn rank(state: &TransferState) -> u8 {
    match state {
        TransferState::Direct | TransferState::Relayed => 0,
        TransferState::Failed(_) => 1,
        TransferState::Offered => 2,
        _ => 3,
    }
}

fn names(about: &TransferView) -> String {
    let names: Vec<&str> = about.recipients.iter().map(|(name, _)| name.as_str()).collect();
    match names.as_slice() {
        [] => "nobody".to_owned(),
        [one] => (*one).to_owned(),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
    }
}

/// How far each recipient has come, where there are several.
fn recipients(about: &TransferView) -> String {
    let state = |state: &RecipientState| match state {
        RecipientState::Asked => "asked".to_owned(),
        RecipientState::Accepted => "accepted".to_owned(),
        RecipientState::Declined => "declined".to_owned(),
        RecipientState::Full => "has too many of your offers waiting".to_owned(),
        RecipientState::Received => "has it".to_owned(),
        RecipientState::Ended(reason) => reason.to_string(),
    };
    let each = about.recipients.iter().map(|(name, of)| format!("{name} {}", state(of)));
    match about.recipients.len() {
        0 => String::new(),
        _ => format!(" · {}", each.collect::<Vec<_>>().join(", ")),
    }
}

/// Where files are: all are in one folder, and ten thousand would fill the screen for good.
fn first(paths: &[String]) -> String {
    let (named, more) = paths.split_at(paths.len().min(PATHS));
    match more.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more beside", named.join(", ")),
    }
}

/// What has become of a transfer, where the conversation itself doesn't tell.
fn news(about: &TransferView, number: usize) -> Option<(String, Level)> {
    let title = quoted(&about.title);
    match &about.state {
        TransferState::Done(paths) if !about.own => {
            Some((format!("{title} is there: {}", first(paths)), Level::Info))
        }
        TransferState::Failed(fault) if fault.is_final() => {
            Some((format!("{title}: {fault}."), Level::Warning))
        }
        TransferState::Failed(fault) => {
            let words = format!("{title}: {fault}. /transfers resume {number} tries again.");
            Some((words, Level::Warning))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
