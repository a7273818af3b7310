//! Life, preload only: `LD_PRELOAD` and nothing else.

use memguard_tests::process::Process;
use memguard_tests::targets;
use memguard_tests::watched::{Place, plain};
use serde_json::Value;

use crate::{last_report, must_find_what_is_forgotten, preloaded};

/// Goal: the program sees no child, no descriptor and no variable that it did not make, and ends as alone; there is a
/// report with its leak. Method: a program that looks all the time, also as one that adopts orphans, where a collector
/// that fell to init would fall to it.
#[test]
fn a_program_is_watched_and_notices_nothing() {
    let program = targets::program("alone");
    let program = program.to_str().expect("a plain path");
    for adopts in [&[][..], &["subreaper"]] {
        let words = [&[program, "3"], adopts].concat();
        let alone = Process::run({
            let mut command = plain(words[0]);
            command.args(&words[1..]);
            command
        });
        let place = Place::new();
        let mut command = preloaded(&place, &words);
        command.env("MEMGUARD_AGGRESSIVE", "1");
        let watched = Process::run(command);
        assert_eq!(
            (watched.code, &watched.stdout, &watched.stderr),
            (alone.code, &alone.stdout, &alone.stderr)
        );
        let report = last_report(&place);
        must_find_what_is_forgotten(&report);
        assert_eq!(report.document["session"]["command"][0], program);
    }
}

/// Goal: in guard mode, too, a program of some seconds has its report, with a descriptor's history from the time it was
/// found worth watching. Method: the same program; it ends by itself.
#[test]
fn guard_mode_watches_from_the_second_second_on() {
    let place = Place::new();
    let ended = Process::run(preloaded(&place, &[targets::program("alone").to_str().expect("plain"), "3"]));
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (3, "ready\nalone\n", ""));
    let report = last_report(&place);
    assert_eq!(report.processes().len(), 1);
    assert!(report.processes()[0]["descriptors"]["peak"].as_u64() >= Some(3), "{:#}", report.document);
}

/// Goal: all processes of a service are in one session, with parent, command and fate, and it ends with the last.
/// Method: a shell that runs two programs side by side.
#[test]
fn later_processes_find_the_session() {
    let program = targets::program("alone");
    let script = format!("{0} 3 & {0} 4 & wait", program.display());
    let place = Place::new();
    let mut command = preloaded(&place, &["sh", "-c", &script]);
    command.env("MEMGUARD_AGGRESSIVE", "1");
    let ended = Process::run(command);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let report = last_report(&place);
    assert_eq!(report.document["session"]["command"][0], "sh");
    // The shell's children are shells themselves until they become something else.
    let all = report.processes();
    let is_child = |p: &Value| all.iter().any(|parent| parent["pid"] == p["ppid"]);
    let shell = all.iter().find(|p| !is_child(p)).expect("the shell");
    assert_eq!(shell["command"][0], "sh");
    let children: Vec<_> = all
        .iter()
        .filter(|p| p["ppid"] == shell["pid"] && p["command"][0] == program.to_str().expect("plain"))
        .collect();
    assert_eq!(children.len(), 2, "{:#}", report.document);
    for child in children {
        assert_eq!((&child["fate"], &child["exit"]["code"]), (&"ended".into(), &3.into()), "{child:#}");
    }
    must_find_what_is_forgotten(&report);
    let processes = report.findings_in("forget")[0].0["processes"].as_array().expect("pids").len();
    assert_eq!(processes, 2, "one leak in two processes");
}

/// Goal: a short-lived process starts nothing. Method: a loop of commands; no session is there.
#[test]
fn short_lived_processes_start_no_collector() {
    let place = Place::new();
    let ended =
        Process::run(preloaded(&place, &["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done"]));
    assert_eq!(ended.code, 0);
    assert!(place.sessions().is_empty(), "{:?}", place.sessions());
}

/// Goal: a wrong setting is told in one line, once, and the program runs unwatched. Method: a rate that is none, for a
/// program alone and for a tree of three.
#[test]
fn a_wrong_setting_is_told_once() {
    let program = targets::program("alone");
    let tree = format!("{0} 2 & {0} 2 & wait; {0} 2", program.display());
    for words in [&[program.to_str().expect("plain"), "2"][..], &["sh", "-c", &tree]] {
        let place = Place::new();
        let mut command = preloaded(&place, words);
        command.env("MEMGUARD_SAMPLE_RATE", "7").env("MEMGUARD_AGGRESSIVE", "1");
        let ended = Process::run(command);
        assert_eq!(ended.code, 3);
        let line = "memguard: environment MEMGUARD_SAMPLE_RATE: sample_rate: found '7', expected a number from \
                    0.000001 to 1; the program runs unwatched\n";
        assert_eq!(ended.stderr, line);
        assert!(place.sessions().is_empty());
    }
}
