//! Proof tokens are minted only in the file of the defence that they prove.
//!
//! A token's fields are private, but the range has to make tokens in place of a defence, so each
//! has a public constructor; this rule keeps everybody else's hands off it. Taking a token apart in
//! a pattern is fine. Leaves out aliases of a type's name: an alias is not worth hiding behind.

use super::tree::{File, Tree};
use super::{Finding, scan};

/// A proof token's type, and the file that may mint it; a type with several files has several rows.
const PROOF_TOKENS: &[(&str, &str)] = &[
    ("AddressShared", "crates/server-core/src/defences/share_address.rs"),
    ("Attachment", "crates/server-core/src/defences/attach_upload.rs"),
    ("CapabilityAccepted", "crates/server-core/src/defences/accept_capability.rs"),
    ("ClassicKeyProven", "crates/server-core/src/defences/prove_classic_key.rs"),
    ("DeviceProven", "crates/server-core/src/defences/prove_device.rs"),
    ("FrameAdmitted", "crates/server-core/src/defences/admit_frame.rs"),
    ("HelloAdmitted", "crates/server-core/src/defences/admit_hello.rs"),
    ("MayTellGuest", "crates/server-core/src/defences/may_tell_guest.rs"),
    ("ListAccepted", "crates/server-core/src/defences/accept_list.rs"),
    ("LoginTarget", "crates/server-core/src/defences/find_login.rs"),
    ("ContentOpened", "crates/client-core/src/defences/open_channel.rs"),
    ("GuestAccepted", "crates/client-core/src/defences/accept_guest.rs"),
    ("ChatOpened", "crates/client-core/src/defences/open_guest_chat.rs"),
    ("ListTaken", "crates/client-core/src/defences/accept_list.rs"),
    ("AutoAccepted", "crates/client-core/src/defences/auto_accept.rs"),
    ("MayDial", "crates/client-core/src/defences/may_dial.rs"),
    ("MayGoDirect", "crates/client-core/src/defences/may_go_direct.rs"),
    ("OfferAccepted", "crates/client-core/src/defences/accept_offer.rs"),
    ("StepAccepted", "crates/client-core/src/defences/accept_step.rs"),
    ("PageAccepted", "crates/client-core/src/defences/accept_page.rs"),
    ("ChangeAccepted", "crates/client-core/src/defences/accept_change.rs"),
    ("EntryAccepted", "crates/client-core/src/defences/accept_entry.rs"),
    ("PackageAccepted", "crates/client-core/src/defences/accept_key_package.rs"),
    ("LeavesAccepted", "crates/client-core/src/defences/accept_leaves.rs"),
    ("AccountKept", "crates/client-core/src/defences/keep_account.rs"),
    ("ContextKept", "crates/client-core/src/defences/keep_context.rs"),
    ("HashesAccepted", "crates/client-core/src/defences/accept_hashes.rs"),
    ("ManifestAccepted", "crates/client-core/src/defences/accept_manifest.rs"),
    ("ChunkAccepted", "crates/client-core/src/defences/accept_chunk.rs"),
    ("ChunkReleased", "crates/client-core/src/defences/release_chunk.rs"),
    ("EntryPlaced", "crates/client-core/src/defences/place_entry.rs"),
    ("NameShown", "crates/client-core/src/defences/unhide_name.rs"),
    ("PathProven", "crates/client-core/src/defences/prove_path.rs"),
    ("MayCommit", "crates/client-core/src/defences/may_commit.rs"),
    ("MayClaim", "crates/server-core/src/defences/may_claim.rs"),
    ("MayCommit", "crates/server-core/src/defences/may_commit.rs"),
    ("MayRejoin", "crates/server-core/src/defences/may_rejoin.rs"),
    ("MayFetchBlob", "crates/server-core/src/defences/may_fetch_blob.rs"),
    ("MayInvite", "crates/server-core/src/defences/may_invite.rs"),
    ("MayJoin", "crates/server-core/src/defences/may_join.rs"),
    ("MayListen", "crates/server-core/src/defences/may_listen.rs"),
    ("MayRead", "crates/server-core/src/defences/may_read.rs"),
    ("MayRelay", "crates/server-core/src/defences/may_relay.rs"),
    ("MayStoreBlob", "crates/server-core/src/defences/may_store_blob.rs"),
    ("MayUpload", "crates/server-core/src/defences/may_upload.rs"),
    ("MayWrite", "crates/server-core/src/defences/may_write.rs"),
    ("NeighbourAdmitted", "crates/server-core/src/defences/admit_neighbour.rs"),
    ("OriginAdmitted", "crates/server-core/src/defences/admit_origin.rs"),
    ("PlainAdmitted", "crates/server-core/src/defences/admit_plain.rs"),
    ("PasswordConfirmed", "crates/server-core/src/defences/confirm_password.rs"),
    ("RateAdmitted", "crates/server-core/src/defences/admit_rate.rs"),
    ("RegistrationAdmitted", "crates/server-core/src/defences/admit_registration.rs"),
    ("Sender", "crates/server-core/src/defences/stamp_sender.rs"),
    ("TokenAccepted", "crates/server-core/src/defences/accept_token.rs"),
    ("UploadName", "crates/server-core/src/defences/name_upload.rs"),
];

/// The names of the constructors that make a token without the check that it proves.
const MINTS: &[&str] = &["mint", "unproven"];

pub(super) fn minted_elsewhere(tree: &Tree) -> Vec<Finding> {
    // A test may put an unsound twin in the place of a defence, to show what it stops.
    let checked = tree.shipped_rust().filter(|file| !file.path.contains("/tests/"));
    let mints = checked.flat_map(in_file);
    let stale = PROOF_TOKENS.iter().filter_map(|row| stale(tree, row));
    mints.chain(stale).chain(tree.shipped_rust().filter_map(unlisted)).collect()
}

fn in_file(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (offset, word) in scan::words(&file.code) {
        if !PROOF_TOKENS.iter().any(|(name, _)| *name == word)
            || PROOF_TOKENS.contains(&(word, file.path.as_str()))
        {
            continue;
        }
        let (before, after) = (&file.code[..offset], &file.code[offset + word.len()..]);
        if calls_mint(after) || opens_literal(after) && is_expression(before) {
            let what = format!("mints `{word}`, which only its defence may");
            findings.push(Finding::new(&file.path, file.line_of(offset), what));
        }
    }
    findings
}

/// A row that names no struct guards nothing, for instance after a file was renamed.
fn stale(tree: &Tree, (name, path): &(&str, &str)) -> Option<Finding> {
    let defined = tree.file(path).is_some_and(|file| {
        let words: Vec<&str> = scan::words(&file.code).map(|(_, word)| word).collect();
        words.windows(2).any(|pair| pair == ["struct", name])
    });
    let what = format!("the table of proof tokens says that `{name}` is defined here");
    (!defined).then(|| Finding::new(path, 1, what))
}

/// A defence whose file mints a token that has no row.
fn unlisted(file: &File) -> Option<Finding> {
    let listed = PROOF_TOKENS.iter().any(|(_, path)| *path == file.path);
    let is_mint = |pair: &[(usize, &str)]| pair[0].1 == "fn" && MINTS.contains(&pair[1].1);
    let words: Vec<_> = scan::words(&file.code).collect();
    let mint = words.windows(2).find(|pair| is_mint(pair))?;
    let what = "mints a proof token that is missing in the table";
    (!listed && file.path.contains("/src/defences/"))
        .then(|| Finding::new(&file.path, file.line_of(mint[0].0), what))
}

fn calls_mint(after: &str) -> bool {
    let word = scan::words(after).next();
    after.starts_with("::") && word.is_some_and(|(start, name)| start == 2 && MINTS.contains(&name))
}

/// True if fields follow that are no pattern's: `{ a, .. }`, `{ a } =>` and `{ a }: &Type` are.
fn opens_literal(after: &str) -> bool {
    let after = after.trim_start();
    if after.starts_with('(') {
        return true;
    }
    let Some(body) = after.strip_prefix('{') else {
        return false;
    };
    let (body, next) = body.split_once('}').unwrap_or((body, ""));
    let next = next.trim_start();
    !body.trim_end().ends_with("..") && !["=>", ":", "|"].iter().any(|sign| next.starts_with(sign))
}

/// True if a type's name followed by fields is a literal here, and no definition, block or pattern.
fn is_expression(before: &str) -> bool {
    let before = without_reference(without_path(before.trim_end()));
    let last = before.rsplit(|letter| !is_part_of_word(letter)).next().unwrap_or_default();
    !before.ends_with("->") && !["struct", "impl", "for", "let", "mod", "dyn"].contains(&last)
}

/// Takes off the path in front of a name: `crate::defences::`.
fn without_path(mut before: &str) -> &str {
    while let Some(path) = before.strip_suffix("::") {
        before = path.trim_end_matches(is_part_of_word);
    }
    before.trim_end()
}

/// Takes off the reference in front of a type: `&'a mut`.
fn without_reference(before: &str) -> &str {
    let before = before.strip_suffix("mut").unwrap_or(before).trim_end();
    let before = before.trim_end_matches(is_part_of_word).strip_suffix('\'').unwrap_or(before);
    before.trim_end_matches('&').trim_end()
}

fn is_part_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    /// The rule without its search for stale rows, which a made-up tree would be full of.
    fn mints(tree: &Tree) -> Vec<Finding> {
        tree.shipped_rust().flat_map(in_file).collect()
    }

    fn check_text(text: &str, expected: &[&str]) {
        check(mints, &[("crates/server-core/src/read.rs", text)], expected);
    }

    #[test]
    fn mints_are_found() {
        let expected =
            ["crates/server-core/src/read.rs:1: mints `MayRead`, which only its defence may"];
        check_text("let token = MayRead { account };", &expected);
        check_text("Ok(MayRead{ account })", &expected);
        check_text("let token = crate::defences::MayRead { account };", &expected);
        check_text("f(&MayRead { account })", &expected);
        check_text("let token = MayRead(account);", &expected);
        check_text("let token = MayRead::unproven(account);", &expected);
        check_text("map(access::MayRead::mint)", &expected);
    }

    #[test]
    fn other_uses_are_not() {
        check_text("fn read(token: &MayRead) -> MayRead { token.clone() }", &[]);
        check_text("fn read<'a>() -> &'a MayRead { a }", &[]);
        check_text("fn read<'a>() -> &'a mut MayRead { a }", &[]);
        check_text("impl Debug for MayRead { }", &[]);
        check_text("let access::MayRead { account } = token;", &[]);
        check_text("match a { Some(MayRead { account, .. }) => account }", &[]);
        check_text("match a { MayRead { account } => account }", &[]);
        check_text("|MayRead { account }: MayRead| account", &[]);
        check_text("MayRead::account(&token); // MayRead { }", &[]);
        check_text("use defences::{MayRead, Sender}; MayReader { }", &[]);
    }

    #[test]
    fn the_defence_itself_mints() {
        let text = "pub struct MayRead { a: u8 } fn may_read() -> MayRead { MayRead { a: 1 } }";
        check(mints, &[("crates/server-core/src/defences/may_read.rs", text)], &[]);
        check(mints, &[("range/src/flaws.rs", "MayRead::mint()")], &[]);
    }

    #[test]
    fn rows_that_guard_nothing_are_found() {
        let mut files: Vec<(&str, String)> = PROOF_TOKENS
            .iter()
            .map(|(name, path)| (*path, format!("pub struct {name} {{ }}")))
            .collect();
        let place =
            PROOF_TOKENS.iter().position(|(name, _)| *name == "MayRead").unwrap_or_default();
        let (path, text) = files.swap_remove(place);
        let mut rows: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let what =
            format!("{path}:1: the table of proof tokens says that `MayRead` is defined here");
        check(minted_elsewhere, &rows, &[&what]);
        rows.push((path, &text));
        check(minted_elsewhere, &rows, &[]);
    }

    #[test]
    fn tokens_without_a_row_are_found() {
        let text =
            "pub struct MayFly(());\nimpl MayFly { pub const fn unproven() -> Self { Self(()) } }";
        let path = "crates/client-core/src/defences/may_fly.rs";
        let tree = Tree::made_up(&[(path, text), ("crates/server/src/coin.rs", "fn mint() {}")]);
        let found: Vec<_> = tree.shipped_rust().filter_map(unlisted).collect();
        let what = "mints a proof token that is missing in the table";
        assert_eq!(found, [Finding::new(path, 2, what)]);
    }
}
