//! What is signed: the table of recipes, from a frame's data and counter to the bytes under its signature.
//!
//! By the text of the protocol it is the data string followed by the decimal counter. Clients that send an
//! object sign one of several renderings of it, and their RSA-PSS salts have one of two lengths. Both
//! are found by trying: the recipe that a key is known to use first, then each row once.

use super::frame::{Form, SignedFrame};
use super::json::Json;
use crate::Reference;
use portcullis_crypto::BadSignature;
use portcullis_crypto::classic::{ClassicPublic, Salt, sha256};

/// From data and counter to the bytes that are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recipe {
    /// The data's text as sent, and the decimal counter.
    AsSent,
    /// The data rendered anew.
    Anew(Style, Around),
}

/// How JSON is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Style {
    /// Of an object's keys.
    pub order: Order,
    /// After commas and colons.
    pub spacing: Spacing,
    /// Of strings.
    pub letters: Letters,
}

/// In which order an object's keys stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// By code point.
    Sorted,
    /// As they were sent.
    AsSent,
}

/// What follows commas and colons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spacing {
    /// Nothing.
    None,
    /// A blank.
    Blanks,
}

/// How letters beyond ASCII stand in strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Letters {
    /// As themselves.
    AsTheyAre,
    /// As `\uXXXX`, in lower case, in pairs beyond the first plane.
    Ascii,
}

/// Where the counter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Around {
    /// `{data}N`
    Counter,
    /// `{"counter":N,"data":{data}}`, in the style's own order: data first where that is as sent.
    Object,
}

const fn anew(order: Order, spacing: Spacing, letters: Letters, around: Around) -> Recipe {
    Recipe::Anew(Style { order, spacing, letters }, around)
}

/// Every recipe. Where several give the same bytes, the first is the one that a key is taken to use: sorted
/// before as sent, for what we send is sorted then too, and fits both; [`Recipe::AsSent`] last, for only in
/// the string form (where it is tried first) can a receiver be expected to keep what was sent.
pub const RECIPES: [Recipe; 17] = {
    use {Around as A, Letters as L, Order as O, Spacing as S};
    [
        anew(O::Sorted, S::None, L::AsTheyAre, A::Counter),
        anew(O::Sorted, S::None, L::Ascii, A::Counter),
        anew(O::Sorted, S::Blanks, L::Ascii, A::Counter),
        anew(O::Sorted, S::Blanks, L::AsTheyAre, A::Counter),
        anew(O::AsSent, S::None, L::AsTheyAre, A::Counter),
        anew(O::AsSent, S::None, L::Ascii, A::Counter),
        anew(O::AsSent, S::Blanks, L::Ascii, A::Counter),
        anew(O::AsSent, S::Blanks, L::AsTheyAre, A::Counter),
        anew(O::Sorted, S::None, L::AsTheyAre, A::Object),
        anew(O::Sorted, S::None, L::Ascii, A::Object),
        anew(O::Sorted, S::Blanks, L::Ascii, A::Object),
        anew(O::Sorted, S::Blanks, L::AsTheyAre, A::Object),
        anew(O::AsSent, S::None, L::AsTheyAre, A::Object),
        anew(O::AsSent, S::None, L::Ascii, A::Object),
        anew(O::AsSent, S::Blanks, L::Ascii, A::Object),
        anew(O::AsSent, S::Blanks, L::AsTheyAre, A::Object),
        Recipe::AsSent,
    ]
};

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signing {
    /// What it signs.
    pub recipe: Recipe,
    /// How long its salts are.
    pub salt: Salt,
}

impl Recipe {
    /// The bytes that are signed; `data` is what `text` says.
    pub(super) fn signed(self, text: &str, data: &Json<'_>, counter: u64) -> Vec<u8> {
        let counter = counter.to_string();
        let mut signed = String::new();
        match self {
            Self::AsSent => signed.extend([text, &counter]),
            Self::Anew(style, Around::Counter) => {
                data.write(style, &mut signed);
                signed.push_str(&counter);
            }
            Self::Anew(style, Around::Object) => {
                let fields =
                    [("data".into(), data.clone()), ("counter".into(), Json::Token(&counter))];
                Json::Object(fields.into()).write(style, &mut signed);
            }
        }
        signed.into_bytes()
    }
}

impl SignedFrame {
    /// Whether `key` signed this frame, and how; `known` is how it signed before, which is tried first.
    ///
    /// Costs up to 34 verifications of RSA where nothing fits, so it belongs on no thread that others wait for.
    ///
    /// # Errors
    /// [`BadSignature`] if it did not, in any way that is known.
    pub fn verify(
        &self,
        key: &ClassicPublic,
        known: Option<Signing>,
    ) -> Result<Signing, BadSignature> {
        let data = Json::read(self.data()).map_err(|_| BadSignature)?;
        let first = match self.form() {
            Form::Text => Some(Recipe::AsSent),
            Form::Object => None,
        };
        let recipes = first.into_iter().chain(RECIPES);
        let rest = recipes.flat_map(|recipe| Salt::ALL.map(|salt| Signing { recipe, salt }));
        let mut tried = Vec::new();
        for signing in known.into_iter().chain(rest) {
            let signed = signing.recipe.signed(self.data(), &data, self.counter());
            let attempt = (signed, signing.salt);
            if tried.contains(&attempt) {
                continue;
            }
            if key.verify(signing.salt, &attempt.0, self.signature()).is_ok() {
                return Ok(signing);
            }
            tried.push(attempt);
        }
        Err(BadSignature)
    }

    /// What tells a replay, whatever the JSON around it looks like: the first 16 bytes of the SHA-256 of
    /// the signed bytes and the signature. `signing` is what [`Self::verify`] found.
    #[must_use]
    pub fn reference(&self, signing: Signing) -> Reference {
        // What is read once is read again.
        let data = Json::read(self.data()).unwrap_or(Json::Token("null"));
        let signed = signing.recipe.signed(self.data(), &data, self.counter());
        let hash = sha256(&[&signed, self.signature()]);
        Reference::from_bytes(hash.first_chunk().copied().unwrap_or_default())
    }
}
