//! What an author had seen must be what this device has seen: a server that shows two people two
//! different conversations is found out by their next message.
//!
//! Attack: the server forks a conversation, and leaves a message out for some.
//! CWE-345, insufficient verification of data authenticity.
//! Precedent: Mazières & Shasha 2002 (fork consistency); eprint 2017/713, where group servers
//! chose what each member saw of a conversation.

use portcullis_crypto::Hash;
use portcullis_proto::Seen;

/// Whether an author's words about what came before fit this device's own chain there. Where this
/// device has no chain (before it began to read) nothing can be compared.
#[must_use]
pub fn same_log(here: Option<Hash>, after: Seen, seq: u64) -> bool {
    after.seq < seq && here.is_none_or(|here| here == after.chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(here: Option<u8>, after: u64, chain: u8, seq: u64, expected: bool) {
        let hash = |byte| Hash::from_bytes([byte; 32]);
        let after = Seen { seq: after, chain: hash(chain) };
        assert_eq!(same_log(here.map(hash), after, seq), expected);
    }

    #[test]
    fn chains_are_compared_where_both_are_known() {
        check(Some(1), 4, 1, 5, true);
        check(Some(1), 4, 2, 5, false);
        check(None, 4, 2, 5, true);
        check(None, 5, 1, 5, false); // nobody can have seen what came after their own message
        check(Some(1), 9, 1, 5, false);
    }
}
