//! This device's key for guests: made by a job where the account allows guests, kept, and published in each
//! session.

use crate::client::{Client, Pending, Step};
use crate::effect::Key;
use crate::event::JobId;
use crate::limits;
use crate::show::Show;
use portcullis_crypto::{ClassicError, ClassicKey, Job, Purpose};
use portcullis_proto::classroom::{GuestKey, PemLayout, Wrap, pem_of};
use portcullis_proto::{Bytes, ConversationId, DeviceId, Refusal, Request, Timestamp};

/// A device's own key.
pub(crate) struct OwnKey {
    /// Whose it is: another device makes another key.
    pub(crate) device: DeviceId,
    pub(crate) key: ClassicKey,
    /// The same, as guests know it.
    pub(crate) public: GuestKey,
    /// The counter of the last frame that was signed: guests refuse any that is not greater.
    pub(crate) counter: u64,
    /// Up to where the log of what guests write held nothing for this key, since nobody knew it.
    pub(crate) start: u64,
}

/// Whether guests can know the key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Published {
    /// It was not published in this session.
    #[default]
    No,
    /// It is about to be: requests are carried out in their order.
    Sent,
    /// It was.
    Done,
    /// It is tried again at this time.
    NotBefore(Timestamp),
    /// The server does not take it.
    Refused,
}

impl OwnKey {
    /// None if the key has no public half that guests could be told of.
    pub(super) fn new(device: DeviceId, key: ClassicKey, start: u64) -> Option<Self> {
        let layout = PemLayout { wrap: Wrap::Line, last_newline: false };
        let public = GuestKey::parse(&pem_of(key.public().spki(), layout)).ok()?;
        Some(Self { device, key, public, counter: 0, start })
    }
}

impl Client {
    /// Whether guests may write to this account, as far as this session knows.
    #[must_use]
    pub fn allows_guests(&self) -> bool {
        let classroom = self.conversations.get(&ConversationId::CLASSROOM);
        classroom.is_some_and(crate::conversation::Conversation::is_member)
    }

    /// Takes the next step with guests: makes the key where there is none, publishes it, and sends what
    /// waits.
    pub(crate) fn settle_guests(&mut self, step: &mut Step<'_>) {
        let Some(device) = self.own_device() else { return };
        if !self.is_open() || !self.all_listed || self.unsettled.is_some() {
            return;
        }
        if self.allows_guests() {
            if self.classic.own.as_ref().is_some_and(|own| own.device != device) {
                self.classic.own = None;
                self.touch(Key::Classic);
            }
            match &self.classic.own {
                Some(_) => self.publish_key(step),
                None if self.classic.making.is_none() && !self.classic.unavailable => {
                    self.classic.making = Some(self.work(step, Job::MakeClassicKey));
                }
                None => {}
            }
        }
        if !self.classic.wanted.is_empty() {
            self.look_for_guests(step);
        }
        self.flush_guests(step);
    }

    /// Whether a guest can tell who writes to it; where the server does not take the key, its own refusal
    /// says why nothing is passed on.
    pub(super) fn is_known_to_guests(&self) -> bool {
        use Published::{Done, Refused, Sent};
        self.classic.own.is_some() && matches!(self.classic.published, Sent | Done | Refused)
    }

    /// Whether guests may write to this account and can't find this device yet: its key is being made, which takes a
    /// moment, or on its way to the server.
    #[must_use]
    pub fn is_to_be_found(&self) -> bool {
        let over = matches!(self.classic.published, Published::Done | Published::Refused);
        self.allows_guests() && !over && !self.classic.unavailable
    }

    /// The server has the key.
    pub(crate) fn key_published(&mut self) {
        self.classic.published = Published::Done;
    }

    /// The key is made, or can't be made here.
    pub(crate) fn classic_key_made(
        &mut self,
        step: &mut Step<'_>,
        job: JobId,
        made: Result<ClassicKey, ClassicError>,
    ) {
        if self.classic.making != Some(job) {
            return;
        }
        self.classic.making = None;
        let classroom = self.conversations.get(&ConversationId::CLASSROOM);
        let head = classroom.map_or(0, |classroom| classroom.summary.head);
        let device = self.own_device();
        let own = device.zip(made.ok()).and_then(|(device, key)| OwnKey::new(device, key, head));
        self.classic.unavailable = own.is_none();
        self.classic.own = own;
        self.touch(Key::Classic);
        self.settle_guests(step);
    }

    fn publish_key(&mut self, step: &mut Step<'_>) {
        match self.classic.published {
            Published::Sent | Published::Done | Published::Refused => return,
            Published::NotBefore(at) if at > step.now => return,
            Published::No | Published::NotBefore(_) => {}
        }
        let auth = self.own.as_ref().and_then(|own| own.device.as_ref()).map(|own| &own.auth);
        let (Some(own), Some(auth)) = (&self.classic.own, auth) else {
            return;
        };
        let spki = own.public.key().spki();
        let proof = auth.sign(Purpose::ClassicKey, spki);
        let request = Request::PublishClassicKey { key: Bytes(spki.to_vec()), proof };
        self.classic.published = Published::Sent;
        self.ask(step, request, Pending::PublishKey);
        self.catch_up_if_behind(step, ConversationId::CLASSROOM);
    }

    pub(crate) fn key_refused(&mut self, step: &mut Step<'_>, refusal: Refusal) {
        if refusal.code.passes() {
            let wait = refusal.retry_after.unwrap_or(limits::RETRY_MILLIS);
            self.classic.published = Published::NotBefore(step.now.plus_millis(wait));
            return;
        }
        self.classic.published = Published::Refused;
        step.show(Show::Refused { what: "publish this device's key for guests", refusal });
    }

    /// Whether guests may write to this account is said to the server; what it lists then tells.
    pub(crate) fn allow_guests(&mut self, step: &mut Step<'_>, allow: bool) {
        self.ask(step, Request::AllowGuests { allow }, Pending::AllowGuests(allow));
    }

    pub(crate) fn guests_allowed(&mut self, step: &mut Step<'_>, allow: bool) {
        let done = match allow {
            true => {
                "Guests may write to you; what they write is encrypted, but not forward secret."
            }
            false => "Guests can't write to you any more.",
        };
        step.show(Show::Done(done.to_owned()));
        self.list_conversations(step);
    }

    /// Gives up what this device has for guests, since it may not be used any more.
    pub(crate) fn forget_guests(&mut self, step: &mut Step<'_>, reason: &str) {
        self.classic.own = None;
        self.classic.making = None;
        self.classic.published = Published::No;
        self.touch(Key::Classic);
        let guests: Vec<_> = self.classic.talks.keys().copied().collect();
        for guest in guests {
            self.fail_guest(step, guest, reason);
        }
    }
}
