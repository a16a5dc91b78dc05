//! Dialects: which habits of a client go together, as rows of one table.
//!
//! A client's row is the one that comes next to what its `hello` shows: the form of its data, what it signs,
//! how long its salts are, how its PEM is laid out. The other columns are what clients of that row are known
//! to do; they say how we write to it. A new family is a new row. No row turns anybody away, and frames go
//! through unchanged but for the one row that says otherwise.

use super::chat::Inner;
use super::fingerprint::{Fingerprint, Hashed, Shown};
use super::frame::{Form, SignedFrame};
use super::pem::{PemLayout, Wrap};
use super::signing::{Around, Letters, Order, RECIPES, Recipe, Signing, Spacing, Style};
use core::fmt;
use portcullis_crypto::classic::Salt;
use std::borrow::Cow;

/// The habits of a family of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Unique; letters and hyphens.
    pub name: &'static str,
    /// How it sends `data`.
    pub form: Form,
    /// How it signs.
    pub signing: Signing,
    /// How it renders the data, where what it signs doesn't tell.
    pub style: Style,
    /// How it lays out its PEM.
    pub pem: PemLayout,
    /// How it computes fingerprints.
    pub fingerprint: Fingerprint,
    /// How it writes the inner text of a chat.
    pub inner: Inner,
    /// Bytes of its initialisation vectors: 16 or 12.
    pub iv_bytes: usize,
    /// What it understands.
    pub accepts: Accepts,
}

/// In which form a client takes the `data` of frames that others sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Accepts {
    /// Byte for byte as its sender sent it.
    AsSent,
    /// As an object, whatever it was.
    Object,
}

/// Rendered as `JSON.stringify` does, and `json.dumps`, and with the keys sorted.
const STRINGIFY: Style = style(Order::AsSent, Spacing::None, Letters::AsTheyAre);
const DUMPS: Style = style(Order::AsSent, Spacing::Blanks, Letters::Ascii);
const SORTED: Style = style(Order::Sorted, Spacing::None, Letters::AsTheyAre);
const SORTED_DUMPS: Style = style(Order::Sorted, Spacing::Blanks, Letters::Ascii);

const LINE: PemLayout = PemLayout { wrap: Wrap::Line, last_newline: false };
const COLUMNS: PemLayout = PemLayout { wrap: Wrap::Columns, last_newline: true };

/// Of a key's PEM in the layout that the client itself uses, in which our keys are listed for it.
const AS_LISTED: Fingerprint =
    Fingerprint { of: Hashed::Received, through_base64: false, shown: Shown::Base64 };

/// Every dialect; the first is the one of the protocol's text. Of rows that come equally near, the first
/// counts.
pub static DIALECTS: &[Dialect] = {
    use {Form::Object, Form::Text, Recipe::AsSent, Salt::Digest, Salt::Longest};
    &[
        FIRST,
        row("text-longest", Text, AsSent, Longest, LINE),
        OBJECTS_ONLY,
        row("sorted", Object, counted(SORTED), Digest, COLUMNS),
        row("sorted-longest", Object, counted(SORTED), Longest, COLUMNS),
        row("dumps", Object, counted(DUMPS), Digest, COLUMNS),
        row("dumps-longest", Object, counted(DUMPS), Longest, COLUMNS),
        row("sorted-dumps", Object, counted(SORTED_DUMPS), Digest, COLUMNS),
        row("sorted-dumps-longest", Object, counted(SORTED_DUMPS), Longest, COLUMNS),
        row("whole", Object, whole(SORTED), Digest, COLUMNS),
        row("whole-longest", Object, whole(SORTED), Longest, COLUMNS),
        row("stringify", Object, counted(STRINGIFY), Digest, LINE),
        row("stringify-longest", Object, counted(STRINGIFY), Longest, LINE),
        row("as-sent", Object, AsSent, Digest, LINE),
        row("as-sent-longest", Object, AsSent, Longest, LINE),
    ]
};

/// The dialect of the protocol's text.
const FIRST: Dialect = row("text", Form::Text, Recipe::AsSent, Salt::Digest, LINE);

/// Its own server parses what it sends and emits it anew, as objects, and it knows nothing else.
const OBJECTS_ONLY: Dialect = Dialect {
    accepts: Accepts::Object,
    style: SORTED,
    fingerprint: Fingerprint { shown: Shown::Base64OfHex, ..AS_LISTED },
    ..row("text-longest-columns", Form::Text, Recipe::AsSent, Salt::Longest, COLUMNS)
};

const fn style(order: Order, spacing: Spacing, letters: Letters) -> Style {
    Style { order, spacing, letters }
}

const fn counted(style: Style) -> Recipe {
    Recipe::Anew(style, Around::Counter)
}

const fn whole(style: Style) -> Recipe {
    Recipe::Anew(style, Around::Object)
}

/// A row with what most clients do in the columns that are not named.
const fn row(
    name: &'static str,
    form: Form,
    recipe: Recipe,
    salt: Salt,
    pem: PemLayout,
) -> Dialect {
    Dialect {
        name,
        form,
        signing: Signing { recipe, salt },
        style: STRINGIFY,
        pem,
        fingerprint: AS_LISTED,
        inner: Inner::Flat,
        iv_bytes: 16,
        accepts: Accepts::AsSent,
    }
}

/// A row of [`DIALECTS`], with what was seen of one client in some of its columns. The first row, unless
/// something is known.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DialectId {
    row: u8,
    /// Of [`RECIPES`]; see [`place`].
    recipe: u8,
    /// Of [`PemLayout::ALL`].
    pem: u8,
    /// Of [`Fingerprint::all`].
    fingerprint: u8,
    /// Of [`IV_BYTES`].
    iv: u8,
}

/// How long initialisation vectors are.
const IV_BYTES: [usize; 2] = [12, 16];

impl DialectId {
    /// The dialect of the protocol's text.
    pub const BY_THE_TEXT: Self = Self { row: 0, recipe: 0, pem: 0, fingerprint: 0, iv: 0 };

    /// Each row's.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..).take(DIALECTS.len()).map(|row| Self { row, ..Self::BY_THE_TEXT })
    }

    /// Which dialect the sender of this `hello` speaks. `signing` is what its signature showed, `pem` its
    /// key as sent.
    #[must_use]
    pub fn recognise(hello: &SignedFrame, signing: Signing, pem: &str) -> Self {
        let layout = PemLayout::of(pem);
        let differs = |id: &Self| {
            let row = id.row();
            (
                row.form != hello.form(),
                row.signing.recipe != signing.recipe,
                row.signing.salt != signing.salt,
                row.pem.wrap != layout.wrap,
            )
        };
        let next = Self::all().min_by_key(differs).unwrap_or(Self::BY_THE_TEXT);
        let pem = place(PemLayout::ALL, next.row().pem, layout);
        Self { pem, ..next }.with_signing(signing)
    }

    /// The same, for a client that was seen to sign in this way: many a `hello` looks alike in several.
    #[must_use]
    pub fn with_signing(self, seen: Signing) -> Self {
        Self { recipe: place(RECIPES, self.as_written().signing.recipe, seen.recipe), ..self }
    }

    /// The same, for a client that was seen to compute fingerprints in this way
    /// ([`GuestKey::fingerprint_in`](super::GuestKey::fingerprint_in)): no `hello` shows how.
    #[must_use]
    pub fn with_fingerprint(self, seen: Fingerprint) -> Self {
        let fingerprint = place(Fingerprint::all(), self.as_written().fingerprint, seen);
        Self { fingerprint, ..self }
    }

    /// The same, for a client that was seen to use initialisation vectors of so many bytes: they stand in the clear in
    /// whatever it says privately, whoever that is for.
    #[must_use]
    pub fn with_iv_bytes(self, seen: usize) -> Self {
        Self { iv: place(IV_BYTES, self.as_written().iv_bytes, seen), ..self }
    }

    /// The same, for a client of which this was known before it said `hello` again, as far as no `hello` shows it.
    #[must_use]
    pub fn as_before(self, known: Self) -> Self {
        let row = known.row();
        let seen =
            if known.fingerprint == 0 { self } else { self.with_fingerprint(row.fingerprint) };
        if known.iv == 0 { seen } else { seen.with_iv_bytes(row.iv_bytes) }
    }

    /// The dialect of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let mut parts = name.split('.');
        let row = parts.next()?;
        let row = Self::all().find(|id| id.as_written().name == row)?;
        let mut seen = || parts.next().map_or(Some(0), |place| place.parse().ok());
        let (recipe, pem, fingerprint, iv) = (seen()?, seen()?, seen()?, seen()?);
        let id = Self { recipe, pem, fingerprint, iv, ..row };
        // Numbers that mean nothing are as little a name as letters that do.
        let (own, meant) = (row.row(), id.row());
        let again = Self { pem: place(PemLayout::ALL, own.pem, meant.pem), ..row };
        let again = again.with_signing(meant.signing).with_fingerprint(meant.fingerprint);
        let again = again.with_iv_bytes(meant.iv_bytes);
        (again == id && id.name() == name).then_some(id)
    }

    /// Its name: the row's, and the numbers of what was seen if that differs.
    #[must_use]
    pub fn name(self) -> String {
        let row = self.as_written().name;
        match (self.recipe, self.pem, self.fingerprint, self.iv) {
            (0, 0, 0, 0) => row.to_owned(),
            (recipe, pem, fingerprint, 0) => format!("{row}.{recipe}.{pem}.{fingerprint}"),
            (recipe, pem, fingerprint, iv) => format!("{row}.{recipe}.{pem}.{fingerprint}.{iv}"),
        }
    }

    /// The row, with what was seen.
    #[must_use]
    pub fn row(self) -> Dialect {
        let row = self.as_written();
        let recipe = at(RECIPES, self.recipe).unwrap_or(row.signing.recipe);
        Dialect {
            signing: Signing { recipe, ..row.signing },
            pem: at(PemLayout::ALL, self.pem).unwrap_or(row.pem),
            fingerprint: at(Fingerprint::all(), self.fingerprint).unwrap_or(row.fingerprint),
            iv_bytes: at(IV_BYTES, self.iv).unwrap_or(row.iv_bytes),
            ..row
        }
    }

    fn as_written(self) -> Dialect {
        DIALECTS.get(usize::from(self.row)).copied().unwrap_or(FIRST)
    }
}

/// The place of what was seen among all values, counted from 1; 0 where it is the row's own.
fn place<T: PartialEq>(values: impl IntoIterator<Item = T>, own: T, seen: T) -> u8 {
    let place = (1..).zip(values).find(|(_, value)| *value == seen);
    place.filter(|_| own != seen).map_or(0, |(place, _)| place)
}

/// The value at such a place.
fn at<T>(values: impl IntoIterator<Item = T>, place: u8) -> Option<T> {
    values.into_iter().nth(usize::from(place.checked_sub(1)?))
}

impl From<DialectId> for Dialect {
    fn from(id: DialectId) -> Self {
        id.row()
    }
}

impl fmt::Debug for DialectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DialectId({})", self.name())
    }
}

/// The frame as a client of this dialect takes it: byte for byte as it was sent, unless the client takes
/// objects alone and this is a string. Then the object stands where the string stood, in the same letters,
/// so that what was signed can still be found.
#[must_use]
pub fn for_dialect(frame: &SignedFrame, dialect: DialectId) -> Cow<'_, str> {
    let text = frame.text();
    let unchanged = dialect.row().accepts == Accepts::AsSent || frame.form() == Form::Object;
    let around = (text.get(..frame.data_at().start), text.get(frame.data_at().end..));
    match around {
        (Some(before), Some(after)) if !unchanged => [before, frame.data(), after].concat().into(),
        _ => text.into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::classroom::tests::{guest, sender, signed};
    use crate::classroom::{write_hello, write_public_chat};

    fn id(name: &str) -> DialectId {
        DialectId::from_name(name).unwrap()
    }

    #[test]
    fn whoever_says_hello_is_written_to_as_it_writes() {
        let key = sender();
        for (form, pem) in [(Form::Text, LINE), (Form::Object, COLUMNS)] {
            for recipe in RECIPES.into_iter().filter(|recipe| recipe.fits(form)) {
                for salt in Salt::ALL {
                    let row = Dialect { form, signing: Signing { recipe, salt }, pem, ..FIRST };
                    let hello = signed(&write_hello(row, &key, 0).unwrap());
                    let signing = hello.verify(&key.public(), None).unwrap();
                    let guest = guest(&key, row);
                    let found = DialectId::recognise(&hello, signing, guest.pem());
                    let written = found.row();
                    assert_eq!((written.form, written.pem), (form, pem));
                    assert_eq!(written.signing, signing, "{recipe:?} {salt:?}");
                    // What later frames show, where the hello fits several.
                    assert_eq!(found.with_signing(row.signing).row().signing, row.signing);
                    assert_eq!(DialectId::from_name(&found.name()), Some(found));
                }
            }
        }
    }

    #[test]
    fn a_fingerprint_that_was_seen_is_the_one_that_is_written() {
        let key = guest(&sender(), FIRST);
        for dialect in DialectId::all() {
            for seen in Fingerprint::all() {
                let learned = dialect.with_fingerprint(seen);
                assert_eq!(learned.row(), Dialect { fingerprint: seen, ..dialect.row() });
                assert_eq!(learned == dialect, seen == dialect.row().fingerprint);
                assert_eq!(DialectId::from_name(&learned.name()), Some(learned));
            }
        }
        let seen = key.fingerprint_in(&key.fingerprint(FIRST.fingerprint)).unwrap();
        assert_eq!(DialectId::BY_THE_TEXT.with_fingerprint(seen), DialectId::BY_THE_TEXT);
    }

    #[test]
    fn an_iv_that_was_seen_is_as_long_as_those_that_are_written() {
        for dialect in DialectId::all() {
            for iv_bytes in IV_BYTES {
                let learned = dialect.with_iv_bytes(iv_bytes);
                assert_eq!(learned.row(), Dialect { iv_bytes, ..dialect.row() });
                assert_eq!(learned == dialect, iv_bytes == dialect.row().iv_bytes);
                assert_eq!(DialectId::from_name(&learned.name()), Some(learned));
            }
            assert_eq!(dialect.with_iv_bytes(13), dialect);
        }
    }

    #[test]
    fn other_names_are_none() {
        for name in [
            "",
            "Text",
            "text.",
            "text.0.0.0",
            "text.1",
            "text.26.0.0",
            "text.1.0.0.0",
            "text.1.0.0.2",
            "text.1.0.0.1.0",
            "text.1.0.x",
        ] {
            assert_eq!(DialectId::from_name(name), None, "{name}");
        }
        assert!(DialectId::from_name("text.1.0.0").is_some());
    }

    #[test]
    fn frames_go_through_unchanged_but_for_one_row() {
        let objects_only = id("text-longest-columns");
        for of in DialectId::all() {
            let text = write_public_chat(of, &sender(), 4, "\"é\\").unwrap();
            let frame = signed(&text);
            for to in DialectId::all() {
                let relayed = for_dialect(&frame, to);
                let changed = frame.form() == Form::Text && to == objects_only;
                assert_eq!(relayed != text, changed, "{of:?} {to:?}");
                assert_eq!(matches!(relayed, Cow::Borrowed(_)), !changed);
                let again = signed(&relayed);
                let expected = if changed { Form::Object } else { frame.form() };
                assert_eq!((again.form(), again.data()), (expected, frame.data()));
                assert_eq!(again.payload(), frame.payload());
                assert!(again.verify(&sender().public(), None).is_ok());
            }
        }
    }
}
