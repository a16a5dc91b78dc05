//! A learner's hands: what somebody outside a world can do in it, and nothing more. The reference exploits
//! and the honest uses are written with these, so each of their steps is open to a learner as well; a test
//! has every exploit win over the sockets of a range that runs.

use crate::doors::{Doors, Overheard, Way};
use crate::flaws::Lost;
use crate::world::{Decision, Happened, Held, HeldId, Line, Order, World};
use portcullis_client_core::{Message, Show};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt;
use std::path::PathBuf;

/// The learner's account in every world.
pub const YOU: &str = "you";

/// Somebody's hands in a world.
pub struct Hands<'d> {
    doors: &'d mut dyn Doors,
    next_request: u64,
}

/// Keys that an operator has made in somebody's name, and where they are kept.
#[derive(Debug, Clone)]
pub struct Double {
    /// Its number in this world.
    number: u64,
    /// Its device's id, in hexadecimal digits.
    pub device: String,
    /// Its identity key, base64.
    pub identity: String,
}

impl<'d> Hands<'d> {
    /// Hands at these doors.
    pub fn new(doors: &'d mut dyn Doors) -> Self {
        Self { doors, next_request: 0 }
    }

    /// The learner's own nonce, as the story shows it.
    #[must_use]
    pub fn nonce(&self) -> &str {
        self.doors.nonce()
    }

    /// A connection that has not logged in.
    ///
    /// # Errors
    /// [`Lost`] where there is none to be had.
    pub fn connect(&mut self) -> Result<Line, Lost> {
        self.doors.enter(Way::Connect)
    }

    /// A connection that is a session of the learner's account already.
    ///
    /// # Errors
    /// [`Lost`] where there is none to be had.
    pub fn session(&mut self) -> Result<Line, Lost> {
        self.doors.enter(Way::Session)
    }

    /// A connection to the lesson's desk.
    ///
    /// # Errors
    /// [`Lost`] where there is none to be had.
    pub fn desk(&mut self) -> Result<Line, Lost> {
        self.doors.enter(Way::Desk)
    }

    /// Sends a frame as it is.
    ///
    /// # Errors
    /// [`Lost`] where the connection is gone.
    pub fn send(&mut self, line: Line, text: &str) -> Result<(), Lost> {
        self.doors.send(line, text)
    }

    /// What has come on a connection since the last time.
    pub fn hear(&mut self, line: Line) -> Vec<Value> {
        let frames = self.doors.receive(line);
        frames.iter().filter_map(|text| serde_json::from_str(text).ok()).collect()
    }

    /// Asks for something, and waits for the answer; other frames that come before it are dropped.
    ///
    /// # Errors
    /// [`Lost`] with the refusal, or where no answer comes.
    pub fn ask(&mut self, line: Line, request: &'static str, data: &Value) -> Result<Value, Lost> {
        self.next_request += 1;
        let id = self.next_request;
        let frame = json!({"id": id, "request": request, "data": data});
        self.send(line, &frame.to_string())?;
        let frames = self.hear(line);
        let answer = frames.into_iter().find(|frame| frame["id"] == json!(id));
        let answer = answer.ok_or_else(|| Lost::new(request, "no answer"))?;
        match answer.get("refusal") {
            Some(code) => {
                Err(Lost::new(request, format!("refused, {code}: {}", answer["message"])))
            }
            None => Ok(answer["data"].clone()),
        }
    }

    /// Says something in a conversation, with an ordinary client.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn says(&mut self, place: &str, text: &str) -> Result<(), Lost> {
        self.order(Order::Say { place: place.to_owned(), text: text.to_owned() })
    }

    /// Offers a file in a conversation, with an ordinary client.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn offers(&mut self, place: &str, name: &str, content: &str) -> Result<(), Lost> {
        let (place, name, content) = (place.to_owned(), name.to_owned(), content.to_owned());
        self.order(Order::Offer { place, name, content })
    }

    /// Seconds pass.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn wait(&mut self, seconds: u32) -> Result<(), Lost> {
        self.doors.wait(seconds)
    }

    /// Puts up a web page of one's own at this address.
    ///
    /// # Errors
    /// [`Lost`] where one can't have it there.
    pub fn page(&mut self, origin: &str) -> Result<(), Lost> {
        self.doors.page(origin)
    }

    /// The connections that one's pages have got, each in the browser of somebody who came.
    pub fn visits(&mut self) -> Vec<Line> {
        self.doors.visits()
    }

    /// What has passed on the wire, as far as one may read it.
    pub fn overheard(&mut self) -> Vec<Overheard> {
        self.doors.overheard()
    }

    /// The frames that the server has sent to the learner's own client.
    pub fn own_frames(&mut self) -> Vec<Value> {
        let all = self.overheard().into_iter();
        all.filter(|heard| heard.to == YOU).map(|heard| heard.frame).collect()
    }

    /// Whoever is on the network lays a hand on the wire, or takes it away.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn hold(&mut self, on: bool) -> Result<(), Lost> {
        self.order(Order::Hold { on })
    }

    /// The frames that they hold.
    pub fn held(&mut self) -> Vec<Held> {
        self.doors.held()
    }

    /// They decide.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn decide(&mut self, HeldId(frame): HeldId, decision: Decision) -> Result<(), Lost> {
        self.order(match decision {
            Decision::Pass => Order::Pass { frame },
            Decision::Replace(with) => Order::Replace { frame, with },
        })
    }

    /// They send a frame that nobody made: down to somebody, or up in their name.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn inject(&mut self, whose: &str, up: bool, text: &str) -> Result<(), Lost> {
        self.order(Order::Send { whose: whose.to_owned(), up, text: text.to_owned() })
    }

    /// They break a connection of the lesson's people.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn sever(&mut self, whose: &str) -> Result<(), Lost> {
        self.order(Order::Sever { whose: whose.to_owned() })
    }

    /// The operator makes keys in the name of this account, by its id.
    ///
    /// # Errors
    /// [`Lost`] where this is no account's id.
    pub fn double(&mut self, account: &Value) -> Result<Double, Lost> {
        let made = self.doors.order(Order::Double { account: read(account)? })?;
        let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
        let number = made["double"].as_u64().unwrap_or_default();
        Ok(Double { number, device: text("device"), identity: text("identity") })
    }

    /// A device list, version 1, which names these devices as they are, and a double's after the first so
    /// many of them; signed by the double's own identity key.
    ///
    /// # Errors
    /// [`Lost`] where these are no devices.
    pub fn list(&mut self, double: &Double, others: &[Value], place: usize) -> Result<Value, Lost> {
        let others = others.iter().map(read).collect::<Result<_, _>>()?;
        let place = u64::try_from(place).unwrap_or(u64::MAX);
        self.doors.order(Order::List { double: double.number, others, place })
    }

    /// A key package of a double.
    ///
    /// # Errors
    /// [`Lost`] where it can't be made.
    pub fn package(&mut self, double: &Double) -> Result<Value, Lost> {
        self.doors.order(Order::Package { double: double.number })
    }

    /// A double joins what a welcome (base64) invites it to.
    ///
    /// # Errors
    /// [`Lost`] where the welcome is not for it.
    pub fn join(&mut self, double: &Double, welcome: &str) -> Result<(), Lost> {
        self.order(Order::Join { double: double.number, welcome: welcome.to_owned() })
    }

    /// The text of a message (base64) of a conversation that a double has joined.
    ///
    /// # Errors
    /// [`Lost`] where it can't be opened, or is no text.
    pub fn open(
        &mut self,
        double: &Double,
        conversation: &Value,
        body: &str,
    ) -> Result<String, Lost> {
        let (conversation, body) = (read(conversation)?, body.to_owned());
        let opened = self.doors.order(Order::Open { double: double.number, conversation, body })?;
        Ok(opened["text"].as_str().unwrap_or_default().to_owned())
    }

    fn order(&mut self, order: Order) -> Result<(), Lost> {
        self.doors.order(order).map(drop)
    }
}

/// What honest use sees over others' shoulders: to whoever is outside, nothing has happened.
impl Hands<'_> {
    fn happened(&mut self) -> &[Happened] {
        self.doors.world().map_or(&[], |world| World::happened(world))
    }

    /// What somebody of the lesson has read: sender, place, text.
    pub fn read_by(&mut self, name: &str) -> Vec<(String, String, String)> {
        let read = self.happened().iter().filter_map(|happened| match happened {
            Happened::Read { by, sender, place, text } if by.as_str() == name => {
                Some((sender.to_string(), place.to_string(), text.clone()))
            }
            _ => None,
        });
        read.collect()
    }

    /// What stands in one of the desk's books: row and value.
    pub fn recorded(&mut self, book: &str) -> Vec<(String, String)> {
        let rows = self.happened().iter().filter_map(|happened| match happened {
            Happened::Recorded { record, .. } if record.book == book => {
                Some((record.row.clone(), record.value.clone()))
            }
            _ => None,
        });
        rows.collect()
    }

    /// Where files lie that somebody has received, and what they say.
    pub fn written(&mut self, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let files = self.happened().iter().filter_map(|happened| match happened {
            Happened::Wrote { whose, path, content } if whose.as_str() == name => {
                Some((path.clone(), content.clone()))
            }
            _ => None,
        });
        files.collect()
    }

    /// The messages that somebody's client has shown.
    pub fn messages(&mut self, name: &str) -> Vec<Message> {
        let shown = self.happened().iter().filter_map(|happened| match happened {
            Happened::Shown { to, show } if to.as_str() == name => match &**show {
                Show::Message(message) => Some(message.clone()),
                _ => None,
            },
            _ => None,
        });
        shown.collect()
    }

    /// The texts that somebody's client has shown.
    pub fn texts(&mut self, name: &str) -> Vec<String> {
        let messages = self.messages(name);
        messages.iter().filter_map(|message| message.text().map(str::to_owned)).collect()
    }

    /// Somebody opens the server's own page; whether it gets its connection.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn at_home(&mut self, name: &str) -> Result<bool, Lost> {
        let opened = self.doors.world().map_or(Ok(false), |world| world.at_home(name));
        opened.map_err(|error| Lost::new("opening the server's own page", error))
    }
}

impl fmt::Debug for Hands<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hands({} requests)", self.next_request)
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Lost> {
    serde_json::from_value(value.clone()).map_err(|error| Lost::new("reading what is given", error))
}
