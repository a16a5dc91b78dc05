//! What a request leads to besides its reply. Effects name conversations, accounts and devices, never
//! connections, so that they can cross nodes and be rebuilt from the store.

use crate::GuestOutput;
use crate::store::Blob;
use portcullis_proto::{AccountId, ConversationId, DeviceId, Event, Reply, Timestamp, TransferId};

/// What became of a request: released only once the batch is durable, in this order.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Effects {
    /// To the one who asked.
    pub reply: Reply,
    /// Then these.
    pub then: Vec<Effect>,
    /// Then these, at the classroom gateway.
    pub guests: Vec<GuestOutput>,
}

impl Effects {
    /// A reply and nothing else.
    pub fn reply(reply: Reply) -> Self {
        Self::all(reply, Vec::new())
    }

    /// A reply and these.
    pub fn all(reply: Reply, then: Vec<Effect>) -> Self {
        Self { reply, then, guests: Vec::new() }
    }

    /// And this.
    pub fn and(mut self, effect: Effect) -> Self {
        self.then.push(effect);
        self
    }

    /// And this, at the classroom gateway.
    pub fn at_gateway(mut self, output: GuestOutput) -> Self {
        self.guests.push(output);
        self
    }
}

/// Something to be done by the shell.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Effect {
    /// The asking connection is this device's session now, and hears these conversations.
    Opened {
        /// The account.
        account: AccountId,
        /// The device; an older session of it ends.
        device: DeviceId,
        /// What it hears.
        conversations: Vec<ConversationId>,
    },
    /// Tell these sessions.
    Deliver {
        /// Which.
        to: Audience,
        /// What.
        event: Event,
    },
    /// The account's sessions hear a conversation from now on.
    Subscribe {
        /// The account.
        account: AccountId,
        /// The conversation.
        conversation: ConversationId,
    },
    /// They no longer do.
    Unsubscribe {
        /// The account.
        account: AccountId,
        /// The conversation.
        conversation: ConversationId,
    },
    /// The asking connection wants to hear who comes and goes.
    WatchPresence,
    /// There is room for this blob from now on.
    KeepBlob(Blob),
    /// This blob is gone: its bytes are to be removed.
    DropBlob(TransferId),
    /// The relay carries packets for this key.
    RegisterRelayKey {
        /// Whose.
        account: AccountId,
        /// Which device's.
        device: DeviceId,
        /// An Ed25519 public key.
        key: [u8; 32],
        /// Until when.
        expires_at: Timestamp,
    },
    /// End the sessions of a device or account.
    End {
        /// Whose.
        whose: Whose,
        /// Why, for the person.
        reason: &'static str,
    },
}

/// Which sessions hear something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Those of the members of a conversation.
    Conversation(ConversationId),
    /// Those of an account.
    Account(AccountId),
    /// That of a device.
    Device(DeviceId),
    /// Those that watch presence.
    PresenceWatchers,
}

/// Whose sessions end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Whose {
    /// A device's.
    Device(DeviceId),
    /// All of an account's.
    Account(AccountId),
}
