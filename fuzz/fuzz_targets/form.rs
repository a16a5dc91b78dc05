//! Fuzzes `form`: see `crates/sim/src/fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    portcullis_sim::fuzz::run_target("form", bytes);
});
