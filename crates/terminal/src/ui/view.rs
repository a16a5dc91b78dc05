//! What the screen shows, as plain data: the shell fills it from the client core, the screen only
//! reads it. Texts in it are as others sent them; the panes make them safe (`safe_text.rs`). It
//! leaves out what belongs to the person at the keyboard (the line being typed, scrolling,
//! overlays): that is `Ui`.

/// Which conversation is meant, whatever its name becomes: the protocol's 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConversationKey(pub [u8; 16]);

/// Everything the screen shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    /// A form instead of the chat, until somebody is logged in.
    pub form: Option<FormView>,
    /// Whether this is a visit to somebody's classroom server, where little can be done.
    pub visits: bool,
    /// The conversations, in the order of the list.
    pub conversations: Vec<Conversation>,
    /// The conversation that the messages belong to.
    pub open: Option<ConversationKey>,
    /// The people of the people pane, in its order.
    pub people: Vec<Person>,
    /// The open conversation's lines, oldest first.
    pub lines: Vec<Line>,
    /// The first line that was not read when the conversation was opened.
    pub unread_from: Option<LineKey>,
    /// Whether older lines can be fetched.
    pub has_older: bool,
    /// Files that come and go, and offers that wait for an answer; the first ones are shown.
    pub transfers: Vec<Transfer>,
    /// What stays in sight until it is dealt with, as a changed identity key.
    pub alarm: Option<String>,
    /// A question that must be answered first.
    pub dialog: Option<Dialog>,
    /// What became of the password that was given in a form over the chat; none where none is on its way.
    pub given: Option<FormView>,
    /// The status line.
    pub status: Status,
    /// Now, in milliseconds since 1970, UTC.
    pub now: u64,
    /// Seconds that local time is ahead of UTC.
    pub utc_offset_seconds: i32,
}

impl View {
    /// The open conversation.
    #[must_use]
    pub fn open_conversation(&self) -> Option<&Conversation> {
        let open = self.open?;
        self.conversations.iter().find(|conversation| conversation.key == open)
    }
}

/// One row of the conversation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Which one.
    pub key: ConversationKey,
    /// Its name with its sign: `#lobby`, `+team`, or the other account's name.
    pub name: String,
    /// What it is.
    pub kind: ConversationKind,
    /// Its suite in words: "signed, not encrypted", "encrypted: mls".
    pub suite: String,
    /// What is known of the others' identities, the worst of it; none in a channel, where each message
    /// says it for itself.
    pub trust: Option<Trust>,
    /// How many people are in it, where that is known.
    pub members: Option<u64>,
    /// Lines not yet read.
    pub unread: u32,
    /// Whether one of them names the reader.
    pub mention: bool,
    /// Whether it keeps quiet.
    pub muted: bool,
    /// Whether the reader is no longer in it: what was said can be read, and nothing more be said.
    pub gone: bool,
}

/// What a conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConversationKind {
    /// Open, or by invitation; signed, not encrypted.
    Channel,
    /// Two accounts.
    Direct,
    /// Several accounts, encrypted.
    Group,
    /// A classroom guest and this device.
    Guest,
}

/// One row of the people pane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The account's name.
    pub name: String,
    /// What the person likes to be called; anything, by anybody.
    pub display_name: Option<String>,
    /// Whether a device of theirs is connected.
    pub online: bool,
    /// What is known of their identity key.
    pub trust: Trust,
}

/// What is known of the identity behind a person or a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// The safety numbers were compared.
    Verified,
    /// The key of the first contact, never compared.
    #[default]
    NotVerified,
    /// A classroom guest: a key without an account, whose words name no place.
    Guest,
    /// Something is wrong, in words.
    Warning(String),
}

/// A row about files that come or go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transfer {
    /// What it is and whose: "report.pdf from alice".
    pub what: String,
    /// How far it has come, in words, or what can be done: "12 MB/s, 0:41 left".
    pub state: String,
    /// How much of it is there, in hundredths; none while nothing moves.
    pub percent: Option<u8>,
}

/// Names a line for as long as the program runs, whatever is loaded before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineKey(pub u64);

/// One line of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Which one.
    pub key: LineKey,
    /// When, in milliseconds since 1970, UTC.
    pub at: u64,
    /// What it is.
    pub what: LineKind,
}

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineKind {
    /// What somebody wrote.
    Message(Message),
    /// What the program has to say.
    Notice {
        /// In words; may have several lines.
        text: String,
        /// How much it matters.
        level: Level,
    },
    /// Something is missing here.
    Gap {
        /// How many messages, if known.
        missing: Option<u64>,
    },
}

/// What somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// The sender's account name.
    pub sender: String,
    /// Whether the reader wrote it.
    pub own: bool,
    /// Whether it names the reader.
    pub mention: bool,
    /// The message that it answers, if it answers one.
    pub answers: Option<Quote>,
    /// The text as it is now; may have several lines. Nothing where it was taken back.
    pub text: String,
    /// What its author has made of it since.
    pub change: Change,
    /// The reactions to it, each with how many gave it.
    pub reactions: Vec<(String, usize)>,
    /// How far it has come.
    pub state: Delivery,
    /// Up to where others have come, in words, if it is the last own message that they have: "read by
    /// bob".
    pub marks: String,
    /// Who stands behind it.
    pub trust: Trust,
}

/// What a message answers, in short.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quote {
    /// Who said it; nobody where it is not known here.
    pub sender: String,
    /// What it says now, or in words which message it is.
    pub text: String,
}

/// What the author of a message has made of it since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Change {
    /// It is as it was said.
    #[default]
    None,
    /// It says something else.
    Edited,
    /// It was taken back.
    Deleted,
}

/// How far a message has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Delivery {
    /// Not yet acknowledged.
    Sending,
    /// Acknowledged, so durable.
    #[default]
    Sent,
    /// Not sent, and why, in words.
    Failed(String),
}

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Good to know.
    Info,
    /// Worth a look.
    Warning,
    /// Somebody may be lying.
    Alarm,
}

/// What the status line tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// The connection.
    pub connection: Connection,
    /// Account and device: "alice · device laptop".
    pub identity: String,
    /// The reader's own account name.
    pub own_name: String,
}

/// The connection to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Connection {
    /// The first attempt.
    #[default]
    Connecting,
    /// Logged in.
    Online,
    /// Lost; the next attempt is due.
    Reconnecting {
        /// Seconds until then.
        in_seconds: u64,
    },
    /// Lost, and no attempt is planned.
    Offline,
}

/// The form that stands in place of the chat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FormView {
    /// The server's address.
    pub server: String,
    /// The account of this home, if it has one: only its password is asked for.
    pub account: Option<String>,
    /// The name that a new account, or this device's, is to have, where one was asked for.
    pub name: Option<String>,
    /// Whether the server takes registrations.
    pub registration: Registration,
    /// What is going on, in words: "making your keys". The form waits.
    pub busy: Option<String>,
    /// Why the last attempt did not succeed, in words.
    pub error: Option<String>,
}

/// Whether a server takes new accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Registration {
    /// Anybody's.
    #[default]
    Open,
    /// With an invitation code.
    Invite,
    /// Nobody's.
    Closed,
}

/// A question over the chat, as when two people compare safety numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog {
    /// What it is about.
    pub title: String,
    /// What to read before answering.
    pub body: Vec<String>,
    /// What yes means, in words; without it there is nothing to answer.
    pub yes: Option<String>,
    /// Whether the text is a warning.
    pub level: Level,
}
