//! Fuzz target: see `src/unwind.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| memguard_fuzz::unwind::run(data));
