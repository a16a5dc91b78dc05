//! The sound plane: secrets, flags, progress, receipts and verdicts. Worlds are given what is theirs, and
//! never more.

mod book;
mod entry;
mod flag;
mod folder;
mod progress;
mod receipt;
mod trial;

pub use book::{Book, Learner, Row};
pub use entry::{Entry, Owner};
pub use flag::{Flag, FlagRoot, JoinCode, Salt, Secrets, Whose};
pub use folder::{Folder, FolderError, Opened, admit_learner};
pub use receipt::{BadReceipt, Receipt, Signer, Solved, Worth};
pub use trial::{Trial, is_asked_for, judge, stage};
