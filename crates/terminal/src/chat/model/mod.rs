//! What the client core has shown, gathered into what the screen draws. It leaves out what the
//! person is in the middle of (`Ui`), and every effect but `Show`.

mod changes;
mod code;
mod marks;
mod messages;
mod people;
mod room;
mod rows;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests;
mod transfers;
pub(super) mod words;

use crate::ui::view::{
    Connection, ConversationKey, ConversationKind, Dialog, FormView, Level, LineKey, Registration,
    View,
};
use people::People;
use portcullis_client_core::{ConversationView, MemberView, Message, Need, Show, Warning};
use portcullis_proto::{
    Code, ConversationId, ConversationKind as Kind, ConversationName, DeviceId, DeviceName,
    GuestName, Refusal, Role, Timestamp, UserName,
};
pub(super) use room::Picked;
use room::{Outside, Room};
use std::collections::{BTreeMap, BTreeSet};
use transfers::Transfers;

/// What the form says where the home opens, and the server refuses its account.
const REFUSED_HOME: &str = "the server refuses this password, though it opens your home: either it \
     was changed on another device (type the new one), or this is another server than the one \
     where you have registered (F2: another account)";

/// What the core says once a password was enough to remove a device.
const DEVICE_REMOVED: &str = "The device was removed.";

/// What is refused where a password was given in a form over the chat.
const PASSWORD_ASKED: [&str; 3] = ["change the password", "remove the device", "do this"];

/// Everything that was shown.
#[derive(Debug, Default)]
pub(crate) struct Model {
    rooms: BTreeMap<ConversationId, Room>,
    people: People,
    /// People whose changed identity key was not accepted.
    changed: BTreeSet<UserName>,
    transfers: Transfers,
    /// The list of people was asked for, and is to be told in words.
    lists_people: bool,
    /// The conversation to open as soon as it is there.
    wanted: Option<ConversationName>,
    /// The text that the core was given last: it is shown even where the core takes none.
    said: Option<String>,
    server: String,
    device_name: String,
    /// What was refused last while the chat was open, for a form that takes its place.
    trouble: Option<String>,
    /// Warnings that came before there was a conversation to show them in.
    early: Vec<(String, Level)>,
    next_key: u64,
    now: Timestamp,
    /// Whether the lines of the view are those of the rooms.
    is_stale: bool,
    view: View,
}

impl Model {
    /// Nothing was shown yet: a form for this server, and for this account if the home has one.
    pub(crate) fn new(server: String, account: Option<String>, device: &DeviceName) -> Self {
        let form = FormView { server: server.clone(), account, ..FormView::default() };
        Self {
            server,
            device_name: device.as_str().to_owned(),
            view: View { form: Some(form), ..View::default() },
            ..Self::default()
        }
    }

    /// The name that is asked for, unless another is typed.
    pub(crate) fn propose(&mut self, name: &UserName) {
        if let Some(form) = &mut self.view.form {
            form.name = Some(name.as_str().to_owned());
        }
    }

    /// The view as it is now.
    pub(crate) fn view(&mut self) -> &View {
        if self.view.form.is_none() && self.opened().is_some() {
            for (text, level) in std::mem::take(&mut self.early) {
                self.say(text, level);
            }
        }
        if std::mem::take(&mut self.is_stale) {
            self.refresh();
        }
        &self.view
    }

    /// Says what time it is.
    pub(crate) fn set_time(&mut self, now: Timestamp, utc_offset_seconds: i32) {
        self.now = now;
        self.view.now = now.0;
        self.view.utc_offset_seconds = utc_offset_seconds;
    }

    /// Says how the connection stands; `words` for a form that waits for it.
    pub(crate) fn set_connection(&mut self, connection: Connection, words: Option<String>) {
        self.view.status.connection = connection;
        if let (Some(form), Some(words)) = (&mut self.view.form, words)
            && form.busy.is_some()
        {
            form.busy = Some(words);
        }
    }

    /// The form waits for this.
    pub(crate) fn set_busy(&mut self, busy: &str) {
        if let Some(form) = &mut self.view.form {
            form.busy = Some(busy.to_owned());
            form.error = None;
        }
    }

    /// The form's last attempt did not succeed.
    pub(crate) fn set_error(&mut self, error: String) {
        if let Some(form) = &mut self.view.form {
            form.busy = None;
            form.error = Some(error);
        }
    }

    /// Something came of an event.
    pub(crate) fn show(&mut self, show: Show) {
        self.is_stale = true;
        match show {
            Show::Need(need) => self.need(need),
            Show::Progress(doing) => self.progress(doing),
            Show::Online { name, device } => self.online(&name, device),
            Show::Offline => self.offline(),
            Show::Ended(reason) => {
                let words = format!("The server has ended the session: {reason}");
                self.say_or_form(words, Level::Warning);
            }
            Show::Conversation(view) => self.learn(view),
            Show::Left(id) => self.leave(id),
            Show::Listed => self.view.form = None,
            Show::CaughtUp(..) => {}
            Show::Transfer(about) => self.transfer(*about),
            Show::Transfers(all) => self.list_transfers(all),
            Show::Guests(guests) => {
                self.people.take_guests(guests.iter().map(|guest| guest.name.clone()));
                self.say(words::guests(&guests), Level::Info);
            }
            Show::GuestsPresence { came, went } => self.people.set_guests(came, &went),
            Show::Message(message) => self.message(&message),
            Show::Pending { conversation, id, body, at } => {
                self.pending(conversation, id, &body, at);
            }
            Show::Sent { conversation, id, seq } => {
                if let Some(room) = self.rooms.get_mut(&conversation) {
                    room.mark_sent(id, seq);
                }
            }
            Show::Failed { conversation, id, reason } => self.failed(conversation, id, &reason),
            Show::Mark { conversation, name, delivered, read } => {
                self.mark(conversation, &name, delivered, read);
            }
            Show::Members { conversation, members, code } => {
                self.members(conversation, &members, &code);
            }
            Show::People { people, first, more } => {
                if self.people.take_page(people, first, more) {
                    self.people_listed();
                }
            }
            Show::Presence { online, offline } => {
                self.people.set_online(online, true);
                self.people.set_online(offline, false);
            }
            Show::Channels(channels) => self.say(words::channels(&channels), Level::Info),
            Show::Devices(devices) => {
                let words = words::devices(&devices, self.view.utc_offset_seconds);
                self.say(words, Level::Info);
            }
            Show::SafetyNumber { name, number, state } => {
                self.view.dialog = Some(words::safety_number(&name, &number, state))
            }
            Show::Done(words) => {
                if words == DEVICE_REMOVED {
                    self.view.given = None;
                }
                self.say(words, Level::Info);
            }
            Show::PasswordChanged => {
                self.view.given = None;
                self.say("The password is changed.".into(), Level::Info);
            }
            Show::Refused { what, refusal } => self.refused(what, &refusal),
            Show::Warning { conversation, warning } => self.warn(conversation, &warning),
        }
    }

    fn members(&mut self, id: ConversationId, members: &[MemberView], code: &str) {
        let room = self.rooms.get(&id);
        let name = room.map(|room| self.title(id, room)).unwrap_or_default();
        self.say_in(Some(id), words::members(&name, members, code), Level::Info);
    }

    /// All pages of people are there.
    fn people_listed(&mut self) {
        if std::mem::take(&mut self.lists_people) {
            self.say(self.people.words(), Level::Info);
        }
    }

    /// The conversations that a restored client knows.
    pub(crate) fn restore(&mut self, conversations: impl Iterator<Item = ConversationView>) {
        for view in conversations {
            self.learn(view);
        }
        self.is_stale = true;
    }

    /// Opens a conversation. What was not read in it is marked.
    pub(crate) fn open(&mut self, id: ConversationId) {
        let Some(room) = self.rooms.get_mut(&id) else {
            return;
        };
        room.is_invitation = false;
        self.view.open = Some(key_of(id));
        self.view.unread_from = room.first_unread;
        self.rooms.retain(|other, room| *other == id || room.outside != Some(Outside::Left));
        self.is_stale = true;
    }

    /// The open conversation.
    pub(crate) fn opened(&self) -> Option<ConversationId> {
        self.view.open.map(id_of)
    }

    /// The open conversation, if it has messages that were not looked at.
    pub(crate) fn open_unread(&self) -> Option<ConversationId> {
        let id = self.opened()?;
        self.rooms.get(&id).filter(|room| room.unread > 0 && room.outside.is_none()).map(|_| id)
    }

    /// Whether the reader is no longer in a conversation that is still shown.
    pub(crate) fn is_outside(&self, id: ConversationId) -> bool {
        self.rooms.get(&id).is_some_and(|room| room.outside.is_some())
    }

    /// What to fetch from the home: the open conversation, and before which number; none if its
    /// history was looked into, unless `again`.
    pub(crate) fn wants_history(&self, again: bool) -> Option<(ConversationId, u64)> {
        let id = self.opened()?;
        let room = self.rooms.get(&id)?;
        let wanted = !room.is_loaded || (again && room.has_older);
        wanted.then(|| (id, room.oldest().unwrap_or(u64::MAX)))
    }

    /// Messages from the home, and whether it may have still older ones.
    pub(crate) fn add_history(&mut self, id: ConversationId, older: &[Message], has_older: bool) {
        let reader = self.view.status.own_name.clone();
        let mut next_key = self.next_key;
        let Some(room) = self.rooms.get_mut(&id) else {
            return;
        };
        for message in older {
            next_key += 1;
            room.insert(LineKey(next_key), message, &reader);
        }
        room.has_older = has_older;
        // A page may hold nothing but changes of messages that are still older.
        let is_loaded = room.has_lines() || !has_older;
        if !std::mem::replace(&mut room.is_loaded, is_loaded) && is_loaded && room.unread > 0 {
            room.first_unread = room.unread_from(room.unread);
            if self.view.open == Some(key_of(id)) {
                self.view.unread_from = room.first_unread;
            }
        }
        self.next_key = next_key;
        self.is_stale = true;
    }

    /// `/list`: the people are told in words as soon as they are known.
    pub(crate) fn list_people(&mut self) {
        self.lists_people = true;
    }

    /// The conversation of this name is opened as soon as it is there.
    pub(crate) fn want(&mut self, name: ConversationName) {
        self.wanted = Some(name);
    }

    /// What a conversation is.
    pub(crate) fn kind(&self, id: ConversationId) -> Option<ConversationKind> {
        self.rooms.get(&id).map(|room| rows::kind(room.about.kind))
    }

    /// The core is about to be given this text.
    pub(crate) fn saying(&mut self, text: &str) {
        self.said = Some(text.to_owned());
    }

    /// A password was given in a form over the chat, which waits for what becomes of it.
    pub(crate) fn password_given(&mut self) {
        let busy = Some("asking the server".to_owned());
        self.view.given = Some(FormView { busy, ..FormView::default() });
    }

    /// Whether a conversation is asked for that is not there yet.
    pub(crate) const fn is_wanting(&self) -> bool {
        self.wanted.is_some()
    }

    /// Asks something.
    pub(crate) fn ask(&mut self, dialog: Dialog) {
        self.view.dialog = Some(dialog);
    }

    /// What a conversation is called.
    pub(crate) fn name(&self, id: ConversationId) -> Option<&ConversationName> {
        self.rooms.get(&id).map(|room| &room.about.name)
    }

    /// The dialog was answered.
    pub(crate) fn close_dialog(&mut self) {
        self.view.dialog = None;
    }

    /// Somebody's new identity key is accepted.
    pub(crate) fn accepted(&mut self, name: &UserName) {
        self.changed.remove(name);
        self.is_stale = true;
    }

    /// Says something in the open conversation.
    pub(crate) fn say(&mut self, text: String, level: Level) {
        let open = self.opened();
        self.say_in(open, text, level);
    }

    fn say_in(&mut self, id: Option<ConversationId>, text: String, level: Level) {
        let key = self.key();
        let now = self.now;
        let room = id.and_then(|id| self.rooms.get_mut(&id));
        if let Some(room) = room {
            room.push_notice(key, now, text, level);
        } else if let Some(form) = &mut self.view.form {
            form.error = Some(text);
        }
        self.is_stale = true;
    }

    /// Says something, in the form if there is one.
    pub(crate) fn say_or_form(&mut self, text: String, level: Level) {
        match &mut self.view.form {
            Some(form) => {
                form.busy = None;
                form.error = Some(text);
            }
            None => self.say(text, level),
        }
    }

    fn need(&mut self, need: Need) {
        self.view.given = None;
        let own_name = self.view.status.own_name.clone();
        let server = self.server.clone();
        let error = self.trouble.take();
        let new = || FormView { server, error, ..FormView::default() };
        let form = self.view.form.get_or_insert_with(new);
        if need == Need::Password && form.account.is_none() && !own_name.is_empty() {
            form.account = Some(own_name);
        }
        form.busy = None;
    }

    fn progress(&mut self, doing: &str) {
        if let Some(form) = &mut self.view.form {
            form.busy = Some(doing.to_owned());
            form.error = None;
        }
    }

    fn online(&mut self, name: &UserName, _device: DeviceId) {
        self.set_identity(name);
        self.trouble = None;
        self.view.status.connection = Connection::Online;
        if self.view.open.is_some() {
            self.view.form = None;
        } else {
            self.progress("fetching your conversations");
        }
    }

    /// The account whose home this is.
    pub(crate) fn set_identity(&mut self, name: &UserName) {
        self.view.status.own_name = name.as_str().to_owned();
        self.view.status.identity = format!("{name} · device {}", self.device_name);
    }

    /// This is a visit, not an account's chat.
    pub(crate) fn set_visit(&mut self) {
        self.view.visits = true;
    }

    /// The visitor whose home this is, who is a key.
    pub(crate) fn set_guest(&mut self, name: &GuestName) {
        self.view.status.own_name = name.as_str().to_owned();
        self.view.status.identity = format!("{name} · a visitor");
    }

    fn offline(&mut self) {
        self.people.forget_presence();
        if let Some(form) = &mut self.view.form
            && form.busy.is_some()
        {
            form.busy = Some("waiting for the server".to_owned());
        }
    }

    fn learn(&mut self, view: ConversationView) {
        let (id, unread) = (view.id, view.unread);
        let before = self.rooms.get(&id).map(|room| room.about.role);
        if view.role == Role::Invited && before != Some(Role::Invited) {
            let name = &view.name;
            self.say(format!("You are invited: /join {name}"), Level::Info);
        }
        // Several groups may have one name: the one that is wanted is new.
        let is_wanted = self.wanted.as_ref() == Some(&view.name)
            && (view.kind != Kind::Group || before.is_none());
        let room = self.rooms.entry(id).or_insert_with(|| Room::new(view.clone()));
        room.about = view;
        room.unread = unread;
        room.outside = None;
        if unread == 0 {
            room.mention = false;
            room.first_unread = None;
        }
        if is_wanted {
            self.wanted = None;
            self.open(id);
        }
        if self.view.open.is_none() && id == ConversationId::LOBBY {
            self.open(id);
        }
    }

    /// A conversation that is open stays so, to be read: what is being typed for it must not be said
    /// anywhere else.
    fn leave(&mut self, id: ConversationId) {
        let is_open = self.opened() == Some(id);
        let Some(room) = self.rooms.get_mut(&id) else {
            return;
        };
        let why = room.done_to(&self.view.status.own_name).map(|why| format!(": {why}"));
        let outside = if why.is_some() { Outside::TakenOut } else { Outside::Left };
        room.outside = Some(outside);
        room.unread = 0;
        let (name, why) = (&room.about.name, why.unwrap_or_default());
        let words = match room.about.kind {
            Kind::Classic => format!("The conversation with {name} is closed."),
            _ => format!("You are no longer in {name}{why}."),
        };
        self.say_in(Some(id), words.clone(), Level::Info);
        if !is_open {
            self.say(words, Level::Info);
            self.rooms.retain(|_, room| room.outside != Some(Outside::Left));
        }
    }

    fn refused(&mut self, what: &str, refusal: &Refusal) {
        self.wanted = None;
        if PASSWORD_ASKED.contains(&what) {
            self.password_refused(refusal.message.clone());
        }
        if self.view.status.connection == Connection::Online {
            self.view.form = None;
        }
        let Some(form) = &mut self.view.form else {
            self.trouble = Some(refusal.message.clone());
            let words = format!("Could not {what}: {}.", refusal.message);
            return self.say(words, Level::Warning);
        };
        if refusal.code == Code::RegistrationClosed && what == "register" {
            form.registration = Registration::Invite;
        }
        form.busy = None;
        form.error = Some(match (refusal.code, &form.account) {
            // The password has opened the home, so it was right once.
            (Code::LoginFailed, Some(_)) => REFUSED_HOME.to_owned(),
            _ => refusal.message.clone(),
        });
    }

    fn password_refused(&mut self, why: String) {
        if let Some(given) = &mut self.view.given {
            *given = FormView { error: Some(why), ..FormView::default() };
        }
    }

    fn warn(&mut self, conversation: Option<ConversationId>, warning: &Warning) {
        let level = words::level(warning);
        if *warning == Warning::WeakStretching {
            self.password_refused(warning.to_string());
        }
        if let Warning::IdentityChanged { name } = warning {
            self.people.distrust(name);
            if name.as_str() != self.view.status.own_name {
                self.changed.insert(name.clone());
            }
        }
        match conversation {
            Some(id) => self.say_in(Some(id), warning.to_string(), level),
            None => self.say_when_possible(warning.to_string(), level),
        }
    }

    /// Says something that must not be lost with the form in which it may stand now.
    fn say_when_possible(&mut self, text: String, level: Level) {
        if self.view.form.is_some() || self.opened().is_none() {
            self.early.push((text.clone(), level));
        }
        self.say_or_form(text, level);
    }

    fn key(&mut self) -> LineKey {
        self.next_key += 1;
        LineKey(self.next_key)
    }

    /// Whether there is a conversation of this name.
    pub(crate) fn has(&self, name: &ConversationName) -> bool {
        self.rooms.values().any(|room| room.about.name == *name)
    }

    /// Makes the view what the rooms are.
    fn refresh(&mut self) {
        self.view.people = self.people.rows();
        let mut rows: Vec<(ConversationId, &Room)> =
            self.rooms.iter().map(|(id, room)| (*id, room)).collect();
        rows.sort_by_key(|(id, room)| (*id != ConversationId::LOBBY, room.about.name.clone()));
        let row = |(id, room)| rows::row(id, room, self.title(id, room));
        self.view.conversations = rows.into_iter().map(row).collect();
        let room = self.opened().and_then(|id| self.rooms.get(&id));
        let trust = |name: &str| self.people.trust(name);
        self.view.lines = room.map(|room| room.lines(trust)).unwrap_or_default();
        self.view.has_older = room.is_some_and(|room| room.has_older);
        self.view.transfers = self.transfers.rows(|about| self.keeps_from_direct(about));
        self.view.alarm = alarm(&self.changed);
    }
}

fn alarm(changed: &BTreeSet<UserName>) -> Option<String> {
    let name = changed.first()?;
    Some(format!("The identity key of {name} has changed: /verify {name}, then /accept {name}"))
}

/// The screen's key of a conversation.
pub(crate) fn key_of(id: ConversationId) -> ConversationKey {
    ConversationKey(*id.as_bytes())
}

/// The conversation of a screen's key.
pub(crate) fn id_of(key: ConversationKey) -> ConversationId {
    ConversationId::from_bytes(key.0)
}
