//! A file is handed on as something to be saved, which no browser opens, and under a harmless name.
//!
//! Attack: somebody sends a web page or a picture with a script in it, and whoever opens its address runs
//! it with the rights of this server's own pages; or a file whose name breaks out of its header, or hides
//! that it is a program.
//! CWE-434, unrestricted upload of file with dangerous type; CWE-79; CWE-113; CWE-451.
//! Precedent: CVE-2018-16477 (Rails Active Storage: uploaded HTML opened in place); CVE-2023-29401 (Gin: a
//! file's name changes its Content-Disposition).

use core::fmt::Write as _;

/// Proof that a file's headers keep it from being opened, whatever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    name: Option<String>,
    headers: Vec<(&'static str, String)>,
}

impl Attachment {
    /// How the file's name is written in an address: in ASCII (RFC 3986 section 2.1). None where it has no
    /// name.
    #[must_use]
    pub fn segment(&self) -> Option<String> {
        self.name.as_deref().map(percent)
    }

    /// The headers, in lower case, each value in visible ASCII.
    #[must_use]
    pub fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }

    /// For the range's unsound twins: without any care.
    #[must_use]
    pub const fn unproven(name: Option<String>, headers: Vec<(&'static str, String)>) -> Self {
        Self { name, headers }
    }
}

/// How a file is handed on that its sender, or whoever asks for it, calls `name`.
#[must_use]
pub fn attach_upload(name: Option<&str>) -> Attachment {
    let name = name.and_then(harmless);
    let fixed = FIXED.map(|(header, value)| (header, value.to_owned()));
    let mut headers = Vec::from(fixed);
    headers.push(("content-disposition", disposition(name.as_deref())));
    Attachment { name, headers }
}

/// What every file comes with. The policy is for a browser that would open it nevertheless: `sandbox`
/// takes the page's origin away, and the rest lets it load nothing.
const FIXED: [(&str, &str); 4] = [
    ("content-type", "application/octet-stream"),
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "sandbox; default-src 'none'"),
    ("cache-control", "private, no-store"),
];

/// Bytes of a name: what the common file systems take, and room for what a browser adds.
const NAME_BYTES: usize = 200;

/// What stays of a name: its last part, without characters that can't be seen, or that file systems take
/// for something else.
fn harmless(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut kept = String::new();
    for letter in last.chars().filter(|letter| !is_hidden(*letter)) {
        let letter = if "<>:\"|?*".contains(letter) { '_' } else { letter };
        // What begins with a dot is hidden on some systems.
        let leads = kept.is_empty() && (letter == '.' || letter.is_whitespace());
        if !leads && kept.len() + letter.len_utf8() <= NAME_BYTES {
            kept.push(letter);
        }
    }
    // Windows drops these, and so shows another ending than it takes.
    let kept = kept.trim_end_matches(|letter: char| letter == '.' || letter.is_whitespace());
    (!kept.is_empty()).then(|| kept.to_owned())
}

/// Control characters, and those that change the direction of what follows or take no room: Unicode's
/// categories Zl, Zp and the dangerous ones of Cf (Unicode Technical Report 36).
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// RFC 6266: a plain name for whoever knows no better, and the whole one for everybody else.
fn disposition(name: Option<&str>) -> String {
    let Some(name) = name else { return "attachment".to_owned() };
    let plain = |letter: char| if is_plain(letter) { letter } else { '_' };
    let plain: String = name.chars().map(plain).collect();
    if plain == name {
        return format!("attachment; filename=\"{plain}\"");
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", percent(name))
}

/// Percent-encodes all but what both RFC 3986 (`unreserved`) and RFC 8187 (`attr-char`) leave alone.
fn percent(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if is_plain(char::from(byte)) {
            text.push(char::from(byte));
        } else {
            // Writing to a String can't fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

const fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '_' | '~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};

    fn header(attachment: &Attachment, name: &str) -> Option<String> {
        let mut headers = attachment.headers().iter();
        headers.find(|(header, _)| *header == name).map(|(_, value)| value.clone())
    }

    fn check(name: &str, segment: Option<&str>, disposition: &str) {
        let attachment = (SOUND.attach_upload)(Some(name));
        assert_eq!(attachment.segment().as_deref(), segment, "{name:?}");
        let found = header(&attachment, "content-disposition");
        assert_eq!(found.as_deref(), Some(disposition), "{name:?}");
        let mut values = attachment.headers().iter().flat_map(|(_, value)| value.bytes());
        assert!(values.all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{name:?}");
        // Whoever fetches says the name that the sender was given: it stays the same.
        let again = attachment.name.as_deref().map(|name| (SOUND.attach_upload)(Some(name)));
        assert_eq!(again, segment.map(|_| attachment), "{name:?}");
    }

    #[test]
    fn names_become_harmless() {
        let plain = |name: &str| format!("attachment; filename=\"{name}\"");
        let both = |plain: &str, whole: &str| {
            format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}")
        };
        check("notes.txt", Some("notes.txt"), &plain("notes.txt"));
        check("my notes.txt", Some("my%20notes.txt"), &both("my_notes.txt", "my%20notes.txt"));
        check("für.txt", Some("f%C3%BCr.txt"), &both("f_r.txt", "f%C3%BCr.txt"));
        check("a%2e.txt", Some("a%252e.txt"), &both("a_2e.txt", "a%252e.txt"));
        check("../../etc/passwd", Some("passwd"), &plain("passwd"));
        check("C:\\temp\\a.txt", Some("a.txt"), &plain("a.txt"));
        check(".bashrc", Some("bashrc"), &plain("bashrc"));
        check(" . .a.exe. . ", Some("a.exe"), &plain("a.exe"));
        check(
            "a\"; filename=b.exe",
            Some("a_%3B%20filename%3Db.exe"),
            &both("a___filename_b.exe", "a_%3B%20filename%3Db.exe"),
        );
        check(
            "a\r\nSet-Cookie: b",
            Some("aSet-Cookie_%20b"),
            &both("aSet-Cookie__b", "aSet-Cookie_%20b"),
        );
        check("exe\u{202e}txt.bat", Some("exetxt.bat"), &plain("exetxt.bat"));
        check("a\u{200b}\u{0}.txt", Some("a.txt"), &plain("a.txt"));
        check("", None, "attachment");
        check("..", None, "attachment");
        check("a/", None, "attachment");
        check(&"x".repeat(500), Some(&"x".repeat(200)), &plain(&"x".repeat(200)));
        let long = format!("{}é. .", "x".repeat(197));
        let kept = format!("{}%C3%A9", "x".repeat(197));
        check(&long, Some(&kept), &both(&format!("{}_", "x".repeat(197)), &kept));
    }

    /// Whether a browser would open a file with these headers as a page.
    fn is_opened(attachment: &Attachment) -> bool {
        let has = |name, part| header(attachment, name).is_some_and(|value| value.contains(part));
        !has("content-disposition", "attachment")
            || !has("content-type", "application/octet-stream")
            || !has("x-content-type-options", "nosniff")
            || !has("content-security-policy", "sandbox")
    }

    #[test]
    fn nothing_is_opened() {
        assert!(!is_opened(&(SOUND.attach_upload)(None)));
        assert!(!is_opened(&(SOUND.attach_upload)(Some("page.html"))));
        let unsound = Defences {
            attach_upload: |name| {
                Attachment::unproven(
                    name.map(str::to_owned),
                    vec![("content-type", "text/html".to_owned())],
                )
            },
            ..SOUND
        };
        assert!(is_opened(&(unsound.attach_upload)(Some("page.html"))));
    }
}
