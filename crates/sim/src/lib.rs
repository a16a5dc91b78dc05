//! Both cores in one thread: many devices and one server, a fake clock, and a seeded network that
//! delivers in order, stalls, cuts at any byte and lies half open. A run is a function of its seed.
//!
//! [`run`] plays a seed and checks it; `cargo xtask sim --seeds N` plays many.

mod chance;
mod checker;
mod device;
mod files;
pub mod fuzz;
mod guests;
mod hub;
mod network;
mod plan;
mod world;

pub use chance::Chance;
pub use checker::Violation;
pub use device::Device;
pub use files::{Disk, Offered, Part, piece, prepare};
pub use guests::Guest;
pub use hub::{Hub, Told};
pub use plan::{Report, run};
pub use world::{DeviceIndex, Liar, World};
