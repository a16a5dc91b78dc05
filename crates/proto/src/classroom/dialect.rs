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
use super::signing::{Around, Letters, Order, Recipe, Signing, Spacing, Style};
use core::fmt;
use portcullis_crypto::classic::Salt;
use std::borrow::Cow;

/// The habits of a family of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Unique; for logs and for [`DialectId::from_name`].
    pub name: &'static str,
    /// How it sends `data`.
    pub form: Form,
    /// How it signs.
    pub signing: Signing,
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
const COLUMNS: PemLayout = PemLayout { wrap: Wrap::Columns, last_newline: false };
const COLUMNS_ENDED: PemLayout = PemLayout { wrap: Wrap::Columns, last_newline: true };

const BY_THE_TEXT: Fingerprint = base64_of(Hashed::Pem(LINE));
const AS_RECEIVED: Fingerprint = base64_of(Hashed::Received);
const HEX_IN_BASE64: Fingerprint =
    Fingerprint { shown: Shown::Base64OfHex, ..base64_of(Hashed::Pem(COLUMNS_ENDED)) };

const FIRST: Dialect = row("text", Form::Text, Recipe::AsSent, Salt::Digest, LINE, BY_THE_TEXT);

/// Every dialect; the first is the one of the protocol's text. Of rows that come equally near, the first
/// counts.
pub static DIALECTS: &[Dialect] = {
    use {Form::Object, Form::Text, Recipe::AsSent, Salt::Digest, Salt::Longest};
    &[
        FIRST,
        row("text-columns", Text, AsSent, Digest, COLUMNS, AS_RECEIVED),
        row("text-longest", Text, AsSent, Longest, LINE, BY_THE_TEXT),
        objects_only(row(
            "text-longest-columns",
            Text,
            AsSent,
            Longest,
            COLUMNS_ENDED,
            HEX_IN_BASE64,
        )),
        row("sorted", Object, counted(SORTED), Digest, LINE, BY_THE_TEXT),
        row("sorted-columns", Object, counted(SORTED), Digest, COLUMNS, AS_RECEIVED),
        row("sorted-longest", Object, counted(SORTED), Longest, COLUMNS_ENDED, AS_RECEIVED),
        row("dumps", Object, counted(DUMPS), Digest, COLUMNS, AS_RECEIVED),
        row("dumps-longest", Object, counted(DUMPS), Longest, COLUMNS_ENDED, AS_RECEIVED),
        row("sorted-dumps", Object, counted(SORTED_DUMPS), Digest, COLUMNS, AS_RECEIVED),
        row("sorted-dumps-longest", Object, counted(SORTED_DUMPS), Longest, COLUMNS, AS_RECEIVED),
        row("whole", Object, whole(SORTED), Digest, COLUMNS, AS_RECEIVED),
        row("whole-longest", Object, whole(SORTED), Longest, COLUMNS_ENDED, AS_RECEIVED),
        row("stringify", Object, counted(STRINGIFY), Digest, LINE, BY_THE_TEXT),
        row("stringify-longest", Object, counted(STRINGIFY), Longest, LINE, BY_THE_TEXT),
        row("as-sent", Object, AsSent, Digest, LINE, BY_THE_TEXT),
        row("as-sent-longest", Object, AsSent, Longest, LINE, BY_THE_TEXT),
    ]
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

const fn base64_of(of: Hashed) -> Fingerprint {
    Fingerprint { of, through_base64: false, shown: Shown::Base64 }
}

/// A row with what most clients do in the columns that are not named.
const fn row(
    name: &'static str,
    form: Form,
    recipe: Recipe,
    salt: Salt,
    pem: PemLayout,
    fingerprint: Fingerprint,
) -> Dialect {
    Dialect {
        name,
        form,
        signing: Signing { recipe, salt },
        pem,
        fingerprint,
        inner: Inner::Flat,
        iv_bytes: 16,
        accepts: Accepts::AsSent,
    }
}

/// Its own server parses what it sends and emits it anew, as objects, and it knows nothing else.
const fn objects_only(row: Dialect) -> Dialect {
    Dialect { accepts: Accepts::Object, ..row }
}

/// A row of [`DIALECTS`], and how fingerprints are computed if that was seen to differ. The first row,
/// unless something is known.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DialectId {
    row: u8,
    /// The place in [`Fingerprint::all`], counted from 1; 0 for the row's own.
    fingerprint: u8,
}

impl DialectId {
    /// The dialect of the protocol's text.
    pub const BY_THE_TEXT: Self = Self { row: 0, fingerprint: 0 };

    /// Each row's.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..).take(DIALECTS.len()).map(|row| Self { row, fingerprint: 0 })
    }

    /// Which dialect the sender of this `hello` speaks. `signing` is what its signature showed, `pem` its
    /// key as sent.
    #[must_use]
    pub fn recognise(hello: &SignedFrame, signing: Signing, pem: &str) -> Self {
        let pem = PemLayout::of(pem);
        let differs = |id: &Self| {
            let row = id.row();
            (
                row.form != hello.form(),
                row.signing.recipe != signing.recipe,
                row.signing.salt != signing.salt,
                row.pem.wrap != pem.wrap,
                row.pem.last_newline != pem.last_newline,
            )
        };
        Self::all().min_by_key(differs).unwrap_or(Self::BY_THE_TEXT)
    }

    /// The same, for a client that was seen to compute fingerprints in this way
    /// ([`GuestKey::fingerprint_in`](super::GuestKey::fingerprint_in)): no `hello` shows how.
    #[must_use]
    pub fn with_fingerprint(self, seen: Fingerprint) -> Self {
        let place = (1..).zip(Fingerprint::all()).find(|(_, known)| *known == seen);
        let own = seen == self.row_as_written().fingerprint;
        Self { fingerprint: place.filter(|_| !own).map_or(0, |(place, _)| place), ..self }
    }

    /// The row of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|id| id.name() == name)
    }

    /// The row's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row_as_written().name
    }

    /// The row, with what was seen to differ.
    #[must_use]
    pub fn row(self) -> Dialect {
        let row = self.row_as_written();
        let seen = usize::from(self.fingerprint).checked_sub(1);
        let seen = seen.and_then(|place| Fingerprint::all().nth(place));
        Dialect { fingerprint: seen.unwrap_or(row.fingerprint), ..*row }
    }

    fn row_as_written(self) -> &'static Dialect {
        DIALECTS.get(usize::from(self.row)).unwrap_or(&FIRST)
    }
}

impl From<DialectId> for Dialect {
    fn from(id: DialectId) -> Self {
        id.row()
    }
}

impl fmt::Debug for DialectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DialectId({}, {})", self.name(), self.fingerprint)
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
