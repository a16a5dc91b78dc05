//! What was said is changed only by the account that said it, and only while it stands; answers and
//! reactions speak only of messages of their own conversation.
//!
//! Attack: a member rewrites or takes back what another member said, with a true signature of its own;
//! or answers a message that the readers of this conversation have never seen, as if it had been here.
//! CWE-639, authorization bypass through a key that the user controls; CWE-345.
//! Precedent: syphon-org/syphon#242 (2021: Syphon and Element Android showed anyone's edit of anyone's
//! message); the Matrix specification's "Validity of replacement events" has since been the rule.

use portcullis_proto::{AccountId, Kind};

/// What is known of a message that another one speaks of, looked up in that one's conversation alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The account that said it.
    pub account: AccountId,
    /// Whether that account has taken it back.
    pub deleted: bool,
    /// Whether it offers files, whose words are made from what is offered.
    pub offer: bool,
}

/// Proof that a message may say what it says of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeAccepted<'a> {
    author: AccountId,
    kind: &'a Kind,
    said_by: AccountId,
}

impl<'a> ChangeAccepted<'a> {
    /// Who makes the change.
    #[must_use]
    pub const fn author(self) -> AccountId {
        self.author
    }

    /// What it does to its target.
    #[must_use]
    pub const fn kind(self) -> &'a Kind {
        self.kind
    }

    /// Who said the target.
    #[must_use]
    pub const fn said_by(self) -> AccountId {
        self.said_by
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(author: AccountId, kind: &'a Kind, said_by: AccountId) -> Self {
        Self { author, kind, said_by }
    }
}

/// Why a change does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeRefused {
    /// Somebody else said what it would change.
    NotTheirs,
    /// It speaks of a message that is not known in this conversation.
    Unknown,
    /// What it would change was taken back before.
    Deleted,
    /// What files are offered can't be said otherwise.
    Offer,
}

impl std::fmt::Display for ChangeRefused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotTheirs => "somebody else said it",
            Self::Unknown => "it speaks of a message that is not known here",
            Self::Deleted => "that message was taken back before",
            Self::Offer => "it would say that other files were offered",
        })
    }
}

/// Decides whether `author` may say this of `target`. Asked for every message that refers to another.
/// Who answers or reacts to what was taken back meanwhile could not know it; that stands.
///
/// # Errors
/// [`ChangeRefused`]; whether a message is known comes first, then whose it is.
pub fn accept_change(
    target: Option<Target>,
    author: AccountId,
    kind: &Kind,
) -> Result<ChangeAccepted<'_>, ChangeRefused> {
    let target = target.ok_or(ChangeRefused::Unknown)?;
    if matches!(kind, Kind::Edit { .. } | Kind::Delete) {
        if target.account != author {
            return Err(ChangeRefused::NotTheirs);
        }
        if target.deleted {
            return Err(ChangeRefused::Deleted);
        }
    }
    if target.offer && matches!(kind, Kind::Edit { .. }) {
        return Err(ChangeRefused::Offer);
    }
    Ok(ChangeAccepted { author, kind, said_by: target.account })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: AccountId = AccountId::from_bytes([1; 16]);
    const MALLORY: AccountId = AccountId::from_bytes([2; 16]);

    fn check(
        target: Option<Target>,
        author: AccountId,
        kind: Kind,
        expected: Option<ChangeRefused>,
    ) {
        let decided = accept_change(target, author, &kind);
        assert_eq!(decided.err(), expected, "{author:?} {kind:?} {target:?}");
        if let (Ok(accepted), Some(target)) = (decided, target) {
            assert_eq!((accepted.author(), accepted.kind()), (author, &kind));
            assert_eq!(accepted.said_by(), target.account);
        }
    }

    fn edit() -> Kind {
        Kind::Edit { text: "pay Mallory".to_owned() }
    }

    fn reaction() -> Kind {
        Kind::Reaction { emoji: "+1".to_owned() }
    }

    fn answer() -> Kind {
        Kind::Text("so it is".to_owned())
    }

    #[test]
    fn only_who_said_it_changes_it() {
        let said = Some(Target { account: ALICE, deleted: false, offer: false });
        check(said, ALICE, edit(), None);
        check(said, ALICE, Kind::Delete, None);
        check(said, MALLORY, edit(), Some(ChangeRefused::NotTheirs));
        check(said, MALLORY, Kind::Delete, Some(ChangeRefused::NotTheirs));
    }

    #[test]
    fn what_was_taken_back_stays_so() {
        let gone = Some(Target { account: ALICE, deleted: true, offer: false });
        check(gone, ALICE, edit(), Some(ChangeRefused::Deleted));
        check(gone, ALICE, Kind::Delete, Some(ChangeRefused::Deleted));
        // Nobody else learns more of it than that it is not theirs.
        check(gone, MALLORY, edit(), Some(ChangeRefused::NotTheirs));
        check(gone, MALLORY, Kind::Delete, Some(ChangeRefused::NotTheirs));
    }

    #[test]
    fn an_offer_of_files_is_taken_back_and_not_said_otherwise() {
        let offer = Some(Target { account: ALICE, deleted: false, offer: true });
        check(offer, ALICE, edit(), Some(ChangeRefused::Offer));
        check(offer, ALICE, Kind::Delete, None);
        check(offer, MALLORY, edit(), Some(ChangeRefused::NotTheirs));
        check(offer, MALLORY, answer(), None);
    }

    #[test]
    fn everyone_answers_and_reacts_to_what_was_said_here() {
        for deleted in [false, true] {
            let said = Some(Target { account: ALICE, deleted, offer: false });
            for author in [ALICE, MALLORY] {
                check(said, author, answer(), None);
                check(said, author, reaction(), None);
            }
        }
    }

    #[test]
    fn nothing_speaks_of_a_message_from_elsewhere() {
        for kind in [edit(), Kind::Delete, answer(), reaction(), Kind::Unknown("pin".to_owned())] {
            check(None, ALICE, kind, Some(ChangeRefused::Unknown));
        }
    }
}
