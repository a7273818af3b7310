//! Fuzz: what each target does with its bytes, and the valid inputs that mutation starts from.
//!
//! The files of the targets know nothing of the fuzzer: `crates/segment/tests/hostile.rs` includes them and runs them
//! on a stable toolchain.

pub mod collect;
pub mod control;
pub mod seeds;
pub mod segment;
pub mod unwind;
