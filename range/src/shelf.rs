//! The range's own shelf: files of several people, one behind the other in one virtual buffer, each fetched
//! in pieces by whoever has put it there. The chat's own blobs are files of their own, and their ranges are
//! a type that can't wrap; what the lesson is about needs neighbours, and a sum that can.
//!
//! Two requests, over the same connection as the chat's: `shelf`, what is there of one's own, and `resume`
//! with `file`, `offset` and `length`, so many bytes of it from there on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_proto::{Code, Refusal, encode_refusal};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

/// Where a file lies in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Its first byte.
    pub start: u32,
    /// How many there are.
    pub length: u32,
}

/// Which bytes of the buffer are given out: so many from there on, or fewer where the buffer ends before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first one.
    pub from: u32,
    /// How many.
    pub length: u32,
}

/// Which bytes a request for so many, from an offset on, may have; none is a refusal.
pub type Within = fn(Slot, u32, u32) -> Option<Span>;

/// Those of the file itself, in its whole length: the end is computed first, and has to exist.
#[must_use]
pub fn within(slot: Slot, offset: u32, length: u32) -> Option<Span> {
    let end = offset.checked_add(length)?;
    if end > slot.length {
        return None;
    }
    let from = slot.start.checked_add(offset)?;
    Some(Span { from, length })
}

/// Files in one buffer.
#[derive(Debug, Default)]
pub struct Shelf {
    buffer: Vec<u8>,
    own: Option<(String, Slot)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked<'a> {
    id: u64,
    request: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resume {
    file: String,
    offset: u32,
    length: u32,
}

impl Shelf {
    /// Puts a file behind the others; one with a name is the learner's.
    pub fn put(&mut self, own: Option<&str>, content: &[u8]) {
        let (start, length) = (u32::try_from(self.buffer.len()), u32::try_from(content.len()));
        if let (Some(name), Ok(start), Ok(length)) = (own, start, length) {
            self.own = Some((name.to_owned(), Slot { start, length }));
        }
        self.buffer.extend_from_slice(content);
    }

    /// The answer to a frame; none if it asks the shelf for nothing.
    #[must_use]
    pub fn answer(&self, within: Within, text: &str) -> Option<String> {
        let Asked { id, request, data } = serde_json::from_str(text).ok()?;
        let (name, slot) = self.own.as_ref()?;
        match request {
            "shelf" => {
                let files = json!([{"file": name, "bytes": slot.length}]);
                Some(json!({"id": id, "reply": "shelf", "data": {"files": files}}).to_string())
            }
            "resume" => Some(match self.piece(within, data) {
                Ok(piece) => {
                    let data = json!({"bytes": STANDARD.encode(piece)});
                    json!({"id": id, "reply": "piece", "data": data}).to_string()
                }
                Err(refusal) => encode_refusal(id, &refusal),
            }),
            _ => None,
        }
    }

    fn piece(&self, within: Within, data: &RawValue) -> Result<&[u8], Refusal> {
        let asked: Resume = serde_json::from_str(data.get())
            .map_err(|error| Refusal::new(Code::Malformed, error.to_string()))?;
        let own = self.own.as_ref().filter(|(name, _)| *name == asked.file);
        let (_, slot) =
            own.ok_or_else(|| Refusal::new(Code::NotFound, "there is no such file of yours"))?;
        let span = within(*slot, asked.offset, asked.length);
        let span = span.ok_or_else(|| Refusal::new(Code::Forbidden, "the file ends before"))?;
        let from = usize::try_from(span.from).unwrap_or(usize::MAX).min(self.buffer.len());
        let rest = self.buffer.get(from..).unwrap_or_default();
        let length = usize::try_from(span.length).unwrap_or(usize::MAX).min(rest.len());
        Ok(rest.get(..length).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Slot = Slot { start: 100, length: 50 };

    #[test]
    fn a_piece_lies_within_its_file() {
        let check = |offset: u32, length: u32, from: Option<u32>| {
            let span = from.map(|from| Span { from, length });
            assert_eq!(within(SLOT, offset, length), span, "{offset} {length}");
        };
        check(0, 50, Some(100));
        check(20, 30, Some(120));
        check(50, 0, Some(150));
        check(20, 31, None);
        check(51, 0, None);
        check(u32::MAX, 1, None);
        check(1, u32::MAX, None);
        check(u32::MAX - 9, 20, None);
    }

    #[test]
    fn only_own_files_are_given_out() {
        let mut shelf = Shelf::default();
        shelf.put(None, b"theirs ");
        shelf.put(Some("report"), b"mine");
        let check = |frame: &str, expected: Option<&str>| {
            let answer = shelf.answer(within, frame);
            let holds = |text: &str| answer.as_ref().is_some_and(|answer| answer.contains(text));
            assert!(expected.map_or(answer.is_none(), holds), "{frame}: {answer:?}");
        };
        let ask = |file: &str, offset: u32| {
            let data = format!(r#"{{"file":"{file}","offset":{offset},"length":2}}"#);
            format!(r#"{{"id":1,"request":"resume","data":{data}}}"#)
        };
        check(&ask("report", 1), Some("aW4=")); // "in"
        check(&ask("diary", 1), Some("not_found"));
        check(&ask("report", 3), Some("forbidden"));
        check(r#"{"id":1,"request":"resume","data":{"file":"report"}}"#, Some("malformed"));
        check(r#"{"id":1,"request":"shelf","data":{}}"#, Some("report"));
        check(r#"{"id":1,"request":"fetch","data":{}}"#, None);
        check("no frame", None);
    }
}
