//! Verdicts: living with what is found, from the command line.
//!
//! * `identity`: a finding's id outlasts a rebuild
//! * `counted`: what `--fail-on-leak` counts: baselines, suppressions, thresholds, the program's own failure
//! * `stored`: what `memguard report` and `memguard suppress` make of a session that has ended
//! * `refused`: files that are not what they should be
//! * `ahead`: limits and when they are reached; findings that are withdrawn

mod ahead;
mod counted;
mod identity;
mod refused;
mod stored;

use memguard_tests::process::{Ended, Process};
use memguard_tests::report::{Report, SHOWN};
use memguard_tests::targets;
use memguard_tests::watched::{Place, words};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program, with enough time for a verdict on its leaks.
fn forgetful(more: &[&str]) -> Vec<OsString> {
    words(&targets::program("forgetful"), &[&["600", "6"], more].concat())
}

/// `memguard run --aggressive` with these options, and a younger suspect age than tests usually have. Unless others are asked
/// for, the patterns are those whose verdicts need no long watching.
fn audit(place: &Place, options: &[&str], program: &[OsString]) -> Command {
    let patterns: &[&str] =
        if options.contains(&"--patterns") { &[] } else { &["--patterns", "leaks,threads"] };
    let mut command = place.run(&[&["--aggressive"], patterns, options].concat(), program);
    command.env("MEMGUARD_HANDLES_MAX_AGE_S", "1");
    command
}

/// A place with one session that has found both leaks; one that a busy machine disturbed may try again.
fn found() -> Place {
    for _ in 0..3 {
        let place = Place::new();
        let ended = Process::run(audit(&place, &["--quiet"], &forgetful(&[])));
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
        let report = place.report();
        if ["keep_buffer", "keep_thread"].iter().all(|function| is_shown(&report, function)) {
            return place;
        }
        eprintln!("again: {report}");
    }
    panic!("both leaks were not found in three runs");
}

fn is_shown(report: &Report, function: &str) -> bool {
    report.findings_in(function).first().is_some_and(|finding| finding.confidence() >= SHOWN)
}

/// The id of the finding in a function.
fn id(report: &Report, function: &str) -> String {
    let found = report.findings_in(function);
    let finding = found.first().unwrap_or_else(|| panic!("nothing in {function}: {report}"));
    finding.0["id"].as_str().expect("an id").to_owned()
}

fn memguard(place: &Place, arguments: &[&str]) -> Ended {
    Process::run(place.memguard(arguments))
}

/// `memguard report --json` with these options.
fn shown(place: &Place, options: &[&str]) -> Report {
    let ended = memguard(place, &[&["report", "--json"], options].concat());
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{options:?}");
    Report::parse(ended.stdout.as_bytes())
}

/// A file in the place's folder.
fn file(place: &Place, name: &str, text: &str) -> String {
    let path: PathBuf = place.path().join(name);
    std::fs::write(&path, text).expect("written");
    text_of(&path)
}

fn text_of(path: &Path) -> String {
    path.to_str().expect("a plain path").to_owned()
}
