//! Text that others wrote, made safe to show. What would steer the terminal, reverse the reading
//! order or hide itself is made *visible* and never obeyed: an escape shows as `␛`, an override as
//! `⟦U+202E⟧`. `SafeLine` is the only text that panes accept besides their own literals, so a
//! forgotten check does not compile. It leaves out wrapping (`wrap.rs`) and look-alike letters:
//! account names are ASCII by the protocol, and panes show those.
//! Source: Unicode 16 (`Bidi_Control`, `Default_Ignorable_Code_Point`), UTS #55, CWE-150, CWE-451.

use ratatui::buffer::CellWidth as _;
use std::fmt;
use unicode_segmentation::UnicodeSegmentation as _;

/// Combining marks that one character may carry; more would climb over the neighbouring rows.
/// Vietnamese and vocalised Hebrew need three.
const MARKS_PER_CHARACTER: usize = 4;

/// Columns of a tab in a message.
const TAB: &str = "    ";

/// One line of text without anything that a terminal obeys: no control, bidirectional or invisible
/// characters, and no line breaks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct SafeLine(String);

impl SafeLine {
    /// A name, a reason or another text that belongs on one line: a line break shows as `␊`.
    #[must_use]
    pub fn name(text: &str) -> Self {
        Self(visible(text, "␉"))
    }

    /// A message as its lines; at least one. Line breaks break, tabs are four columns.
    #[must_use]
    pub fn body(text: &str) -> Vec<Self> {
        text.split('\n')
            .map(|line| Self(visible(line.strip_suffix('\r').unwrap_or(line), TAB)))
            .collect()
    }

    /// The program's own words, which need no check.
    #[must_use]
    pub fn own(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Columns that it takes.
    #[must_use]
    pub fn width(&self) -> usize {
        width(&self.0)
    }

    /// As much of it as fits into `columns`; `…` stands for what does not.
    #[must_use]
    pub fn cut(&self, columns: usize) -> Self {
        if self.width() <= columns {
            return self.clone();
        }
        let Some(room) = columns.checked_sub(1) else {
            return Self::default();
        };
        let mut kept = String::new();
        let mut used = 0;
        for grapheme in graphemes(&self.0) {
            used += width(grapheme);
            if used > room {
                break;
            }
            kept.push_str(grapheme);
        }
        kept.push('…');
        Self(kept)
    }

    /// Whether a part of it reads from right to left.
    #[must_use]
    pub fn is_right_to_left(&self) -> bool {
        self.0.chars().any(is_right_to_left)
    }

    /// A part of a safe line is safe. `piece` must come from `as_str`.
    pub(super) fn piece(piece: &str) -> Self {
        Self(piece.to_owned())
    }

    /// Safe lines one after the other are safe.
    #[must_use]
    pub fn join(parts: &[&Self]) -> Self {
        Self(parts.iter().map(|part| part.as_str()).collect())
    }
}

impl fmt::Display for SafeLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for SafeLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Columns that a safe text takes, by the same measure as the screen's own buffer.
pub(super) fn width(text: &str) -> usize {
    graphemes(text).map(|grapheme| usize::from(grapheme.cell_width())).sum()
}

/// The text's user-perceived characters.
pub(super) fn graphemes(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.graphemes(true)
}

fn visible(text: &str, tab: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for grapheme in graphemes(text) {
        push_grapheme(&mut shown, grapheme, tab);
    }
    if graphemes(&shown).all(|grapheme| width(grapheme) > 0) {
        return shown;
    }
    graphemes(&shown).map(with_columns).collect()
}

/// A character without columns would be lost in the screen's buffer: a mark gets a circle to sit
/// on, anything else shows its number.
fn with_columns(grapheme: &str) -> String {
    let on_circle = format!("◌{grapheme}");
    if width(grapheme) > 0 {
        grapheme.to_owned()
    } else if graphemes(&on_circle).count() == 1 {
        on_circle
    } else {
        let mut numbers = String::new();
        grapheme.chars().for_each(|character| push_shown(&mut numbers, character));
        numbers
    }
}

fn push_grapheme(safe: &mut String, grapheme: &str, tab: &str) {
    let mut marks = 0;
    let mut dropped = 0;
    let mut before = None;
    let mut characters = grapheme.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\t' {
            safe.push_str(tab);
        } else if joins(before, character, characters.peek().copied()) {
            safe.push(character);
        } else if is_hidden(character) {
            push_shown(safe, character);
        } else if is_mark(character) {
            marks += 1;
            if marks > MARKS_PER_CHARACTER {
                dropped += 1;
            } else {
                safe.push(character);
            }
        } else {
            safe.push(character);
        }
        before = Some(character);
    }
    if dropped > 0 {
        safe.push_str(&format!("⟦+{dropped} marks⟧"));
    }
}

/// Whether an invisible character does its proper work here: joining an emoji sequence, choosing
/// an emoji's form, or (not) joining letters of a script that needs it.
fn joins(before: Option<char>, character: char, after: Option<char>) -> bool {
    let Some(before) = before else { return false };
    match character {
        '\u{fe0e}' | '\u{fe0f}' => is_pictograph(before) || matches!(before, '0'..='9' | '#' | '*'),
        '\u{200d}' => {
            let joinable =
                is_pictograph(before) || matches!(before, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}');
            (joinable && after.is_some_and(is_pictograph)) || is_joining_letter(before)
        }
        '\u{200c}' => is_joining_letter(before),
        _ => false,
    }
}

fn push_shown(safe: &mut String, character: char) {
    match character {
        '\0'..='\x1f' => safe.extend(char::from_u32(0x2400 + u32::from(character))),
        '\x7f' => safe.push('␡'),
        _ => safe.push_str(&format!("⟦U+{:04X}⟧", u32::from(character))),
    }
}

/// Characters that steer the terminal or the reading order, or that nobody would see.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}'
            | '\u{600}'..='\u{605}' | '\u{6dd}'                     // enclosing number signs
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}'     // Hangul fillers
            | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}'                                            // a braille cell without dots
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{13430}'..='\u{13455}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e0fff}'   // private use; tags
            | '\u{f0000}'..='\u{10ffff}')
        || is_noncharacter(character)
        || (!character.is_control() && is_blank(character))
}

fn is_noncharacter(character: char) -> bool {
    matches!(character, '\u{fdd0}'..='\u{fdef}') || u32::from(character) & 0xfffe == 0xfffe
}

/// Spaces other than the ordinary, the no-break and the ideographic one: they pass for nothing, or
/// for an indentation that was never typed.
fn is_blank(character: char) -> bool {
    character.is_whitespace() && !matches!(character, ' ' | '\u{a0}' | '\u{202f}' | '\u{3000}')
}

/// Characters without a column of their own, which sit on the one before.
fn is_mark(character: char) -> bool {
    !character.is_control() && character.len_utf8() > 1 && width_of(character) == 0
}

fn width_of(character: char) -> u16 {
    character.encode_utf8(&mut [0; 4]).cell_width()
}

/// The blocks of `Extended_Pictographic`, and the hair and skin of emoji.
fn is_pictograph(character: char) -> bool {
    matches!(character,
        '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}'
        | '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{24c2}' | '\u{25a0}'..='\u{27bf}'
        | '\u{2934}' | '\u{2935}' | '\u{2b00}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}'
        | '\u{3299}' | '\u{1f000}'..='\u{1faff}')
}

/// Scripts whose spelling needs the joiners: Arabic, Syriac, and the Indic ones.
fn is_joining_letter(character: char) -> bool {
    matches!(character, '\u{620}'..='\u{6d3}' | '\u{710}'..='\u{77f}' | '\u{900}'..='\u{dff}')
}

fn is_right_to_left(character: char) -> bool {
    matches!(character,
        '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_would_be_obeyed_is_shown() {
        for (text, expected) in [
            ("hello", "hello"),
            ("größer ≥ 3", "größer ≥ 3"),
            ("\x1b[2Jgone", "␛[2Jgone"),
            ("\x1b]0;title\x07", "␛]0;title␇"),
            ("a\u{9b}31m", "a⟦U+009B⟧31m"),
            ("a\0b\x7f", "a␀b␡"),
            ("a\rb", "a␍b"),
            ("over\u{202e}gpj.exe", "over⟦U+202E⟧gpj.exe"),
            ("\u{2066}x\u{2069}", "⟦U+2066⟧x⟦U+2069⟧"),
            ("a\u{200e}b\u{200f}c\u{61c}", "a⟦U+200E⟧b⟦U+200F⟧c⟦U+061C⟧"),
            ("ad\u{200b}min", "ad⟦U+200B⟧min"),
            ("ad\u{200d}min", "ad⟦U+200D⟧min"),
            ("ad\u{ad}min\u{feff}", "ad⟦U+00AD⟧min⟦U+FEFF⟧"),
            ("x\u{e0041}\u{e007f}", "x⟦U+E0041⟧⟦U+E007F⟧"),
            ("\u{e000}", "⟦U+E000⟧"),
            ("a\u{3164}b\u{2800}", "a⟦U+3164⟧b⟦U+2800⟧"),
            ("a\u{2003}b\u{a0}c", "a⟦U+2003⟧b\u{a0}c"),
            ("a\u{2028}b\u{85}", "a⟦U+2028⟧b⟦U+0085⟧"),
            ("\u{fdd0}\u{1ffff}", "⟦U+FDD0⟧⟦U+1FFFF⟧"),
        ] {
            assert_eq!(SafeLine::name(text).as_str(), expected, "{text:?}");
        }
    }

    #[test]
    fn proper_writing_stays_as_it_is() {
        for text in [
            "👩‍👩‍👧‍👦 family",
            "🏳️‍🌈 ❤️‍🔥 👍🏽 👩🏽‍🚒 1️⃣ 🇩🇪",
            "می‌خواهم",
            "क्‍ष",
            "שָׁלוֹם",
            "Việt Nam",
            "e\u{301}",
            "한국어 漢字 ไทย",
        ] {
            assert_eq!(SafeLine::name(text).as_str(), text);
        }
    }

    #[test]
    fn marks_stay_on_their_own_character() {
        let tower = format!("Z{}", "\u{301}".repeat(40));
        assert_eq!(SafeLine::name(&tower).as_str(), "Z\u{301}\u{301}\u{301}\u{301}⟦+36 marks⟧");
        assert_eq!(SafeLine::name("\u{301}x").as_str(), "◌\u{301}x");
    }

    #[test]
    fn only_messages_have_lines() {
        assert_eq!(SafeLine::name("a\nb\tc").as_str(), "a␊b␉c");
        let lines = SafeLine::body("a\r\nb\tc\n\n");
        let lines: Vec<_> = lines.iter().map(SafeLine::as_str).collect();
        assert_eq!(lines, ["a", "b    c", "", ""]);
    }

    #[test]
    fn cutting_counts_columns() {
        for (text, columns, expected) in [
            ("hello", 5, "hello"),
            ("hello", 4, "hel…"),
            ("漢字漢字", 5, "漢字…"),
            ("漢字漢字", 4, "漢…"),
            ("hello", 1, "…"),
            ("hello", 0, ""),
        ] {
            assert_eq!(SafeLine::name(text).cut(columns).as_str(), expected, "{text} {columns}");
        }
    }

    #[test]
    fn right_to_left_is_noticed() {
        for (text, expected) in [("abc 漢", false), ("a שלום", true), ("مرحبا", true)] {
            assert_eq!(SafeLine::name(text).is_right_to_left(), expected, "{text}");
        }
    }

    fn is_obeyed(character: char) -> bool {
        character.is_control()
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
                | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{e0000}'..='\u{e007f}')
    }

    proptest! {
        #[test]
        fn nothing_that_is_obeyed_gets_through(text in any::<String>(), hidden in "[\\x00-\\x1f\\x7f-\\x9f\u{200b}-\u{200f}\u{202a}-\u{202e}\u{2066}-\u{2069}\u{300}-\u{36f}\u{1f468}a]{0,20}") {
            let text = format!("{text}{hidden}{text}");
            let mut lines = SafeLine::body(&text);
            lines.push(SafeLine::name(&text));
            for line in lines {
                prop_assert!(!line.as_str().contains(is_obeyed), "{line:?}");
                prop_assert!(graphemes(line.as_str()).all(|grapheme| width(grapheme) > 0), "{line:?}");
            }
        }

        #[test]
        fn a_cut_never_exceeds(text in any::<String>(), columns in 0usize..40) {
            prop_assert!(SafeLine::name(&text).cut(columns).width() <= columns);
        }

        #[test]
        fn making_safe_twice_changes_nothing(text in any::<String>()) {
            let once = SafeLine::name(&text);
            prop_assert_eq!(SafeLine::name(once.as_str()), once);
        }
    }
}
