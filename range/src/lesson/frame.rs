//! Frames to and from the desk: JSON objects like the chat's own, read into types; what is not known is refused.

use portcullis_proto::{Bytes, ChannelName, Code, Refusal, UserName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What is sealed, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What somebody says: AES-GCM.
    Word,
    /// What somebody wants done: AES-CTR and a code.
    Order,
    /// What is answered by a receipt: AES-CBC and a code.
    Note,
    /// A group's key, under the key of two people.
    Key,
}

impl Kind {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Word => "word",
            Self::Order => "order",
            Self::Note => "note",
            Self::Key => "key",
        }
    }
}

/// What stands around a sealed message, for all to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub kind: Kind,
    /// Who says it.
    pub from: UserName,
    /// Where.
    pub place: ChannelName,
}

/// A sealed message on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// What it is.
    pub kind: Kind,
    /// Who says it, as it says.
    pub from: UserName,
    /// Where.
    pub place: ChannelName,
    /// For whom alone, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<UserName>,
    /// 12 bytes; a note has 16, which are mixed into its first block.
    pub nonce: Bytes,
    /// What was encrypted. A word's code stands at its end.
    pub body: Bytes,
    /// The code of an order or a note.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub tag: Bytes,
}

impl Sealed {
    /// What stands around it.
    #[must_use]
    pub fn header(&self) -> Header {
        Header { kind: self.kind, from: self.from.clone(), place: self.place.clone() }
    }
}

fn is_empty(bytes: &Bytes) -> bool {
    bytes.as_slice().is_empty()
}

/// What somebody asks of the desk.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "request", content = "data", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Passes a sealed message to everybody.
    Post(Sealed),
    /// The messages that were passed, from a number on.
    Posts {
        /// The number that was read last.
        after: usize,
    },
    /// A receipt for a note.
    Receipt {
        /// The note.
        post: usize,
        /// In a word.
        word: String,
        /// Blocks gone through.
        work: usize,
    },
    /// The keys that the learner's own client holds: it is that which answers, and nobody else can ask.
    Keys {},
    /// Asks somebody something, in the open.
    Ask {
        /// Whom.
        to: UserName,
        /// What.
        text: String,
    },
    /// Answers in the open.
    Answer {
        /// What.
        text: String,
    },
    /// An invitation for one person.
    Invite {},
    /// Comes in by an invitation.
    Claim {
        /// The invitation.
        code: String,
        /// Under which name.
        name: String,
    },
    /// Changes one's profile, and shows it.
    Profile(Map<String, Value>),
    /// What the program `strings` finds in the desk's binary.
    Strings {},
    /// The operator's page.
    Operator {
        /// The name.
        name: String,
        /// The password.
        password: String,
    },
    /// Writes to the operator.
    Write {
        /// What.
        text: String,
    },
    /// The log.
    Log {},
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    id: u64,
    request: String,
    #[serde(default)]
    data: Map<String, Value>,
}

impl Request {
    /// Reads a frame: its number, and what it asks.
    ///
    /// # Errors
    /// The number, or 0, and how the frame is refused.
    pub fn read(text: &str) -> Result<(u64, Self), (u64, Refusal)> {
        let raw: Raw = serde_json::from_str(text).map_err(|error| (0, malformed(&error)))?;
        let Raw { id, request, data } = raw;
        let request = serde_json::from_value(json!({"request": request, "data": data}));
        Ok((id, request.map_err(|error| (id, malformed(&error)))?))
    }
}

fn malformed(error: &serde_json::Error) -> Refusal {
    Refusal::new(Code::Malformed, format!("the desk does not understand this: {error}"))
}

/// The frame of an answer.
pub(super) fn reply(id: u64, name: &str, data: &Value) -> String {
    json!({"id": id, "reply": name, "data": data}).to_string()
}

/// The frame of something that nobody asked for.
pub(super) fn event(name: &str, data: &Value) -> String {
    json!({"event": name, "data": data}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_refused() {
        let check =
            |text: &str, read: bool| assert_eq!(Request::read(text).is_ok(), read, "{text}");
        check(r##"{"id":1,"request":"log"}"##, true);
        check(r##"{"id":1,"request":"log","data":{}}"##, true);
        check(r##"{"id":1,"request":"log","data":{"all":true}}"##, false);
        check(r##"{"id":1,"request":"log","more":1}"##, false);
        check(r##"{"id":1,"request":"open_sesame","data":{}}"##, false);
        check(r##"{"id":1,"request":"profile","data":{"anything":1}}"##, true);
        check(r##"{"id":1,"request":"posts","data":{"after":0}}"##, true);
        check(r##"{"id":1,"request":"posts","data":{"after":-1}}"##, false);
        let sealed = r##""kind":"word","from":"mira","place":"#den","nonce":"AA==","body":"AA==""##;
        check(&format!(r##"{{"id":1,"request":"post","data":{{{sealed}}}}}"##), true);
        check(&format!(r##"{{"id":1,"request":"post","data":{{{sealed},"why":1}}}}"##), false);
        check("", false);
    }
}
