//! Every limit of this crate, with its unit and its reason. What bounds groups for everybody stands in
//! `portcullis_proto::limits`.

/// Messages of one sender and epoch that may be missing before the next one that can be opened: those
/// that were encrypted and never accepted. Each costs three derivations, about 3 µs.
pub(crate) const MISSING_MESSAGES: u32 = 1024;

/// Messages of one sender that may come after a later one: the log has an order, so none; the keys of
/// what is missing are not kept.
pub(crate) const LATE_MESSAGES: u32 = 0;

/// Milliseconds for which the private part of a key package outlives it, so that welcomes that were made
/// in its last hours can be opened by a device that is seldom on: 7 days.
pub(crate) const KEY_PACKAGE_GRACE_MILLIS: u64 = 7 * 24 * 60 * 60 * 1000;

/// Bytes of a roster: the ids of [`portcullis_proto::limits::GROUP_DEVICES`] members, all of them leaving,
/// as JSON strings, and room for the other fields.
pub(crate) const ROSTER_BYTES: usize = portcullis_proto::limits::GROUP_DEVICES * 2 * 35 + 512;

/// The last epoch of a group that is entered: no group comes that far, one commit a microsecond, within
/// eight years, and whoever claims it wants the library to count over the end.
pub(crate) const EPOCHS: u64 = 1 << 48;
