//! Fuzzes `range`: see `range/src/fuzz.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    portcullis_range::fuzz::range(bytes);
});
