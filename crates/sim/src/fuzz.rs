//! What the fuzzer runs, as ordinary functions, so that fuzzing and replaying a corpus are one and the
//! same code. A body takes any bytes; it panics only where a promise is broken. Leaves out the fuzzer
//! itself (`fuzz/`), and time and randomness: the same bytes always do the same.

mod blobs;
mod classroom;
mod client;
mod form;
mod input;
mod mutate;
mod opaque;
mod records;
mod requests;
mod stage;
mod wire;

pub use input::Input;

/// What a target does with the fuzzer's bytes.
pub type Body = fn(&[u8]);

/// Every target: its name, which is also its folder's under `fuzz/corpus`, and its body.
pub const TARGETS: &[(&str, Body)] = &[
    ("classroom_frame", classroom::classroom_frame),
    ("client", client::client),
    ("client_frame", wire::client_frame),
    ("content", wire::content),
    ("device_list", wire::device_list),
    ("form", form::form),
    ("names_and_ids", wire::names_and_ids),
    ("opaque", opaque::opaque),
    ("records", records::records),
    ("requests", requests::requests),
    ("server_frame", wire::server_frame),
];

/// Runs a target; `false` if there is none of this name.
pub fn run_target(name: &str, bytes: &[u8]) -> bool {
    let body = TARGETS.iter().find(|(known, _)| *known == name);
    body.map(|(_, body)| body(bytes)).is_some()
}

/// Frames that a server sends in the first minutes of two people, for seeds.
#[must_use]
pub fn sample_frames() -> Vec<String> {
    stage::Stage::sample_frames()
}

/// Device lists that the `device_list` target accepts, for seeds.
#[must_use]
pub fn sample_lists() -> Vec<Vec<u8>> {
    wire::sample_lists()
}
