//! Hazards, transparency: same output, same status, no hang, in every mode and with both builds.
//!
//! Method: each program runs alone, which its source's `expect: exit N` must describe, and then under watch. The deadline of
//! the test kit ends what hangs.

use std::fmt;

use memguard_tests::process::{Ended, Process};
use memguard_tests::targets::{Expectation, expectation, target};
use memguard_tests::together::{ensure, together};
use memguard_tests::watched::{Place, plain, words};

/// One program and what it is told. Fewer rounds than by default where each is a process of its own.
#[derive(Clone, Copy)]
struct Hazard {
    program: &'static str,
    source: &'static str,
    arguments: &'static [&'static str],
}

impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program)
    }
}

const fn hazard(program: &'static str, source: &'static str, arguments: &'static [&'static str]) -> Hazard {
    Hazard { program, source, arguments }
}

const HAZARDS: [Hazard; 21] = [
    hazard("exit_immediately", "exit_immediately.c", &[]),
    hazard("abort_now", "abort_now.c", &[]),
    hazard("close_all_fds", "close_all_fds.c", &[]),
    hazard("tiny_stacks", "tiny_stacks.c", &[]),
    hazard("many_threads", "many_threads.c", &[]),
    hazard("signal_alloc", "signal_alloc.c", &[]),
    hazard("longjmp_over", "longjmp_over.c", &[]),
    hazard("coroutines", "coroutines.c", &[]),
    hazard("fork_storm", "fork_storm.c", &["--objects", "40"]),
    hazard("early_alloc", "early_alloc.c", &[]),
    hazard("early_ifunc", "early_ifunc.c", &[]),
    hazard("late_alloc", "late_alloc.cpp", &[]),
    hazard("realloc_exact", "realloc_exact.c", &[]),
    hazard("fd_doors", "fd_doors.c", &[]),
    hazard("fd_storm", "fd_storm.c", &[]),
    hazard("fd_signal", "fd_signal.c", &[]),
    hazard("fd_vfork", "fd_vfork.c", &[]),
    hazard("thread_storm", "thread_storm.c", &[]),
    hazard("child_storm", "child_storm.c", &["--objects", "200"]),
    hazard("mmap_storm", "mmap_storm.c", &[]),
    hazard("cut_mappings", "cut_mappings.c", &[]),
];

fn alone(hazard: &Hazard) -> Result<Ended, String> {
    let mut command = plain(target(hazard.program));
    command.args(hazard.arguments);
    let alone = Process::run(command);
    let expected = expectation(hazard.source, hazard.source);
    ensure(expected == Expectation::Exit(alone.code), || {
        format!("alone it ends with {alone:?}, not {expected:?}")
    })?;
    Ok(alone)
}

/// Runs all of them in this mode.
fn check(place: impl Fn() -> Place + Sync, options: &[&str]) {
    together(3, &HAZARDS, |hazard| {
        let alone = alone(hazard)?;
        let options = [&["--quiet"], options].concat();
        let run = place().watch(&options, &words(&target(hazard.program), hazard.arguments));
        ensure(!run.report().processes().is_empty(), || "it was not watched".to_owned())?;
        let watched = run.ended;
        ensure(watched.stdout == alone.stdout && watched.code == alone.code, || {
            format!("{options:?}: {watched:?} instead of {alone:?}")
        })?;
        // What a program says to its stderr varies in some, but nobody else may say anything.
        let ours = watched.stderr.lines().find(|line| line.contains("memguard") || line.contains("ld.so"));
        ensure(ours.is_none(), || format!("{options:?}: somebody said {ours:?}"))
    });
}

#[test]
fn in_guard_mode() {
    check(Place::new, &[]);
}

#[test]
fn with_many_samples() {
    check(Place::new, &["--sample-bytes", "4KiB"]);
}

#[test]
fn in_audit_mode() {
    check(Place::new, &["--aggressive"]);
}

#[test]
fn without_assembly_in_guard_mode() {
    check(|| Place::new().portable(), &[]);
}

#[test]
fn without_assembly_with_many_samples() {
    check(|| Place::new().portable(), &["--sample-bytes", "4KiB"]);
}

#[test]
fn without_assembly_in_audit_mode() {
    check(|| Place::new().portable(), &["--aggressive"]);
}

/// Goal: the library alone, without a session, disturbs nobody: it may stand in an image's environment. Method: preloaded by
/// hand.
#[test]
fn preloaded_without_a_session() {
    for library in [memguard_tests::product::library(), memguard_tests::product::portable_library()] {
        together(3, &HAZARDS, |hazard| {
            let alone = alone(hazard)?;
            let mut command = plain(target(hazard.program));
            command.args(hazard.arguments).env("LD_PRELOAD", library);
            let preloaded = Process::run(command);
            ensure(preloaded.stdout == alone.stdout && preloaded.code == alone.code, || {
                format!("{preloaded:?}")
            })
        });
    }
}
