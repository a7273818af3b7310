//! Outside, attach: a process that runs already.

use std::thread;

use memguard_tests::process::Process;
use memguard_tests::report::SHOWN;
use memguard_tests::targets::target;
use memguard_tests::watched::{Place, plain};
use nix::sys::signal::Signal;

fn leaking(seconds: &str) -> Process {
    let mut command = plain(target("leak_descriptors"));
    command.args(["--what", "keep_eventfd", "--objects", "400", "--seconds", seconds]);
    Process::start(command)
}

/// Goal: growth of descriptors in a running process is found, the process ends as it does alone, and the session with it. Method: a
/// leaking program that was started without us.
#[test]
fn growth_is_found_in_a_running_process() {
    let process = leaking("14");
    let pid = process.pid().to_string();
    let place = Place::new();
    let attached = Process::run(place.memguard(&["attach", &pid, "--aggressive", "--name", "found"]));
    let ended = process.finish();
    assert_eq!((ended.code, attached.code), (0, 0), "{} {}", ended.stderr, attached.stderr);
    assert!(attached.stderr.contains("eventfd-not-closed"), "{}", attached.stderr);
    let report = place.report();
    let shown = report.findings(SHOWN);
    let [finding] = shown.as_slice() else { panic!("{report}") };
    assert_eq!(finding.kind(), "eventfd-not-closed", "{report}");
    assert_eq!(report.document["session"]["name"], "found");
    assert_eq!(report.processes()[0]["pid"].to_string(), pid);
    assert!(report.document["session"]["ended_at"].is_number());
}

/// Goal: SIGINT ends the watch and not the process; a second watch of the same process is refused while the first one lasts; the
/// target is never stopped or traced. Method: both, on a program that waits for its input.
#[test]
fn a_watch_can_be_ended_and_is_one_at_a_time() {
    let mut command = plain("cat");
    command.env("MEMGUARD_TEST", "1");
    let mut process = Process::converse(command);
    let pid = process.pid().to_string();
    let place = Place::new();
    let first = Process::start(place.memguard(&["attach", &pid]));
    while place.sessions().iter().all(|session| !session.join("report.json").exists()) {
        thread::yield_now();
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    assert!(status.contains("TracerPid:\t0") && !status.contains("(stopped)"), "{status}");
    let second = Process::run(place.memguard(&["attach", &pid]));
    assert_eq!(second.code, 2);
    assert!(second.stderr.contains("is watched already, in session"), "{}", second.stderr);
    assert_eq!(second.stderr.lines().count(), 1, "{}", second.stderr);
    first.signal(Signal::SIGINT);
    let ended = first.finish();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("No leaks found"), "{}", ended.stderr);
    process.say("still here");
    assert_eq!(process.line(), "still here");
    assert_eq!(process.finish().code, 0);
    assert_eq!(place.sessions().len(), 1, "the refused one left nothing behind");
}

/// Goal: what watching cost is compared with what the program did meanwhile, not with all that it did before. Method: a program that
/// was busy for some tenths of a second and rests while it is watched, so that there is nothing to compare with.
#[test]
fn the_past_is_not_held_against_the_watch() {
    let mut command = plain("sh");
    command.args(["-c", "i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done; echo rests; read line"]);
    let mut process = Process::converse(command);
    assert_eq!(process.line(), "rests");
    let place = Place::new();
    let watch = Process::start(place.memguard(&["attach", &process.pid().to_string()]));
    while place.sessions().iter().all(|session| !session.join("report.json").exists()) {
        thread::yield_now();
    }
    watch.signal(Signal::SIGINT);
    assert_eq!(watch.finish().code, 0);
    process.say("end");
    assert_eq!(process.finish().code, 0);
    let report = place.report();
    let overhead = &report.document["overhead"];
    assert!(overhead["collector_cpu_percent"].is_null() && overhead["memory_mb"].is_number(), "{overhead}");
}

/// Goal: a process under `memguard run` is not watched twice.
#[test]
fn a_process_of_a_session_is_refused() {
    let place = Place::new();
    let script = "echo $$; read line";
    let mut run = Process::converse(place.run(&["--quiet"], &["sh", "-c", script]));
    let pid = run.line();
    let refused = Process::run(place.memguard(&["attach", &pid]));
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("is watched already"), "{}", refused.stderr);
    run.say("go on");
    assert_eq!(run.finish().code, 0);
}
