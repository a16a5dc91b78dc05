//! A sender and a recipient, and the server between them if there is one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::party::Party;
use super::table::{Cost, Row};
use super::{Result, floor};

/// Two people.
pub(crate) struct Pair {
    pub(crate) sender: Party,
    recipient: Party,
    pub(crate) server: Option<Party>,
    folders: [PathBuf; 2],
}

impl Pair {
    pub(crate) fn start(folder: &Path, source: &Path, server: &str) -> Result<Self> {
        let folders = [folder.join("sender"), folder.join("recipient")];
        let [from, into] = &folders;
        let sender = Party::of_this("sender", server, &[from, source])?;
        let recipient = Party::of_this("recipient", server, &[into])?;
        Ok(Self { sender, recipient, server: None, folders })
    }

    /// Has the recipient receive an offer. Gives what moving it has cost, and a row of this name for the whole way.
    pub(crate) fn transfer(
        mut self,
        receive: &str,
        prepared: Cost,
        source: &Path,
        name: &'static str,
    ) -> Result<(Cost, Row)> {
        let before = self.others()?;
        let (received, mut moved) = self.recipient.ask(receive)?;
        moved.processor += self.others()?.saturating_sub(before);
        let memory = [self.sender.end()?, self.recipient.end()?];
        let server = self.server.map(Party::end).transpose()?;
        floor::is_same(source, Path::new(&received))?;
        for folder in self.folders {
            std::fs::remove_dir_all(folder)?;
        }
        let (time, processor) = (prepared.time + moved.time, prepared.processor + moved.processor);
        let cost = Cost { time, processor };
        Ok((moved, Row::new(name, cost).with_memory(memory, server)))
    }

    /// What all but the recipient have used.
    fn others(&mut self) -> Result<Duration> {
        let server = self.server.as_mut().map_or(Ok(Duration::ZERO), Party::processor_time)?;
        Ok(self.sender.processor_time()? + server)
    }
}
