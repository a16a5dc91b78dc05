//! The frames a server writes: unmasked, never fragmented, so that one encoding serves every
//! receiver. Reading is left to tungstenite. Source: RFC 6455 sections 5.2, 5.5 and 7.4.

use bytes::Bytes;

/// Why a connection is closed: the status codes of RFC 6455 section 7.4.1 that this server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    /// 1000: the purpose is fulfilled.
    Normal = 1000,
    /// 1001: the server is going down.
    GoingAway = 1001,
    /// 1002: a breach of the WebSocket protocol.
    Protocol = 1002,
    /// 1003: binary frames aren't accepted.
    Unsupported = 1003,
    /// 1007: text that is not UTF-8.
    NotUtf8 = 1007,
    /// 1008: a breach of this server's own rules.
    Policy = 1008,
    /// 1009: larger than this server accepts.
    TooBig = 1009,
    /// 1011: the server failed.
    Failed = 1011,
    /// 1013: too many at the moment (IANA's registry of close codes).
    TryLater = 1013,
}

/// A ping without payload, framed.
pub const PING: &[u8] = &[FINAL | OPCODE_PING, 0];

/// Appends `payload` to `out` as one text frame. The header takes 2, 4 or 10 bytes.
pub fn append_text(payload: &[u8], out: &mut Vec<u8>) {
    append(OPCODE_TEXT, payload, out);
}

/// `payload` as one text frame of its own.
pub fn text(payload: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(payload.len() + LONGEST_HEADER);
    append_text(payload, &mut out);
    Bytes::from(out)
}

/// `payload` as one binary frame of its own.
pub fn binary(payload: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(payload.len() + LONGEST_HEADER);
    append(OPCODE_BINARY, payload, &mut out);
    Bytes::from(out)
}

/// A close frame. A reason longer than the 123 bytes a control frame has room for is cut at a
/// character.
pub fn close(code: CloseCode, reason: &str) -> Bytes {
    let mut end = reason.len().min(LONGEST_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = Vec::with_capacity(2 + end);
    payload.extend_from_slice(&(code as u16).to_be_bytes());
    payload.extend_from_slice(reason.as_bytes().get(..end).unwrap_or_default());
    let mut out = Vec::with_capacity(payload.len() + 2);
    append(OPCODE_CLOSE, &payload, &mut out);
    Bytes::from(out)
}

const FINAL: u8 = 0x80;
const OPCODE_TEXT: u8 = 0x1;
const OPCODE_BINARY: u8 = 0x2;
const OPCODE_CLOSE: u8 = 0x8;
const OPCODE_PING: u8 = 0x9;
/// Bytes of the longest header without a mask.
const LONGEST_HEADER: usize = 10;
/// Bytes of the longest close reason: 125 less the code.
const LONGEST_REASON: usize = 123;

fn append(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(FINAL | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short), _) if short < 126 => out.push(short),
        (_, Ok(medium)) => {
            out.push(126);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn headers_follow_the_length() {
        fn check(length: usize, header: &[u8]) {
            let framed = text(&vec![b'x'; length]);
            assert_eq!(&framed[..header.len()], header, "length {length}");
            assert_eq!(framed.len(), header.len() + length);
        }
        check(0, &[0x81, 0]);
        check(125, &[0x81, 125]);
        check(126, &[0x81, 126, 0, 126]);
        check(65_535, &[0x81, 126, 0xff, 0xff]);
        check(65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn close_reasons_fit_a_control_frame() {
        fn check(reason: &str, kept: usize) {
            let framed = close(CloseCode::Policy, reason);
            assert_eq!(framed[0], 0x88);
            assert_eq!(usize::from(framed[1]), 2 + kept);
            assert_eq!(&framed[2..4], &1008u16.to_be_bytes());
            assert_eq!(&framed[4..], &reason.as_bytes()[..kept]);
        }
        check("", 0);
        check("too many", 8);
        check(&"x".repeat(200), 123);
        check(&"é".repeat(62), 122);
    }
}
