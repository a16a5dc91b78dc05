//! The doors of a world, as whoever acts in it has them. Exploits and honest uses go through these, by
//! [`Hands`](crate::hands::Hands): in a trial they lead straight into a world of this process, and a
//! learner's are sockets of a range that runs. What can be done by the one can be done by the other.

use crate::flaws::Lost;
use crate::plane::Secrets;
use crate::world::{Held, Line, Order, Passage, World, WorldError};
use serde_json::Value;

/// A way into a world that leads to frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The server's wire, before a login.
    Connect,
    /// The same, logged in as the learner's account.
    Session,
    /// The lesson's desk.
    Desk,
}

/// A frame that has passed, as it can be read.
#[derive(Debug, Clone)]
pub struct Overheard {
    /// When, by the world's clock, in milliseconds.
    pub at: u64,
    /// From whom.
    pub from: String,
    /// To whom.
    pub to: String,
    /// The frame.
    pub frame: Value,
}

/// What somebody outside a world can do in it.
pub trait Doors {
    /// The learner's own nonce, as the story shows it.
    fn nonce(&self) -> &str;

    /// Goes in.
    ///
    /// # Errors
    /// [`Lost`] where one can't.
    fn enter(&mut self, way: Way) -> Result<Line, Lost>;

    /// Sends a frame as it is.
    ///
    /// # Errors
    /// [`Lost`] where the connection is gone.
    fn send(&mut self, line: Line, text: &str) -> Result<(), Lost>;

    /// What has come on a connection since the last time, down to what the last input led to.
    fn receive(&mut self, line: Line) -> Vec<String>;

    /// Has something done; what there is to tell of it.
    ///
    /// # Errors
    /// [`Lost`] where it can't be done, or is not the learner's to order.
    fn order(&mut self, order: Order) -> Result<Value, Lost>;

    /// The frames that are held, the oldest first.
    fn held(&mut self) -> Vec<Held>;

    /// Puts up a web page of one's own at this address.
    ///
    /// # Errors
    /// [`Lost`] where one can't have it there.
    fn page(&mut self, origin: &str) -> Result<(), Lost>;

    /// The connections that one's pages have got since the last time, in browsers that came.
    fn visits(&mut self) -> Vec<Line>;

    /// What has passed on the wire, as far as one may read it.
    fn overheard(&mut self) -> Vec<Overheard>;

    /// Seconds pass.
    ///
    /// # Errors
    /// [`Lost`] where they don't.
    fn wait(&mut self, seconds: u32) -> Result<(), Lost>;

    /// The world itself, for honest use, which looks over shoulders. From outside nobody has it.
    fn world(&mut self) -> Option<&mut World> {
        None
    }
}

/// The doors of a world in this process, which open without a key.
#[derive(Debug)]
pub struct Inside<'w> {
    world: &'w mut World,
    nonce: &'w str,
}

impl<'w> Inside<'w> {
    /// The doors of this world. Of the secrets they know what a learner is told: the nonce.
    pub fn new(world: &'w mut World, secrets: &'w Secrets) -> Self {
        Self { world, nonce: &secrets.nonce }
    }
}

impl Doors for Inside<'_> {
    fn nonce(&self) -> &str {
        self.nonce
    }

    fn enter(&mut self, way: Way) -> Result<Line, Lost> {
        match way {
            Way::Connect => self.world.connect().map_err(lost("connecting")),
            Way::Session => self.world.session().map_err(lost("logging in")),
            Way::Desk => self.world.connect_desk().map_err(lost("connecting to the desk")),
        }
    }

    fn send(&mut self, line: Line, text: &str) -> Result<(), Lost> {
        self.world.send(line, text).map_err(lost("sending"))
    }

    fn receive(&mut self, line: Line) -> Vec<String> {
        self.world.receive(line)
    }

    fn order(&mut self, order: Order) -> Result<Value, Lost> {
        let what = order.what();
        self.world.obey(order).map_err(lost(what))
    }

    fn held(&mut self) -> Vec<Held> {
        self.world.held()
    }

    fn page(&mut self, origin: &str) -> Result<(), Lost> {
        self.world.put_up_page(origin).map_err(lost("putting up a page"))
    }

    fn visits(&mut self) -> Vec<Line> {
        self.world.visits().into_iter().map(|visit| visit.line).collect()
    }

    fn overheard(&mut self) -> Vec<Overheard> {
        self.world.wire().passages().filter_map(read).collect()
    }

    fn wait(&mut self, seconds: u32) -> Result<(), Lost> {
        (0..seconds).try_for_each(|_| self.world.tick()).map_err(lost("waiting"))
    }

    fn world(&mut self) -> Option<&mut World> {
        Some(self.world)
    }
}

fn read(passage: &Passage) -> Option<Overheard> {
    Some(Overheard {
        at: passage.at.0,
        from: passage.from.to_string(),
        to: passage.to.to_string(),
        frame: serde_json::from_str(&passage.text).ok()?,
    })
}

fn lost(tried: &'static str) -> impl Fn(WorldError) -> Lost {
    move |error| Lost::new(tried, error)
}
