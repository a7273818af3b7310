//! Shape: what was built and written, without running it.
//!
//! * `library`: what libmemguard.so gives to the programs it is loaded into, and what it takes from them
//! * `hot_path`: how many instructions an unsampled call pays
//! * `layers`: who imports whom
//! * `sources`: unsafe code is where it is allowed, files open with what they are

mod hot_path;
mod layers;
mod library;
mod sources;

use std::process::Command;

/// What a tool prints about a file.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}
