//! A form's one file, taken out of the bytes as they come: never more is held than one packet, a part's
//! headers and a boundary, whatever the form says.
//!
//! Source: RFC 7578 (`multipart/form-data`), RFC 2046 section 5.1 (`multipart`). Leaves out nested
//! `multipart/mixed`, which RFC 7578 section 4.3 has given up, and every field but `file`.

mod parameters;

use crate::limits::{FORM_BOUNDARY_BYTES, FORM_HEAD_BYTES};
use parameters::{parameter, percent_decoded};

/// The field that is taken.
const FIELD: &str = "file";

/// Why a form can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadForm;

/// What comes out of a form, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The file begins; what its sender calls it.
    Begins(Option<String>),
    /// The next of its bytes.
    Bytes(Vec<u8>),
    /// It is whole.
    Ends,
}

/// A form that is coming.
#[derive(Debug)]
pub struct Form {
    /// A line break and the boundary with its dashes.
    delimiter: Vec<u8>,
    held: Vec<u8>,
    /// Bytes of a head that were searched for its end: in packets of one byte it would else be searched as often as it
    /// is long.
    searched: usize,
    place: Place,
    /// Whether a file was begun: there is one, and the rest are passed over.
    begun: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In what isn't the file: before the first boundary, or in another field.
    Beside,
    /// In the file.
    File,
    /// In the file, at its last byte.
    FileEnd,
    /// Behind a boundary.
    Boundary,
    /// In the headers of a part.
    Head,
    /// Behind the last boundary.
    Behind,
}

impl Form {
    /// A form that begins, by the `Content-Type` of its request; none where that is no form's.
    ///
    /// # Errors
    /// [`BadForm`]: a form without a proper boundary.
    pub fn new(content_type: &str) -> Result<Option<Self>, BadForm> {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("multipart/form-data") {
            return Ok(None);
        }
        let boundary = parameter(content_type, "boundary").ok_or(BadForm)?;
        let plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
        if !(1..=FORM_BOUNDARY_BYTES).contains(&boundary.len()) || !boundary.bytes().all(plain) {
            return Err(BadForm);
        }
        Ok(Some(Self {
            delimiter: [b"\r\n--", boundary.as_bytes()].concat(),
            // The first boundary has no line break before it.
            held: b"\r\n".to_vec(),
            searched: 0,
            place: Place::Beside,
            begun: false,
        }))
    }

    /// How many bytes wait for what comes behind them.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes the next bytes. Before more come, [`Form::piece`] is to be asked until it has nothing.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// What can be said of the bytes so far.
    ///
    /// # Errors
    /// [`BadForm`].
    pub fn piece(&mut self) -> Result<Option<Piece>, BadForm> {
        loop {
            let before = (self.place, self.held.len());
            let piece = match self.place {
                Place::Beside | Place::File => self.content(),
                Place::FileEnd => {
                    self.place = Place::Boundary;
                    Some(Piece::Ends)
                }
                Place::Boundary => self.boundary()?,
                Place::Head => self.head()?,
                Place::Behind => {
                    self.held.clear();
                    None
                }
            };
            if piece.is_some() || before == (self.place, self.held.len()) {
                return Ok(piece);
            }
        }
    }

    /// Goes on to the next boundary.
    fn content(&mut self) -> Option<Piece> {
        let found = find(&self.held, &self.delimiter);
        // The end of what is held may be the beginning of a boundary.
        let sure =
            found.unwrap_or_else(|| (self.held.len() + 1).saturating_sub(self.delimiter.len()));
        let content: Vec<u8> = self.held.drain(..sure).collect();
        let in_file = self.place == Place::File;
        if found.is_some() {
            self.held.drain(..self.delimiter.len());
            self.place = if in_file { Place::FileEnd } else { Place::Boundary };
        }
        (in_file && !content.is_empty()).then_some(Piece::Bytes(content))
    }

    /// Two dashes end the form, a line break begins a part; spaces may come before it.
    fn boundary(&mut self) -> Result<Option<Piece>, BadForm> {
        match self.held.get(..2) {
            None => {}
            Some(b"--") => self.place = Place::Behind,
            Some(b"\r\n") => self.place = Place::Head,
            Some([b' ' | b'\t', _]) => {
                let blanks = self.held.iter().take_while(|byte| matches!(byte, b' ' | b'\t'));
                let blanks = blanks.count().min(self.held.len() - 1);
                self.held.drain(..blanks);
            }
            Some(_) => return Err(BadForm),
        }
        Ok(None)
    }

    /// Reads a part's headers, which begin with the line break behind the boundary.
    fn head(&mut self) -> Result<Option<Piece>, BadForm> {
        const END: &[u8] = b"\r\n\r\n";
        let rest = self.held.get(self.searched..).unwrap_or_default();
        let found = find(rest, END).map(|at| self.searched + at);
        // The end of what is held may be the beginning of the end.
        let sure = found.unwrap_or_else(|| (self.held.len() + 1).saturating_sub(END.len()));
        if sure > FORM_HEAD_BYTES {
            return Err(BadForm);
        }
        self.searched = if found.is_some() { 0 } else { sure };
        let Some(end) = found else { return Ok(None) };
        let head: Vec<u8> = self.held.drain(..end + END.len()).take(end).collect();
        let head = String::from_utf8_lossy(&head);
        let disposition = head.lines().find_map(disposition).unwrap_or_default();
        if self.begun || parameter(disposition, "name").as_deref() != Some(FIELD) {
            self.place = Place::Beside;
            return Ok(None);
        }
        self.begun = true;
        self.place = Place::File;
        Ok(Some(Piece::Begins(filename(disposition))))
    }
}

fn disposition(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(':')?;
    name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
}

/// What a file is called; some clients write `filename*` (RFC 8187), though forms shouldn't have it.
fn filename(disposition: &str) -> Option<String> {
    let extended = parameter(disposition, "filename*").and_then(|value| {
        let (charset, rest) = value.split_once('\'')?;
        let (_, name) = rest.split_once('\'')?;
        charset.eq_ignore_ascii_case("utf-8").then(|| percent_decoded(name))
    });
    extended.or_else(|| parameter(disposition, "filename"))
}

/// Where `needle` begins.
fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    // All needles begin with the same two bytes: comparing those first is worth a lot.
    let fits = |window: &[u8]| window.starts_with(b"\r\n") && window == needle;
    bytes.windows(needle.len()).position(fits)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=b";

    /// The file's name, its bytes if it is whole, and whether it is; none where there is no file.
    type File = Option<(Option<String>, Vec<u8>, bool)>;

    /// Reads a form that comes in packets of so many bytes.
    fn read(content_type: &str, text: &[u8], packet: usize) -> Result<File, BadForm> {
        let mut form = Form::new(content_type)?.expect("a form");
        let mut file: File = None;
        for packet in text.chunks(packet) {
            form.push(packet);
            while let Some(piece) = form.piece()? {
                match piece {
                    Piece::Begins(name) => file = Some((name, Vec::new(), false)),
                    Piece::Bytes(bytes) => file.as_mut().unwrap().1.extend(bytes),
                    Piece::Ends => file.as_mut().unwrap().2 = true,
                }
            }
            assert!(form.held() <= FORM_HEAD_BYTES + packet.len() + FORM_BOUNDARY_BYTES);
        }
        // How much of an unfinished file is handed on is up to how it was cut.
        file.iter_mut().filter(|(_, _, whole)| !whole).for_each(|(_, bytes, _)| bytes.clear());
        Ok(file)
    }

    fn check(text: &[u8], expected: &Result<File, BadForm>) {
        for packet in [1, 2, 3, 5, 7, 11, 64, text.len().max(1)] {
            let shown = String::from_utf8_lossy(text);
            assert_eq!(&read(TYPE, text, packet), expected, "in packets of {packet}:\n{shown}");
        }
    }

    fn part(head: &str, content: &str) -> String {
        format!("--b\r\n{head}\r\n\r\n{content}\r\n")
    }

    const HEAD: &str = "Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"";

    #[test]
    fn the_file_is_found_however_it_is_cut() {
        let file =
            |content: &str, whole| Ok(Some((Some("a.txt".to_owned()), content.into(), whole)));
        let form = |content: &str| part(HEAD, content) + "--b--\r\n";
        for content in ["", "one", "\r\n", "\r\n--", "\r\n--a", "--b", "\r\r\n\n--b\r", "a\r\n-"] {
            check(form(content).as_bytes(), &file(content, true));
        }
        let other = part("Content-Disposition: form-data; name=\"other\"", "1");
        check((other.clone() + &form("one")).as_bytes(), &file("one", true));
        check((part(HEAD, "one") + &other + "--b--").as_bytes(), &file("one", true));
        check((part(HEAD, "one") + &form("two")).as_bytes(), &file("one", true));
        check(format!("preamble\r\n{}", form("one")).as_bytes(), &file("one", true));
        check((form("one") + "behind\r\n--b\r\n").as_bytes(), &file("one", true));
        check((part("X: y", "1") + &form("one")).as_bytes(), &file("one", true));
        check(format!("--b\r\n\r\n1\r\n{}", form("one")).as_bytes(), &file("one", true));
        check(form("one").replace("--b\r\n", "--b \t\r\n").as_bytes(), &file("one", true));
        check(part(HEAD, "one").as_bytes(), &file("", false));
        check(part(HEAD, "one").trim_end().as_bytes(), &file("", false));
        check((other + "--b--").as_bytes(), &Ok(None));
        check(b"", &Ok(None));
        check(b"--b--", &Ok(None));
        check(b"one", &Ok(None));
        check(b"--bc\r\n", &Err(BadForm));
        check((form("one\r\n--bc")).as_bytes(), &Err(BadForm));
        let long = format!("{HEAD}\r\nX: {}", "y".repeat(FORM_HEAD_BYTES));
        check(part(&long, "one").as_bytes(), &Err(BadForm));
        // As long as may be, also where the end of it comes byte by byte. The line break before it counts.
        let longest = format!("{HEAD}\r\nX: {}", "y".repeat(FORM_HEAD_BYTES - HEAD.len() - 7));
        let longest = part(&longest, "one") + "--b--";
        for packet in [1, longest.len()] {
            assert_eq!(read(TYPE, longest.as_bytes(), packet), file("one", true));
        }
    }

    /// A form of long heads in packets of a byte would else take minutes.
    #[test]
    fn no_part_of_a_head_is_searched_twice() {
        let mut form = Form::new(TYPE).unwrap().unwrap();
        let head = format!("--b  \t \r\nX: {}", "x".repeat(FORM_HEAD_BYTES - 9));
        for byte in head.as_bytes() {
            form.push(&[*byte]);
            assert_eq!(form.piece(), Ok(None));
            let in_head = form.place == Place::Head;
            assert!(!in_head || form.held.len() - form.searched <= 3, "{}", form.searched);
        }
        form.push(b"\r\nContent-Disposition: form-data; name=file\r\n\r\n");
        assert_eq!(form.piece(), Err(BadForm), "too long by now");
    }

    #[test]
    fn a_long_file_is_handed_on_as_it_comes() {
        let content = "0123456789abcde\r".repeat(10_000);
        let form = part(HEAD, &content) + "--b--\r\n";
        let file = read(TYPE, form.as_bytes(), 1_000).unwrap();
        assert_eq!(file, Some((Some("a.txt".to_owned()), content.into_bytes(), true)));
    }

    #[test]
    fn a_file_has_the_name_that_its_head_says() {
        fn check(head: &str, expected: Option<&str>) {
            let file = read(TYPE, part(head, "one").as_bytes(), 7).unwrap();
            let (name, ..) = file.unwrap_or_else(|| panic!("{head}"));
            assert_eq!(name.as_deref(), expected, "{head}");
        }
        check(HEAD, Some("a.txt"));
        check("content-disposition: form-data; name=file", None);
        check(
            "Content-Type: text/plain\r\nContent-Disposition: form-data; name=file; filename=b",
            Some("b"),
        );
        let extended = "Content-Disposition: form-data; name=file; filename=b; filename*=";
        check(&format!("{extended}utf-8''f%C3%BCr"), Some("für"));
        check(&format!("{extended}UTF-8'de'f%C3%BCr"), Some("für"));
        check(&format!("{extended}latin1''f%FCr"), Some("b"));
        check(&format!("{extended}f"), Some("b"));
    }

    #[test]
    fn forms_are_told_by_their_type() {
        fn check(content_type: &str, expected: Result<bool, BadForm>) {
            let form = Form::new(content_type).map(|form| form.is_some());
            assert_eq!(form, expected, "{content_type}");
        }
        check(TYPE, Ok(true));
        check("Multipart/Form-Data; charset=utf-8; boundary=\"a b\"", Ok(true));
        check("multipart/form-data", Err(BadForm));
        check("multipart/form-data; boundary=", Err(BadForm));
        check(&format!("multipart/form-data; boundary={}", "a".repeat(70)), Ok(true));
        check(&format!("multipart/form-data; boundary={}", "a".repeat(71)), Err(BadForm));
        check("multipart/form-data; boundary=\"a\u{e9}\"", Err(BadForm));
        check("multipart/mixed; boundary=b", Ok(false));
        check("application/octet-stream", Ok(false));
        check("", Ok(false));
    }
}
