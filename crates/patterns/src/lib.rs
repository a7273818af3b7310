//! Patterns: fingerprints of well-known leaks, by which a finding is called by its name.
//! In: `patterns/*.toml` (compiled in), the user's own files, a finding with its resolved stack. Out: the fingerprint that
//! knows it, the place in the program that the finding belongs to; a file learned from a finding.
//!
//! ```text
//! file        one TOML file -> fingerprints, or one LoadError
//! signature   what a finding must look like; found in a stack
//! library     built-in and own fingerprints; the most specific that matches
//! learn       a finding -> the text of a file
//! ```
//!
//! # Design constraints
//!
//! * **A fingerprint decides what a finding is called, never whether there is one**: confidence, size and rate stay the
//!   detectors'.
//! * **Deterministic.** Which of several wins does not depend on the order of files or entries.
//! * **Checked when loaded.** After that nothing can fail.
//! * **Nothing is done before it is needed**: the built-in files are read when the first finding is to be named.
#![forbid(unsafe_code)]

mod builtin;
mod error;
mod example;
mod file;
mod fingerprint;
mod generalise;
mod learn;
mod library;
mod signature;
mod whole_name;

pub use builtin::FILES;
pub use error::{LoadError, Problem, nearest, suggestion};
pub use example::Example;
pub use file::{Trust, is_name, parse};
pub use fingerprint::{Fingerprint, Prevalence};
pub use generalise::generalised;
pub use learn::{Lesson, learn};
pub use library::{Library, Recognised, word};
pub use signature::{Match, Signature};
pub use whole_name::WholeName;
