//! The gateway's own voice: what people with accounts say in `#lobby`, said again to classroom guests and
//! signed by the gateway's key, once for each dialect; and what a device says to one guest, looked at before
//! it is sent. Both cost RSA operations, so they have a thread of their own.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use portcullis_crypto::AuthPublic;
use portcullis_crypto::classic::{ClassicKey, ClassicPublic};
use portcullis_proto::classroom::{self, DialectId, Payload};
use portcullis_proto::{Bytes, Kind, SignedContent, UserName};

use super::limits::ERRANDS;
use super::{Links, counter};
use crate::domain::Room;
use crate::hub::Batch;
use crate::metrics::Metrics;
use crate::socket::ConnectionId;

/// Something to be said.
#[derive(Debug)]
pub(crate) enum Errand {
    /// A text of an account, to the guests of these dialects.
    Say {
        /// The author.
        name: UserName,
        /// The key of the author's device.
        auth: AuthPublic,
        /// The envelope's body.
        body: Bytes,
        /// Those that are here.
        dialects: Vec<DialectId>,
    },
    /// A device's frame, to one guest.
    Tell {
        /// The guest's connections.
        connections: Vec<ConnectionId>,
        /// The device's key for the classroom.
        key: ClassicPublic,
        /// What it says.
        frame: String,
    },
}

/// Where errands go.
#[derive(Debug, Clone)]
pub(crate) struct Voice {
    errands: SyncSender<Errand>,
    metrics: Arc<Metrics>,
}

impl Voice {
    /// Starts the thread. It ends when every sender of errands is gone, or the hub is.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(
        key: ClassicKey,
        hub: SyncSender<Batch<Room>>,
        links: Arc<Links>,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let (errands, waiting) = sync_channel(ERRANDS);
        let speaker = Speaker { key, last: 0, hub, links, metrics: Arc::clone(&metrics) };
        let thread = std::thread::Builder::new().name("guest-voice".to_owned());
        thread.spawn(move || speaker.run(&waiting))?;
        Ok(Self { errands, metrics })
    }

    /// Never waits: see [`WAITING`].
    pub(crate) fn send(&self, errand: Errand) {
        if let Err(TrySendError::Full(_)) = self.errands.try_send(errand) {
            Metrics::count(&self.metrics.guests.unsaid);
        }
    }
}

struct Speaker {
    key: ClassicKey,
    /// The last counter that was signed.
    last: u64,
    hub: SyncSender<Batch<Room>>,
    links: Arc<Links>,
    metrics: Arc<Metrics>,
}

impl Speaker {
    fn run(mut self, errands: &Receiver<Errand>) {
        for errand in errands {
            let mut batch = Batch::new();
            match errand {
                Errand::Say { name, auth, body, dialects } => {
                    self.say(&name, &auth, &body, &dialects, &mut batch);
                }
                Errand::Tell { connections, key, frame } => {
                    self.tell(&connections, &key, &frame, &mut batch);
                }
            }
            if !batch.is_empty() && self.hub.send(batch).is_err() {
                return;
            }
        }
    }

    fn say(
        &mut self,
        name: &UserName,
        auth: &AuthPublic,
        body: &Bytes,
        dialects: &[DialectId],
        batch: &mut Batch<Room>,
    ) {
        let content = SignedContent::from_body(body).and_then(|signed| signed.open(auth));
        let text = match content.map(|content| content.kind) {
            Ok(Kind::Text(text)) => text,
            Ok(Kind::Edit { text }) => format!("(edited) {text}"),
            _ => return,
        };
        let message = spoken(name, &text);
        self.last = (self.last + 1).max(counter());
        for dialect in dialects {
            if let Some(frame) = self.write(*dialect, &message) {
                batch.room(Room::Guests(*dialect), frame.as_bytes());
            }
        }
        if !self.links.is_empty()
            && let Some(frame) = self.write(DialectId::BY_THE_TEXT, &message)
        {
            self.links.say(&frame);
        }
    }

    fn write(&self, dialect: DialectId, message: &str) -> Option<String> {
        let frame = classroom::write_public_chat(dialect, &self.key, self.last, message);
        if frame.is_err() {
            Metrics::count(&self.metrics.guests.unsaid);
        }
        frame.ok()
    }

    /// Guests seldom verify, so nothing unverified reaches them.
    fn tell(
        &self,
        connections: &[ConnectionId],
        key: &ClassicPublic,
        frame: &str,
        batch: &mut Batch<Room>,
    ) {
        let sound = match classroom::Incoming::read(frame) {
            Ok(classroom::Incoming::Signed(signed)) => {
                matches!(signed.payload(), Payload::Chat(_)) && signed.verify(key, None).is_ok()
            }
            _ => false,
        };
        if !sound {
            return Metrics::count(&self.metrics.guests.forged);
        }
        for connection in connections {
            match connection.is_link() {
                true => self.links.send(*connection, frame),
                false => batch.reply(*connection, frame.as_bytes()),
            }
        }
    }
}

/// `name: text` on one line: whatever breaks lines or steers a terminal is escaped, so that no text can
/// look like two, the second of them by somebody else.
fn spoken(name: &UserName, text: &str) -> String {
    let mut line = format!("{name}: ");
    for letter in text.chars() {
        match letter {
            '\u{2028}' | '\u{2029}' => line.extend(letter.escape_unicode()),
            letter if letter.is_control() => line.extend(letter.escape_default()),
            letter => line.push(letter),
        }
    }
    line
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_line_by_one_author() {
        let check = |text: &str, expected: &str| {
            assert_eq!(spoken(&UserName::parse("mira").unwrap(), text), expected);
        };
        check("hello", "mira: hello");
        check("hi\noleg: pay me", "mira: hi\\noleg: pay me");
        check("hi\r\noleg: pay", "mira: hi\\r\\noleg: pay");
        check("hi\u{2028}oleg: pay", "mira: hi\\u{2028}oleg: pay");
        check("\u{1b}[2J\u{85}", "mira: \\u{1b}[2J\\u{85}");
        check("naïve 🙂", "mira: naïve 🙂");
    }
}
