//! Names of accounts, channels and devices. A value of these types is canonical: comparing two is
//! comparing their text.

use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadName {
    /// Not `[a-z0-9][a-z0-9._-]{1,31}`.
    User,
    /// Not `#` and a user-name-like rest.
    Channel,
    /// Not `+` and a user-name-like rest.
    Group,
    /// Not 1–32 printable characters.
    Device,
    /// Not `~` and 16 characters of base32.
    Guest,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => {
                "a user name has 2 to 32 characters: letters a-z, digits, and . _ - after the first"
            }
            Self::Channel => {
                "a channel name is # and 2 to 32 characters: letters a-z, digits, and . _ - after the first"
            }
            Self::Group => {
                "a group's name is + and 2 to 32 characters: letters a-z, digits, and . _ - after the first"
            }
            Self::Device => "a device name has 1 to 32 printable characters",
            Self::Guest => "a guest's name is ~ and 16 characters: letters a-z and digits 2-7",
        })
    }
}

impl core::error::Error for BadName {}

macro_rules! name {
    ($(#[$about:meta])* $name:ident, $parse:expr) => {
        $(#[$about])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Reads a name as a person may type it.
            ///
            /// # Errors
            /// Refuses what is not such a name, and says what one looks like.
            pub fn parse(text: &str) -> Result<Self, BadName> {
                $parse(text).map(Self)
            }

            /// The name's canonical text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// An account's name: `[a-z0-9][a-z0-9._-]{1,31}`, lower-cased on entry.
    UserName, |text: &str| plain(text).ok_or(BadName::User)
}
name! {
    /// A channel's name: `#` and what a user name may be, lower-cased on entry.
    ChannelName, |text: &str| {
        let rest = text.strip_prefix('#').and_then(plain).ok_or(BadName::Channel)?;
        Ok(format!("#{rest}"))
    }
}
name! {
    /// A group's name: `+` and what a user name may be, lower-cased on entry. Only its members know it,
    /// and two groups may have the same.
    GroupName, |text: &str| {
        let rest = text.strip_prefix('+').and_then(plain).ok_or(BadName::Group)?;
        Ok(format!("+{rest}"))
    }
}
name! {
    /// What a person calls a device: 1–32 characters, none of them control or formatting ones.
    DeviceName, device
}

name! {
    /// A classroom guest's name: `~` and 80 bits of its key's hash in base32 (RFC 4648 section 6, lower
    /// case). Nobody chooses it, and no account's name begins so.
    GuestName, |text: &str| {
        let rest = text.strip_prefix('~').ok_or(BadName::Guest)?.to_ascii_lowercase();
        let fits = rest.len() == 16 && rest.bytes().all(|byte| BASE32.contains(&byte));
        fits.then(|| format!("~{rest}")).ok_or(BadName::Guest)
    }
}

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl GuestName {
    /// The name of the guest with this key: the SHA-256 of its `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn of_key(hash: &[u8; 32]) -> Self {
        let (mut name, mut bits, mut count) = ("~".to_owned(), 0_u32, 0);
        for byte in hash.iter().take(10) {
            bits = (bits << 8) | u32::from(*byte);
            count += 8;
            while count >= 5 {
                count -= 5;
                let digit = BASE32.get((bits >> count) as usize & 31);
                name.extend(digit.map(|digit| char::from(*digit)));
            }
        }
        Self(name)
    }
}

/// Who says something: somebody with an account, or a classroom guest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PersonName {
    /// An account, by its name.
    User(UserName),
    /// A guest, by its key.
    Guest(GuestName),
}

impl PersonName {
    /// Reads a name as a person may type it.
    ///
    /// # Errors
    /// Refuses what is no such name, and says what one looks like.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        match text.starts_with('~') {
            true => GuestName::parse(text).map(Self::Guest),
            false => UserName::parse(text).map(Self::User),
        }
    }

    /// The name's canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::User(name) => name.as_str(),
            Self::Guest(name) => name.as_str(),
        }
    }

    /// The account's name, if it is one's.
    #[must_use]
    pub const fn user(&self) -> Option<&UserName> {
        match self {
            Self::User(name) => Some(name),
            Self::Guest(_) => None,
        }
    }
}

impl From<UserName> for PersonName {
    fn from(name: UserName) -> Self {
        Self::User(name)
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for PersonName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for PersonName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// What a person calls a conversation: `#channel`, `+group`, the other one's user name, or `~guest`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConversationName {
    /// A channel.
    Channel(ChannelName),
    /// A group.
    Group(GroupName),
    /// A direct, by the other account's name.
    Direct(UserName),
    /// One's own device's conversation with a classroom guest.
    Classic(GuestName),
}

impl ConversationName {
    /// Reads a name as a person may type it; the first character tells which kind it is.
    ///
    /// # Errors
    /// Refuses what is no such name, and says what one looks like.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        match text.chars().next() {
            Some('#') => ChannelName::parse(text).map(Self::Channel),
            Some('+') => GroupName::parse(text).map(Self::Group),
            Some('~') => GuestName::parse(text).map(Self::Classic),
            _ => UserName::parse(text).map(Self::Direct),
        }
    }

    /// The name's canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Channel(name) => name.as_str(),
            Self::Group(name) => name.as_str(),
            Self::Direct(name) => name.as_str(),
            Self::Classic(name) => name.as_str(),
        }
    }
}

impl From<PersonName> for ConversationName {
    /// The conversation with somebody alone.
    fn from(name: PersonName) -> Self {
        match name {
            PersonName::User(name) => Self::Direct(name),
            PersonName::Guest(name) => Self::Classic(name),
        }
    }
}

impl fmt::Display for ConversationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for ConversationName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl ChannelName {
    /// `#lobby`, the channel that every account is in.
    #[must_use]
    pub fn lobby() -> Self {
        Self("#lobby".to_owned())
    }
}

fn plain(text: &str) -> Option<String> {
    let name = text.to_ascii_lowercase();
    let mut bytes = name.bytes();
    let first = bytes.next()?.is_ascii_alphanumeric();
    let rest = bytes.all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    (first && rest && (2..=32).contains(&name.len())).then_some(name)
}

fn device(text: &str) -> Result<String, BadName> {
    let name = text.trim();
    let printable = |character: char| {
        character == ' ' || (character.is_alphanumeric() || character.is_ascii_punctuation())
    };
    let fits = (1..=32).contains(&name.chars().count()) && name.chars().all(printable);
    fits.then(|| name.to_owned()).ok_or(BadName::Device)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_user(text: &str, expected: Option<&str>) {
        let name = UserName::parse(text).ok();
        assert_eq!(name.as_ref().map(UserName::as_str), expected, "{text:?}");
    }

    #[test]
    fn user_names() {
        check_user("alice", Some("alice"));
        check_user("Alice", Some("alice"));
        check_user("a", None);
        check_user("a1._-", Some("a1._-"));
        check_user(".dot", None);
        check_user("#lobby", None);
        check_user("al ice", None);
        check_user("älice", None);
        check_user("K\u{212a}", None); // the Kelvin sign lower-cases to k outside ASCII
        check_user(&"a".repeat(32), Some(&"a".repeat(32)));
        check_user(&"a".repeat(33), None);
        check_user("", None);
    }

    #[test]
    fn channel_group_and_device_names() {
        assert_eq!(ChannelName::parse("#Lobby"), Ok(ChannelName::lobby()));
        assert_eq!(ChannelName::parse("lobby"), Err(BadName::Channel));
        assert_eq!(ChannelName::parse("##lobby"), Err(BadName::Channel));
        assert_eq!(GroupName::parse("+Team").map(|n| n.to_string()), Ok("+team".into()));
        assert_eq!(GroupName::parse("team"), Err(BadName::Group));
        assert_eq!(GroupName::parse("+#team"), Err(BadName::Group));
        assert_eq!(DeviceName::parse(" laptop 2 ").map(|n| n.to_string()), Ok("laptop 2".into()));
        assert_eq!(DeviceName::parse("a\u{202e}b"), Err(BadName::Device));
        assert_eq!(DeviceName::parse("\u{1b}[2J"), Err(BadName::Device));
        assert_eq!(DeviceName::parse(" "), Err(BadName::Device));
    }

    #[test]
    fn the_first_character_tells_what_a_name_names() {
        let check = |text: &str, expected: Result<&str, BadName>| {
            let kind = ConversationName::parse(text).map(|name| match name {
                ConversationName::Channel(name) => format!("channel {name}"),
                ConversationName::Group(name) => format!("group {name}"),
                ConversationName::Direct(name) => format!("direct {name}"),
                ConversationName::Classic(name) => format!("classic {name}"),
            });
            assert_eq!(kind, expected.map(str::to_owned), "{text:?}");
        };
        check("#Den", Ok("channel #den"));
        check("+Team", Ok("group +team"));
        check("Oleg", Ok("direct oleg"));
        check("#", Err(BadName::Channel));
        check("+", Err(BadName::Group));
        check("~AAAAbbbbccccdd27", Ok("classic ~aaaabbbbccccdd27"));
        check("~aaaabbbbccccdd28", Err(BadName::Guest));
        check("~aaaa", Err(BadName::Guest));
        check("@oleg", Err(BadName::User));
        check("", Err(BadName::User));
    }

    #[test]
    fn a_guests_name_is_80_bits_of_its_keys_hash() {
        let check = |hash: [u8; 32], expected: &str| {
            let name = GuestName::of_key(&hash);
            assert_eq!(name.as_str(), expected);
            assert_eq!(GuestName::parse(expected), Ok(name));
        };
        check([0; 32], "~aaaaaaaaaaaaaaaa");
        check([0xff; 32], "~7777777777777777");
        check(core::array::from_fn(|at| at as u8), "~aaaqeayeaudaocaj");
    }
}
