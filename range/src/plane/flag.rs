//! Flags and the other secrets of one learner's world, all derived from one root.
//!
//! `HMAC-SHA256(root; "flag" ‖ class ‖ learner ‖ slug ‖ variant ‖ salt)`, each part behind its length (RFC 2104), so
//! that no two of them are the same bytes. A world is given its own flag; nobody can get from it to another.

use hmac::{Hmac, Mac as _};
use portcullis_crypto::{Randomness, Secret};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// What all secrets of a deployment are derived from: 32 random bytes.
pub struct FlagRoot(Zeroizing<[u8; 32]>);

/// Whose world, and which.
#[derive(Debug, Clone, Copy)]
pub struct Whose<'a> {
    /// The class; empty at home.
    pub class: &'a str,
    /// The learner.
    pub learner: &'a str,
    /// The flaw.
    pub slug: &'a str,
    /// The learner's; without one, nothing is derived from it.
    pub salt: Option<Salt>,
    /// Grows with every reset, so that an old world's secrets are worth nothing.
    pub variant: u32,
}

/// What tells a learner from whoever had their name before and was forgotten: 16 random bytes, written as hexadecimal
/// digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Salt(u128);

impl Salt {
    /// A new one.
    pub fn random(rng: &mut dyn Randomness) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self(u128::from_be_bytes(bytes))
    }
}

impl From<Salt> for String {
    fn from(salt: Salt) -> Self {
        format!("{:032x}", salt.0)
    }
}

impl TryFrom<String> for Salt {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u128::from_str_radix(&text, 16).map(Self)
    }
}

/// Letters and digits that can't be taken for each other (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A flag: 100 bits, as 20 characters in four groups.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flag(String);

impl Flag {
    fn new(bytes: &[u8; 32]) -> Self {
        let mut bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
        let mut text = String::new();
        for place in 0..20 {
            if place > 0 && place % 5 == 0 {
                text.push('-');
            }
            let five = bits.by_ref().take(5).fold(0, |value, bit| value << 1 | usize::from(bit));
            text.extend(ALPHABET.get(five).map(|letter| char::from(*letter)));
        }
        Self(text)
    }

    /// Reads what somebody typed: case, spaces, dashes and look-alike letters do not matter. None for what
    /// can't be a flag.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        let letters = letters(typed, 20)?;
        let groups: Vec<&str> =
            (0..4).filter_map(|group| letters.get(group * 5..group * 5 + 5)).collect();
        (groups.len() == 4).then(|| Self(groups.join("-")))
    }
}

/// The letters of what somebody typed, exactly so many.
fn letters(typed: &str, count: usize) -> Option<String> {
    let mut letters = String::new();
    for letter in typed.chars().filter(|letter| !letter.is_whitespace() && *letter != '-') {
        let letter = match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            letter => letter,
        };
        let known = u8::try_from(letter).is_ok_and(|byte| ALPHABET.contains(&byte));
        if !known || letters.len() == count {
            return None;
        }
        letters.push(letter);
    }
    (letters.len() == count).then_some(letters)
}

/// What one learner joins a class with: 50 bits, as 10 characters in two groups.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinCode(Secret<10>);

impl JoinCode {
    /// Reads what somebody typed, as [`Flag::parse`] does.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        Secret::from_slice(letters(typed, 10)?.as_bytes()).map(Self)
    }
}

impl fmt::Display for JoinCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, letter) in self.0.expose().iter().enumerate() {
            let dash = if place == 5 { "-" } else { "" };
            write!(f, "{dash}{}", char::from(*letter))?;
        }
        Ok(())
    }
}

impl fmt::Debug for JoinCode {
    /// Without the code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinCode(..)")
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Flag {
    /// Without the flag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flag(..)")
    }
}

/// What is secret in one world, or differs in it from other learners' worlds.
#[derive(Clone)]
pub struct Secrets {
    /// What only the exploit reaches.
    pub flag: Flag,
    /// What the learner puts into evidence, so that nobody solves anything by accident.
    pub nonce: String,
    /// Where the world's chance begins.
    pub seed: [u8; 32],
    values: [u8; 32],
}

impl Secrets {
    /// A number below `bound` that is this world's own, for this purpose.
    #[must_use]
    pub fn below(&self, purpose: &str, bound: u32) -> u32 {
        let bytes = derive(&self.values, &[b"value", purpose.as_bytes()]);
        let (first, _) = bytes.split_at(8);
        let wide = first.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        u32::try_from(wide % u64::from(bound.max(1))).unwrap_or(0)
    }
}

impl Secrets {
    /// A word of so many letters and digits that is this world's own, for this purpose.
    #[must_use]
    pub fn word(&self, purpose: &str, length: u32) -> String {
        let letters = (0..length).filter_map(|place| {
            let letter = self.below(&format!("{purpose}/{place}"), 32);
            ALPHABET.get(usize::try_from(letter).ok()?).map(|letter| char::from(*letter))
        });
        letters.collect()
    }
}

impl fmt::Debug for Secrets {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl FlagRoot {
    /// A new one.
    pub fn random(rng: &mut dyn Randomness) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut());
        Self(bytes)
    }

    /// The one with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A world's flag.
    #[must_use]
    pub fn flag(&self, whose: Whose<'_>) -> Flag {
        Flag::new(&self.of("flag", whose))
    }

    /// What a learner is given for a solve of whatever kind, for scoreboards elsewhere: the same for all of
    /// their worlds of a flaw.
    #[must_use]
    pub fn score(&self, whose: Whose<'_>) -> Flag {
        Flag::new(&self.of("score", Whose { variant: 0, ..whose }))
    }

    /// What opens the doors of a world to whoever comes back with the token of this hash: 100 bits, in lower
    /// case.
    #[must_use]
    pub fn ticket(&self, whose: Whose<'_>, token: &str) -> String {
        let ticket = derive(&self.of("ticket", whose), &[token.as_bytes()]);
        Flag::new(&ticket).0.replace('-', "").to_lowercase()
    }

    /// What a learner joins the class with who was let in again so many times as this says.
    #[must_use]
    pub fn join_code(&self, whose: Whose<'_>) -> Option<JoinCode> {
        let code = self.of("join", Whose { slug: "", ..whose });
        JoinCode::parse(Flag::new(&code).0.get(..11)?)
    }

    /// All that a world is given.
    #[must_use]
    pub fn secrets(&self, whose: Whose<'_>) -> Secrets {
        let nonce = Flag::new(&self.of("nonce", whose)).0;
        Secrets {
            flag: self.flag(whose),
            nonce: nonce.split('-').take(2).collect::<Vec<_>>().concat(),
            seed: self.of("seed", whose),
            values: self.of("values", whose),
        }
    }

    fn of(&self, what: &str, whose: Whose<'_>) -> [u8; 32] {
        let Whose { class, learner, slug, salt, variant } = whose;
        let variant = variant.to_be_bytes();
        let texts = [what, class, learner, slug].map(str::as_bytes);
        let salt = salt.map(|salt| salt.0.to_be_bytes());
        let parts: Vec<&[u8]> = texts
            .into_iter()
            .chain([variant.as_slice()])
            .chain(salt.as_ref().map(<[u8; 16]>::as_slice))
            .collect();
        derive(&self.0, &parts)
    }
}

impl fmt::Debug for FlagRoot {
    /// Without the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FlagRoot(..)")
    }
}

fn derive(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of every length, so there is no error to report; without a key there is no secret.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const WHOSE: Whose<'_> =
        Whose { class: "", learner: "mira", slug: "replay", salt: None, variant: 0 };

    #[test]
    fn every_part_counts() {
        let (one, other) = (FlagRoot::from_bytes([1; 32]), FlagRoot::from_bytes([2; 32]));
        let flags: BTreeSet<Flag> = [
            one.flag(WHOSE),
            other.flag(WHOSE),
            one.flag(Whose { class: "b", ..WHOSE }),
            one.flag(Whose { learner: "mir", slug: "areplay", ..WHOSE }),
            one.flag(Whose { variant: 1, ..WHOSE }),
            one.flag(Whose { slug: "no-tag", ..WHOSE }),
            one.flag(Whose { salt: Some(Salt(0)), ..WHOSE }),
            one.flag(Whose { salt: Some(Salt(1)), ..WHOSE }),
        ]
        .into();
        assert_eq!(flags.len(), 8);
        assert_eq!(one.flag(WHOSE), one.secrets(WHOSE).flag);
    }

    #[test]
    fn flags_are_read_as_people_type_them() {
        let flag = Flag("0A1B2-C3D4E-F5G6H-7J8K9".to_owned());
        let check = |typed: &str, same: bool| {
            assert_eq!(Flag::parse(typed).as_ref() == Some(&flag), same, "{typed}");
        };
        check("0A1B2-C3D4E-F5G6H-7J8K9", true);
        check(" oaib2c3d4e f5g6h-7j8k9 ", true);
        check("0A1B2-C3D4E-F5G6H-7J8K8", false);
        for no_flag in ["", "0A1B2", "0A1B2-C3D4E-F5G6H-7J8K9-0", "0A1B2-C3D4E-F5G6H-7J8U9", "é"] {
            assert_eq!(Flag::parse(no_flag), None, "{no_flag}");
        }
    }

    #[test]
    fn everybody_has_a_join_code_of_their_own() {
        let (root, other) = (FlagRoot::from_bytes([7; 32]), FlagRoot::from_bytes([8; 32]));
        let whose = Whose { class: "7b", ..WHOSE };
        let code = root.join_code(whose).unwrap();
        let typed = format!(" {} ", code.to_string().to_lowercase().replace('-', " "));
        assert_eq!(JoinCode::parse(&typed), Some(code.clone()));
        for others in [
            root.join_code(Whose { class: "7c", ..whose }),
            root.join_code(Whose { learner: "oleg", ..whose }),
            root.join_code(Whose { salt: Some(Salt(0)), ..whose }),
            root.join_code(Whose { variant: 1, ..whose }),
            other.join_code(whose),
        ] {
            assert_ne!(others.unwrap(), code);
        }
        assert_eq!((code.to_string().len(), format!("{code:?}")), (11, "JoinCode(..)".to_owned()));
        for no_code in ["", "AAAAA", "AAAAA-AAAAA-A", "AAAAA-AAAAU"] {
            assert_eq!(JoinCode::parse(no_code), None, "{no_code}");
        }
    }

    #[test]
    fn a_flag_reads_back() {
        let flag = FlagRoot::from_bytes([7; 32]).flag(WHOSE);
        assert_eq!(flag.to_string().len(), 23);
        assert_eq!(Flag::parse(&flag.to_string()), Some(flag));
    }

    #[test]
    fn secrets_are_not_shown() {
        let root = FlagRoot::from_bytes([7; 32]);
        let secrets = root.secrets(WHOSE);
        let shown = format!("{root:?} {secrets:?} {:?}", secrets.flag);
        assert_eq!(shown, "FlagRoot(..) Secrets(..) Flag(..)");
    }

    #[test]
    fn values_are_below_their_bound_and_differ_by_purpose() {
        let secrets = FlagRoot::from_bytes([7; 32]).secrets(WHOSE);
        let values: BTreeSet<u32> =
            ["a", "b", "c", "d"].iter().map(|purpose| secrets.below(purpose, 1_000_000)).collect();
        assert_eq!(values.len(), 4);
        assert!(values.iter().all(|value| *value < 1_000_000));
        assert_eq!(secrets.below("a", 0), 0);
        assert_eq!(secrets.word("a", 12).len(), 12);
        assert_ne!(secrets.word("a", 12), secrets.word("b", 12));
    }
}
