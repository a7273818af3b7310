//! Leaks, silence: healthy programs that look like leaking ones for a while.

use memguard_tests::report::SHOWN;
use memguard_tests::targets::{Expectation, expectation};
use memguard_tests::together::{ensure, together};

use crate::case::{Case, alone};

const PROGRAMS: [&str; 4] = ["warmup_then_plateau", "fifo_cache", "sawtooth_batches", "pool_at_start"];

/// Runs each under watch with these options and arguments: same output, samples taken, nothing shown.
fn check(at_once: usize, options: &[&str], arguments: &[&str]) {
    let (program, source) = (|name: &&'static str| *name, |name: &str| format!("{name}.c"));
    together(at_once, &PROGRAMS, |name| {
        let source = source(name);
        ensure(expectation(&source, &source) == Expectation::Silence, || {
            "its source expects otherwise".to_owned()
        })?;
        let watched = Case::new(program(name), program(name)).watch(options, arguments)?;
        let report = watched.report();
        println!("{name} {options:?}: {report}");
        ensure(watched.ended.stdout == alone(name, &[arguments, &["--seconds", "0"]].concat()).1, || {
            format!("it says {}", watched.ended.stdout)
        })?;
        ensure(report.stacks()[0] > 0, || "no sample was taken".to_owned())?;
        ensure(report.findings(SHOWN).is_empty(), || report.to_string())
    });
}

/// Goal: silence when everything is recorded. Method: three seconds each.
#[test]
fn near_misses_are_silent_in_audit_mode() {
    check(2, &["--quiet", "--aggressive"], &[]);
}

/// Goal: silence at default sampling. Method: the same amounts and times as the leaks of 20 MB.
#[test]
fn near_misses_are_silent_in_guard_mode() {
    check(4, &["--quiet"], &["--objects", "5000", "--size", "4096", "--seconds", "12"]);
}
