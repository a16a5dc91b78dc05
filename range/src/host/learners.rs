//! Learners: who comes, who is known by what they come back with, and who goes.

use super::{FORGOTTEN, Host, News, Records, Refused, SharedSlot, hex, lock, now};
use crate::limits;
use crate::plane::{Book, Entry, FolderError, JoinCode, Salt};
use portcullis_crypto::sha256;
use portcullis_proto::UserName;
use rand_core::{OsRng, RngCore as _};
use std::collections::BTreeSet;

impl Host {
    /// A learner comes, and gets what they come back with. In a class only who is on the list, with the code
    /// that is theirs, and nobody else hears whether they have come; at home anybody.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn join(&self, name: &UserName, code: Option<&str>) -> Result<String, Refused> {
        let mut records = lock(&self.records);
        let known = records.book.learner(name);
        if !self.class.is_empty() {
            let own = known.and_then(|learner| self.join_code(name, learner));
            if own.is_none() || own != code.and_then(JoinCode::parse) {
                return Err(Refused::NotOnTheList);
            }
        }
        if known.is_some_and(|learner| learner.token.is_some()) {
            return Err(if self.class.is_empty() { Refused::Taken } else { Refused::Come });
        }
        if known.is_none() && records.book.learners().count() >= limits::LEARNERS {
            let idle = self.idle(&records.book).ok_or(Refused::Full)?;
            lock(&self.tries).give_way(now()).map_err(Refused::Crowded)?;
            // They are in none of those worlds that would end with this.
            self.forget(&mut records, &idle)?;
        }
        let mut bytes = [0; 16];
        OsRng.fill_bytes(&mut bytes);
        let token = hex(&bytes);
        let hash = Some(hex(&sha256(&[token.as_bytes()])));
        // Whoever had this name before, and was forgotten, may know what was derived from it.
        let salt = records.book.learner(name).is_none().then(|| Salt::random(&mut OsRng));
        records.add(Entry::Joined { learner: name.clone(), token: hash, salt, at: now() })?;
        Ok(token)
    }

    /// Who gives way to somebody who comes: of those who have solved nothing, are in no world and were not here for
    /// a day whoever was here least lately. Who came while the range did not run is not known, so all were here then.
    fn idle(&self, book: &Book) -> Option<UserName> {
        let worlds = lock(&self.worlds);
        let holders: BTreeSet<&UserName> = worlds.keys().map(|(holder, _)| holder).collect();
        let now = now();
        let away = book.learners().filter(|(name, learner)| {
            let until = learner.at.max(self.started).plus_millis(limits::AWAY_MILLIS);
            until <= now && learner.solved() == 0 && !holders.contains(name)
        });
        away.min_by_key(|(_, learner)| learner.at).map(|(name, _)| name.clone())
    }

    /// Deletes all that is known of somebody; their worlds are for whoever calls this to end, once the records are
    /// free: whoever holds a world waits for those.
    pub(super) fn forget(
        &self,
        records: &mut Records,
        name: &UserName,
    ) -> Result<Vec<SharedSlot>, FolderError> {
        records.folder.forget(name)?;
        records.book.forget(name);
        lock(&self.tries).forget(name);
        lock(&self.tickets).retain(|_, (holder, _)| holder != name);
        let worlds = self.take_worlds(name);
        // Nobody may be listening.
        let _ = self.news.send(News { learner: name.clone(), slug: None, what: FORGOTTEN });
        Ok(worlds)
    }

    /// Somebody's worlds, which are not there any more for whoever asks.
    pub(super) fn take_worlds(&self, name: &UserName) -> Vec<SharedSlot> {
        let mut worlds = lock(&self.worlds);
        worlds.extract_if(.., |(holder, _), _| holder == name).map(|(_, slot)| slot).collect()
    }

    /// Who comes back with this.
    ///
    /// # Errors
    /// [`Refused::Stranger`].
    pub fn learner(&self, token: &str) -> Result<UserName, Refused> {
        let hash = hex(&sha256(&[token.as_bytes()]));
        let mut records = lock(&self.records);
        let name = records.book.holder(&hash).cloned().ok_or(Refused::Stranger)?;
        records.see(&name);
        Ok(name)
    }

    /// Whoever has a door or a stream of news open is here.
    pub(super) fn see_open(&self) {
        let here: Vec<UserName> = {
            let open = lock(&self.open);
            let held = open.iter().filter(|(_, doors)| doors.count() > 0);
            held.map(|(name, _)| name.clone()).collect()
        };
        let mut records = lock(&self.records);
        here.iter().for_each(|name| records.see(name));
    }
}
