//! Names of files and folders as they travel: what every system can write, and nothing that a system, a shell
//! or a person could take for something else.

use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits;

/// Why a text is no name of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadFileName {
    /// Empty, or longer than [`limits::FILE_NAME_BYTES`].
    Length,
    /// `.` or `..`, or it ends with a dot or a space, or begins with a space: some systems read another name.
    Dots,
    /// A separator of folders, or another character that some systems don't allow in names.
    Character,
    /// A control character, or one that can't be seen, or that turns the direction of text.
    Invisible,
    /// A name that stands for a device on some systems, such as `CON` or `nul.txt`.
    Device,
    /// A path with no name, or with more than [`limits::FILE_DEPTH`] of them.
    Depth,
}

impl fmt::Display for BadFileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "a file's name has 1 to 255 bytes",
            Self::Dots => {
                "a file's name can't be . or .., end with a dot, or begin or end with a space"
            }
            Self::Character => "a file's name can't have any of / \\ : * ? \" < > |",
            Self::Invisible => "a file's name can't have characters that can't be seen",
            Self::Device => "this name stands for a device on some systems",
            Self::Depth => "folders lie too deep in each other",
        })
    }
}

impl core::error::Error for BadFileName {}

/// The name of one file or folder, without the folders that it is in.
///
/// The sound way from an outside text to a path: nothing else of a sender's ever becomes one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(String);

impl FileName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`BadFileName`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BadFileName> {
        check(text).map(|()| Self(text.to_owned()))
    }

    /// The name closest to what a local file is called: what can't travel becomes `_`.
    #[must_use]
    pub fn closest(local: &str) -> Self {
        let travels = |letter: char| match is_character(letter) {
            Ok(()) => letter,
            Err(_) => '_',
        };
        let mut name: String = local.chars().map(travels).collect();
        while name.len() > limits::FILE_NAME_BYTES {
            name.pop();
        }
        match check(&name) {
            Ok(()) => Self(name),
            Err(BadFileName::Device) => Self(format!("_{name}")),
            Err(_) => Self(around(&name)),
        }
    }

    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name for the `n`th file that is called so: `report (2).pdf`.
    #[must_use]
    pub fn numbered(&self, n: u32) -> Self {
        let (stem, end) = match self.0.rfind('.').filter(|at| *at > 0) {
            Some(at) => self.0.split_at(at),
            None => (self.0.as_str(), ""),
        };
        let number = format!(" ({n})");
        let room = limits::FILE_NAME_BYTES.saturating_sub(number.len());
        let end = if end.len() < room { end } else { "" };
        let mut stem = stem.to_owned();
        while stem.len() + end.len() > room {
            stem.pop();
        }
        Self(format!("{stem}{number}{end}"))
    }

    /// What two names have in common that a system which doesn't tell case apart takes for one.
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

/// A name whose ends can't stay as they are.
fn around(name: &str) -> String {
    let inner = name.trim_matches(' ').trim_end_matches(['.', ' ']);
    match check(inner) {
        Ok(()) => inner.to_owned(),
        Err(_) => "_".to_owned(),
    }
}

fn check(text: &str) -> Result<(), BadFileName> {
    if text.is_empty() || text.len() > limits::FILE_NAME_BYTES {
        return Err(BadFileName::Length);
    }
    text.chars().try_for_each(is_character)?;
    // This takes in `.` and `..`.
    if text.ends_with(['.', ' ']) || text.starts_with(' ') {
        return Err(BadFileName::Dots);
    }
    if is_device(text) { Err(BadFileName::Device) } else { Ok(()) }
}

fn is_character(letter: char) -> Result<(), BadFileName> {
    match letter {
        '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => Err(BadFileName::Character),
        _ if letter.is_control() || is_invisible(letter) => Err(BadFileName::Invisible),
        _ => Ok(()),
    }
}

/// Unicode's format characters that have no place in a name (among them those that turn the direction of text,
/// CVE-2021-42574), its other spaces and its separators. The joiners that emoji and some scripts need may stay.
fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{a0}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{1680}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{2000}'..='\u{200b}'
        | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{2800}' | '\u{3000}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e007f}')
}

/// Names that Windows keeps for devices, whatever follows the first dot ("Naming Files, Paths, and Namespaces").
fn is_device(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |rest: &str| {
        matches!(rest, "\u{b9}" | "\u{b2}" | "\u{b3}")
            || (rest.len() == 1 && rest.bytes().all(|digit| digit.is_ascii_digit()))
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
        || ["COM", "LPT"].iter().filter_map(|port| stem.strip_prefix(port)).any(numbered)
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for FileName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for FileName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Where a file lies within what is offered: the folders that it is in, and its name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct FilePath(Vec<FileName>);

impl FilePath {
    /// A path of these names.
    ///
    /// # Errors
    /// [`BadFileName::Depth`] for none, and for more than [`limits::FILE_DEPTH`].
    pub fn new(names: Vec<FileName>) -> Result<Self, BadFileName> {
        let fits = (1..=limits::FILE_DEPTH).contains(&names.len());
        fits.then_some(Self(names)).ok_or(BadFileName::Depth)
    }

    /// Its names, the outermost folder's first.
    #[must_use]
    pub fn names(&self) -> &[FileName] {
        &self.0
    }

    /// The first name: of the file itself, or of the outermost folder.
    #[must_use]
    pub fn top(&self) -> Option<&FileName> {
        self.0.first()
    }

    /// See [`FileName::folded`].
    #[must_use]
    pub(super) fn folded(&self) -> Vec<String> {
        self.0.iter().map(FileName::folded).collect()
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(FileName::as_str).collect();
        f.write_str(&names.join("/"))
    }
}

impl fmt::Debug for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl<'de> Deserialize<'de> for FilePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::deserialize(deserializer)?;
        Self::new(names).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use BadFileName::{Character, Device, Dots, Invisible, Length};

    #[test]
    fn names_that_travel_and_names_that_do_not() {
        let check = |text: &str, expected: Result<(), BadFileName>| {
            assert_eq!(FileName::parse(text).map(|_| ()), expected, "{text:?}");
        };
        check("report.pdf", Ok(()));
        check(".bashrc", Ok(()));
        check("..x", Ok(()));
        check("Übung 3 (fertig).odt", Ok(()));
        check("👩🏽\u{200d}🚀.png", Ok(()));
        check("отчёт", Ok(()));
        check(&"x".repeat(255), Ok(()));
        check("", Err(Length));
        check(&"x".repeat(256), Err(Length));
        check(&"ä".repeat(150), Err(Length));
        check(".", Err(Dots));
        check("..", Err(Dots));
        check("...", Err(Dots));
        check("a.", Err(Dots));
        check("a ", Err(Dots));
        check(" a", Err(Dots));
        check(" ", Err(Dots));
        check("a/b", Err(Character));
        check("../a", Err(Character));
        check("/etc/passwd", Err(Character));
        check("a\\b", Err(Character));
        check("C:", Err(Character));
        check("a:stream", Err(Character));
        check("what?", Err(Character));
        check("a\0b", Err(Invisible));
        check("a\nb", Err(Invisible));
        check("\u{1b}[2J", Err(Invisible));
        check("a\u{7f}", Err(Invisible));
        check("a\u{85}", Err(Invisible));
        check("photo\u{202e}gnp.exe", Err(Invisible));
        check("a\u{2066}b", Err(Invisible));
        check("a\u{200b}b", Err(Invisible));
        check("\u{feff}a", Err(Invisible));
        check("report.pdf\u{1160}\u{1160}.txt", Err(Invisible));
        check("\u{2800}", Err(Invisible));
        check("a\u{a0}b", Err(Invisible));
        check("CON", Err(Device));
        check("con", Err(Device));
        check("nul.txt", Err(Device));
        check("Aux .c", Err(Device));
        check("COM1", Err(Device));
        check("lpt9.tar.gz", Err(Device));
        check("com\u{b9}", Err(Device));
        check("COM10", Ok(()));
        check("console", Ok(()));
        check("comx", Ok(()));
    }

    #[test]
    fn local_names_get_the_closest_that_travels() {
        let check = |local: &str, expected: &str| {
            let name = FileName::closest(local);
            assert_eq!(name.as_str(), expected, "{local:?}");
            assert_eq!(FileName::parse(expected).as_ref(), Ok(&name));
        };
        check("report.pdf", "report.pdf");
        check("10:30 notes?", "10_30 notes_");
        check("a\u{202e}b", "a_b");
        check("nul.txt", "_nul.txt");
        check(" a. ", "a");
        check("..", "_");
        check("", "_");
        check(" con ", "_");
        check(&"ä".repeat(150), &"ä".repeat(127));
    }

    #[test]
    fn numbers_stand_before_the_last_dot() {
        let check = |name: &str, expected: &str| {
            let numbered = FileName::parse(name).unwrap().numbered(2);
            assert_eq!(numbered.as_str(), expected);
            assert_eq!(FileName::parse(expected), Ok(numbered));
        };
        check("report.pdf", "report (2).pdf");
        check("a.tar.gz", "a.tar (2).gz");
        check("photos", "photos (2)");
        check(".bashrc", ".bashrc (2)");
        check(&"x".repeat(255), &format!("{} (2)", "x".repeat(251)));
        check(&format!("a.{}", "x".repeat(253)), "a (2)");
    }

    #[test]
    fn paths_have_some_names_but_not_too_many() {
        let check = |text: &str, good: bool| {
            assert_eq!(serde_json::from_str::<FilePath>(text).is_ok(), good, "{text}");
        };
        check(r#"["photos", "a.png"]"#, true);
        check(r#"["a.png"]"#, true);
        check("[]", false);
        check(r#"["photos", "..", "a.png"]"#, false);
        check(r#"["photos/a.png"]"#, false);
        check(r#""a.png""#, false);
        let deep = |depth| serde_json::to_string(&vec!["x"; depth]).unwrap();
        check(&deep(limits::FILE_DEPTH), true);
        check(&deep(limits::FILE_DEPTH + 1), false);
    }
}
