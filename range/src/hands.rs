//! A learner's hands: what somebody outside a world can do in it, and nothing more. The reference exploits
//! and the honest uses are written with these, so each of their steps is open to a learner as well.

use crate::double::Double;
use crate::flaws::Lost;
use crate::plane::Secrets;
use crate::world::{Decision, Happened, Held, HeldId, Line, World, WorldError};
use portcullis_client_core::{Command, Message, Show};
use serde_json::{Value, json};
use std::path::Path;

/// The learner's account in every world.
pub const YOU: &str = "you";

/// Somebody's hands in a world.
#[derive(Debug)]
pub struct Hands<'w> {
    world: &'w mut World,
    secrets: &'w Secrets,
    next_request: u64,
}

impl<'w> Hands<'w> {
    /// Hands in this world. Of the secrets they use what a learner is told: the nonce.
    pub const fn new(world: &'w mut World, secrets: &'w Secrets) -> Self {
        Self { world, secrets, next_request: 0 }
    }

    /// The learner's own nonce, as the story shows it.
    #[must_use]
    pub fn nonce(&self) -> &str {
        &self.secrets.nonce
    }

    /// A connection that has not logged in.
    ///
    /// # Errors
    /// [`Lost`] where there is none to be had.
    pub fn connect(&mut self) -> Result<Line, Lost> {
        self.world.connect().map_err(lost("connecting"))
    }

    /// A connection that is a session of the learner's account already.
    ///
    /// # Errors
    /// [`Lost`] where there is none to be had.
    pub fn session(&mut self) -> Result<Line, Lost> {
        self.world.session().map_err(lost("logging in"))
    }

    /// A connection to the lesson's desk.
    ///
    /// # Errors
    /// [`Lost`] where there is none to be had.
    pub fn desk(&mut self) -> Result<Line, Lost> {
        self.world.connect_desk().map_err(lost("connecting to the desk"))
    }

    /// Somebody on the network breaks a connection of the lesson's people.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn sever(&mut self, whose: &str) -> Result<(), Lost> {
        self.world.sever(whose).map_err(lost("breaking a connection"))
    }

    /// What somebody of the lesson has read: sender, place, text. For honest use, which looks over shoulders.
    #[must_use]
    pub fn read_by(&self, name: &str) -> Vec<(String, String, String)> {
        let read = self.world.happened().iter().filter_map(|happened| match happened {
            Happened::Read { by, sender, place, text } if by.as_str() == name => {
                Some((sender.to_string(), place.to_string(), text.clone()))
            }
            _ => None,
        });
        read.collect()
    }

    /// What stands in one of the desk's books: row and value. For honest use.
    #[must_use]
    pub fn recorded(&self, book: &str) -> Vec<(String, String)> {
        let rows = self.world.happened().iter().filter_map(|happened| match happened {
            Happened::Recorded { record, .. } if record.book == book => {
                Some((record.row.clone(), record.value.clone()))
            }
            _ => None,
        });
        rows.collect()
    }

    /// Sends a frame as it is.
    ///
    /// # Errors
    /// [`Lost`] where the connection is gone.
    pub fn send(&mut self, line: Line, text: &str) -> Result<(), Lost> {
        self.world.send(line, text).map_err(lost("sending"))
    }

    /// What has come on a connection since the last time.
    pub fn hear(&mut self, line: Line) -> Vec<Value> {
        let frames = self.world.receive(line);
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

    /// The learner does something with an ordinary client of theirs.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn does(&mut self, command: Command) -> Result<(), Lost> {
        self.world.stage().does(YOU, command).map_err(lost("a command"))
    }

    /// Says something in a conversation, with an ordinary client.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn says(&mut self, place: &str, text: &str) -> Result<(), Lost> {
        self.world.stage().says(YOU, place, text).map_err(lost("saying something"))
    }

    /// Offers a file in a conversation, with an ordinary client.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn offers(&mut self, place: &str, name: &str, content: &str) -> Result<(), Lost> {
        self.world.stage().offers(YOU, place, name, content).map_err(lost("offering a file"))
    }

    /// Where files lie that somebody has received, and what they say. Honest use looks on.
    pub fn written(&self, name: &str) -> impl Iterator<Item = (&Path, &[u8])> {
        self.world.happened().iter().filter_map(move |happened| match happened {
            Happened::Wrote { whose, path, content } if whose.as_str() == name => {
                Some((path.as_path(), content.as_slice()))
            }
            _ => None,
        })
    }

    /// The frames that the server has sent to the learner's own client.
    #[must_use]
    pub fn own_frames(&self) -> Vec<Value> {
        let all = self.overheard().into_iter();
        all.filter(|(_, to, _)| to == YOU).map(|(_, _, frame)| frame).collect()
    }

    /// What the learner's own client has shown.
    pub fn shown(&self) -> impl DoubleEndedIterator<Item = &Show> {
        self.shown_to(YOU)
    }

    /// The messages that somebody's client has shown. The learner has only their own client's; honest use
    /// looks over others' shoulders to see that it works.
    pub fn shown_to(&self, name: &str) -> impl DoubleEndedIterator<Item = &Show> {
        self.world.happened().iter().filter_map(move |happened| match happened {
            Happened::Shown { to, show } if to.as_str() == name => Some(&**show),
            _ => None,
        })
    }

    /// The texts that somebody's client has shown.
    #[must_use]
    pub fn texts(&self, name: &str) -> Vec<String> {
        let messages = self.shown_to(name).filter_map(|show| match show {
            Show::Message(message) => message.text().map(str::to_owned),
            _ => None,
        });
        messages.collect()
    }

    /// The message with this text, as somebody's client has shown it.
    #[must_use]
    pub fn message(&self, name: &str, text: &str) -> Option<&Message> {
        self.shown_to(name).find_map(|show| match show {
            Show::Message(message) if message.text() == Some(text) => Some(message),
            _ => None,
        })
    }

    /// Seconds pass.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn wait(&mut self, seconds: u32) -> Result<(), Lost> {
        (0..seconds).try_for_each(|_| self.world.tick()).map_err(lost("waiting"))
    }

    /// What the world's clock says, in milliseconds, as the wire shows it beside each frame.
    #[must_use]
    pub const fn clock(&self) -> u64 {
        self.world.now().0
    }

    /// Puts up a web page of one's own at this address.
    ///
    /// # Errors
    /// [`Lost`] where one can't have it there.
    pub fn page(&mut self, origin: &str) -> Result<(), Lost> {
        self.world.put_up_page(origin).map_err(lost("putting up a page"))
    }

    /// The connections that one's pages have got, each in the browser of somebody who came.
    pub fn visits(&mut self) -> Vec<Line> {
        self.world.visits()
    }

    /// Somebody opens the server's own page; whether it gets its connection. Honest use looks on.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn at_home(&mut self, name: &str) -> Result<bool, Lost> {
        self.world.at_home(name).map_err(lost("opening the server's own page"))
    }

    /// The operator lays a hand on the wire, or takes it away.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn hold(&mut self, on: bool) -> Result<(), Lost> {
        self.world.hold(on).map_err(lost("holding the wire"))
    }

    /// The frames that the operator holds.
    #[must_use]
    pub fn held(&self) -> Vec<Held> {
        self.world.held()
    }

    /// The operator decides.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn decide(&mut self, id: HeldId, decision: Decision) -> Result<(), Lost> {
        self.world.decide(id, decision).map_err(lost("deciding"))
    }

    /// The operator sends a frame that nobody made: down to somebody, or up in their name.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn inject(&mut self, whose: &str, up: bool, text: &str) -> Result<(), Lost> {
        self.world.inject(whose, up, text).map_err(lost("sending a frame of one's own"))
    }

    /// The operator makes keys in the name of this account, by its id.
    ///
    /// # Errors
    /// [`Lost`] where this is no account's id.
    pub fn double(&mut self, account: &Value) -> Result<Double, Lost> {
        let account = serde_json::from_value(account.clone());
        let account = account.map_err(|error| Lost::new("reading an account's id", error))?;
        Ok(self.world.double(account))
    }

    /// The operator, or somebody on the network, reads what has passed: sender, receiver, frame.
    #[must_use]
    pub fn overheard(&self) -> Vec<(String, String, Value)> {
        let passages = self.world.wire().passages();
        let read = passages.filter_map(|passage| {
            let frame = serde_json::from_str(&passage.text).ok()?;
            Some((passage.from.to_string(), passage.to.to_string(), frame))
        });
        read.collect()
    }
}

fn lost(tried: &'static str) -> impl Fn(WorldError) -> Lost {
    move |error| Lost::new(tried, error)
}
