//! What a person wants of transfers.

use super::{Halted, Moving, Part, Stage};
use crate::client::{Client, Step};
use crate::effect::Key;
use crate::show::Show;
use crate::transfer::{Assignment, Task};
use portcullis_proto::{
    AccountId, Code, ConversationId, DeviceId, EndReason, FileOffer, FileStep, Refusal, TransferId,
};

impl Client {
    /// Offers files in an encrypted conversation, as soon as there is room for them on the server.
    pub(crate) fn offer_files(
        &mut self,
        step: &mut Step<'_>,
        (conversation, offer): (ConversationId, FileOffer),
        (place, relay_now): (String, bool),
    ) {
        if self.transfers.contains_key(&offer.transfer) {
            return refuse(step, "offer these files", "they were offered before".to_owned());
        }
        match self.may_offer(conversation, &offer) {
            Ok(by) => self.begin_own(step, (conversation, offer), (place, relay_now), by),
            Err(why) => {
                refuse(step, "offer these files", why);
                let task = Task::Forget;
                step.out.transfers.push(Assignment { offer, own: true, place, task });
            }
        }
    }

    /// In whose name files are offered, or why not.
    fn may_offer(
        &mut self,
        id: ConversationId,
        offer: &FileOffer,
    ) -> Result<(AccountId, DeviceId), String> {
        let by = self.own_account().zip(self.own_device()).ok_or("nobody has logged in")?;
        if self.own.as_ref().is_some_and(|own| own.registering.is_some()) {
            return Err("your account is still being made".to_owned());
        }
        let conversation = self.conversations.get(&id).ok_or("you are not in this conversation")?;
        if conversation.encrypted.is_none() {
            return Err("files are for directs and groups, which nobody else can read".to_owned());
        }
        self.may_speak(id)?;
        if self.mls.is_member(id) && self.members_present(id).len() < 2 {
            return Err("nobody else is here".to_owned());
        }
        if offer.blob_bytes().is_none() {
            return Err("they are too large".to_owned());
        }
        if !self.make_room_for_transfer(None) {
            return Err("too many transfers are under way".to_owned());
        }
        Ok(by)
    }

    /// Whether something can be said in a conversation now, or why not.
    pub(super) fn may_speak(&self, id: ConversationId) -> Result<(), String> {
        let there = self.conversations.get(&id).is_some_and(|c| c.is_member());
        if !there {
            return Err("you are not in this conversation".to_owned());
        }
        self.is_blocked(id).map_or(Ok(()), Err)
    }

    /// Takes what was offered, or declines it.
    pub(crate) fn answer_offer(
        &mut self,
        step: &mut Step<'_>,
        id: TransferId,
        place: Option<String>,
    ) {
        let Some(transfer) = self.transfers.get(&id) else {
            return unknown(step);
        };
        let waits = matches!(&transfer.part,
            Part::Receives(receiving) if matches!(receiving.stage, Stage::New | Stage::Asked));
        if !waits {
            return refuse(step, "answer this offer", "it waits for no answer".to_owned());
        }
        if let Err(why) = self.may_speak(transfer.conversation) {
            return refuse(step, "answer this offer", why);
        }
        match place {
            Some(place) => self.take_offered(step, id, place),
            None => self.decline(step, id),
        }
    }

    fn decline(&mut self, step: &mut Step<'_>, id: TransferId) {
        self.change_transfer(id, |t| t.receiving().map(|it| it.stage = Stage::Declined));
        self.say_step(step, id, FileStep::Declined { full: false });
    }

    /// Halts a transfer.
    pub(crate) fn pause_transfer(&mut self, step: &mut Step<'_>, id: TransferId) {
        if !self.check_goes_on(step, id) {
            return;
        }
        self.change_transfer(id, |transfer| transfer.halted = Some(Halted::Paused));
        self.tell_shell(step, id, Task::Rest);
    }

    /// Goes on with a transfer that was halted.
    pub(crate) fn resume_transfer(&mut self, step: &mut Step<'_>, id: TransferId) {
        if !self.check_goes_on(step, id) {
            return;
        }
        self.change_transfer(id, |transfer| {
            transfer.halted = None;
            let asked = transfer.moving.asked;
            transfer.moving = Moving { asked, ..Moving::begin(step.now, &transfer.part) };
        });
    }

    /// Ends a transfer before its time; what was not answered yet is declined.
    pub(crate) fn cancel_transfer(&mut self, step: &mut Step<'_>, id: TransferId) {
        if !self.check_goes_on(step, id) {
            return;
        }
        let part = self.transfers.get(&id).map(|transfer| &transfer.part);
        match part {
            Some(Part::Receives(it)) if it.stage != Stage::Taken => self.decline(step, id),
            _ => self.end_transfer(step, id, EndReason::Cancelled),
        }
    }

    /// Whether a transfer is there and not over; otherwise says so.
    fn check_goes_on(&self, step: &mut Step<'_>, id: TransferId) -> bool {
        match self.transfers.get(&id) {
            Some(transfer) if matches!(transfer.part, Part::Watches) => unknown(step),
            Some(transfer) if transfer.is_over() => {
                refuse(step, "change this transfer", "it is over".to_owned());
            }
            Some(_) => return true,
            None => unknown(step),
        }
        false
    }

    /// Takes what these people offer without asking, up to so many bytes a day.
    pub(crate) fn set_auto_accept(
        &mut self,
        step: &mut Step<'_>,
        account: AccountId,
        bytes: Option<u64>,
    ) {
        self.change_person(step, account, |person| {
            person.auto_accept = bytes;
            let name = &person.name;
            match bytes {
                Some(bytes) => {
                    let size = crate::message::size(bytes);
                    format!("Files from {name} up to {size} a day are taken without asking.")
                }
                None => format!("You are asked before files from {name} are taken."),
            }
        });
    }

    /// Whether somebody may be reached directly without being verified.
    pub(crate) fn set_direct(&mut self, step: &mut Step<'_>, account: AccountId, allow: bool) {
        self.change_person(step, account, |person| {
            person.direct = allow;
            let name = &person.name;
            match allow {
                true => format!("Files may go between {name} and you directly."),
                false => format!("Files go between {name} and you directly only once verified."),
            }
        });
    }

    fn change_person(
        &mut self,
        step: &mut Step<'_>,
        account: AccountId,
        change: impl FnOnce(&mut crate::people::Person) -> String,
    ) {
        if let Some(person) = self.people.get_mut(&account) {
            let done = change(person);
            self.touch(Key::Person(account));
            step.show(Show::Done(done));
        }
    }
}

fn unknown(step: &mut Step<'_>) {
    let refusal = Refusal::new(Code::NotFound, "there is no such transfer");
    step.show(Show::Refused { what: "find this transfer", refusal });
}

fn refuse(step: &mut Step<'_>, what: &'static str, why: String) {
    step.show(Show::Refused { what, refusal: Refusal::new(Code::Forbidden, why) });
}
