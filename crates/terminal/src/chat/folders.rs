//! Where homes lie: `homes_at` a server, each under its account's name, and which of them a
//! chat begins with. It leaves out what is in a home.

use crate::home::Home;
use crate::net::Address;
use portcullis_proto::UserName;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Which homes may be used.
#[derive(Debug, Clone)]
pub(super) enum Folders {
    /// This one alone.
    One(PathBuf),
    /// One for each account, below this folder.
    Below(PathBuf),
}

impl Folders {
    /// The home that was asked for, or the user's homes at this server. None where the system does
    /// not say where data belong.
    pub(super) fn find(home: Option<PathBuf>, server: &Address) -> Option<Self> {
        match home {
            Some(folder) => Some(Self::One(folder)),
            None => crate::verbs::homes_at(server).map(Self::Below),
        }
    }

    /// The home of an account.
    pub(super) fn of(&self, name: &UserName) -> PathBuf {
        match self {
            Self::One(folder) => folder.clone(),
            Self::Below(parent) => parent.join(name.as_str()),
        }
    }

    /// The home to begin with, and the name it goes by: the one asked for, or else the one that was
    /// used last and that nobody uses now.
    pub(super) fn first(&self, user: Option<&UserName>) -> Option<(PathBuf, String)> {
        match (self, user) {
            (Self::One(folder), _) => {
                let name = user.map(|name| name.as_str().to_owned());
                let name = name.or_else(|| last_part(folder))?;
                Home::exists(folder).then(|| (folder.clone(), name))
            }
            (Self::Below(parent), Some(name)) => {
                let folder = parent.join(name.as_str());
                Home::exists(&folder).then(|| (folder, name.as_str().to_owned()))
            }
            (Self::Below(parent), None) => {
                let folders = std::fs::read_dir(parent).ok()?.flatten().map(|entry| entry.path());
                let free =
                    folders.filter(|folder| Home::exists(folder) && Home::in_use(folder).is_none());
                let last = free.max_by_key(|folder| used_at(folder))?;
                let name = last_part(&last)?;
                Some((last, name))
            }
        }
    }
}

fn used_at(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    entries.filter_map(|entry| entry.metadata().ok()?.modified().ok()).max()
}

fn last_part(folder: &Path) -> Option<String> {
    Some(folder.file_name()?.to_string_lossy().into_owned())
}
