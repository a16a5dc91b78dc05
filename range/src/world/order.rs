//! What can be done in a world beside sending frames, as data: the same orders come from a trial in this
//! process and, in JSON, over a learner's WebSocket.

use super::{Decision, HeldId, World, WorldError};
use crate::double::DoubleError;
use crate::flaws::Role;
use crate::hands::YOU;
use crate::limits;
use portcullis_proto::{AccountId, ConversationId, DeviceEntry};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Something that somebody wants done.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// The learner's ordinary client says something in a conversation that they are in.
    Say {
        /// Where: `#channel`, `+group`, or a user's name.
        place: String,
        /// What.
        text: String,
    },
    /// It offers a file there.
    Offer {
        /// Where.
        place: String,
        /// The file's name.
        name: String,
        /// What it says.
        content: String,
    },
    /// Hold all frames from now on, or let them go.
    Hold {
        /// Whether to hold them.
        on: bool,
    },
    /// A held frame goes on as it is.
    Pass {
        /// Its number.
        frame: u64,
    },
    /// These go on in the place of a held frame; none drops it.
    Replace {
        /// Its number.
        frame: u64,
        /// What goes on.
        with: Vec<String>,
    },
    /// The connection of somebody of the lesson breaks; they come back by themselves.
    Sever {
        /// Whose.
        whose: String,
    },
    /// A frame that nobody made: down to this person, or up in their name.
    Send {
        /// Whose connection it goes over.
        whose: String,
        /// Whether to the server.
        up: bool,
        /// The frame.
        text: String,
    },
    /// Keys in the name of an account; the answer has the double's number, device and identity.
    Double {
        /// In whose name.
        account: AccountId,
    },
    /// A device list, version 1, signed by a double: these devices and, after the first so many, its own.
    List {
        /// Its number.
        double: u64,
        /// The entries of other devices, as they stand in lists.
        others: Vec<DeviceEntry>,
        /// How many of them come before its own.
        place: u64,
    },
    /// A key package of a double, as `claim_key_packages` gives them out.
    Package {
        /// Its number.
        double: u64,
    },
    /// A double joins what a welcome invites it to; the answer has the conversation.
    Join {
        /// Its number.
        double: u64,
        /// Base64.
        welcome: String,
    },
    /// The text of a message in a conversation that a double has joined.
    Open {
        /// Its number.
        double: u64,
        /// Where.
        conversation: ConversationId,
        /// Base64.
        body: String,
    },
}

impl Order {
    /// Who may give it: it is in the learner's power in reality.
    #[must_use]
    pub const fn is_for(&self, role: Role) -> bool {
        match self {
            Self::Say { .. } | Self::Offer { .. } => true,
            Self::Hold { .. }
            | Self::Pass { .. }
            | Self::Replace { .. }
            | Self::Sever { .. }
            | Self::Send { .. } => role.holds_the_wire(),
            Self::Double { .. }
            | Self::List { .. }
            | Self::Package { .. }
            | Self::Join { .. }
            | Self::Open { .. } => role.makes_keys(),
        }
    }

    /// What it is, for whoever reads where an exploit lost.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        match self {
            Self::Say { .. } => "saying something",
            Self::Offer { .. } => "offering a file",
            Self::Hold { .. } => "holding the wire",
            Self::Pass { .. } | Self::Replace { .. } => "deciding on a frame",
            Self::Sever { .. } => "breaking a connection",
            Self::Send { .. } => "sending a frame of one's own",
            Self::Double { .. } => "making keys in somebody's name",
            Self::List { .. } => "signing a device list",
            Self::Package { .. } => "making a key package",
            Self::Join { .. } => "joining by a welcome",
            Self::Open { .. } => "opening a message",
        }
    }
}

impl World {
    /// Does what was ordered; what there is to tell of it, or `true`.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn obey(&mut self, order: Order) -> Result<Value, WorldError> {
        match order {
            // Whoever holds the wire counts on deciding what becomes of it.
            Order::Say { .. } | Order::Offer { .. } if self.held.is_full() => {
                return Err(WorldError::HeldFull);
            }
            Order::Say { place, text } => self.stage().says(YOU, &place, &text)?,
            Order::Offer { place, name, content } => {
                self.stage().offers(YOU, &place, &name, &content)?;
            }
            Order::Hold { on } => self.hold(on)?,
            Order::Pass { frame } => self.decide(HeldId(frame), Decision::Pass)?,
            Order::Replace { frame, with } => {
                self.decide(HeldId(frame), Decision::Replace(with))?;
            }
            Order::Sever { whose } => self.sever(&whose)?,
            Order::Send { whose, up, text } => self.inject(&whose, up, &text)?,
            Order::Double { account } => {
                self.take(limits::DOUBLE_BYTES)?;
                return Ok(self.make_double(account));
            }
            Order::List { double, others, place } => {
                let place = usize::try_from(place).unwrap_or(usize::MAX);
                return Ok(self.double(double)?.list(others, place)?);
            }
            Order::Package { double } => {
                self.take(limits::DOUBLE_BYTES)?;
                return Ok(self.double(double)?.package()?);
            }
            Order::Join { double, welcome } => {
                self.take(welcome.len())?;
                let conversation = self.double(double)?.join(&welcome)?;
                return Ok(json!({"conversation": conversation}));
            }
            Order::Open { double, conversation, body } => {
                let text = self.double(double)?.open(conversation, &body)?;
                return Ok(json!({"text": text}));
            }
        }
        Ok(json!(true))
    }

    /// Keys that the operator makes in the name of an account. The newest few are kept.
    fn make_double(&mut self, account: AccountId) -> Value {
        let number = self.doubles.last_key_value().map_or(1, |(last, _)| last + 1);
        let double = crate::double::Double::new(account, self.now, &mut self.chance);
        let (device, identity) = (double.device(), double.identity());
        self.doubles.insert(number, double);
        while self.doubles.len() > limits::DOUBLES {
            self.doubles.pop_first();
        }
        json!({"double": number, "device": device, "identity": identity})
    }

    fn double(&mut self, number: u64) -> Result<&mut crate::double::Double, WorldError> {
        self.doubles.get_mut(&number).ok_or(WorldError::Double(DoubleError::Nobody))
    }
}
