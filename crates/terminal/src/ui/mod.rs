//! The terminal client's screen. `View` is what there is to show, as plain data; `Ui` is what the
//! person at the keyboard is in the middle of; a key changes the `Ui` and may yield an `Action`;
//! `Ui::render` draws both. Nothing here does IO or knows the client core, but that Tab on a path
//! looks at the disk (`paths.rs`).

pub mod command;
pub mod keys;
pub mod safe_text;
pub mod view;

mod action;
mod clock;
#[cfg(test)]
mod command_tests;
mod completion;
mod history;
mod input;
mod login;
mod mistake;
mod panes;
mod password;
pub(crate) mod paths;
#[cfg(test)]
mod sample;
mod screen;
#[cfg(test)]
mod screen_tests;
mod scroll;
mod state;
#[cfg(test)]
mod state_tests;
mod theme;
mod words;
mod wrap;

pub use action::Action;
pub(crate) use clock::date_and_time;
pub use input::{Edit, InputLine};
pub use mistake::{CommandError, Problem};
pub use password::Password;
pub use state::{Hint, Ui};
pub use theme::Theme;
