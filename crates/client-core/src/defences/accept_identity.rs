//! An account's identity key is pinned at first contact; another key, or another account behind the
//! same name, is never taken without the person.
//!
//! Attack: the server hands out its own key for a contact, and reads or writes in their name.
//! CWE-322, key exchange without entity authentication.
//! Precedent: CVE-2022-39250 (Matrix SDKs); Telegram 2013.

use portcullis_crypto::IdentityPublic;
use portcullis_proto::{AccountCard, AccountId, UserName};

/// What this device holds fast about an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// The name and key pinned for the account's id.
    pub by_id: Option<(UserName, IdentityPublic)>,
    /// The account pinned for the name.
    pub by_name: Option<AccountId>,
}

/// How an account's card fits what is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contact {
    /// Nothing was pinned: trust on first use, shown as not verified.
    First,
    /// It is as it was.
    Known,
    /// It contradicts what is pinned for this account.
    Changed(AccountId),
}

/// Compares a card with what is pinned.
#[must_use]
pub fn accept_identity(pinned: &Pinned, card: &AccountCard) -> Contact {
    match (&pinned.by_id, pinned.by_name) {
        (None, None) => Contact::First,
        (None, Some(other)) => Contact::Changed(other),
        (Some((name, key)), _) if *key == card.identity && *name == card.name => Contact::Known,
        (Some(_), _) => Contact::Changed(card.account),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use portcullis_crypto::IdentityKey;

    const ALICE: AccountId = AccountId::from_bytes([1; 16]);
    const OTHER: AccountId = AccountId::from_bytes([2; 16]);

    fn key(seed: u64) -> IdentityPublic {
        IdentityKey::generate(&mut crate::client::tests::rng(seed)).public()
    }

    fn name(text: &str) -> UserName {
        UserName::parse(text).unwrap()
    }

    fn check(by_id: Option<(&str, u64)>, by_name: Option<AccountId>, expected: Contact) {
        let by_id = by_id.map(|(text, seed)| (name(text), key(seed)));
        let card =
            AccountCard { account: ALICE, name: name("alice"), identity: key(1), lists: vec![] };
        assert_eq!(accept_identity(&Pinned { by_id, by_name }, &card), expected);
    }

    #[test]
    fn only_first_contact_is_taken_on_trust() {
        check(None, None, Contact::First);
        check(Some(("alice", 1)), Some(ALICE), Contact::Known);
        check(Some(("alice", 2)), Some(ALICE), Contact::Changed(ALICE));
        check(Some(("mallory", 1)), None, Contact::Changed(ALICE));
        check(None, Some(OTHER), Contact::Changed(OTHER));
    }
}
