//! Detect: pure functions in virtual time from a process model to findings.
//! In: `memguard_model::ProcessModel`. Out: [`Finding`]s.
#![forbid(unsafe_code)]

mod finding;

pub use finding::{Evidence, Finding, Kind, Pattern};
