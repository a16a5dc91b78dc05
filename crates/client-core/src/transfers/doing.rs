//! Does what a transfer lacks, and takes the server's answers in.

use super::next::Next;
use super::{Part, Stage, Transfer};
use crate::client::{Client, Pending, Step};
use crate::defences::{AutoAccepted, path_pass};
use crate::effect::Key;
use crate::show::Show;
use crate::transfer::{Fault, Task};
use portcullis_crypto::{EndpointKey, Secret, Signature};
use portcullis_proto::{
    Bytes, Code, EndReason, FileStep, Kind, Reference, Refusal, Request, TransferId,
};

impl Client {
    /// Does the next thing for a transfer; what it lacks is another thing then.
    pub(super) fn does(&mut self, step: &mut Step<'_>, id: TransferId, next: Next) {
        match next {
            Next::Reserve => self.ask_to_store(step, id),
            Next::AskToFetch => {
                self.ask_for(step, id, Request::FetchBlob { blob: id }, Pending::FetchBlob(id));
            }
            Next::Release => {
                self.ask_for(step, id, Request::ReleaseBlob { blob: id }, Pending::ReleaseBlob(id));
            }
            Next::RegisterKey => self.ask_to_relay(step, id),
            Next::Serve(device, auth, _) => {
                self.change_transfer(id, |transfer| transfer.moving.serving.insert(device));
                let own = self.transfers.get(&id).and_then(Transfer::own_end);
                self.tell_shell(step, id, Task::Serve { device, auth, own });
            }
            Next::Withhold(device) => {
                self.change_transfer(id, |transfer| transfer.moving.withheld.insert(device));
                let (tcp, quic) = (Vec::new(), None);
                self.say_step(step, id, FileStep::Reach { device, tcp, quic });
            }
            Next::Upload(token, begin) => {
                self.hand_on(step, id, Task::Upload { token, begin });
                self.change_transfer(id, |transfer| transfer.moving.begin = begin);
            }
            Next::StopUpload => {
                self.change_transfer(id, |transfer| transfer.moving.busy = false);
                self.tell_shell(step, id, Task::StopUpload);
            }
            Next::Fetch(token) => self.hand_on(step, id, Task::Fetch { token }),
            Next::Dial(may) => {
                let own = self.transfers.get(&id).and_then(Transfer::own_end);
                match self.pass_for(id) {
                    Some(pass) => self.hand_on(step, id, may.into_task(own, pass)),
                    None => self.turn_to_server(step, id, None),
                }
            }
            Next::Forget => {
                if let Some(transfer) = self.transfers.get_mut(&id) {
                    transfer.moving.forgotten = true;
                }
                self.tell_shell(step, id, Task::Forget);
            }
            Next::Relay => self.turn_to_server(step, id, None),
            Next::Expire => self.expire(step, id),
            Next::Take(accepted) => {
                self.note_taken(step, id, accepted);
                self.take_offered(step, id, String::new());
            }
            Next::Ask => {
                self.change_transfer(id, |t| t.receiving().map(|it| it.stage = Stage::Asked));
            }
        }
    }

    /// What shows a transfer's sender that this device is the one that it waits for.
    fn pass_for(&self, id: TransferId) -> Option<Signature> {
        let device = self.own.as_ref()?.device.as_ref()?;
        Some(path_pass(&device.auth, &self.transfers.get(&id)?.offer.key, device.id))
    }

    /// A task that takes the place of others, with the token that was for it.
    fn hand_on(&mut self, step: &mut Step<'_>, id: TransferId, task: Task) {
        self.change_transfer(id, |transfer| {
            transfer.moving.busy = true;
            transfer.moving.token = None;
        });
        self.tell_shell(step, id, task);
    }

    pub(super) fn tell_shell(&self, step: &mut Step<'_>, id: TransferId, task: Task) {
        let assignment = self.transfers.get(&id).map(|transfer| transfer.assignment(task));
        step.out.transfers.extend(assignment);
    }

    fn ask_to_store(&mut self, step: &mut Step<'_>, id: TransferId) {
        let Some(transfer) = self.transfers.get(&id) else {
            return;
        };
        let (conversation, bytes) = (transfer.conversation, transfer.offer.blob_bytes());
        let bytes = bytes.unwrap_or(u64::MAX);
        let request = Request::ReserveBlob { blob: id, conversation, bytes };
        self.ask_for(step, id, request, Pending::ReserveBlob(id));
    }

    /// The key is the same for as long as this program runs: what uses it already goes on by it.
    fn ask_to_relay(&mut self, step: &mut Step<'_>, id: TransferId) {
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return;
        };
        let secret = transfer.secret.get_or_insert_with(|| Secret::random(step.rng));
        let key = Bytes(EndpointKey::from_secret(secret).public().as_bytes().to_vec());
        self.ask_for(step, id, Request::RegisterRelayKey { key }, Pending::RelayKey(id));
    }

    /// The relay carries packets for a transfer, or does not.
    pub(crate) fn relay_decided(&mut self, id: TransferId, relayed: bool) {
        if let Some(transfer) = self.transfers.get_mut(&id) {
            transfer.moving.asked = false;
            transfer.moving.relayed = Some(relayed);
        }
    }

    fn ask_for(&mut self, step: &mut Step<'_>, id: TransferId, request: Request, pending: Pending) {
        if let Some(transfer) = self.transfers.get_mut(&id) {
            transfer.moving.asked = true;
            self.ask(step, request, pending);
        }
    }

    /// There is room for a transfer's bytes: it is offered, if it was not before.
    pub(crate) fn blob_reserved(&mut self, step: &mut Step<'_>, id: TransferId, token: &Bytes) {
        if let Some(transfer) = self.transfers.get_mut(&id) {
            transfer.moving.asked = false;
            transfer.moving.token = Some(token.to_base64());
        }
        self.put_offer(step, id, false);
    }

    /// Offers a transfer, if it was not before.
    fn put_offer(&mut self, step: &mut Step<'_>, id: TransferId, roomless: bool) {
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return;
        };
        let over = transfer.is_over();
        let (conversation, message) = (transfer.conversation, transfer.message);
        let offer = Box::new(transfer.offer.clone());
        let Some(sending) = transfer.sending() else {
            return;
        };
        let new = !std::mem::replace(&mut sending.offered, true);
        let changed = std::mem::replace(&mut sending.roomless, roomless) != roomless;
        if over {
            return;
        }
        if new || changed {
            self.touch(Key::Transfer(id));
        }
        if new {
            self.put_unchecked(step, conversation, (message, Kind::Offer(offer), Vec::new()));
        }
    }

    /// There is no room for it. What was not offered never will be, unless it can do without; what was offered ends
    /// once it can't.
    pub(crate) fn reserve_refused(
        &mut self,
        step: &mut Step<'_>,
        id: TransferId,
        refusal: Refusal,
    ) {
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return;
        };
        transfer.moving.asked = false;
        let offered = transfer.sending().is_some_and(|sending| sending.offered);
        let over = transfer.is_over();
        let roomless = refusal.code == Code::NoRoom && !over;
        if roomless && !offered && self.may_do_without_server(id) {
            let reason = &refusal.message;
            step.show(Show::Done(format!("The files go directly, or not at all: {reason}.")));
            return self.put_offer(step, id, true);
        }
        if roomless && offered {
            return self.lacks_room(step, id);
        }
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return;
        };
        transfer.moving.put_off(step.now);
        if offered || refusal.code.passes() || over {
            return;
        }
        transfer.course.ended = Some(EndReason::Failed);
        self.tell_shell(step, id, Task::Forget);
        self.show_transfer(step, id);
        self.transfers.remove(&id);
        self.touch(Key::Transfer(id));
        step.show(Show::Refused { what: "offer these files", refusal });
    }

    /// Whether everybody whom a transfer is for may be reached directly.
    fn may_do_without_server(&self, id: TransferId) -> bool {
        let transfer = self.transfers.get(&id);
        transfer.is_some_and(|it| self.may_go_direct(&self.hearers(it)).is_some())
    }

    /// The server has no room for what was offered. That ends it where somebody waits for that, and nobody else is
    /// served meanwhile.
    fn lacks_room(&mut self, step: &mut Step<'_>, id: TransferId) {
        let ways = self.transfers.get(&id).map(|transfer| self.ways_of(transfer));
        self.change_transfer(id, |transfer| {
            transfer.moving.put_off(step.now);
            transfer.sending().map(|sending| sending.roomless = true)
        });
        if ways == Some((false, true)) {
            self.end_transfer(step, id, EndReason::NoRoom);
        }
    }

    /// A transfer's bytes may be fetched.
    pub(crate) fn blob_found(&mut self, id: TransferId, token: &Bytes) {
        if let Some(transfer) = self.transfers.get_mut(&id) {
            transfer.moving.asked = false;
            transfer.moving.token = Some(token.to_base64());
        }
    }

    /// They can't be fetched: not now, or the server has them no more.
    pub(crate) fn fetch_blob_refused(
        &mut self,
        step: &mut Step<'_>,
        id: TransferId,
        refusal: &Refusal,
    ) {
        // Until the log is read to its end, it may still tell why.
        let ready = self.transfers.get(&id).is_some_and(|transfer| self.is_ready(transfer));
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return;
        };
        transfer.moving.asked = false;
        let first = transfer.moving.tries == 0;
        transfer.moving.put_off(step.now);
        if refusal.code != Code::NotFound || !ready || transfer.is_over() {
            return;
        }
        if transfer.is_old(step.now) {
            self.fails(step, id, Fault::Expired);
        } else if first {
            // Its sender puts it there once it hears of it.
            self.turn_to_server(step, id, None);
        }
    }

    /// The server needs not keep a transfer's bytes for this account.
    pub(crate) fn blob_released(&mut self, id: TransferId) {
        self.change_transfer(id, |transfer| {
            transfer.moving.asked = false;
            transfer.released = true;
            transfer.forget_key();
        });
    }

    pub(crate) fn release_refused(
        &mut self,
        step: &mut Step<'_>,
        id: TransferId,
        refusal: &Refusal,
    ) {
        if !refusal.code.passes() {
            return self.blob_released(id);
        }
        if let Some(transfer) = self.transfers.get_mut(&id) {
            transfer.moving.asked = false;
            transfer.moving.put_off(step.now);
        }
    }

    /// Too old an offer serves no more; its sender says so.
    fn expire(&mut self, step: &mut Step<'_>, id: TransferId) {
        let of_other = self.change_transfer(id, |transfer| {
            let stage = Stage::Ended(EndReason::Expired);
            transfer.receiving().map(|receiving| receiving.stage = stage).is_some()
        });
        if of_other == Some(false) {
            self.end_transfer(step, id, EndReason::Expired);
        }
    }

    /// Of the sender so much more is taken without asking.
    fn note_taken(&mut self, step: &Step<'_>, id: TransferId, accepted: AutoAccepted) {
        let Some(sender) = self.transfers.get(&id).map(|transfer| transfer.course.sender) else {
            return;
        };
        if let Some(person) = self.people.get_mut(&sender) {
            person.unasked.add(step.now, accepted.counts());
            self.touch(Key::Person(sender));
        }
    }

    /// A recipient's device takes what was offered, if nobody of its account was faster.
    pub(super) fn take_offered(&mut self, step: &mut Step<'_>, id: TransferId, place: String) {
        let sender = self.transfers.get(&id).map(|transfer| transfer.course.sender);
        let direct = sender.is_some_and(|sender| self.may_go_direct(&[sender]).is_some());
        self.change_transfer(id, |transfer| {
            transfer.place = place;
            if let Part::Receives(receiving) = &mut transfer.part {
                receiving.stage = Stage::Taken;
                receiving.relayed = !direct;
            }
        });
        self.say_step(step, id, FileStep::Accepted { direct });
    }

    /// Something that this device wanted to say of a transfer was never stored.
    pub(crate) fn step_lost(&mut self, message: Reference, kind: &Kind, refs: &[Reference]) {
        let about = match kind {
            Kind::Offer(_) => message,
            Kind::Step(FileStep::Accepted { .. } | FileStep::Declined { .. }) => match refs.first()
            {
                Some(offer) => *offer,
                None => return,
            },
            _ => return,
        };
        let found = self.transfers.values_mut().find(|transfer| transfer.message == about);
        let Some(transfer) = found else {
            return;
        };
        match &mut transfer.part {
            Part::Sends(_) => transfer.course.ended = Some(EndReason::Failed),
            Part::Receives(receiving)
                if matches!(receiving.stage, Stage::Taken | Stage::Declined) =>
            {
                receiving.stage = Stage::Asked;
            }
            Part::Receives(_) | Part::Watches => {}
        }
        let id = transfer.id();
        self.touch(Key::Transfer(id));
    }
}
