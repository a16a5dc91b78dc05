//! The command line: everything can be done from a terminal, by keyboard, in plain text, without colour.

mod ask;
mod chat;
mod learner;
mod output;
mod slug;
mod start;
mod teacher;

use self::output::Failure;
use self::slug::Slug;
use clap::{Args, Parser, Subcommand};
use portcullis_proto::UserName;
use portcullis_terminal::ui::safe_text::SafeLine;
use std::path::PathBuf;
use std::process::ExitCode;

/// The Portcullis range: worlds with one defence taken away, to learn why it is there. NO SECURITY: for
/// teaching on your own machine, and for nothing else.
#[derive(Debug, Parser)]
#[command(name = "portcullis-range", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Where the range is, and where what a learner comes back with lies.
#[derive(Debug, Clone, Args)]
struct Where {
    /// The range's address [default: the one that was joined from this folder, or 127.0.0.1:12399]
    #[arg(long, value_name = "HOST:PORT")]
    range: Option<String>,
    /// The learner's folder [default: what PORTCULLIS_RANGE_LEARNER names, or portcullis-range/learner in the
    /// user's data folder]
    #[arg(long, value_name = "DIR")]
    learner: Option<PathBuf>,
}

/// Where the range keeps what survives a restart.
#[derive(Debug, Clone, Args)]
struct Folder {
    /// The range's folder [default: portcullis-range/range in the user's data folder]
    #[arg(long, value_name = "DIR", global = true)]
    folder: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the range on this machine
    Start {
        /// The address; loopback only
        #[arg(long, value_name = "HOST:PORT", default_value_t = crate::host::default_address())]
        listen: std::net::SocketAddr,
        /// Make it the range of a class, whose learners are on a list
        #[arg(long, value_name = "NAME", value_parser = class_name)]
        class: Option<String>,
        #[command(flatten)]
        folder: Folder,
    },
    /// Take a name, and a place in the range
    Join {
        /// The name
        #[arg(value_parser = UserName::parse)]
        name: UserName,
        /// The code that goes with the name, in a class
        #[arg(long)]
        code: Option<String>,
        #[command(flatten)]
        at: Where,
    },
    /// List the flaws, and how far you have come
    Board {
        #[command(flatten)]
        at: Where,
    },
    /// Read a flaw's story
    Show {
        /// Which
        #[arg(value_parser = Slug::parse)]
        slug: Slug,
        #[command(flatten)]
        at: Where,
    },
    /// Take the next hint
    Hint {
        /// Which
        #[arg(value_parser = Slug::parse)]
        slug: Slug,
        #[command(flatten)]
        at: Where,
    },
    /// Print how to get into your world
    Connect {
        /// Which
        #[arg(value_parser = Slug::parse)]
        slug: Slug,
        #[command(flatten)]
        at: Where,
    },
    /// Open the terminal client in your world
    Chat {
        /// Which
        #[arg(value_parser = Slug::parse)]
        slug: Slug,
        #[command(flatten)]
        at: Where,
    },
    /// Submit a flag, or the value that the story asks for
    Submit {
        /// Which
        #[arg(value_parser = Slug::parse)]
        slug: Slug,
        /// What
        value: String,
        #[command(flatten)]
        at: Where,
    },
    /// Read what went over your world's connections
    Wire {
        /// Which
        #[arg(value_parser = Slug::parse)]
        slug: Slug,
        /// Begin with the world, and not when you came
        #[arg(long, conflicts_with = "after")]
        all: bool,
        /// Begin after the passage of this number
        #[arg(long, value_name = "N")]
        after: Option<u64>,
        /// Only the newest of them, so many
        #[arg(long, value_name = "N")]
        last: Option<usize>,
        /// Go on as more passes
        #[arg(long)]
        follow: bool,
        /// Print JSON lines
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: Where,
    },
    /// Compare the sound and the flawed function, once you have solved it
    Diff {
        /// Which
        #[arg(value_parser = Slug::parse)]
        slug: Slug,
        #[command(flatten)]
        at: Where,
    },
    /// Put a candidate fix into your world, and see what the tests say
    Fix {
        /// Which
        #[arg(value_parser = Slug::parse)]
        slug: Slug,
        /// The fix's number in `show`
        number: usize,
        #[command(flatten)]
        at: Where,
    },
    /// Begin your world anew, with other secrets
    Reset {
        /// Which
        #[arg(value_parser = Slug::parse)]
        slug: Slug,
        #[command(flatten)]
        at: Where,
    },
    /// Print your receipts as JSON lines
    Receipt {
        #[command(flatten)]
        at: Where,
    },
    /// Check a receipt, without a range
    Verify {
        /// A file with JSON lines
        file: PathBuf,
        /// The key that must have made them
        #[arg(long)]
        key: Option<String>,
    },
    /// Print what happens to your progress, as it happens
    Watch {
        #[command(flatten)]
        at: Where,
    },
    /// For the teacher: the class
    #[command(arg_required_else_help = true)]
    Class {
        /// The same as `roster`; a list whose name is a verb's is `./NAME`
        file: Option<PathBuf>,
        #[command(flatten)]
        folder: Folder,
        #[command(subcommand)]
        wish: Option<Teaching>,
    },
}

#[derive(Debug, Subcommand)]
enum Teaching {
    /// Put everyone on a list into the class: a name in the first column of each line
    Roster {
        /// A CSV file
        file: PathBuf,
    },
    /// Print what everyone on the list joins with, a line for each
    Codes,
    /// Let somebody join again, on another machine say, with a new code
    Readmit {
        /// Whom
        #[arg(value_parser = UserName::parse)]
        name: UserName,
    },
    /// Show who has come how far, and who is stuck
    Progress,
    /// Delete all that is known of somebody
    Forget {
        /// Whom
        #[arg(value_parser = UserName::parse)]
        name: UserName,
    },
    /// Begin worlds anew, everybody's unless a name is given
    Reset {
        /// Whose
        #[arg(value_parser = UserName::parse)]
        name: Option<UserName>,
        /// Only those of this flaw
        #[arg(long, value_name = "SLUG", value_parser = Slug::parse)]
        flaw: Option<Slug>,
    },
    /// Print progress as CSV, or challenges as CTFd imports them
    Export {
        /// `csv` or `ctfd`
        #[arg(value_parser = ["csv", "ctfd"])]
        format: String,
    },
    /// Print the page that tells learners how to get here
    Page {
        /// This machine, as learners name it for `ssh`: letters, digits and `@.-_`
        #[arg(value_parser = machine)]
        host: String,
    },
}

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) | Err(Failure::PipeClosed) => ExitCode::SUCCESS,
        Err(Failure::Told(why)) => {
            output::mention(&why);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Start { listen, class, folder } => {
            let class = class.unwrap_or_default();
            Ok(start::start(listen, &range_folder(folder)?, &class)?)
        }
        Command::Join { name, code, at } => learner::join(&at, &name, code.as_deref()),
        Command::Board { at } => learner::board(&at),
        Command::Show { slug, at } => learner::show(&at, slug.as_str()),
        Command::Hint { slug, at } => learner::hint(&at, slug.as_str()),
        Command::Connect { slug, at } => learner::connect(&at, slug.as_str()),
        Command::Chat { slug, at } => chat::chat(&at, slug.as_str()),
        Command::Submit { slug, value, at } => learner::submit(&at, slug.as_str(), &value),
        Command::Wire { slug, all, after, last, follow, json, at } => {
            let after = after.or(all.then_some(0));
            learner::wire(&at, slug.as_str(), learner::Reading { after, last, follow, json })
        }
        Command::Diff { slug, at } => learner::diff(&at, slug.as_str()),
        Command::Fix { slug, number, at } => learner::fix(&at, slug.as_str(), number),
        Command::Reset { slug, at } => learner::reset(&at, slug.as_str()),
        Command::Receipt { at } => learner::receipts(&at),
        Command::Verify { file, key } => learner::verify(&file, key.as_deref()),
        Command::Watch { at } => learner::watch(&at),
        Command::Class { file, folder, wish } => {
            let wish = match (file, wish) {
                (None, Some(wish)) => wish,
                (Some(file), None) => Teaching::Roster { file },
                _ => return Err("name the class's list, or one thing that is to be done".into()),
            };
            teacher::teach(wish, &range_folder(folder)?)
        }
    }
}

/// What may be typed after `ssh` as it is: learners copy it into a shell.
fn machine(typed: &str) -> Result<String, String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "@.-_".contains(letter);
    if typed.is_empty() || typed.starts_with('-') || !typed.chars().all(fits) {
        return Err("a machine's name has letters, digits and `@.-_`".to_owned());
    }
    Ok(typed.to_owned())
}

/// A class's name stands on screens and in receipts: it is seen as it is.
fn class_name(typed: &str) -> Result<String, String> {
    if typed.trim().is_empty() || SafeLine::name(typed).as_str() != typed {
        return Err("a class's name is a text of one line, of letters that can be seen".to_owned());
    }
    Ok(typed.to_owned())
}

fn range_folder(folder: Folder) -> Result<PathBuf, String> {
    folder.folder.map_or_else(|| data_folder("range"), Ok)
}

/// What a variable of the environment names.
fn set(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// A folder of ours in the user's data folder (XDG Base Directory Specification).
fn data_folder(name: &str) -> Result<PathBuf, String> {
    let data = set("XDG_DATA_HOME").or_else(|| Some(set("HOME")?.join(".local/share")));
    let data = data.ok_or("neither XDG_DATA_HOME nor HOME is set; name a folder")?;
    Ok(data.join("portcullis-range").join(name))
}
