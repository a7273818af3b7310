//! Fuzz target: see `src/collect.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| memguard_fuzz::collect::run(data));
