//! From a command line to what it asks for.

use std::time::Duration;

use portcullis_proto::Access;
use portcullis_terminal::device::FileOptions;
use portcullis_terminal::net::TlsRoots;
use portcullis_terminal::verbs::{self, Exit, Failure, Group, Receive, SendFiles, Source, Tail};
use tokio::runtime::Builder;

use crate::cli::{self, Cli, Command};
use crate::{admin, chat, serve, up};

/// Runs a command to its end.
pub(crate) fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Up(options) => up::up(options),
        Command::Down(options) => up::down(&options),
        Command::Chat(options) => chat::chat(options),
        Command::Serve(options) => serve::serve(options),
        Command::Admin(command) => admin::run(command),
        command => alone(verb(command)),
    }
}

/// A verb needs one thread, and another for what is slow.
fn alone(verb: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    runtime.block_on(verb)
}

async fn verb(command: Command) -> Result<(), Failure> {
    match command {
        Command::Register { common, invite } => verbs::register(&shared(common), invite).await,
        Command::Send { common, to, file, direct, .. } if !file.is_empty() => {
            let what = SendFiles { paths: file, direct };
            verbs::send_files(&shared(common), &to, what).await
        }
        Command::Receive { common, from, into, most, once, direct, paths } => {
            let common = verbs::Common { files: paths.options(into), ..shared(common) };
            verbs::receive(&common, &Receive { from, most, direct, once }).await
        }
        Command::Send { common, to, text, .. } => {
            let text = text.unwrap_or_default();
            let source = if text == "-" { Source::Lines } else { Source::Text(text) };
            verbs::send(&shared(common), &to, source).await
        }
        Command::Tail { common, within, from, count } => {
            verbs::tail(&shared(common), &Tail { within, from, count }).await
        }
        Command::Transfers { common, cancel } => verbs::transfers(&shared(common), cancel).await,
        Command::Users { common } => verbs::users(&shared(common)).await,
        Command::Guests { common, allow } => {
            let allow = allow.map(|allow| allow == cli::Switch::On);
            verbs::guests(&shared(common), allow).await
        }
        Command::Join { common, channel } => verbs::join(&shared(common), channel).await,
        Command::Create { common, channel, by_invitation } => {
            let access = if by_invitation { Access::Invitation } else { Access::Open };
            verbs::create(&shared(common), channel, access).await
        }
        Command::Group(command) => {
            let (common, what) = group(command);
            verbs::group(&shared(common), what).await
        }
        // These are not verbs.
        Command::Up(_)
        | Command::Down(_)
        | Command::Chat(_)
        | Command::Serve(_)
        | Command::Admin(_) => Ok(()),
    }
}

fn group(command: cli::Group) -> (cli::Common, Group) {
    match command {
        cli::Group::Create { common, name, members } => (common, Group::Create(name, members)),
        cli::Group::Invite { common, name, members } => (common, Group::Invite(name, members)),
        cli::Group::Remove { common, name, member } => (common, Group::Remove(name, member)),
        cli::Group::Leave { common, name } => (common, Group::Leave(name)),
        cli::Group::Members { common, name } => (common, Group::Members(name)),
    }
}

fn shared(common: cli::Common) -> verbs::Common {
    let cli::Common { server, user, password_file, home, tls_root, timeout } = common;
    verbs::Common {
        server,
        user,
        password_file,
        home,
        tls_roots: tls_root.map_or(TlsRoots::System, TlsRoots::File),
        timeout: timeout.map(Duration::from_secs),
        files: FileOptions::default(),
    }
}
