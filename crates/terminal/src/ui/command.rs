//! Slash commands: one table with a row for each, from which the parser, the completion and the
//! help are made. It leaves out what the commands do: that is the client core's.

use super::mistake::{CommandError, Problem, nearest};
use super::words::Words;
use portcullis_proto::{ChannelName, DeviceName, GroupName, PersonName, UserName};

/// What a person asked for in the input line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Text for the open conversation.
    Say(String),
    /// Who is there?
    List,
    /// Text for everybody: for `#lobby`.
    All(String),
    /// Text for somebody alone; empty only opens the conversation with them.
    Tell(PersonName, String),
    /// An answer to the message that is so many back; 1 is the last one.
    Reply(usize, String),
    /// The own message that is so many back, otherwise; empty asks for its text, to change it.
    Edit(usize, String),
    /// Take back the own message that is so many back.
    Delete(usize),
    /// React to the message that is so many back; the same again takes it back.
    React(usize, String),
    /// Show what the message that is so many back said before; without a number the last that was
    /// changed.
    History(Option<usize>),
    /// Enter an open channel, or one that invited us.
    Join(ChannelName),
    /// Make a channel.
    Create(ChannelName, Access),
    /// Make a group with these members.
    Group(GroupName, Vec<UserName>),
    /// Invite into the open channel or group.
    Invite(Vec<UserName>),
    /// Show who is in the open conversation.
    Members,
    /// Take somebody out of the open group.
    Kick(UserName),
    /// Name the open group.
    Rename(GroupName),
    /// Make somebody the open group's owner.
    Owner(UserName),
    /// Show the safety number to compare; with `true`, it was compared and agrees.
    Verify(UserName, bool),
    /// Accept a person's new identity key.
    Accept(UserName),
    /// Show the classroom guests; or let them write to this account, or not.
    Guests(Option<bool>),
    /// Offer files; where the first word names somebody or a group, there, else in the open conversation.
    File(Vec<String>),
    /// Take the offer of this number, or the newest of the open conversation, into a folder if one is named.
    Get(Option<usize>, Option<String>),
    /// Don't take it.
    Decline(Option<usize>),
    /// Show the transfers, or do something with the one of this number, or with the only one that it can be done with.
    Transfers(Option<(TransferVerb, Option<usize>)>),
    /// Take what somebody offers without being asked, up to so many bytes; none asks always.
    AutoAccept(UserName, Option<u64>),
    /// Whether somebody may see this device's address, for direct transfers.
    Direct(UserName, bool),
    /// Show this account's devices.
    Devices,
    /// Take a device off the list.
    Revoke(DeviceName),
    /// Change the password, which is asked for in a form.
    Password,
    /// Leave the open channel or group.
    Leave,
    /// Show keys and commands.
    Help,
    /// Leave the program.
    Quit,
}

/// Who may enter a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Anybody.
    #[default]
    Open,
    /// Who is invited.
    Invitation,
}

/// What can be done with a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferVerb {
    /// Halt it.
    Pause,
    /// Go on with it.
    Resume,
    /// End it.
    Cancel,
}

/// What a command's argument is; completion offers such ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// An account's name.
    User,
    /// An account's name, or a classroom guest's.
    Person,
    /// Any number of them.
    Users,
    /// A name that is new, so that there is nothing to offer.
    New,
    /// A channel's name.
    Channel,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Any number of files or folders of this machine.
    Paths,
    /// Anything.
    Text,
}

/// A row of the command table.
#[derive(Debug)]
pub struct Entry {
    /// The command without its slash.
    pub name: &'static str,
    /// A second name, or "".
    pub alias: &'static str,
    /// How it is typed.
    pub usage: &'static str,
    /// What it does, in words.
    pub help: &'static str,
    /// Its arguments in their order.
    pub arguments: &'static [Argument],
    parse: fn(&mut Words<'_>) -> Result<Command, Problem>,
}

const USER: &[Argument] = &[Argument::User];
const TEXT: &[Argument] = &[Argument::Text];

/// All commands, in the order of the help.
pub static COMMANDS: &[Entry] = &[
    Entry {
        name: "list",
        alias: "who",
        usage: "/list",
        help: "who is here",
        arguments: &[],
        parse: |_| Ok(Command::List),
    },
    Entry {
        name: "all",
        alias: "",
        usage: "/all TEXT",
        help: "say something to everybody, in #lobby",
        arguments: TEXT,
        parse: |words| words.text("a text").map(Command::All),
    },
    Entry {
        name: "msg",
        alias: "tell",
        usage: "/msg USER [TEXT]",
        help: "talk to somebody alone, encrypted",
        arguments: &[Argument::Person, Argument::Text],
        parse: |words| Ok(Command::Tell(words.person()?, words.all())),
    },
    Entry {
        name: "group",
        alias: "",
        usage: "/group NAME USER…",
        help: "make an encrypted group with them",
        arguments: &[Argument::New, Argument::Users],
        parse: |words| Ok(Command::Group(words.group()?, words.users()?)),
    },
    Entry {
        name: "reply",
        alias: "r",
        usage: "/reply [N] TEXT",
        help: "answer the last message, or the N-th last",
        arguments: TEXT,
        parse: |words| Ok(Command::Reply(words.back()?, words.text("a text")?)),
    },
    Entry {
        name: "edit",
        alias: "",
        usage: "/edit [N] [TEXT]",
        help: "change your last message, or your N-th last",
        arguments: TEXT,
        parse: |words| Ok(Command::Edit(words.back()?, words.all())),
    },
    Entry {
        name: "delete",
        alias: "",
        usage: "/delete [N]",
        help: "take back your last message, or your N-th last",
        arguments: &[],
        parse: |words| words.back().map(Command::Delete),
    },
    Entry {
        name: "react",
        alias: "",
        usage: "/react [N] EMOJI",
        help: "react to it: an emoji or a short word",
        arguments: &[],
        parse: |words| Ok(Command::React(words.back()?, words.word("an emoji, or a short word")?)),
    },
    Entry {
        name: "history",
        alias: "",
        usage: "/history [N]",
        help: "what a changed message said before",
        arguments: &[],
        parse: |words| words.number().map(Command::History),
    },
    Entry {
        name: "join",
        alias: "j",
        usage: "/join #NAME",
        help: "enter a channel",
        arguments: &[Argument::Channel],
        parse: |words| words.channel().map(Command::Join),
    },
    Entry {
        name: "create",
        alias: "",
        usage: "/create #NAME [open|invitation]",
        help: "make a channel, open to all or by invitation",
        arguments: &[Argument::Channel, Argument::Word(&["open", "invitation"])],
        parse: |words| Ok(Command::Create(words.channel()?, access(words)?)),
    },
    Entry {
        name: "invite",
        alias: "",
        usage: "/invite USER…",
        help: "bring somebody into this channel or group",
        arguments: &[Argument::Users],
        parse: |words| words.users().map(Command::Invite),
    },
    Entry {
        name: "members",
        alias: "",
        usage: "/members",
        help: "who is in this encrypted conversation",
        arguments: &[],
        parse: |_| Ok(Command::Members),
    },
    Entry {
        name: "kick",
        alias: "",
        usage: "/kick USER",
        help: "take somebody out of this group",
        arguments: USER,
        parse: |words| words.user().map(Command::Kick),
    },
    Entry {
        name: "rename",
        alias: "",
        usage: "/rename NAME",
        help: "give this group another name",
        arguments: &[Argument::New],
        parse: |words| words.group().map(Command::Rename),
    },
    Entry {
        name: "owner",
        alias: "",
        usage: "/owner USER",
        help: "make somebody the owner of this group",
        arguments: USER,
        parse: |words| words.user().map(Command::Owner),
    },
    Entry {
        name: "leave",
        alias: "part",
        usage: "/leave",
        help: "leave this channel or group",
        arguments: &[],
        parse: |_| Ok(Command::Leave),
    },
    Entry {
        name: "verify",
        alias: "",
        usage: "/verify USER [yes]",
        help: "compare safety numbers; yes: they agree",
        arguments: &[Argument::User, Argument::Word(&["yes"])],
        parse: |words| Ok(Command::Verify(words.user()?, yes(words)?)),
    },
    Entry {
        name: "accept",
        alias: "",
        usage: "/accept USER",
        help: "accept somebody's changed identity key",
        arguments: USER,
        parse: |words| words.user().map(Command::Accept),
    },
    Entry {
        name: "guests",
        alias: "",
        usage: "/guests [on|off]",
        help: "classroom guests; may they write to you",
        arguments: &[Argument::Word(&["on", "off"])],
        parse: |words| Ok(Command::Guests(on_or_off(words)?)),
    },
    Entry {
        name: "file",
        alias: "send",
        usage: "/file [USER|+GROUP] PATH…",
        help: "offer files or folders, there or here",
        arguments: &[Argument::Paths],
        parse: |words| words.quoted("a path").map(Command::File),
    },
    Entry {
        name: "get",
        alias: "",
        usage: "/get [N] [FOLDER]",
        help: "take what is offered here, or number N",
        arguments: &[Argument::Paths],
        parse: |words| Ok(Command::Get(words.number()?, words.path()?)),
    },
    Entry {
        name: "decline",
        alias: "",
        usage: "/decline [N]",
        help: "don't take what is offered",
        arguments: &[],
        parse: |words| words.number().map(Command::Decline),
    },
    Entry {
        name: "transfers",
        alias: "",
        usage: "/transfers [pause|resume|cancel [N]]",
        help: "files that come and go; halt one, or end it",
        arguments: &[Argument::Word(&["pause", "resume", "cancel"])],
        parse: transfers,
    },
    Entry {
        name: "autoaccept",
        alias: "",
        usage: "/autoaccept USER SIZE|off",
        help: "take their files unasked, up to 50M a day, say",
        arguments: &[Argument::User, Argument::Word(&["off"])],
        parse: |words| Ok(Command::AutoAccept(words.user()?, size_or_off(words)?)),
    },
    Entry {
        name: "direct",
        alias: "",
        usage: "/direct USER on|off",
        help: "files without the server: they see your address",
        arguments: &[Argument::User, Argument::Word(&["on", "off"])],
        parse: |words| {
            let user = words.user()?;
            let may = on_or_off(words)?.ok_or(Problem::Needs("on or off"))?;
            Ok(Command::Direct(user, may))
        },
    },
    Entry {
        name: "devices",
        alias: "",
        usage: "/devices [revoke NAME]",
        help: "your devices; take one off the list",
        arguments: &[Argument::Word(&["revoke"]), Argument::Text],
        parse: devices,
    },
    Entry {
        name: "password",
        alias: "",
        usage: "/password",
        help: "change your password",
        arguments: &[],
        parse: |_| Ok(Command::Password),
    },
    Entry {
        name: "help",
        alias: "h",
        usage: "/help",
        help: "keys and commands",
        arguments: &[],
        parse: |_| Ok(Command::Help),
    },
    Entry {
        name: "quit",
        alias: "q",
        usage: "/quit",
        help: "leave the program",
        arguments: &[],
        parse: |_| Ok(Command::Quit),
    },
];

/// What a visitor of somebody's classroom server can do: the names of commands, how they are typed there, and what they
/// do there.
pub static OF_VISITORS: &[(&str, &str, &str)] = &[
    ("list", "/list", "who is here"),
    ("all", "/all TEXT", "say something to everybody, in #lobby"),
    ("msg", "/msg ~NAME [TEXT]", "talk to somebody alone, encrypted"),
    ("leave", "/leave", "close this private conversation"),
    ("help", "/help", "keys and commands"),
    ("quit", "/quit", "leave the program"),
];

/// The commands there are, each with its name, how it is typed and what it does.
pub fn offered(visits: bool) -> Vec<(&'static str, &'static str, &'static str)> {
    match visits {
        true => OF_VISITORS.to_vec(),
        false => COMMANDS.iter().map(|entry| (entry.name, entry.usage, entry.help)).collect(),
    }
}

/// Reads a line as a person typed it. What does not begin with `/` is text; `//x` is the text `/x`.
///
/// # Errors
/// Says what to type instead.
pub fn parse(line: &str) -> Result<Command, CommandError> {
    let Some(rest) = line.strip_prefix('/') else {
        return Ok(Command::Say(line.to_owned()));
    };
    if rest.starts_with('/') {
        return Ok(Command::Say(rest.to_owned()));
    }
    let (typed, arguments) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let typed = typed.to_lowercase();
    let Some(entry) = find(&typed) else {
        let nearest = nearest(&typed).map(|entry| entry.usage);
        return Err(CommandError::Unknown { typed, nearest });
    };
    let misused = |problem| CommandError::Misused { name: entry.name, usage: entry.usage, problem };
    let mut words = Words::new(arguments);
    let command = (entry.parse)(&mut words).map_err(misused)?;
    match words.next() {
        Some(_) if command == Command::Password => Err(misused(Problem::OpenPassword)),
        Some(word) => Err(misused(Problem::Extra(word.to_owned()))),
        None => Ok(command),
    }
}

/// The row of a command's name or alias.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    let is_meant = |entry: &&Entry| entry.name == name || (entry.alias == name && !name.is_empty());
    COMMANDS.iter().find(is_meant)
}

fn access(words: &mut Words<'_>) -> Result<Access, Problem> {
    match words.next() {
        None | Some("open") => Ok(Access::Open),
        Some("invitation") => Ok(Access::Invitation),
        Some(other) => Err(Problem::Word(other.to_owned())),
    }
}

fn yes(words: &mut Words<'_>) -> Result<bool, Problem> {
    match words.next() {
        None => Ok(false),
        Some("yes") => Ok(true),
        Some(other) => Err(Problem::Word(other.to_owned())),
    }
}

fn on_or_off(words: &mut Words<'_>) -> Result<Option<bool>, Problem> {
    match words.next() {
        None => Ok(None),
        Some("on") => Ok(Some(true)),
        Some("off") => Ok(Some(false)),
        Some(other) => Err(Problem::Word(other.to_owned())),
    }
}

fn transfers(words: &mut Words<'_>) -> Result<Command, Problem> {
    let verb = match words.next() {
        None => return Ok(Command::Transfers(None)),
        Some("pause") => TransferVerb::Pause,
        Some("resume") => TransferVerb::Resume,
        Some("cancel") => TransferVerb::Cancel,
        Some(other) => return Err(Problem::Word(other.to_owned())),
    };
    Ok(Command::Transfers(Some((verb, words.number()?))))
}

/// A size as people write it: `800k`, `50M`, `2G`, in powers of a thousand.
fn size_or_off(words: &mut Words<'_>) -> Result<Option<u64>, Problem> {
    let word = words.word("a size, or off")?;
    if word == "off" {
        return Ok(None);
    }
    let lower = word.to_lowercase();
    let digits = lower.trim_end_matches('b').trim_end_matches(['k', 'm', 'g']);
    let unit = match lower.get(digits.len()..).unwrap_or_default() {
        "" | "b" => Some(1),
        "k" | "kb" => Some(1_000),
        "m" | "mb" => Some(1_000_000),
        "g" | "gb" => Some(1_000_000_000),
        _ => None,
    };
    let bytes = digits.parse::<u64>().ok().zip(unit);
    let bytes = bytes.and_then(|(number, unit): (u64, u64)| number.checked_mul(unit));
    bytes.filter(|bytes| *bytes > 0).map(Some).ok_or(Problem::Word(word))
}

fn devices(words: &mut Words<'_>) -> Result<Command, Problem> {
    match words.next() {
        None => Ok(Command::Devices),
        Some("revoke") => {
            let name = words.text("a device's name")?;
            DeviceName::parse(&name).map(Command::Revoke).map_err(Problem::Name)
        }
        Some(other) => Err(Problem::Word(other.to_owned())),
    }
}
