//! Weather: what happens around a watched program does not change it, and is told in one clear line.
//!
//! * `collector_gone`: the launcher is killed
//! * `session_gone`: the session's directory is removed
//! * `limits`: few descriptors, little address space, small files
//! * `full_disk`: no room for a session, for a child, for the report
//! * `sudden_end`: a program that is killed loses nothing of what was seen
//! * `neighbours`: other preloaded libraries

mod collector_gone;
mod full_disk;
mod limits;
mod neighbours;
mod session_gone;
mod sudden_end;

use memguard_tests::process::Ended;

/// What memguard itself said: every line that is there must be its own, and none a panic.
fn said_by_memguard(ended: &Ended) -> Vec<&str> {
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert!(lines.iter().all(|line| line.starts_with("memguard: ")), "{lines:#?}");
    lines
}
