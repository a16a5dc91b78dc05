//! Transfers of files between the members of an encrypted conversation: who offers what to whom, who takes it, and
//! which way it goes. Leaves out the bytes, which the shell moves.
//!
//! A transfer is a [`Course`], which follows from what was said in the conversation and is the same for everyone,
//! and a [`Part`], which is what this device does about it. After each event one question is asked of every
//! transfer: what does it lack now? ([`next`]) A token of the server, a task of the shell, a word to the others, or
//! nothing. So it goes on by itself wherever it stopped: after a crash, a lost connection, a refusal.
//!
//! The sender reserves room on the server, then offers; it serves whoever accepts and may be reached directly, and
//! puts the files on the server for everyone else, and for those who have not answered for a while. A recipient
//! waits a moment for the sender's addresses, and turns to the server where that leads nowhere. Where the server has
//! no room, only those are offered anything who may be reached directly, and it is asked again once they can't be.

mod commands;
mod course;
mod doing;
mod hearing;
mod moved;
mod next;
mod record;
mod unasked;
mod view;

#[cfg(test)]
pub(crate) mod testing;

pub use self::course::{Course, Recipient};
pub(crate) use self::record::{TransferRecord, read_transfer, transfer_record};
pub(crate) use self::unasked::Unasked;

use crate::client::{Client, Step};
use crate::effect::Key;
use crate::limits;
use crate::transfer::{Assignment, Fault, QuicEnd, Task};
use portcullis_crypto::{FileKey, Secret};
use portcullis_proto::{
    AccountId, ConversationId, DeviceId, EndReason, FileOffer, FileStep, Kind, QuicWay, Reference,
    Timestamp, TransferId,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// A transfer, as this device knows it.
#[derive(Debug, Clone)]
pub(crate) struct Transfer {
    pub(crate) offer: FileOffer,
    /// Where it was offered.
    pub(crate) conversation: ConversationId,
    /// The message that offers it.
    pub(crate) message: Reference,
    /// Since when it is known here.
    pub(crate) at: Timestamp,
    /// Where the files are, or are to be put, in the shell's words.
    pub(crate) place: String,
    /// What was said of it.
    pub(crate) course: Course,
    /// What this device does about it.
    pub(crate) part: Part,
    /// Why it doesn't go on.
    pub(crate) halted: Option<Halted>,
    /// The server knows that this account needs its bytes no more.
    pub(crate) released: bool,
    pub(crate) moving: Moving,
    /// The key of this device's end of a path by QUIC, for as long as this program runs.
    pub(crate) secret: Option<Secret<32>>,
    /// How often the server has given something else than was offered, since this program began.
    pub(crate) damaged: u32,
}

/// What this device does about a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// It offers it.
    Sends(Sending),
    /// Its account is offered it.
    Receives(Receiving),
    /// Another device of its account offers it.
    Watches,
}

/// The part of the device that offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sending {
    /// The offer is in the outbox, or further.
    pub(crate) offered: bool,
    /// It is put on the server without waiting for anybody.
    pub(crate) relay_now: bool,
    /// All of it is on the server.
    pub(crate) stored: bool,
    /// The server has no room for it: it is not asked again until somebody can't do without.
    pub(crate) roomless: bool,
}

/// The part of a device of a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receiving {
    pub(crate) stage: Stage,
    /// Where the sender says that it can be reached.
    pub(crate) ways: Option<Ways>,
    /// It is fetched from the server.
    pub(crate) relayed: bool,
    /// Where this device's answer stands in the log.
    pub(crate) answered_at: Option<u64>,
    /// So many of the blob's first bytes were here when it turned to the server, as the sender knows.
    pub(crate) have: u64,
}

impl Receiving {
    const fn new() -> Self {
        Self { stage: Stage::New, ways: None, relayed: false, answered_at: None, have: 0 }
    }
}

/// How far a recipient's device has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nobody was asked yet.
    New,
    /// It is not answered yet.
    Asked,
    /// This device takes it; it begins once the log says so.
    Taken,
    /// All of it is here, under these paths.
    Received(Vec<String>),
    /// It was not wanted.
    Declined,
    /// Another device of this account has answered.
    Elsewhere,
    /// Somebody has ended it.
    Ended(EndReason),
    /// It can't be had.
    Failed(Fault),
}

/// Where the sender can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ways {
    pub(crate) tcp: Vec<SocketAddr>,
    pub(crate) quic: Option<QuicWay>,
}

/// Why a transfer doesn't go on for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halted {
    /// The person wants it so.
    Paused,
    /// Something is in its way that a person may remove.
    Failed(Fault),
}

/// What is under way in this session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Moving {
    /// The server was asked for something.
    asked: bool,
    /// Not before this time is it asked again.
    retry_at: Option<Timestamp>,
    tries: u32,
    /// The server's permission, until it is handed on.
    token: Option<String>,
    /// Whether the server's relay carries packets for it, once that is known.
    relayed: Option<bool>,
    /// The shell is there for these devices.
    serving: BTreeSet<DeviceId>,
    /// They were told that they get no addresses.
    withheld: BTreeSet<DeviceId>,
    /// These have not come, and nothing but this device has it for them: it waits until they say something.
    awaited: BTreeSet<DeviceId>,
    /// How often somebody has said so since.
    served_again: u32,
    /// The shell dials, fetches or uploads.
    busy: bool,
    /// From this byte on it uploads.
    begin: u64,
    /// The shell was told to forget it.
    forgotten: bool,
    /// Until then others are waited for: recipients for an answer, the sender for its addresses.
    deadline: Timestamp,
}

impl Transfer {
    pub(crate) const fn id(&self) -> TransferId {
        self.offer.transfer
    }

    /// Whether nothing follows any more.
    pub(crate) fn is_over(&self) -> bool {
        match &self.part {
            Part::Sends(_) | Part::Watches => self.course.is_settled(),
            Part::Receives(receiving) => {
                !matches!(receiving.stage, Stage::New | Stage::Asked | Stage::Taken)
            }
        }
    }

    /// Whether an offer as old as this one serves no more.
    fn is_old(&self, now: Timestamp) -> bool {
        now >= self.at.plus_millis(limits::OFFER_MILLIS)
    }

    /// Whether it may give way to others: nothing was done for it here.
    fn is_idle(&self) -> bool {
        match &self.part {
            Part::Sends(_) => false,
            Part::Receives(receiving) => matches!(receiving.stage, Stage::New | Stage::Asked),
            Part::Watches => true,
        }
    }

    /// This device's end of a path by QUIC.
    fn own_end(&self) -> Option<QuicEnd> {
        let relayed = self.moving.relayed == Some(true);
        self.secret.clone().map(|secret| QuicEnd { secret, relayed })
    }

    /// The first byte that the server needs.
    fn upload_begin(&self) -> u64 {
        let begin = self.course.lacked_from();
        // Who says to have all of it, and wants it nevertheless, gets all of it.
        if self.offer.blob_bytes().is_some_and(|bytes| begin < bytes) { begin } else { 0 }
    }

    fn assignment(&self, task: Task) -> Assignment {
        let own = matches!(self.part, Part::Sends(_));
        Assignment { offer: self.offer.clone(), own, place: self.place.clone(), task }
    }

    /// Nothing is sealed or opened with its key any more: it need not be kept.
    fn forget_key(&mut self) {
        self.offer.key = FileKey::from_secret(Secret::from_bytes([0; 32]));
    }

    fn receiving(&mut self) -> Option<&mut Receiving> {
        match &mut self.part {
            Part::Receives(receiving) => Some(receiving),
            _ => None,
        }
    }

    /// A recipient can't reach this device, or finds no more at the server what it had. Where that has no room, this
    /// device is there for them once more.
    fn lacks_a_way(&mut self, (account, device): (AccountId, DeviceId), was_relayed: bool) {
        let Part::Sends(sending) = &mut self.part else {
            return;
        };
        if was_relayed {
            sending.stored = false;
        }
        if sending.roomless && self.moving.served_again < limits::SERVED_AGAIN {
            self.moving.served_again += 1;
            self.moving.serving.remove(&device);
            self.moving.awaited.remove(&device);
            let recipient = self.course.recipients.get_mut(&account);
            recipient.into_iter().for_each(|recipient| recipient.direct = true);
        }
    }

    /// Whether this device offers it, and the server has no room for it.
    const fn is_roomless(&self) -> bool {
        matches!(&self.part, Part::Sends(sending) if sending.roomless)
    }

    fn sending(&mut self) -> Option<&mut Sending> {
        match &mut self.part {
            Part::Sends(sending) => Some(sending),
            _ => None,
        }
    }
}

impl Moving {
    /// Nothing is under way yet.
    fn begin(now: Timestamp, part: &Part) -> Self {
        let patience = match part {
            Part::Sends(_) => limits::ANSWER_MILLIS,
            Part::Receives(_) | Part::Watches => limits::REACH_MILLIS,
        };
        Self { deadline: now.plus_millis(patience), ..Self::default() }
    }

    /// A try has failed: the next one waits, longer each time.
    fn put_off(&mut self, now: Timestamp) {
        let wait =
            limits::TRANSFER_RETRY_MILLIS << self.tries.min(limits::TRANSFER_RETRY_DOUBLINGS);
        self.tries = self.tries.saturating_add(1);
        self.retry_at = Some(now.plus_millis(wait));
        self.token = None;
        self.busy = false;
    }
}

impl Client {
    /// Asks every transfer what it lacks, and does that.
    pub(crate) fn go_on_with_transfers(&mut self, step: &mut Step<'_>) {
        self.say_declines(step);
        let ids: Vec<TransferId> = self.transfers.keys().copied().collect();
        for id in ids {
            while let Some(next) = self.next(id, step.now) {
                self.does(step, id, next);
            }
        }
        self.show_changed_transfers(step);
    }

    /// A session is open: the shell is told anew what there is to do.
    pub(crate) fn resume_transfers(&mut self, now: Timestamp) {
        self.declined_unasked.clear();
        for transfer in self.transfers.values_mut() {
            transfer.moving = Moving::begin(now, &transfer.part);
        }
    }

    /// The connection is gone, and with it the answers that were to come.
    pub(crate) fn transfers_disconnected(&mut self) {
        self.transfers.values_mut().for_each(|transfer| transfer.moving.asked = false);
    }

    /// The transfer that a message offers.
    pub(crate) fn transfer_of(&self, id: ConversationId, message: Reference) -> Option<&Transfer> {
        let mut all = self.transfers.values();
        all.find(|transfer| transfer.conversation == id && transfer.message == message)
    }

    /// Changes a transfer, which is kept and shown.
    fn change_transfer<T>(
        &mut self,
        id: TransferId,
        change: impl FnOnce(&mut Transfer) -> T,
    ) -> Option<T> {
        let changed = self.transfers.get_mut(&id).map(change);
        self.touch(Key::Transfer(id));
        changed
    }

    /// Makes room for another transfer: what is over goes first, then what nobody has answered, of whoever has most
    /// of that. False if all of them are under way, or if somebody else would have less room than this one has then:
    /// many new names push nobody out.
    fn make_room_for_transfer(&mut self, of: Option<AccountId>) -> bool {
        if self.transfers.len() < limits::TRANSFERS {
            return true;
        }
        let over = self.transfers.values().filter(|transfer| transfer.is_over());
        let oldest = over.min_by_key(|transfer| (!transfer.released, transfer.at));
        let Some(id) = oldest.map(Transfer::id).or_else(|| self.gives_way_to(of)) else {
            return false;
        };
        self.transfers.remove(&id);
        self.touch(Key::Transfer(id));
        true
    }

    /// The oldest unanswered transfer of the one who has most of them, if that one has more than the newcomer will.
    fn gives_way_to(&self, newcomer: Option<AccountId>) -> Option<TransferId> {
        let mut waiting: BTreeMap<AccountId, (usize, (Timestamp, TransferId))> = BTreeMap::new();
        for transfer in self.transfers.values().filter(|transfer| transfer.is_idle()) {
            let this = (transfer.at, transfer.id());
            let (count, oldest) = waiting.entry(transfer.course.sender).or_insert((0, this));
            (*count, *oldest) = (*count + 1, this.min(*oldest));
        }
        let has = |of: AccountId| waiting.get(&of).map_or(0, |(count, _)| *count);
        let will_have = newcomer.map_or(0, |of| has(of) + 1);
        let (count, (_, oldest)) = *waiting.values().max()?;
        (count > will_have).then_some(oldest)
    }

    /// Says something of a transfer to the others.
    fn say_step(&mut self, step: &mut Step<'_>, id: TransferId, said: FileStep) {
        let Some(transfer) = self.transfers.get(&id) else {
            return;
        };
        let (conversation, refs) = (transfer.conversation, vec![transfer.message]);
        let reference = Reference::fresh(step.now, step.rng);
        self.put_unchecked(step, conversation, (reference, Kind::Step(said), refs));
    }

    /// Members have changed: whoever is gone is not waited for.
    pub(crate) fn members_of_transfers(&mut self, id: ConversationId, members: &[AccountId]) {
        for transfer in self.transfers.values_mut().filter(|t| t.conversation == id) {
            if transfer.course.keep_members(members) {
                self.dirty.insert(Key::Transfer(transfer.offer.transfer));
            }
        }
    }

    /// This device takes part no more, in a conversation or at all: what is not over here never will be.
    pub(crate) fn give_transfers_up(&mut self, within: Option<ConversationId>) {
        self.give_up_those(|transfer| within.is_none_or(|id| transfer.conversation == id));
    }

    /// The server says that the account is out of a conversation: what was not offered there is not offered.
    pub(crate) fn give_offers_up(&mut self, within: ConversationId) {
        self.give_up_those(|transfer| {
            let waits = |part: &Part| matches!(part, Part::Sends(sending) if !sending.offered);
            transfer.conversation == within && waits(&transfer.part)
        });
    }

    fn give_up_those(&mut self, which: impl Fn(&Transfer) -> bool) {
        for transfer in self.transfers.values_mut().filter(|transfer| which(transfer)) {
            if transfer.is_over() {
                continue;
            }
            match &mut transfer.part {
                Part::Receives(receiving) => receiving.stage = Stage::Ended(EndReason::Failed),
                Part::Sends(_) | Part::Watches => transfer.course.ended = Some(EndReason::Failed),
            }
            self.dirty.insert(Key::Transfer(transfer.offer.transfer));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::testing::{client, received};
    use super::*;

    /// A full table: the transfers with these numbers are otherwise, and one of these gives way, if any.
    fn check(change: impl Fn(u64, &mut Transfer), expected: Option<u64>) {
        check_for(None, change, expected);
    }

    fn check_for(
        newcomer: Option<AccountId>,
        change: impl Fn(u64, &mut Transfer),
        expected: Option<u64>,
    ) {
        let mut client = client();
        for number in 0..limits::TRANSFERS as u64 {
            let mut transfer = received(number, Stage::Taken);
            change(number, &mut transfer);
            client.transfers.insert(transfer.id(), transfer);
        }
        assert_eq!(client.make_room_for_transfer(newcomer), expected.is_some());
        let gone =
            |number: &u64| !client.transfers.contains_key(&received(*number, Stage::New).id());
        assert_eq!((0..limits::TRANSFERS as u64).find(gone), expected);
    }

    fn set(transfer: &mut Transfer, stage: Stage) {
        transfer.receiving().unwrap().stage = stage;
    }

    #[test]
    fn what_is_over_gives_way_first_and_what_is_under_way_never() {
        check(|_, _| (), None);
        let of = |over: &'static [u64], asked: &'static [u64]| {
            move |number: u64, transfer: &mut Transfer| {
                if over.contains(&number) {
                    set(transfer, Stage::Declined);
                } else if asked.contains(&number) {
                    set(transfer, Stage::Asked);
                }
            }
        };
        check(of(&[], &[9, 7, 200]), Some(7));
        check(of(&[30, 20], &[7]), Some(20));
        // The server has been told of the later one.
        let released = |number: u64, transfer: &mut Transfer| {
            of(&[20, 30], &[])(number, transfer);
            transfer.released = number == 30;
        };
        check(released, Some(30));
    }

    /// The numbers of unanswered offers; the first of them are of one person, and each other of another.
    #[test]
    fn nobody_is_pushed_out_by_many_others() {
        const FIRST: AccountId = AccountId::from_bytes([1; 16]);
        const NEW: AccountId = AccountId::from_bytes([9; 16]);
        let check = |newcomer: AccountId, of_first: u64, others: u64, expected: Option<u64>| {
            let change = |number: u64, transfer: &mut Transfer| {
                if number < of_first + others {
                    set(transfer, Stage::Asked);
                }
                if number >= of_first {
                    let one = (1_000 + u128::from(number)).to_be_bytes();
                    transfer.course.sender = AccountId::from_bytes(one);
                }
            };
            check_for(Some(newcomer), change, expected);
        };
        // An honest person's one offer among those of 200 others: nothing gives way to one more.
        check(NEW, 1, 200, None);
        check(NEW, 2, 200, Some(0));
        check(NEW, 5, 0, Some(0));
        // Nobody pushes out their own, either.
        check(FIRST, 5, 200, None);
        check(FIRST, 1, 0, None);
    }

    #[test]
    fn a_full_table_takes_one_more() {
        let mut client = client();
        for number in 0..limits::TRANSFERS as u64 - 1 {
            let transfer = received(number, Stage::Taken);
            client.transfers.insert(transfer.id(), transfer);
        }
        assert!(client.make_room_for_transfer(None));
        assert_eq!(client.transfers.len(), limits::TRANSFERS - 1);
    }

    #[test]
    fn tries_wait_longer_each_time_and_do_not_end() {
        let mut moving = Moving::default();
        let mut wait = || {
            moving.put_off(Timestamp(0));
            moving.retry_at.unwrap().0 / 1000
        };
        let waits: Vec<u64> = (0..9).map(|_| wait()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
    }
}
