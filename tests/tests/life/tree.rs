//! Life, process trees: workers, daemons, programs that replace each other.

use memguard_tests::process::Process;
use memguard_tests::report::SHOWN;
use memguard_tests::watched::Place;
use memguard_tests::{ability, targets};

use crate::{last_report, must_find_what_is_forgotten};

fn family(words: &[&str]) -> Vec<std::ffi::OsString> {
    memguard_tests::watched::words(&targets::program("family"), words)
}

/// Goal: a leak of all workers is one finding, with the processes it occurs in; each worker is there with its parent.
/// Method: a parent that forks three and waits for them.
#[test]
fn a_leak_of_all_workers_is_reported_once() {
    let watched = Place::new().watch(&["--quiet", "--aggressive"], &family(&["workers", "3", "3"]));
    assert_eq!((watched.ended.code, watched.ended.stdout.as_str()), (0, "workers done\n"));
    let report = watched.report();
    must_find_what_is_forgotten(&report);
    let finding = report.findings_in("forget")[0].0;
    assert_eq!(finding["processes"].as_array().map(Vec::len), Some(3), "{finding:#}");
    assert!((870.0..=950.0).contains(&finding["count"].as_f64().expect("a count")), "{finding:#}");
    let parent = &report.processes()[0]["pid"];
    assert_eq!(report.processes().iter().filter(|process| process["ppid"] == *parent).count(), 3);
}

/// Goal: workers that give up root's rights are watched. Method: the same as nobody, whose files the session's are not.
#[test]
fn workers_without_rights_are_watched() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let watched = Place::new().watch(&["--quiet", "--aggressive"], &family(&["workers", "2", "3", "65534"]));
    assert_eq!((watched.ended.code, watched.ended.stdout.as_str()), (0, "workers done\n"));
    let report = watched.report();
    assert_eq!(report.processes().len(), 3, "{:#}", report.document);
    must_find_what_is_forgotten(&report);
}

/// Goal: a daemon outlives the program that started it, and the session with it: `run` ends with the program, a collector
/// in the background goes on. Method: a double fork; the report when the daemon has ended.
#[test]
fn a_daemon_is_watched_to_its_end() {
    let place = Place::new();
    let ended = Process::run(place.run(&["--quiet", "--aggressive"], &family(&["daemon", "4"])));
    assert_eq!((ended.code, ended.stderr.as_str()), (5, ""));
    let report = last_report(&place);
    assert_eq!(report.document["session"]["exit"]["code"], 5);
    must_find_what_is_forgotten(&report);
    assert!(report.processes().iter().all(|process| process["fate"] == "ended"), "{:#}", report.document);
}

/// Goal: how each process ended is known from the parent that waited for it. Method: one exits with 7, one dies of a signal.
#[test]
fn fates_are_what_the_parents_waits_said() {
    for options in [&["--quiet"][..], &["--quiet", "--aggressive"]] {
        let watched = Place::new().watch(options, &family(&["fates"]));
        assert_eq!((watched.ended.code, watched.ended.stdout.as_str()), (0, "fates done\n"));
        let report = watched.report();
        let mut exits: Vec<_> =
            report.processes().iter().map(|process| process["exit"].to_string()).collect();
        exits.sort();
        let wanted =
            [r#"{"code":0,"signal":null}"#, r#"{"code":7,"signal":null}"#, r#"{"code":null,"signal":15}"#];
        assert_eq!(exits, wanted, "{options:?} {:#}", report.document);
    }
}

/// Goal: after exec the old program's part is closed and the new one has its own. Method: a program that becomes `sleep`.
#[test]
fn a_program_that_is_replaced_is_told_from_the_next() {
    let watched = Place::new().watch(&["--quiet", "--aggressive"], &family(&["exec", "2", "sleep", "0.5"]));
    assert_eq!(watched.ended.code, 0);
    let report = watched.report();
    let fates: Vec<_> = report.processes().iter().map(|process| process["fate"].as_str()).collect();
    assert_eq!(fates, [Some("replaced"), Some("ended")], "{:#}", report.document);
    assert_eq!(report.processes()[0]["pid"], report.processes()[1]["pid"]);
    assert_eq!(report.findings(SHOWN).len(), 1, "what the first program forgot");
}

/// Goal: in another PID namespace the numbers differ, and everything is found all the same. Method: workers in one.
#[test]
fn another_pid_namespace_is_seen_through() {
    if !ability::private_mounts() {
        return;
    }
    let program = targets::program("family");
    let words = ["unshare", "--pid", "--fork", program.to_str().expect("plain"), "workers", "2", "3"];
    let watched = Place::new().watch(&["--quiet", "--aggressive"], &words);
    assert_eq!((watched.ended.code, watched.ended.stdout.as_str()), (0, "workers done\n"));
    let report = watched.report();
    must_find_what_is_forgotten(&report);
    assert_eq!(report.findings_in("forget")[0].0["processes"].as_array().map(Vec::len), Some(2));
}
