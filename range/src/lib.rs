//! NO SECURITY. The training range: private worlds in which one defence of Portcullis is taken away, so
//! that people can learn why it is there. For teaching, on one's own machine, and for nothing else.
//!
//! Two planes. A [`world`] is flawed on purpose: a server, scripted people, a clock and a network, all in
//! memory; what happens in it is appended to a log. The [`plane`] is sound: it holds the secrets, knows
//! the truth, and judges by the log; it shares no state with worlds that either could change.
//!
//! Start with [`flaws`]: each file there is one lesson, and its tests are the proof that it works.

pub mod cli;
pub mod doors;
pub mod double;
pub mod flaws;
pub mod fuzz;
pub mod hands;
pub mod host;
pub mod lesson;
pub mod limits;
pub mod pages;
pub mod plane;
pub mod reading;
pub mod shelf;
pub mod twins;
pub mod work;
pub mod world;
