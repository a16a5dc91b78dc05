//! What every store has to pass: one function for each promise of [`Store`], and [`store_contract!`],
//! which makes tests of them. Leaves out speed, and what a disk can do to a store.
//!
//! These functions run in the tests of each implementation, in whatever crate it lives; a broken
//! promise panics.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "the bodies of tests, whose names say what they show"
)]

mod accounts;
mod blobs;
mod classic;
mod conversations;
mod encrypted;
mod fixtures;
mod log;
mod transactions;

pub use accounts::*;
pub use blobs::*;
pub use classic::*;
pub use conversations::*;
pub use encrypted::*;
pub use log::*;
pub use transactions::*;

#[cfg(doc)]
use super::Store;

/// Makes one `#[test]` for each promise of [`Store`].
///
/// `make` gives a new, empty store and whatever must live as long as it (its folder); `reopen` takes
/// both and gives the store as a new process would find it after the old one was killed.
#[macro_export]
macro_rules! store_contract {
    (make: $make:expr, reopen: $reopen:expr $(,)?) => {
        $crate::store_contract! { @each $make;
            a_transaction_is_kept_or_forgotten_whole,
            a_refused_request_leaves_no_trace,
            refused_appends_leave_no_trace,
            a_request_after_a_refused_one_is_kept,
            a_forgotten_batch_is_not_mixed_up_with_the_next,
            calls_out_of_order_are_refused,
            names_and_ids_of_accounts_are_unique,
            accounts_come_in_pages_by_name,
            a_login_can_be_replaced,
            an_account_can_be_disabled,
            lists_have_one_of_each_version,
            devices_are_added_and_changed,
            tokens_end_one_by_one_or_with_their_device,
            an_invitation_is_good_once_and_until_it_expires,
            names_and_ids_of_conversations_are_unique,
            open_channels_come_in_pages_by_name,
            memberships_keep_their_spans,
            memberships_come_in_pages_by_id,
            members_are_counted,
            appending_moves_the_end_and_counts_for_the_device,
            sequences_have_no_gaps,
            a_reference_is_used_once,
            a_page_begins_where_asked_and_ends_at_its_bounds,
            a_page_knows_the_chain_before_it,
            large_bodies_come_back_whole,
            directs_groups_and_inboxes_have_no_name,
            an_epoch_begins_with_what_to_join_by,
            what_lies_in_an_inbox_does_not_count,
            key_packages_are_handed_out_once,
            key_packages_are_dropped_by_their_end,
            a_classic_key_takes_the_place_of_the_one_before,
            classic_keys_are_listed_of_members_devices_in_use,
            a_blob_is_kept_as_it_was_reserved_until_it_is_dropped,
            blobs_come_in_pages_by_id_and_by_their_end,
            blobs_are_counted_by_account_and_all_together,
            who_has_collected_a_blob_goes_with_it,
        }
        #[test]
        fn what_is_committed_is_durable_and_nothing_else() {
            let (store, kept) = ($make)();
            $crate::store::contract::what_is_committed_is_durable_and_nothing_else(
                store,
                |store| ($reopen)(store, &kept),
            );
        }
    };
    (@each $make:expr; $($promise:ident,)+) => {
        $(
            #[test]
            fn $promise() {
                let (store, _kept) = ($make)();
                $crate::store::contract::$promise(&store);
            }
        )+
    };
}
