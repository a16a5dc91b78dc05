//! The screen's parts, each drawn from plain data into its place.

pub(super) mod conversations;
pub(super) mod form;
pub(super) mod messages;
pub(super) mod overlay;
pub(super) mod people;
pub(super) mod row;
pub(super) mod status;
pub(super) mod transfers;
