//! PEM of a public key (RFC 7468): `-----BEGIN PUBLIC KEY-----`, base64 of the `SubjectPublicKeyInfo`, end.
//!
//! Clients break it into lines differently, and some hash the text as it stands, so a layout is data.
//! Leaves out other labels, and whether the key is one that counts.

use super::frame::{BadFrame, to_base64};
use crate::limits;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// Letters of base64 on one line (RFC 7468 section 2).
const COLUMNS: usize = 64;

/// How a PEM is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PemLayout {
    /// Where its lines end.
    pub wrap: Wrap,
    /// Whether a line end follows its last line.
    pub last_newline: bool,
}

/// Where the lines of a PEM end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wrap {
    /// The base64 stands on one line, between the lines of the markers.
    Line,
    /// Lines of 64 letters.
    Columns,
    /// Markers and base64 all stand on one line.
    Flat,
}

impl PemLayout {
    /// Each of them.
    pub const ALL: [Self; 6] = {
        const fn of(wrap: Wrap, last_newline: bool) -> PemLayout {
            PemLayout { wrap, last_newline }
        }
        [
            of(Wrap::Line, false),
            of(Wrap::Line, true),
            of(Wrap::Columns, false),
            of(Wrap::Columns, true),
            of(Wrap::Flat, false),
            of(Wrap::Flat, true),
        ]
    };

    /// The layout that comes next to how this PEM was laid out.
    #[must_use]
    pub fn of(pem: &str) -> Self {
        let lines = pem.trim_ascii().lines().count();
        let wrap = match lines {
            0 | 1 => Wrap::Flat,
            2 | 3 => Wrap::Line,
            _ => Wrap::Columns,
        };
        Self { wrap, last_newline: pem.ends_with('\n') }
    }
}

/// The PEM of a `SubjectPublicKeyInfo`, in this layout; lines end with a line feed.
#[must_use]
pub fn pem_of(spki: &[u8], layout: PemLayout) -> String {
    let body = body_of(spki);
    let (columns, newline) = match layout.wrap {
        Wrap::Line => (body.len(), "\n"),
        Wrap::Columns => (COLUMNS, "\n"),
        Wrap::Flat => (body.len(), ""),
    };
    let mut pem = BEGIN.to_owned();
    for (place, letter) in body.chars().enumerate() {
        let starts = place.checked_rem(columns) == Some(0);
        pem.push_str(if starts { newline } else { "" });
        pem.push(letter);
    }
    pem.push_str(newline);
    pem.push_str(END);
    pem.push_str(if layout.last_newline { "\n" } else { "" });
    pem
}

/// The base64 alone, without lines.
pub(super) fn body_of(spki: &[u8]) -> String {
    to_base64(spki)
}

/// The DER in a PEM: between the markers, white space may stand anywhere in the base64.
pub(super) fn der_of(pem: &str) -> Result<Vec<u8>, BadFrame> {
    if pem.len() > limits::GUEST_PEM_BYTES {
        return Err(BadFrame::Pem);
    }
    let inner = pem.trim_ascii().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
    let inner = inner.ok_or(BadFrame::Pem)?;
    let body: String = inner.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
    STANDARD.decode(body).map_err(|_| BadFrame::Pem)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Not a key: what is in the base64 is looked at elsewhere.
    const DER: [u8; 100] = [0x5a; 100];

    fn layout(wrap: Wrap, last_newline: bool) -> PemLayout {
        PemLayout { wrap, last_newline }
    }

    #[test]
    fn every_layout_is_written_recognised_and_read() {
        let check = |wrap, last_newline, expected: &str| {
            let pem = pem_of(&DER[..60], layout(wrap, last_newline));
            assert_eq!(pem, expected);
            assert_eq!(PemLayout::of(&pem), layout(wrap, last_newline));
            assert_eq!(der_of(&pem).unwrap(), DER[..60]);
        };
        let (first, last) = ("Wlpa".repeat(16), "Wlpa".repeat(4));
        check(Wrap::Line, false, &format!("{BEGIN}\n{first}{last}\n{END}"));
        check(Wrap::Line, true, &format!("{BEGIN}\n{first}{last}\n{END}\n"));
        check(Wrap::Columns, false, &format!("{BEGIN}\n{first}\n{last}\n{END}"));
        check(Wrap::Columns, true, &format!("{BEGIN}\n{first}\n{last}\n{END}\n"));
        check(Wrap::Flat, false, &format!("{BEGIN}{first}{last}{END}"));
        check(Wrap::Flat, true, &format!("{BEGIN}{first}{last}{END}\n"));
        assert_eq!(PemLayout::ALL.len(), 6);
    }

    #[test]
    fn white_space_stands_anywhere_but_in_the_markers() {
        let check = |change: fn(&str) -> String, expected: Option<PemLayout>| {
            let pem = change(&pem_of(&DER, layout(Wrap::Columns, true)));
            let read = der_of(&pem).ok();
            assert_eq!(read.as_deref(), expected.map(|_| DER.as_slice()), "{pem:?}");
            assert!(expected.is_none_or(|layout| PemLayout::of(&pem) == layout), "{pem:?}");
        };
        check(|pem| pem.replace('\n', "\r\n"), Some(layout(Wrap::Columns, true)));
        check(|pem| pem.replace('\n', " "), Some(layout(Wrap::Flat, false)));
        check(|pem| pem.replace('\n', "\n\n"), Some(layout(Wrap::Columns, true)));
        check(|pem| format!("\n  {pem}"), Some(layout(Wrap::Columns, true)));
        check(|pem| pem.replace("PUBLIC KEY", "PUBLIC  KEY"), None);
        check(|pem| pem.replace("PUBLIC", "RSA PUBLIC"), None);
        check(|pem| pem.replace("-----END PUBLIC KEY-----\n", ""), None);
        check(|pem| pem.replace(BEGIN, ""), None);
        check(|pem| pem.repeat(2), None);
        check(|pem| pem.replace("PUBLIC", "PRIVATE"), None);
        check(|pem| pem.replace("Wlpa\n", "Wl*a\n"), None);
        check(|pem| pem.replace("Wg==", "Wh=="), None);
        check(|pem| pem.replace("Wg==", "Wg"), None);
        check(|pem| pem.replace('\n', "\\n"), None);
        check(|pem| format!("key: {pem}"), None);
        check(|pem| format!("{pem}{}", " ".repeat(limits::GUEST_PEM_BYTES)), None);
    }
}
