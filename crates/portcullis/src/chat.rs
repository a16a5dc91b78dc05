//! `chat`: the terminal client.

use std::io::{self, IsTerminal as _};

use portcullis_crypto::Stretch;
use portcullis_terminal::chat::{self, ChatError, Options, classroom};
use portcullis_terminal::device::device_name;
use portcullis_terminal::home::HomeError;
use portcullis_terminal::net::{Address, Door, TlsRoots};
use portcullis_terminal::verbs::{Exit, Failure};

use crate::cli;

/// Runs the client until the person leaves.
pub(crate) fn chat(options: cli::Chat) -> Result<(), Failure> {
    let cli::Chat { server, identity, tls_root, classroom, dialect } = options;
    let roots = tls_root.map_or(TlsRoots::System, TlsRoots::File);
    let Some(classroom) = classroom else {
        warn_if_exposed(&server);
        return run(server, roots, identity);
    };
    warn_if_exposed(&classroom);
    let (home, dialect) = (identity.home, dialect.unwrap_or_default());
    let visit = classroom::Options { server: classroom, roots, home, dialect };
    on_screen(classroom::run(visit))
}

/// Runs the client at this server.
pub(crate) fn run(server: Address, roots: TlsRoots, who: cli::Identity) -> Result<(), Failure> {
    let options = Options {
        server,
        door: Door::Accounts,
        stretch_floor: Stretch::STANDARD,
        roots,
        user: who.user,
        password: None,
        home: who.home,
        device: device_name(),
        read_marks: !who.no_read_marks,
        files: who.paths.options(who.downloads),
    };
    on_screen(chat::run(options))
}

/// Runs what needs a screen.
fn on_screen(chat: impl Future<Output = Result<(), ChatError>>) -> Result<(), Failure> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        let message = "the chat needs a terminal; for scripts there are `send` and `tail`";
        return Err(Failure::new(Exit::Usage, message));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    let ended = runtime.block_on(chat);
    // Slow work that is still under way is of no use to anybody.
    runtime.shutdown_background();
    ended.map_err(|error| Failure::new(exit(&error), error.to_string()))
}

fn exit(error: &ChatError) -> Exit {
    match error {
        ChatError::Home(HomeError::InUse(..)) => Exit::InUse,
        ChatError::Home(_) => Exit::Unusable,
        ChatError::NoDataFolder | ChatError::Tls(_) => Exit::Usage,
        ChatError::Terminal(_) => Exit::Failed,
    }
}

fn warn_if_exposed(server: &Address) {
    if server.is_exposed() {
        portcullis_terminal::verbs::note(
            "without TLS anybody on the way can read the channels; use wss://",
        );
    }
}
