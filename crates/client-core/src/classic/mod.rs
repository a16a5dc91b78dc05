//! Classroom guests.

use crate::client::{Client, Pending, Step};
use crate::show::Show;
use portcullis_proto::{Code, GuestName, Refusal, Request};

impl Client {
    /// Says something to a guest.
    pub(crate) fn tell_guest(&mut self, step: &mut Step<'_>, name: &GuestName, _text: String) {
        let refusal = Refusal::new(Code::NotFound, format!("{name} is not here"));
        step.show(Show::Refused { what: "write to this guest", refusal });
    }

    /// Lists the guests who are here.
    pub(crate) fn list_guests(&mut self, step: &mut Step<'_>) {
        step.show(Show::Guests(Vec::new()));
    }

    /// Whether guests may write to this account.
    pub(crate) fn allow_guests(&mut self, step: &mut Step<'_>, allow: bool) {
        let done = if allow { "Guests may write to you." } else { "Guests may not write to you." };
        let pending = Pending::Simple("allow guests", done.to_owned());
        self.ask(step, Request::AllowGuests { allow }, pending);
    }
}
