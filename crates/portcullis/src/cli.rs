//! The command line. A password is never an argument, since arguments are open to everybody on the
//! machine and end up in a shell's history.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use portcullis_proto::classroom::{DIALECTS, DialectId};
use portcullis_proto::{BadName, ChannelName, ConversationName, GroupName, UserName};
use portcullis_server::gateway::PublicUrl;
use portcullis_terminal::device::FileOptions;
use portcullis_terminal::net::Address;
use portcullis_terminal::verbs::{Exit, Which};

/// Where `up` keeps a server's data: beside the person who has typed it.
const LOCAL_DATA: &str = "portcullis-data";

/// End-to-end encrypted chat: the server, the client, and verbs for scripts.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Chat: starts a server on this machine if none runs, and opens the client
    Up(Up),
    /// Stop the server that `up` has started
    Down(Down),
    /// Open the client
    Chat(Chat),
    /// Run a server
    Serve(Serve),
    /// Make an account, with this home as its first device
    Register {
        #[command(flatten)]
        common: Common,
        /// The invitation code, where the server asks for one
        #[arg(long, value_name = "CODE")]
        invite: Option<String>,
    },
    /// Say something; prints a JSON line with its sequence number once it is durable
    Send {
        #[command(flatten)]
        common: Common,
        /// To whom: a user, a +group, a #channel, or a ~guest who is here
        #[arg(long, value_name = "CONVERSATION", value_parser = ConversationName::parse)]
        to: ConversationName,
        /// What to say; with `-` each line of standard input is a message
        #[arg(required_unless_present = "file")]
        text: Option<String>,
        /// Offer these files and folders instead; returns once they lie on the server
        #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with = "text")]
        file: Vec<PathBuf>,
        /// Hand the files over directly, and stay until they are received; the user learns this device's address
        #[arg(long, requires = "file")]
        direct: bool,
    },
    /// Take files that are offered; prints a JSON line for each that is there, and goes on
    Receive {
        #[command(flatten)]
        common: Common,
        /// From whom; may be repeated [default: everybody]
        #[arg(long, value_name = "USER", value_parser = UserName::parse)]
        from: Vec<UserName>,
        /// The folder to put them in; what has begun to arrive goes on where it is [default: ~/Downloads]
        #[arg(long, value_name = "DIR")]
        into: Option<PathBuf>,
        /// The most bytes to take at once
        #[arg(long, value_name = "BYTES")]
        most: Option<u64>,
        /// End once something is there, or can't go on
        #[arg(long)]
        once: bool,
        /// Fetch directly from those whose files are taken; they learn this device's address
        #[arg(long)]
        direct: bool,
        #[command(flatten)]
        paths: Paths,
    },
    /// Print the files that come and go as JSON lines, numbered, the newest last; or end one before its time
    Transfers {
        #[command(flatten)]
        common: Common,
        /// End this one: its number in the list, or its id
        #[arg(long, value_name = "N|ID", value_parser = Which::parse)]
        cancel: Option<Which>,
    },
    /// Print what was said as JSON lines, and go on as more is said
    Tail {
        #[command(flatten)]
        common: Common,
        /// One user's messages, +group, #channel or ~guest, instead of all that the account is in
        #[arg(long = "in", value_name = "CONVERSATION", value_parser = ConversationName::parse)]
        within: Option<ConversationName>,
        /// Begin at this sequence number, instead of after what `tail` has printed before
        #[arg(long, value_name = "N")]
        from: Option<u64>,
        /// End after so many lines
        #[arg(long, value_name = "N")]
        count: Option<u64>,
    },
    /// Print all accounts as JSON lines, and who is here
    Users {
        #[command(flatten)]
        common: Common,
    },
    /// Print the classroom guests who are here as JSON lines; or let them write to the account, or not
    Guests {
        #[command(flatten)]
        common: Common,
        /// Whether guests may write to the account
        #[arg(value_enum)]
        allow: Option<Switch>,
    },
    /// Join a channel
    Join {
        #[command(flatten)]
        common: Common,
        /// The channel
        #[arg(value_parser = ChannelName::parse)]
        channel: ChannelName,
    },
    /// Make a channel
    Create {
        #[command(flatten)]
        common: Common,
        /// The channel
        #[arg(value_parser = ChannelName::parse)]
        channel: ChannelName,
        /// Only who is invited may join
        #[arg(long)]
        by_invitation: bool,
    },
    /// Make groups, and change or list their members
    #[command(subcommand)]
    Group(Group),
    /// Look after a server, on its machine
    #[command(subcommand)]
    Admin(Admin),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Group {
    /// Make a group with these members
    Create {
        #[command(flatten)]
        common: Common,
        /// What its members call it; nobody else hears of it
        #[arg(value_parser = group_name)]
        name: GroupName,
        /// Its members, besides oneself
        #[arg(value_name = "USER", required = true, value_parser = UserName::parse)]
        members: Vec<UserName>,
    },
    /// Bring somebody into a group
    Invite {
        #[command(flatten)]
        common: Common,
        /// The group; where several have one name, + and its id
        #[arg(value_parser = group_name)]
        name: GroupName,
        /// Whom
        #[arg(value_name = "USER", required = true, value_parser = UserName::parse)]
        members: Vec<UserName>,
    },
    /// Take somebody out of one's own group
    Remove {
        #[command(flatten)]
        common: Common,
        /// The group; where several have one name, + and its id
        #[arg(value_parser = group_name)]
        name: GroupName,
        /// Whom
        #[arg(value_name = "USER", value_parser = UserName::parse)]
        member: UserName,
    },
    /// Leave a group
    Leave {
        #[command(flatten)]
        common: Common,
        /// The group; where several have one name, + and its id
        #[arg(value_parser = group_name)]
        name: GroupName,
    },
    /// Print a group's members as JSON lines, in the order in which they joined
    Members {
        #[command(flatten)]
        common: Common,
        /// The group; where several have one name, + and its id
        #[arg(value_parser = group_name)]
        name: GroupName,
    },
}

/// Which way files take.
#[derive(Debug, Args)]
pub(crate) struct Paths {
    /// Files always go by way of the server: nobody learns this device's address
    #[arg(long)]
    pub(crate) always_relay: bool,
    /// Where to wait for direct connections [default: any address and port]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) direct_listen: Option<SocketAddr>,
}

impl Paths {
    /// As options, with the folder for what comes.
    pub(crate) fn options(self, downloads: Option<PathBuf>) -> FileOptions {
        let Self { always_relay, direct_listen } = self;
        FileOptions { downloads, listen: direct_listen, always_relay }
    }
}

/// What all verbs are told.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The server
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:12345", value_parser = Address::parse)]
    pub(crate) server: Address,
    /// The account's name
    #[arg(long, value_name = "NAME", value_parser = UserName::parse)]
    pub(crate) user: UserName,
    /// A file whose first line is the password
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: PathBuf,
    /// The folder of this device [default: portcullis/SERVER/NAME in the user's data folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Trust the certificates in this PEM file, and no others
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_root: Option<PathBuf>,
    /// Give up after so many seconds; where files move, after so many in which nothing does [default: 60; none for
    /// `tail`, `send -`, `send --direct` and `receive`]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) timeout: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// The port on 127.0.0.1
    #[arg(long, value_name = "PORT", default_value_t = 12345, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
    /// The data folder of a server that is started
    #[arg(long, value_name = "FOLDER", default_value = LOCAL_DATA)]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) identity: Identity,
}

#[derive(Debug, Args)]
pub(crate) struct Down {
    /// The server's data folder
    #[arg(long, value_name = "FOLDER", default_value = LOCAL_DATA)]
    pub(crate) data: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Chat {
    /// The server
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:12345", value_parser = Address::parse)]
    pub(crate) server: Address,
    #[command(flatten)]
    pub(crate) identity: Identity,
    /// Trust the certificates in this PEM file, and no others
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_root: Option<PathBuf>,
    /// Visit anybody's classroom server instead, without an account [home: portcullis/classroom/HOST-PORT]
    #[arg(long, value_name = "URL", value_parser = Address::parse, conflicts_with_all = ["server", "user", "no_read_marks"])]
    pub(crate) classroom: Option<Address>,
    /// How to write there; every dialect is read [default: text]
    #[arg(long, value_name = "NAME", requires = "classroom", value_parser = dialect)]
    pub(crate) dialect: Option<DialectId>,
}

/// Who chats, and what others hear of it.
#[derive(Debug, Args)]
pub(crate) struct Identity {
    /// The account's name [default: the one used last, or a new one]
    #[arg(long, value_name = "NAME", value_parser = UserName::parse)]
    pub(crate) user: Option<UserName>,
    /// The folder of this device [default: portcullis/SERVER/NAME in the user's data folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Do not tell others how far you have read
    #[arg(long)]
    pub(crate) no_read_marks: bool,
    /// The folder for files [default: ~/Downloads]
    #[arg(long, value_name = "DIR")]
    pub(crate) downloads: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) paths: Paths,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen; beyond this machine only with TLS or behind a proxy
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:12345")]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) data: Data,
    /// The certificate chain, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// The one address whose X-Forwarded-For is believed
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) behind_proxy: Option<IpAddr>,
    /// Who may register
    #[arg(long, value_enum, default_value_t)]
    pub(crate) registration: Registration,
    /// A web origin that may connect, as https://chat.example; may be repeated
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,
    /// A host name by which the server is reached; may be repeated [default: any]
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Vec<String>,
    /// Whether classroom guests are admitted, who need no account [default: on this machine alone]
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, default_missing_value = "yes")]
    pub(crate) guests: Option<Guests>,
    /// How guests reach this server, as http://chat.example:12345 [default: http://localhost:PORT]
    #[arg(long, value_name = "URL", value_parser = PublicUrl::parse)]
    pub(crate) public_url: Option<PublicUrl>,
    /// Bytes of the largest file that a guest may send [default: 16 MiB]
    #[arg(long, value_name = "BYTES")]
    pub(crate) guest_file_bytes: Option<u64>,
    /// Bytes of all files of guests together; each is kept for a day [default: 1 GiB]
    #[arg(long, value_name = "BYTES")]
    pub(crate) guest_quota_bytes: Option<u64>,
    /// Bytes of the files that one account may have waiting here for others, as 500M or 4G [default: 4G]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) blob_quota: Option<u64>,
    /// Bytes of all accounts' files that wait here; 1 GiB of the disk always stays free [default: 64G]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) blob_space: Option<u64>,
    /// Days for which a file waits here to be collected [default: 7]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=365))]
    pub(crate) blob_age_days: Option<u64>,
    /// A classroom server to link with, as ws://HOST:PORT=KEY.PEM with its key in a file; may be repeated
    #[arg(long, value_name = "URL=FILE", value_parser = NeighbourAt::parse)]
    pub(crate) neighbour: Vec<NeighbourAt>,
    /// Write the log as JSON
    #[arg(long)]
    pub(crate) log_json: bool,
    /// Multiplies every rate limit; for load tests
    #[arg(long, hide = true, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate_factor: u32,
}

/// A classroom server to link with: where it is, and the file with its key.
#[derive(Debug, Clone)]
pub(crate) struct NeighbourAt {
    pub(crate) url: http::Uri,
    pub(crate) key: PathBuf,
}

impl NeighbourAt {
    fn parse(text: &str) -> Result<Self, String> {
        let form = "a neighbour is ws://HOST:PORT=FILE or wss://HOST:PORT=FILE";
        let (url, key) = text.split_once('=').ok_or(form)?;
        let url: http::Uri = url.parse().map_err(|_| form)?;
        let known = matches!(url.scheme_str(), Some("ws" | "wss")) && url.host().is_some();
        if !known || key.is_empty() {
            return Err(form.to_owned());
        }
        Ok(Self { url, key: PathBuf::from(key) })
    }
}

/// On, or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// They may
    On,
    /// They may not
    Off,
}

/// Whether classroom guests are admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Guests {
    /// They are
    Yes,
    /// They are not
    No,
}

#[derive(Debug, Args)]
pub(crate) struct Data {
    /// The server's data folder [default: portcullis-server in the user's data folder]
    #[arg(long = "data", value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum Registration {
    /// Anyone who reaches the server
    #[default]
    Open,
    /// Who has a code from `admin invite`
    Invite,
    /// Nobody
    Closed,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// Print the server's key for the classroom, in PEM, for operators of servers to link with
    ClassroomKey {
        #[command(flatten)]
        data: Data,
    },
    /// Print a new invitation code, for one account, valid for a week
    Invite {
        #[command(flatten)]
        data: Data,
    },
    /// List the accounts
    Accounts {
        #[command(flatten)]
        data: Data,
    },
    /// Lock an account out, and end its sessions
    Disable {
        #[command(flatten)]
        data: Data,
        /// The account
        #[arg(value_parser = UserName::parse)]
        name: UserName,
    },
    /// Let an account in again
    Enable {
        #[command(flatten)]
        data: Data,
        /// The account
        #[arg(value_parser = UserName::parse)]
        name: UserName,
    },
}

/// A number of bytes: digits and, perhaps, K, M or G for their 1,024-folds.
fn bytes(text: &str) -> Result<u64, String> {
    let units = [("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30)];
    let suffixed =
        units.into_iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)));
    let (digits, unit) = suffixed.unwrap_or((text, 1));
    let number = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    number.ok_or_else(|| "a number of bytes is digits, and K, M or G if need be".to_owned())
}

/// A dialect of classroom clients, by its name.
fn dialect(text: &str) -> Result<DialectId, String> {
    DialectId::from_name(text).ok_or_else(|| {
        let names: Vec<&str> = DIALECTS.iter().map(|row| row.name).collect();
        format!("the dialects are {}", names.join(", "))
    })
}

/// A group's name; its sign may be left out.
fn group_name(text: &str) -> Result<GroupName, BadName> {
    GroupName::parse(&format!("+{}", text.strip_prefix('+').unwrap_or(text)))
}

/// Reads the command line; ends the program where it can't be understood, or asks for help.
pub(crate) fn parse() -> Cli {
    let matches = Cli::command().after_help(exit_codes()).get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn exit_codes() -> String {
    let rows = Exit::ALL.map(|(exit, meaning)| format!("  {}  {meaning}", exit.code()));
    format!("Exit codes:\n{}", rows.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn numbers_of_bytes() {
        let check =
            |text: &str, expected: Option<u64>| assert_eq!(bytes(text).ok(), expected, "{text}");
        check("0", Some(0));
        check("1000", Some(1_000));
        check("500K", Some(512_000));
        check("7M", Some(7 * 1024 * 1024));
        check("4G", Some(4 * 1024 * 1024 * 1024));
        check("17179869184G", None);
        for text in ["", "G", "4g", "4GB", "-1", "4.5G", "4 G"] {
            check(text, None);
        }
    }

    fn check(line: &str, expected: bool) {
        let parsed = Cli::try_parse_from(line.split(' '));
        assert_eq!(parsed.is_ok(), expected, "{line}: {parsed:?}");
    }

    #[test]
    fn command_lines() {
        let common = "--user mira --password-file p";
        check("portcullis up", true);
        check("portcullis up --port 0", false);
        check("portcullis down --data d", true);
        check("portcullis chat --server wss://a --user mira --tls-root r", true);
        check("portcullis chat --user m!", false);
        check("portcullis chat --classroom ws://a --home h --tls-root r", true);
        check("portcullis chat --classroom ws://a --dialect sorted-dumps", true);
        check("portcullis chat --classroom ws://a --dialect klingon", false);
        check("portcullis chat --dialect text", false);
        check("portcullis chat --classroom ws://a --server ws://b", false);
        check("portcullis chat --classroom ws://a --user mira", false);
        check("portcullis chat --classroom a", false);
        check("portcullis serve", true);
        check("portcullis serve --listen 127.0.0.1:0 --data d --registration invite", true);
        check("portcullis serve --tls-cert c", false);
        check("portcullis serve --guests", true);
        check("portcullis serve --guests no --public-url https://chat.example", true);
        check("portcullis serve --public-url chat.example", false);
        check("portcullis serve --neighbour ws://a:1=a.pem --neighbour wss://b=b.pem", true);
        check("portcullis serve --neighbour ws://a:1", false);
        check("portcullis serve --neighbour http://a:1=a.pem", false);
        check("portcullis serve --public-url http://chat.example:1/path", false);
        check("portcullis serve --tls-cert c --tls-key k --behind-proxy ::1", true);
        check(&format!("portcullis register {common} --invite code"), true);
        check("portcullis register --user mira", false);
        check("portcullis register --user mira --password secret", false);
        check(&format!("portcullis send {common} --to #lobby -"), true);
        check(&format!("portcullis send {common} --to noor -"), true);
        check(&format!("portcullis send {common} --to +team -"), true);
        check(&format!("portcullis send {common} --to ++team -"), false);
        check(&format!("portcullis send {common} --to ~abcdefgh23456722 -"), true);
        check(&format!("portcullis send {common} --to ~abc -"), false);
        check(&format!("portcullis guests {common}"), true);
        check(&format!("portcullis guests {common} off"), true);
        check(&format!("portcullis guests {common} perhaps"), false);
        check(&format!("portcullis send {common} --to #lobby"), false);
        check(&format!("portcullis tail {common} --in #lobby --from 3 --count 2"), true);
        check(&format!("portcullis transfers {common}"), true);
        check(&format!("portcullis transfers {common} --cancel 2"), true);
        check(&format!("portcullis transfers {common} --cancel all"), false);
        check(&format!("portcullis users {common} --server http://a"), false);
        check(&format!("portcullis users {common} --server wss://a --tls-root r"), true);
        check(&format!("portcullis users {common} --timeout 0"), false);
        check(&format!("portcullis create {common} #team --by-invitation"), true);
        check(&format!("portcullis tail {common} --in noor"), true);
        check(&format!("portcullis group create {common} team noor oleg"), true);
        check(&format!("portcullis group create {common} +team"), false);
        check(&format!("portcullis group create {common} #team noor"), false);
        check(&format!("portcullis group invite {common} team noor oleg"), true);
        check(&format!("portcullis group remove {common} team noor oleg"), false);
        check(&format!("portcullis group leave {common} +team"), true);
        check(&format!("portcullis group members {common}"), false);
        check("portcullis chat --no-read-marks", true);
        check("portcullis admin disable mira --data d", true);
        check("portcullis admin disable M!", false);
    }
}
