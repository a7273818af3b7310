//! Life, death: of the collector, of the program, of both.

use std::path::Path;

use memguard_tests::process::Process;
use memguard_tests::report::Report;
use memguard_tests::watched::Place;
use memguard_tests::{ability, events, targets};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{ended_session, must_find_what_is_forgotten, preloaded, record};

fn alone(seconds: &'static str) -> [String; 2] {
    [targets::program("alone").display().to_string(), seconds.to_owned()]
}

/// The process that collects a session, once there is one other than `before`.
fn collector(session: &Path, before: Option<Pid>) -> Pid {
    events::when_changed(session, || {
        let pid = Pid::from_raw(record(session)["launcher"]["pid"].as_i64()? as i32);
        let is_collector = std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|words| words.windows(9).any(|part| part == b"--session"));
        (is_collector && Some(pid) != before).then_some(pid)
    })
}

fn report_of(place: &Place) -> Report {
    let ended = Process::run(place.memguard(&["report", "--json"]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    Report::parse(ended.stdout.as_bytes())
}

/// Goal: a collector that is killed is back before long, and the report is what it would have been; the program notices
/// nothing. Method: SIGKILL as soon as there is a collector.
#[test]
fn a_killed_collector_returns() {
    let place = Place::new();
    let [program, seconds] = alone("5");
    let mut command = preloaded(&place, &[&program, &seconds]);
    command.env("MEMGUARD_AGGRESSIVE", "1");
    let mut process = Process::converse(command);
    assert_eq!(process.line(), "ready");
    let session = place.session();
    let first = collector(&session, None);
    kill(first, Signal::SIGKILL).expect("it is ours");
    assert_ne!(collector(&session, Some(first)), first);
    let ended = process.finish();
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (3, "alone\n", ""));
    must_find_what_is_forgotten(&Report::read(&ended_session(&place).join("report.json")));
}

/// Goal: with program and launcher killed at one time, what was recorded is in the report that is asked for afterwards.
/// Method: SIGKILL for the launcher before any report can tell of a leak, then for the program.
#[test]
fn what_was_recorded_outlives_everybody() {
    for options in [&["--quiet", "--aggressive", "--poll-interval", "1h"][..], &["--quiet", "--aggressive"]] {
        let place = Place::new();
        let mut process = Process::converse(place.run(options, &alone("60")));
        assert_eq!(process.line(), "ready");
        let session = place.session();
        // 300 objects over more than three seconds are enough for a verdict.
        events::wait_until(|| {
            place.recordings().first().is_some_and(|recording| recording.live().len() > 320)
        });
        let program = place.recordings()[0].segment().get(memguard_segment::HeaderWord::Pid);
        process.signal(Signal::SIGKILL);
        kill(Pid::from_raw(program as i32), Signal::SIGKILL).expect("it runs");
        assert_eq!(process.wait(), 128 + 9);
        events::wait_until(|| !Path::new(&format!("/proc/{program}/fd/1")).exists());
        let report = report_of(&place);
        must_find_what_is_forgotten(&report);
        assert_eq!(report.processes().len(), 1, "{:#}", report.document);
        assert_eq!(record(&session)["state"], "ended");
        assert_eq!(report_of(&place).document, report.document, "the second time it is merely shown");
    }
}

/// Goal: `report` on a session that lost its launcher while the program runs gives it a collector again. Method: SIGKILL
/// for the launcher, `report`, then the program's own end.
#[test]
fn a_session_without_launcher_gets_a_collector_when_somebody_asks() {
    let place = Place::new();
    let mut process = Process::converse(place.run(&["--quiet", "--aggressive"], &alone("5")));
    assert_eq!(process.line(), "ready");
    process.signal(Signal::SIGKILL);
    assert_eq!(process.wait(), 128 + 9);
    let asked = Process::run(place.memguard(&["report"]));
    assert_eq!(asked.code, 0, "{}", asked.stderr);
    assert_eq!(asked.stderr, "memguard: the session had lost its collector; another has taken over\n");
    collector(&place.session(), None);
    assert_eq!(process.rest(0).stdout, "alone\n");
    must_find_what_is_forgotten(&Report::read(&ended_session(&place).join("report.json")));
}

/// Goal: killed for lack of memory, the program's last state is in the report. Method: a control group with little memory,
/// for the program alone. The session lies in memory: on a disk the kernel would write the segment's pages back for longer
/// than the program has run, and it would hardly grow meanwhile.
#[test]
fn a_program_killed_for_lack_of_memory_is_reported() {
    let Some(group) = ability::memory_group(64 << 20) else { return };
    let sessions = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
    let place = Place::new().with_sessions_in(sessions.path());
    let program = targets::program("swallow");
    let script = format!("echo $$ > {}/cgroup.procs; exec {}", group.path().display(), program.display());
    let ended = Process::run(place.run(&["--aggressive"], &["sh", "-c", &script]));
    assert_eq!(ended.code, 128 + 9, "{}", ended.stderr);
    let report = place.report();
    let mut processes = report.processes().iter();
    let last = processes.find(|process| process["fate"] == "ended").expect("the program");
    assert_eq!(last["exit"]["signal"], 9, "{:#}", report.document);
    assert_eq!(report.findings_in("swallow").len(), 1, "{:#}", report.document);
    assert!(last["rss_mb"]["peak"].as_f64() > Some(20.0), "{last:#}");
}
