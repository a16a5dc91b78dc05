//! The running range: learners, their worlds and what they did, behind one loopback address.
//!
//! Leaves out what is true and what is secret, which the plane decides, and what happens in a world.

mod answers;
mod background;
mod board;
mod class;
mod guard;
mod http;
mod learners;
mod line;
mod places;
mod run;
mod slot;
mod socket;
mod talk;
mod teacher;
#[cfg(test)]
mod tests;
mod tries;

pub use answers::{Answer, Refused};
pub use background::Background;
pub(crate) use http::router;
pub use run::{RunError, default_address, run, seconds};
pub use socket::SUBPROTOCOL;
pub use teacher::{SOCKET, Told, Wish};

use crate::flaws::{self, Fate, Flaw, NONCE, Solve};
use crate::limits;
use crate::plane::{Book, Entry, Flag, FlagRoot, Folder, FolderError, Opened, Receipt};
use crate::plane::{Owner, Row, Salt, Signer, Solved, Trial, Whose, Worth, is_asked_for};
use line::{Doors, Place};
use portcullis_proto::{Timestamp, UserName};
use rand_core::OsRng;
use slot::{Slot, SlotError};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::broadcast;
use tries::{Tried, Tries};

/// Something that happened to a learner's progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct News {
    /// Whose.
    pub(crate) learner: UserName,
    /// Which flaw, if it is about one.
    pub(crate) slug: Option<&'static str>,
    /// What.
    pub(crate) what: &'static str,
}

/// They are not known any more.
const FORGOTTEN: &str = "forgotten";
/// They join again: what they came back with opens nothing any more.
const READMITTED: &str = "readmitted";

impl News {
    /// Whether nothing of theirs that is open stays so.
    fn is_last(&self) -> bool {
        [FORGOTTEN, READMITTED].contains(&self.what)
    }
}

type SharedSlot = Arc<Mutex<Slot>>;

/// A learner's worlds, by the flaw.
type Worlds = BTreeMap<(UserName, &'static str), SharedSlot>;

/// All of it.
pub struct Host {
    address: SocketAddr,
    class: String,
    root: FlagRoot,
    signer: Signer,
    records: Mutex<Records>,
    worlds: Mutex<Worlds>,
    /// Which tickets were handed out, and for whose world.
    tickets: Mutex<BTreeMap<String, (UserName, &'static Flaw)>>,
    tries: Mutex<Tries>,
    /// What learners have open who have something open.
    open: Mutex<BTreeMap<UserName, Doors>>,
    news: broadcast::Sender<News>,
    started: Timestamp,
}

/// What survives a restart.
struct Records {
    folder: Folder,
    book: Book,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Host({})", self.address)
    }
}

/// A world is locked by one at a time; one that panicked inside is gone already.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Host {
    /// The range of this folder, at this address.
    #[must_use]
    pub fn new(opened: Opened, address: SocketAddr) -> Self {
        let Opened { folder, root, signer, book } = opened;
        let (news, _) = broadcast::channel(limits::NEWS);
        Self {
            address,
            class: folder.class().to_owned(),
            root,
            signer,
            records: Mutex::new(Records { folder, book }),
            worlds: Mutex::new(Worlds::new()),
            tickets: Mutex::default(),
            tries: Mutex::default(),
            open: Mutex::default(),
            news,
            started: now(),
        }
    }

    /// A place for one more door or stream of news that a learner opens, of all worlds together.
    ///
    /// # Errors
    /// [`Refused::TooManyOpen`].
    fn room(&self, name: &UserName) -> Result<Place, Refused> {
        let mut open = lock(&self.open);
        open.retain(|_, doors| doors.count() > 0);
        let doors = open.entry(name.clone()).or_default();
        doors.enter(limits::OPEN).ok_or(Refused::TooManyOpen)
    }

    /// Where it is reached.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The class; empty at home.
    #[must_use]
    pub fn class(&self) -> &str {
        &self.class
    }

    /// What somebody has done about a flaw.
    #[must_use]
    pub fn row(&self, name: &UserName, slug: &str) -> Row {
        lock(&self.records).book.row(name, slug)
    }

    /// The next hint, or all of them after a solve.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn hint(&self, name: &UserName, flaw: &'static Flaw) -> Result<Vec<String>, Refused> {
        let row = self.row(name, flaw.slug);
        let nonce = self.nonce(name, flaw);
        let hints = flaw.hints.iter().map(|hint| hint.replace(NONCE, &nonce));
        if row.receipt.is_some() {
            return Ok(hints.collect());
        }
        if row.hints < flaw.hints.len() {
            let (learner, slug) = (name.clone(), flaw.slug.to_owned());
            self.add(flaw, Entry::Hint { learner, slug, at: now() }, "hint")?;
        }
        Ok(hints.take(row.hints + 1).collect())
    }

    /// The learner's world of a flaw, which is made if there is none.
    ///
    /// # Errors
    /// [`Refused`].
    fn slot(&self, name: &UserName, flaw: &'static Flaw) -> Result<SharedSlot, Refused> {
        let key = (name.clone(), flaw.slug);
        let there = lock(&self.worlds).get(&key).cloned();
        if let Some(slot) = there {
            lock(&slot).touched = now();
            return Ok(slot);
        }
        // Others go on meanwhile. Whoever asks twice at once gets what was there first: it is the same world.
        let made = Arc::new(Mutex::new(self.make(name, flaw, 0, None)?));
        let records = lock(&self.records);
        if records.book.learner(name).is_none() {
            return Err(Refused::Stranger);
        }
        Ok(Arc::clone(lock(&self.worlds).entry(key).or_insert(made)))
    }

    fn make(
        &self,
        name: &UserName,
        flaw: &'static Flaw,
        generation: u64,
        fix: Option<usize>,
    ) -> Result<Slot, Refused> {
        let variant = self.row(name, flaw.slug).worlds();
        let secrets = self.root.secrets(self.whose(name, flaw, variant));
        Ok(Slot::new(flaw, secrets, variant, generation, fix)?)
    }

    /// The word that a learner puts into evidence, as their world knows it.
    fn nonce(&self, name: &UserName, flaw: &Flaw) -> String {
        let variant = self.row(name, flaw.slug).worlds();
        self.root.secrets(self.whose(name, flaw, variant)).nonce
    }

    pub(crate) fn whose<'a>(&'a self, name: &'a UserName, flaw: &Flaw, variant: u32) -> Whose<'a> {
        let salt = lock(&self.records).book.learner(name).and_then(|learner| learner.salt);
        self.salted(name, salt, flaw, variant)
    }

    /// The same, for whoever holds the records, or has looked there.
    fn salted<'a>(
        &'a self,
        name: &'a UserName,
        salt: Option<Salt>,
        flaw: &Flaw,
        variant: u32,
    ) -> Whose<'a> {
        Whose { class: &self.class, learner: name.as_str(), slug: flaw.slug, salt, variant }
    }

    /// Ends a learner's world, at the teacher's wish; the next has other secrets, and is made when somebody comes to
    /// it.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn reset(&self, name: &UserName, flaw: &'static Flaw) -> Result<(), Refused> {
        let (learner, slug) = (name.clone(), flaw.slug.to_owned());
        self.renew(flaw, Entry::Renewed { learner, slug, at: now() })
    }

    fn renew(&self, flaw: &'static Flaw, entry: Entry) -> Result<(), Refused> {
        let name = entry.learner().clone();
        self.add(flaw, entry, "reset")?;
        let ended = lock(&self.worlds).remove(&(name, flaw.slug));
        // Whoever holds a world may wait for the others, so these must be free by now.
        ended.iter().for_each(|slot| lock(slot).end());
        Ok(())
    }

    /// The same, at the learner's own wish, which has a limit.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn begin_anew(&self, name: &UserName, flaw: &'static Flaw) -> Result<(), Refused> {
        self.take(name, flaw, Tried::Reset)?;
        let (learner, slug) = (name.clone(), flaw.slug.to_owned());
        self.renew(flaw, Entry::Reset { learner, slug, at: now() })
    }

    fn repair(&self, name: &UserName, flaw: &'static Flaw, fix: usize) -> Result<(), Refused> {
        let slot = self.slot(name, flaw)?;
        let mut slot = lock(&slot);
        let generation = slot.generation.wrapping_add(1);
        let next = self.make(name, flaw, generation, Some(fix))?;
        slot.give_way(next);
        Ok(())
    }

    /// What somebody submits.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn submit(
        &self,
        name: &UserName,
        flaw: &'static Flaw,
        value: &str,
    ) -> Result<Answer, Refused> {
        let row = self.row(name, flaw.slug);
        let by_itself = matches!(flaw.solve, Solve::State(_));
        // What is solved stays so, whatever has become of the world.
        if let Some(receipt) = &row.receipt
            && (by_itself || self.is_own(name, flaw, &row, value))
        {
            return Ok(Answer::Solved(receipt.clone(), self.score(self.whose(name, flaw, 0))));
        }
        if by_itself {
            return Err(Refused::SeenByItself);
        }
        let slot = self.slot(name, flaw)?;
        self.take(name, flaw, Tried::Submission)?;
        if row.receipt.is_none() && lock(&slot).solves(Some(value)) {
            let receipt = self.solved(name, flaw)?;
            return Ok(Answer::Solved(receipt, self.score(self.whose(name, flaw, 0))));
        }
        let flag = Flag::parse(value);
        let of = flag.as_ref().and_then(|flag| self.owner(flag, name));
        let (learner, slug) = (name.clone(), flaw.slug.to_owned());
        let is_foreign = of.is_some();
        // Who has solved it misses nothing any more.
        if is_foreign || row.receipt.is_none() {
            let of = of.map(Owner::Learner);
            self.add(flaw, Entry::Missed { learner, slug, of, at: now() }, "missed")?;
        }
        Ok(if is_foreign { Answer::Foreign } else { Answer::Wrong })
    }

    /// Whether this is the value of one of a learner's own worlds of a flaw.
    fn is_own(&self, name: &UserName, flaw: &Flaw, row: &Row, value: &str) -> bool {
        row.newest_worlds().any(|variant| {
            is_asked_for(flaw, &self.root.secrets(self.whose(name, flaw, variant)), value)
        })
    }

    /// Whose flag this is, if it is another learner's, of any flaw.
    fn owner(&self, flag: &Flag, except: &UserName) -> Option<UserName> {
        // A flag is computed for every world that there may be, and nobody has to wait for that.
        let worlds: Vec<(UserName, Option<Salt>, &Flaw, RangeInclusive<u32>)> = {
            let records = lock(&self.records);
            let others = records.book.learners().filter(|(name, _)| *name != except);
            let worlds = others.flat_map(|(name, learner)| {
                let row = |flaw: &Flaw| learner.rows.get(flaw.slug);
                let newest = move |flaw| row(flaw).map_or(0..=0, Row::newest_worlds);
                flaws::ALL.iter().map(move |flaw| (name.clone(), learner.salt, *flaw, newest(flaw)))
            });
            worlds.collect()
        };
        let theirs = worlds.into_iter().find(|(name, salt, flaw, variants)| {
            let mut variants = variants.clone();
            variants.any(|variant| self.root.flag(self.salted(name, *salt, flaw, variant)) == *flag)
        });
        theirs.map(|(name, ..)| name)
    }

    /// Writes a receipt, unless there is one.
    fn solved(&self, name: &UserName, flaw: &'static Flaw) -> Result<Receipt, Refused> {
        let row = self.row(name, flaw.slug);
        if let Some(receipt) = row.receipt {
            return Ok(receipt);
        }
        let worth = if self.class.is_empty() { Worth::Practice } else { Worth::Evidence };
        let receipt = self.signer.sign(&Solved {
            class: self.class.clone(),
            learner: name.clone(),
            slug: flaw.slug.to_owned(),
            resets: row.resets,
            hints: row.hints,
            at: now(),
            worth,
        });
        let (learner, slug) = (name.clone(), flaw.slug.to_owned());
        let entry = Entry::Solved { learner, slug, receipt: receipt.clone(), at: now() };
        self.add(flaw, entry, "solved")?;
        Ok(receipt)
    }

    /// Looks whether what has just happened in a world solves it.
    fn look(&self, name: &UserName, slot: &Slot) -> Result<(), Refused> {
        let is_open = || self.row(name, slot.flaw.slug).receipt.is_none();
        // Judging reads the world's whole log, after each frame.
        if matches!(slot.flaw.solve, Solve::State(_)) && is_open() && slot.solves(None) {
            self.solved(name, slot.flaw)?;
        }
        Ok(())
    }

    /// Puts a candidate fix into a learner's world, and tries exploit and honest use against it in worlds of
    /// their own.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn fix(
        &self,
        name: &UserName,
        flaw: &'static Flaw,
        number: usize,
    ) -> Result<Answer, Refused> {
        let place = number.checked_sub(1).ok_or(Refused::NoFix)?;
        let fix = flaw.fixes.get(place).ok_or(Refused::NoFix)?;
        self.take(name, flaw, Tried::Fix)?;
        self.repair(name, flaw, number)?;
        let twins = crate::twins::Twins::with(fix.put);
        let mut trial = Trial::new(FlagRoot::random(&mut OsRng));
        let exploit = match fix.fate {
            Fate::Beaten(_, exploit) => exploit,
            _ => flaw.exploit,
        };
        let (why, honest) = (fix.fate, trial.honest(flaw, twins));
        let exploit = trial.exploit(flaw, twins, exploit);
        let holds = honest.is_ok() && exploit.is_err();
        let (learner, slug) = (name.clone(), flaw.slug.to_owned());
        self.add(flaw, Entry::Tried { learner, slug, fix: number, holds, at: now() }, "tried")?;
        Ok(Answer::Tried { exploit, honest, why })
    }

    /// Takes a try, if there is one.
    fn take(&self, name: &UserName, flaw: &Flaw, tried: Tried) -> Result<(), Refused> {
        lock(&self.tries).take(name, flaw.slug, tried, now()).map_err(Refused::TooOften)
    }

    fn add(&self, flaw: &Flaw, entry: Entry, what: &'static str) -> Result<(), Refused> {
        let news = News { learner: entry.learner().clone(), slug: Some(flaw.slug), what };
        let mut records = lock(&self.records);
        // A forgotten learner's connection, or request, may still be there.
        if records.book.learner(entry.learner()).is_none() {
            return Err(Refused::Stranger);
        }
        records.add(entry)?;
        drop(records);
        // Nobody may be listening.
        let _ = self.news.send(news);
        Ok(())
    }

    /// A second passes in every world that somebody is connected to, and those are put away that nobody has been
    /// in for long.
    pub(crate) fn tick(&self) {
        let worlds: Vec<(UserName, SharedSlot)> = lock(&self.worlds)
            .iter()
            .map(|((name, _), slot)| (name.clone(), Arc::clone(slot)))
            .collect();
        for (name, slot) in worlds {
            let mut slot = lock(&slot);
            if slot.is_used() {
                slot.touched = now();
                // What is wrong with a world is told to whoever asks it for something next.
                let _ = slot.with(crate::world::World::tick);
                let _ = self.look(&name, &slot);
            }
        }
        self.put_away(now());
        self.see_open();
    }

    /// Drops worlds that nobody was in for long. They are made anew, with the same secrets, when somebody comes;
    /// what was done about the flaw stands in the book.
    fn put_away(&self, now: Timestamp) {
        lock(&self.worlds).retain(|_, slot| {
            // Whoever else holds it is about to use it.
            let is_alone = Arc::strong_count(slot) == 1;
            let until = |slot: &Slot| slot.touched.plus_millis(limits::IDLE_MILLIS);
            !is_alone || slot.try_lock().is_ok_and(|slot| slot.is_used() || now < until(&slot))
        });
    }
}

impl Records {
    fn add(&mut self, entry: Entry) -> Result<(), FolderError> {
        self.folder.append(&entry)?;
        self.book.add(&entry);
        Ok(())
    }
}

impl Records {
    /// Somebody is here.
    fn see(&mut self, name: &UserName) {
        let at = now();
        if self.book.see(name, at) {
            // On a full disk they are here all the same, and that is written down the next time.
            let _ = self.add(Entry::Seen { learner: name.clone(), at });
        }
    }
}

impl From<SlotError> for Refused {
    fn from(error: SlotError) -> Self {
        Self::World(error.to_string())
    }
}

impl From<FolderError> for Refused {
    fn from(error: FolderError) -> Self {
        Self::Folder(error.to_string())
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(0))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
