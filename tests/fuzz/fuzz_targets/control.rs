//! Fuzz target: see `src/control.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| memguard_fuzz::control::run(data));
