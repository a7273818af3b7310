//! Transparency: test suites that others wrote end under watch as they end without, test by test.
//!
//! Method: the quick part of `scripts/transparency.py`, those suites of it that Debian packages ready to run. The script ends
//! what hangs. The whole, and what is known to differ, is in `tests/transparency/README.md`.

use std::process::Output;

use memguard_tests::ability;
use memguard_tests::product::{launcher, library, root};
use memguard_tests::watched::plain;

fn script(arguments: &[&str]) -> Output {
    let results = tempfile::tempdir().expect("a temporary folder");
    let mut command = plain("python3");
    command.arg(root().join("scripts/transparency.py")).arg("--results").arg(results.path()).args(arguments);
    command.env("MEMGUARD_BIN", launcher()).env("MEMGUARD_SO", library());
    command.output().expect("python3 starts")
}

fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// Goal: no test of `CPython`'s that deals with processes, threads, signals, descriptors or memory ends differently, and no
/// stressor of stress-ng.
#[test]
fn the_quick_part() {
    let packages = ["/usr/lib/python3.11/test/test_os.py", "/usr/bin/stress-ng"];
    if !packages.iter().all(|file| ability::file(file)) {
        return;
    }
    let output = script(&["--quick", "--only", "cpython", "--only", "stress-ng"]);
    assert!(output.status.success(), "{}", said(&output));
    println!("{}", said(&output));
}

/// Goal: a difference is noticed. Method: a launcher that runs the program under watch and then ends with another code.
#[test]
fn a_difference_is_noticed() {
    if !ability::file("/usr/bin/stress-ng") {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let meddling = folder.path().join("memguard");
    let launcher = launcher().display();
    std::fs::write(&meddling, format!("#!/bin/sh\n'{launcher}' \"$@\"\nexit 77\n")).expect("written");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&meddling, executable).expect("its rights are set");
    let meddling = meddling.to_str().expect("UTF-8");
    let output = script(&["--only", "stress-ng:fork", "--modes", "guard", "--launcher", meddling]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("fork::exit code ends with"), "{}", said(&output));
}

/// Goal: what cannot be run is said in one line. Method: a suite and a group that do not exist.
#[test]
fn what_is_unknown_is_said() {
    for (only, expected) in
        [("cobol", "unknown suite 'cobol'"), ("stress-ng:nothing", "has no group 'nothing'")]
    {
        let output = script(&["--only", only]);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(expected) && said(&output).lines().count() == 1, "{}", said(&output));
    }
}
