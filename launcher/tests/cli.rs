//! Launcher, tests of the command: contents.
//! In: the built `memguard`, real programs. Out: exit codes, streams, sessions.
//!
//! * `bad_input`: each mistake is one line on stderr with its exit code, and nothing is started
//! * `patterns`: fingerprints are listed, explained, checked, learned
//! * `transparency`: the program sees what it would see without us
//! * `signals`: passed on once; stopping and continuing
//! * `sessions`: what is left on disk
//!
//! A library that every machine has stands in for the interposer: these tests are about the launcher alone.

#[path = "cli/bad_input.rs"]
mod bad_input;
#[path = "cli/fixture.rs"]
mod fixture;
#[path = "cli/patterns.rs"]
mod patterns;
#[path = "cli/sessions.rs"]
mod sessions;
#[path = "cli/signals.rs"]
mod signals;
#[path = "cli/transparency.rs"]
mod transparency;
