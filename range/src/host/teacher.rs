//! The teacher's door: a Unix socket in the range's folder (0700), so that whoever owns the folder is the
//! teacher. One wish, a line of JSON, and one answer.

use super::{Host, lock};
use crate::limits;
use crate::plane::FolderError;
use portcullis_proto::UserName;
use serde::{Deserialize, Serialize};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// The socket's name.
pub const SOCKET: &str = "teacher.sock";

/// After the system could not accept.
const PAUSE: Duration = Duration::from_millis(limits::ACCEPT_PAUSE_MILLIS);

/// What a teacher wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "wish", rename_all = "snake_case", deny_unknown_fields)]
pub enum Wish {
    /// Put everyone on this list, a name in the first column of each line, into the class.
    Roster {
        /// The file's text.
        csv: String,
    },
    /// What everyone joins with.
    Codes,
    /// Let somebody join again.
    Readmit {
        /// Whom.
        name: UserName,
    },
    /// Who has come how far.
    Progress,
    /// Delete all that is known of somebody.
    Forget {
        /// Whom.
        name: UserName,
    },
    /// Begin worlds anew: somebody's or everybody's, of one flaw or of all.
    Reset {
        /// Whose; everybody's if left out.
        name: Option<UserName>,
        /// Which flaw; all if left out.
        slug: Option<String>,
    },
    /// Progress as CSV.
    ExportCsv,
    /// Challenges and everyone's flags as CTFd imports them.
    ExportCtfd,
    /// A page for learners: how to get here.
    Page {
        /// The machine as learners name it for `ssh`.
        host: String,
    },
}

/// What a teacher is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Done; a text for the screen or a file.
    Text(String),
    /// Not done, and why.
    Refused(String),
}

/// Listens in the folder.
///
/// # Errors
/// [`FolderError::Io`].
pub(super) fn listen(host: Arc<Host>, folder: &Path) -> Result<JoinHandle<()>, FolderError> {
    let path = folder.join(SOCKET);
    let io = |error| FolderError::Io(path.clone(), error);
    // The folder is held by this process alone, so a socket in it is one that was left behind.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(io)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(io)?;
    Ok(tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(answer(Arc::clone(&host), stream))),
                // No file may be left; the teacher's door opens again once one is.
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }))
}

async fn answer(host: Arc<Host>, mut stream: UnixStream) {
    let (read, mut write) = stream.split();
    let most = u64::try_from(limits::ROSTER_BYTES * 2).unwrap_or(u64::MAX);
    let mut line = String::new();
    if BufReader::new(read.take(most)).read_line(&mut line).await.is_err() {
        return;
    }
    let told = match serde_json::from_str(&line) {
        Ok(wish) => {
            // Resets make worlds; the connections must not wait for them.
            let done = tokio::task::spawn_blocking(move || host.grant(wish)).await;
            done.unwrap_or_else(|_| Told::Refused("this went wrong".to_owned()))
        }
        Err(error) => Told::Refused(error.to_string()),
    };
    let text = serde_json::to_string(&told).unwrap_or_default();
    // They may be gone already.
    let _ = write.write_all(text.as_bytes()).await;
}

impl Host {
    /// Does what the teacher wants.
    pub fn grant(&self, wish: Wish) -> Told {
        let done = match wish {
            Wish::Roster { csv } => self.take_roster(&csv),
            Wish::Codes => self.codes(),
            Wish::Readmit { name } => self.readmit(&name),
            Wish::Progress => Ok(self.progress()),
            Wish::Forget { name } => self.forget_one(&name),
            Wish::Reset { name, slug } => self.reset_many(name.as_ref(), slug.as_deref()),
            Wish::ExportCsv => Ok(self.export_csv()),
            Wish::ExportCtfd => Ok(self.export_ctfd()),
            Wish::Page { host } => self.page(&host),
        };
        done.map_or_else(Told::Refused, Told::Text)
    }

    /// Deletes all that is known of somebody, and ends their worlds.
    fn forget_one(&self, name: &UserName) -> Result<String, String> {
        let mut records = lock(&self.records);
        if records.book.learner(name).is_none() {
            return Err(format!("nobody here is called {name}"));
        }
        let worlds = self.forget(&mut records, name).map_err(|error| error.to_string())?;
        drop(records);
        worlds.iter().for_each(|slot| lock(slot).end());
        Ok(format!("{name} was forgotten: progress, receipts and worlds"))
    }
}
