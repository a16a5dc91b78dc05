//! How things look: a few roles, each in 16 colours, and without any for those who set `NO_COLOR`.
//! No role relies on its colour: marks, bold and reverse carry the meaning. Black, white and
//! bright black are left out, because one terminal's text is another's background.

use ratatui::style::{Color, Modifier, Style};

/// The colours of names. Red and yellow are not among them: they mean trouble.
const NAME_COLOURS: [Color; 7] = [
    Color::Cyan,
    Color::Green,
    Color::Magenta,
    Color::LightBlue,
    Color::LightCyan,
    Color::LightGreen,
    Color::LightMagenta,
];

/// The looks of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// 16 colours.
    Colour,
    /// None, as `NO_COLOR` asks (no-color.org).
    Plain,
}

impl Theme {
    /// What the environment variable `NO_COLOR` asks for: set and not empty means none.
    #[must_use]
    pub fn from_no_color(value: Option<&str>) -> Self {
        if value.is_some_and(|value| !value.is_empty()) { Self::Plain } else { Self::Colour }
    }

    /// Ordinary text.
    pub(super) fn text(self) -> Style {
        Style::new()
    }

    /// What may be overlooked.
    pub(super) fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What stands out a little.
    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The bars at the top and bottom, and what is selected.
    pub(super) fn bar(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// A name, always in the same colour.
    pub(super) fn name(self, name: &str) -> Style {
        let colours = NAME_COLOURS.len() as u64;
        let index = usize::try_from(hash(name) % colours).unwrap_or(0);
        self.coloured(NAME_COLOURS.get(index).copied().unwrap_or_default()).bold()
    }

    /// What is well: verified, online.
    pub(super) fn good(self) -> Style {
        self.coloured(Color::Green)
    }

    /// What deserves a look.
    pub(super) fn warning(self) -> Style {
        self.coloured(Color::Yellow).bold()
    }

    /// What must be seen.
    pub(super) fn alarm(self) -> Style {
        self.coloured(Color::Red).bold().reversed()
    }

    /// Why something did not work.
    pub(super) fn failure(self) -> Style {
        self.coloured(Color::Red).bold()
    }

    /// Something that names the reader.
    pub(super) fn mention(self) -> Style {
        self.coloured(Color::Yellow).bold().underlined()
    }

    fn coloured(self, colour: Color) -> Style {
        match self {
            Self::Colour => Style::new().fg(colour),
            Self::Plain => Style::new(),
        }
    }
}

/// FNV-1a: the same on every machine, so that people can speak of "the green one".
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn no_color_means_none() {
        for (value, expected) in
            [(None, Theme::Colour), (Some(""), Theme::Colour), (Some("1"), Theme::Plain)]
        {
            assert_eq!(Theme::from_no_color(value), expected);
        }
        let theme = Theme::Plain;
        for style in [theme.name("bob"), theme.alarm(), theme.warning(), theme.mention()] {
            assert_eq!((style.fg, style.bg), (None, None));
        }
    }

    #[test]
    fn names_keep_their_colour() {
        assert_eq!(Theme::Colour.name("alice"), Theme::Colour.name("alice"));
        assert_ne!(Theme::Colour.name("alice"), Theme::Colour.name("bob"));
    }
}
