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
    /// The same around the data's text, which is a string there: `{"counter":N,"data":"…"}`. Only who sends a string
    /// signs so.
    ObjectOfText,
}

const fn anew(order: Order, spacing: Spacing, letters: Letters, around: Around) -> Recipe {
    Recipe::Anew(Style { order, spacing, letters }, around)
}

/// Every recipe. Where several give the same bytes, the first is the one that a key is taken to use: sorted
/// before as sent, for what we send is sorted then too, and fits both; [`Recipe::AsSent`] after those, for only in
/// the string form (where it is tried first) can a receiver be expected to keep what was sent. A new one stands last:
/// what is kept of a client says its place among them.
pub const RECIPES: [Recipe; 25] = {
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
        anew(O::Sorted, S::None, L::AsTheyAre, A::ObjectOfText),
        anew(O::Sorted, S::None, L::Ascii, A::ObjectOfText),
        anew(O::Sorted, S::Blanks, L::Ascii, A::ObjectOfText),
        anew(O::Sorted, S::Blanks, L::AsTheyAre, A::ObjectOfText),
        anew(O::AsSent, S::None, L::AsTheyAre, A::ObjectOfText),
        anew(O::AsSent, S::None, L::Ascii, A::ObjectOfText),
        anew(O::AsSent, S::Blanks, L::Ascii, A::ObjectOfText),
        anew(O::AsSent, S::Blanks, L::AsTheyAre, A::ObjectOfText),
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
            Self::Anew(style, around) => {
                let data = if around == Around::Object { data.clone() } else { Json::of(text) };
                let fields = [("data".into(), data), ("counter".into(), Json::Token(&counter))];
                Json::Object(fields.into()).write(style, &mut signed);
            }
        }
        signed.into_bytes()
    }

    /// Whether who sends data in this form may sign so.
    pub(super) fn fits(self, form: Form) -> bool {
        form == Form::Text || !matches!(self, Self::Anew(_, Around::ObjectOfText))
    }
}

impl SignedFrame {
    /// Whether `key` signed this frame, and how; `known` is how it signed before, which is tried first.
    ///
    /// Costs up to 50 verifications of RSA where nothing fits (34 for an object), half of that where something is known,
    /// so it belongs on no thread that others wait for.
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
        let recipes = first.into_iter().chain(RECIPES).filter(|recipe| recipe.fits(self.form()));
        // A library's salts are of one length; only what is signed may look alike for a while.
        let salts = known.map_or(Salt::ALL.to_vec(), |known| vec![known.salt]);
        let each = |recipe| salts.iter().map(move |salt| Signing { recipe, salt: *salt });
        let mut tried = Vec::new();
        for signing in known.into_iter().chain(recipes.flat_map(each)) {
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::classroom::frame::to_base64;
    use crate::classroom::tests::{recipient, sender, signed};

    /// Other bytes under each recipe: blanks that nobody makes, keys out of order, letters beyond ASCII.
    const DATA: &str = r#"{"type" :"poll", "é":[1,2], "a":1.0}"#;

    fn frame(data: &str, counter: u64, signature: &[u8]) -> SignedFrame {
        let signature = to_base64(signature);
        let fields = format!(r#""data":{data},"counter":{counter},"signature":"{signature}""#);
        signed(&format!(r#"{{"type":"signed_data",{fields}}}"#))
    }

    #[test]
    fn every_recipe_gives_the_bytes_that_it_names() {
        let json = Json::read(DATA).unwrap();
        let check = |recipe: Recipe, expected: &str| {
            let bytes = recipe.signed(DATA, &json, 70);
            assert_eq!(String::from_utf8(bytes).unwrap(), expected, "{recipe:?}");
            assert!(RECIPES.contains(&recipe));
        };
        use {Around as A, Letters as L, Order as O, Spacing as S};
        check(Recipe::AsSent, &format!("{DATA}70"));
        let json_sorted = anew(O::Sorted, S::None, L::AsTheyAre, A::Counter);
        check(json_sorted, r#"{"a":1.0,"type":"poll","é":[1,2]}70"#);
        let dumps = anew(O::AsSent, S::Blanks, L::Ascii, A::Counter);
        check(dumps, r#"{"type": "poll", "\u00e9": [1, 2], "a": 1.0}70"#);
        let stringify = anew(O::AsSent, S::None, L::AsTheyAre, A::Counter);
        check(stringify, r#"{"type":"poll","é":[1,2],"a":1.0}70"#);
        let whole = anew(O::Sorted, S::None, L::AsTheyAre, A::Object);
        check(whole, r#"{"counter":70,"data":{"a":1.0,"type":"poll","é":[1,2]}}"#);
        let in_order = anew(O::AsSent, S::Blanks, L::AsTheyAre, A::Object);
        check(in_order, r#"{"data": {"type": "poll", "é": [1, 2], "a": 1.0}, "counter": 70}"#);
        let whole_text = anew(O::Sorted, S::None, L::Ascii, A::ObjectOfText);
        let quoted = r#""{\"type\" :\"poll\", \"\u00e9\":[1,2], \"a\":1.0}""#;
        check(whole_text, &format!(r#"{{"counter":70,"data":{quoted}}}"#));
        let mut all: Vec<_> = RECIPES.map(|recipe| recipe.signed(DATA, &json, 70)).into();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), RECIPES.len());
    }

    #[test]
    fn every_way_to_sign_is_found_in_both_forms() {
        let (key, json) = (sender(), Json::read(DATA).unwrap());
        let text = serde_json::to_string(DATA).unwrap();
        let other = Signing { recipe: Recipe::AsSent, salt: Salt::Digest };
        for recipe in RECIPES {
            for salt in Salt::ALL {
                let signing = Signing { recipe, salt };
                let signature = key.sign(salt, &recipe.signed(DATA, &json, 7)).unwrap();
                for data in [DATA, &text] {
                    let frame = frame(data, 7, &signature);
                    if !recipe.fits(frame.form()) {
                        assert!(frame.verify(&key.public(), None).is_err());
                        continue;
                    }
                    assert_eq!(frame.verify(&key.public(), None), Ok(signing));
                    assert_eq!(frame.verify(&key.public(), Some(signing)), Ok(signing));
                    // Another recipe may have fitted before; another salt is another library's.
                    let known = frame.verify(&key.public(), Some(other));
                    assert_eq!(known.is_ok(), salt == other.salt, "{signing:?}");
                    assert!(frame.verify(&recipient().public(), None).is_err());
                }
            }
        }
    }

    #[test]
    fn nothing_else_is_signed() {
        let key = sender();
        let signature = key.sign(Salt::Digest, format!("{DATA}7").as_bytes()).unwrap();
        let check = |data: &str, counter, signature: &[u8], expected: bool| {
            let verified = frame(data, counter, signature).verify(&key.public(), None);
            assert_eq!(verified.is_ok(), expected, "{data} {counter}");
        };
        check(DATA, 7, &signature, true);
        check(DATA, 8, &signature, false);
        check(DATA, 77, &signature, false);
        check(&DATA.replace("poll", "pool"), 7, &signature, false);
        check(&DATA.replace("1.0", "1"), 7, &signature, false);
        check(DATA, 7, &signature[..255], false);
        check(DATA, 7, &[], false);
        check(DATA, 7, &[0; 512], false);
        // The counter's digits can't be taken from the data, whose last letter is a bracket.
        let early = key.sign(Salt::Digest, DATA.as_bytes()).unwrap();
        check(DATA, 0, &early, false);
    }

    #[test]
    fn a_replay_has_the_same_reference_whatever_is_around_it() {
        let key = sender();
        let known = Signing { recipe: RECIPES[0], salt: Salt::Digest };
        let json = Json::read(DATA).unwrap();
        let bytes = known.recipe.signed(DATA, &json, 7);
        let signature = key.sign(known.salt, &bytes).unwrap();
        let first = frame(DATA, 7, &signature);
        let reference = first.reference(known);
        assert_eq!(reference.as_bytes(), &sha256(&[&bytes, &signature])[..16]);
        let text = serde_json::to_string(DATA).unwrap();
        let reordered = r#"{"a":1.0,"type":"poll","\u00e9":[1,2]}"#;
        for data in [text.as_str(), reordered, &DATA.replace(' ', "\n")] {
            let again = frame(data, 7, &signature);
            let signing = again.verify(&key.public(), None).unwrap();
            assert_eq!(again.reference(signing), reference, "{data}");
        }
        let anew = key.sign(known.salt, &bytes).unwrap();
        assert_ne!(frame(DATA, 7, &anew).reference(known), reference);
    }
}
