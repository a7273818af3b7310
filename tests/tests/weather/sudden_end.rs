//! Weather, a sudden end: state lies outside the program, so its death is when the report is complete.

use memguard_tests::events::when_changed;
use memguard_tests::process::Process;
use memguard_tests::puppet::Puppet;
use memguard_tests::recording::Recording;
use memguard_tests::report::{Report, SHOWN};
use memguard_tests::targets::target;
use memguard_tests::watched::{Place, words};
use nix::sys::signal::{Signal, kill};

/// Goal: SIGKILL loses no object. Method: everything recorded; after the kill the live table holds exactly the blocks the
/// program said it held.
#[test]
fn a_killed_program_loses_no_object() {
    for order in ["kill", "abort", "_exit 7", "close"] {
        let place = Place::new();
        let keeper = place.keeper();
        let mut puppet = Puppet::watched(&place, &["--quiet", "--aggressive"]);
        puppet.tell("hold 5000 777 777", "held 5000 3885000");
        puppet.tell("drop", "dropped");
        puppet.tell("hold 1234 777 777", "held 1234 958818");
        puppet.process.say(order);
        let ended = puppet.process.finish();
        let code = match order {
            "kill" => 128 + 9,
            "abort" => 128 + 6,
            "close" => 0,
            _ => 7,
        };
        assert_eq!((ended.code, ended.stderr.as_str()), (code, ""), "{order}");
        let report = place.report();
        assert_eq!(report.processes().len(), 1, "{order}");
        let exit = &report.processes()[0]["exit"];
        let told = exit["signal"].as_i64().map(|signal| 128 + signal).or_else(|| exit["code"].as_i64());
        assert_eq!(told, Some(i64::from(code)), "{order}");
        let recordings = keeper.recordings();
        let live = recordings.iter().flat_map(Recording::live);
        assert_eq!(live.filter(|object| object.size_bytes == 777).count(), 1234, "{order}");
    }
}

/// Goal: what was found before the kill is in the report after it. Method: as soon as the session's report shows the leak,
/// the program is killed.
#[test]
fn a_killed_program_keeps_its_finding() {
    let place = Place::new();
    let arguments = ["--objects", "6000", "--seconds", "60"];
    let mut running =
        Process::start(place.run(&["--quiet", "--aggressive"], &words(&target("leak_steady"), &arguments)));
    let sessions = place.path().join("sessions");
    std::fs::create_dir_all(&sessions).expect("made");
    let session = when_changed(&sessions, || place.sessions().pop());
    let file = session.join("report.json");
    let pid = when_changed(&session, || {
        let report = Report::parse(&std::fs::read(&file).ok()?);
        let shown =
            report.findings(SHOWN).first().is_some_and(|finding| finding.location() == "leak_steady.c:8");
        if shown { report.processes()[0]["pid"].as_i64() } else { None }
    });
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).expect("a pid"));
    kill(pid, Signal::SIGKILL).expect("it runs");
    assert_eq!(running.wait(), 128 + 9);
    let report = place.report();
    let found = report.findings_in("remember_request");
    assert!(found.first().is_some_and(|finding| finding.confidence() >= SHOWN), "{report}");
    assert_eq!(report.document["session"]["exit"]["signal"], 9);
}
