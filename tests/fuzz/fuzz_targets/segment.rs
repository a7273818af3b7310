//! Fuzz target: see `src/segment.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| memguard_fuzz::segment::run(data));
