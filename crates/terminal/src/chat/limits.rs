//! The shell's own limits, each with its unit and its reason.

use std::time::Duration;

/// Messages read from the home at a time: several screens.
pub(super) const PAGE: u32 = 200;

/// Messages fetched of a conversation that this device has seen nothing of: days of a lively one.
pub(super) const HISTORY: u64 = 1_000;

/// Lines of a conversation kept for the screen, beyond which the oldest are left to the home.
pub(super) const LINES: usize = 6_000;

/// Lines that are kept then.
pub(super) const LINES_KEPT: usize = 4_000;

/// Time between two looks at the clock: short enough for a spinner.
pub(super) const TICK: Duration = Duration::from_millis(250);

/// Keys that wait for the loop: a person types ahead, and pastes arrive whole.
pub(super) const KEYS: usize = 1_024;
