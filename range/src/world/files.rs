//! Files between people of a world: what a shell does with a core's tasks, in memory, with the real keys and
//! hashes of the simulator's pieces. A person's disk is a table of paths; nothing is a real file.
//!
//! Leaves out tokens and sockets: a piece is there once its sender has it. An offer is one file, whose name is
//! the offer's title, where the chat's own program reads the names from the manifest.

use super::{Happened, World, WorldError};
use crate::hands::YOU;
use crate::limits;
use crate::twins::SOUND;
use portcullis_client_core::{Assignment, Command, Event, Fault, Moved, Task};
use portcullis_crypto::ChunkHash;
use portcullis_proto::{ConversationId, FileName, FileOffer, FilePath, TransferId, UserName};
use portcullis_sim::{Part, piece, prepare};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Component, Path, PathBuf};

/// The folder of what a person receives, below their home.
const RECEIVED: &str = "downloads";

/// A file that somebody offers.
#[derive(Debug)]
pub(super) struct Offered {
    content: Vec<u8>,
    hashes: Vec<ChunkHash>,
}

/// A person's home.
#[must_use]
pub fn home(name: &UserName) -> PathBuf {
    Path::new("/home").join(name.as_str())
}

/// Where a person's received files belong.
#[must_use]
pub fn received(name: &UserName) -> PathBuf {
    home(name).join(RECEIVED)
}

impl World {
    /// Somebody offers a file in a conversation, with an ordinary client.
    ///
    /// # Errors
    /// [`WorldError::Nobody`]; [`WorldError::FileName`]; [`WorldError::FileTooLong`]; [`WorldError::TooManyFiles`].
    pub(super) fn offer(
        &mut self,
        by: &UserName,
        conversation: ConversationId,
        name: &str,
        content: &str,
    ) -> Result<(), WorldError> {
        let title = FileName::parse(name).map_err(WorldError::FileName)?;
        if content.len() > limits::FILE_BYTES {
            return Err(WorldError::FileTooLong);
        }
        if self.offered.len() >= limits::FILES {
            return Err(WorldError::TooManyFiles);
        }
        self.take(content.len())?;
        let content = content.as_bytes().to_vec();
        let prepared = prepare(self.chance.rng(), title, &content);
        let (offer, hashes) = prepared.ok_or(WorldError::FileTooLong)?;
        self.offered.insert(offer.transfer, Offered { content, hashes });
        let (offer, place) = (Box::new(offer), name.to_owned());
        self.command(by, Command::Offer { conversation, offer, place, relay_now: false })
    }

    /// A person's core has a task for its shell.
    pub(super) fn task(&mut self, index: usize, assignment: &Assignment) {
        let id = assignment.offer.transfer;
        let moved = match assignment.task {
            Task::Serve { device, .. } => {
                let tcp = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 1))];
                Moved::Listening { device, tcp, quic: None }
            }
            Task::Upload { begin, .. } => Moved::Uploaded { begin },
            Task::Dial { .. } | Task::Fetch { .. } => self.collect(index, id, &assignment.offer),
            Task::StopUpload | Task::Rest | Task::Forget => return,
        };
        self.event(index, Event::Moved(id, moved));
    }

    /// All pieces come, one after the other; what is whole gets its place.
    fn collect(&mut self, index: usize, id: TransferId, offer: &FileOffer) -> Moved {
        let Some(Offered { content, hashes }) = self.offered.get(&id) else {
            return Moved::Lacking { have: 0 };
        };
        let mut part = Part::default();
        loop {
            let Some(piece) = piece(offer, hashes, content, part.next_piece()) else {
                return Moved::Lacking { have: 0 };
            };
            match part.take(offer, piece) {
                Ok(false) => {}
                Ok(true) => break,
                Err(fault) => return Moved::Failed(fault),
            }
        }
        match part.content(offer) {
            Some(content) => self.place(index, offer, content),
            None => Moved::Failed(Fault::Corrupt),
        }
    }

    /// A file gets the place that its name gives it, below the folder of what is received.
    fn place(&mut self, index: usize, offer: &FileOffer, content: Vec<u8>) -> Moved {
        let Some(person) = self.people.get_mut(index) else {
            return Moved::Failed(Fault::NotFound);
        };
        let Ok(entry) = FilePath::new(vec![offer.title.clone()]) else {
            return Moved::Failed(Fault::Corrupt);
        };
        // The learner's own client is sound.
        let is_learner = person.name().as_str() == YOU;
        let defences = if is_learner { SOUND.client } else { self.twins.client };
        let Ok(placed) = (defences.place_entry)(&entry) else {
            return Moved::Failed(Fault::Forbidden);
        };
        let path = resolved(&received(person.name()).join(placed.path()));
        person.write(path.clone(), content.clone());
        let whose = person.name().clone();
        let paths = vec![path.display().to_string()];
        self.note(Happened::Wrote { whose, path, content });
        Moved::Received { paths }
    }
}

/// Where a path leads, as a file system reads it.
fn resolved(path: &Path) -> PathBuf {
    let mut to = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(to.pop()),
            Component::CurDir => {}
            part => to.push(part),
        }
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_where_a_file_system_says() {
        let check = |path: &str, to: &str| assert_eq!(resolved(Path::new(path)), Path::new(to));
        check("/home/oleg/downloads/a.txt", "/home/oleg/downloads/a.txt");
        check("/home/oleg/downloads/../a.txt", "/home/oleg/a.txt");
        check("/home/oleg/downloads/./b/../../../../../../etc", "/etc");
        check("/home/oleg/downloads//etc", "/home/oleg/downloads/etc");
    }
}
