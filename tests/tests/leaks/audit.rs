//! Leaks, audit: everything is recorded; a few hundred objects in three seconds are enough.

use memguard_tests::ability;
use memguard_tests::process::Process;
use memguard_tests::report::{Finding, Frame, Report, SHOWN};
use memguard_tests::targets::{folder, target};
use memguard_tests::together::{ensure, together};
use memguard_tests::watched::{Place, words};

use crate::case::Case;

/// All leaking targets but `malloc_family`, which grows at thirteen places at once: that is how programs fill their data,
/// and more time is asked for. gcc gives the inlined constructor of `leak_cpp`'s string the line of the function's end.
const CASES: [Case; 13] = [
    Case::new("leak_steady", "leak_steady.c"),
    Case::new("leak_steady_O1", "leak_steady.c"),
    Case::new("no_frame_pointers", "leak_steady.c"),
    Case::new("frame_pointers", "leak_steady.c"),
    Case::new("leak_error_path", "leak_error_path.c"),
    Case::new("leak_cpp", "leak_cpp.cpp").with_slack(2),
    Case::new("leak_rust", "leak_rust.rs"),
    Case::new("leak_threads", "leak_threads.c"),
    Case::new("leak_dlopen", "leak_dlopen.c").marked_in("leak_plugin.c"),
    Case::new("leak_inlined", "leak_inlined.c"),
    Case::new("wrapper", "wrapper.c"),
    Case::new("deep_recursion", "deep_recursion.c"),
    Case::new("malloc_family", "malloc_family.c"),
];

/// How sure it must be of each leak.
fn confidence_min(case: &Case) -> f64 {
    if case.program == "malloc_family" { 0.05 } else { SHOWN }
}

/// Goal: each leak is named by function and line, and nothing else is shown. Method: the targets with their default
/// arguments, four at a time; one that a busy machine disturbed may try again, since everything is recorded each time.
#[test]
fn every_leak_is_found() {
    together(4, &CASES, |case| {
        let mut attempt = 1;
        loop {
            let watched = case.watch(&["--quiet", "--aggressive"], &[])?;
            let report = watched.report();
            let found = case.judge(&report)?;
            let least = found.iter().map(|f| f.map_or(0.0, Finding::confidence)).fold(1.0, f64::min);
            if least >= confidence_min(case) {
                println!("{case}: {least:.2} at attempt {attempt}: {report}");
                return Ok(());
            }
            ensure(attempt < 3, || format!("only {least:.2} after {attempt} attempts: {report}"))?;
            attempt += 1;
        }
    });
}

/// Goal: a deep stack is said to be cut, and what was inlined is said to be so. Method: the stacks of two findings.
#[test]
fn stacks_tell_what_was_cut_and_what_was_inlined() {
    let deep = Case::new("deep_recursion", "deep_recursion.c");
    let report = deep.watch(&["--quiet", "--aggressive"], &["--seconds", "2"]).expect("it runs").report();
    let [_, truncated, _] = report.stacks();
    assert!(truncated >= 300, "{report}");
    let found = report.findings_in("keep_leaf");
    let stack: Vec<_> = found.first().expect("suspected").stack().map(Frame::function).collect();
    assert_eq!(stack[0], "keep_leaf");
    assert!(stack.len() > 30 && stack[1..30].iter().all(|function| *function == "descend"), "{stack:?}");

    let inlined = Case::new("leak_inlined", "leak_inlined.c");
    let report = inlined.watch(&["--quiet", "--aggressive"], &["--seconds", "2"]).expect("it runs").report();
    let found = report.findings_in("keep_header");
    let stack: Vec<_> = found.first().expect("suspected").stack().take(2).collect();
    assert_eq!(stack[0].0["inlined"], true);
    assert!(stack[1].is_in("handle_message") && stack[1].0["inlined"] == false, "{report}");
}

/// Goal: a stripped program is named by its separate debug file. Method: the file where distributions keep them, in a
/// mount namespace of its own.
#[test]
fn a_debug_file_names_a_stripped_program() {
    if !ability::private_mounts() {
        return;
    }
    let case = Case::new("leak_steady_stripped", "leak_steady.c");
    let place = Place::new();
    let run = place.run(&["--quiet", "--aggressive"], &words(&target(case.program), &[]));
    let over = ability::with_folder_over(&folder().join("debug"), "/usr/lib/debug".as_ref());
    let ended = Process::run(place.led_by(&over, &run));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let report = place.report();
    let found = case.judge(&report).expect("nothing else");
    assert!(found[0].is_some_and(|finding| finding.confidence() >= SHOWN), "{report}");
}

/// Goal: without any names the place is still told, as module and address. Method: both stripped programs, the one with
/// its debug file out of reach.
#[test]
fn a_program_without_names_is_told_by_address() {
    together(2, &["leak_steady_nodebug", "leak_steady_stripped"], |program| {
        let watched = Case::new(program, "leak_steady.c").watch(&["--quiet", "--aggressive"], &[])?;
        let report = watched.report();
        let suspected = report.findings(0.0);
        ensure(suspected.len() == 1, || report.to_string())?;
        let digits = suspected[0].location().strip_prefix(&format!("{program}+0x"));
        let hexadecimal = digits.is_some_and(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()));
        ensure(hexadecimal, || report.to_string())
    });
}

/// Goal: what is expected of a report is checked. Method: a report against the expectations of another program.
#[test]
fn the_judge_does_not_take_one_leak_for_another() {
    let watched =
        Case::new("leak_steady", "leak_steady.c").watch(&["--quiet", "--aggressive"], &[]).expect("it runs");
    let report: Report = watched.report();
    assert!(Case::new("wrapper", "wrapper.c").judge(&report).is_err());
}
