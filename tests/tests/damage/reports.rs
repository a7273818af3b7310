//! Damage, reports: whatever lies where a report should, the answer is a report or one line.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use memguard_tests::process::{Ended, Process};
use memguard_tests::watched::Place;

use crate::garbage;

/// A place with one finished session of a trivial program.
fn finished() -> Place {
    let place = Place::new();
    assert_eq!(Process::run(place.run(&["--quiet"], &["true"])).code, 0);
    place
}

fn ask(place: &Place, arguments: &[&str]) -> Ended {
    Process::run(place.memguard(arguments))
}

/// Checks that both forms of the report are refused in one line, and that the list still works.
fn refused(what: &str, damage: impl Fn(&Path)) {
    let place = finished();
    damage(&place.session().join("report.json"));
    for arguments in [&["report"][..], &["report", "--json"], &["report", "--min-confidence", "0"]] {
        let ended = ask(&place, arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{what}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{what}: {}", ended.stderr);
        assert!(ended.stderr.starts_with("memguard: "), "{what}: {}", ended.stderr);
    }
    let list = ask(&place, &["list"]);
    assert!(list.code == 0 && list.stdout.contains("no report"), "{what}: {list:?}");
}

#[test]
fn no_report_at_all() {
    refused("removed", |path| fs::remove_file(path).expect("removed"));
    refused("a folder", |path| {
        fs::remove_file(path).expect("removed");
        fs::create_dir(path).expect("made");
    });
    refused("a link to nowhere", |path| {
        fs::remove_file(path).expect("removed");
        symlink("nowhere", path).expect("made");
    });
}

#[test]
fn something_else_than_a_report() {
    refused("empty", |path| fs::write(path, "").expect("written"));
    refused("garbage", |path| fs::write(path, garbage(5000, 1)).expect("written"));
    refused("zeros", |path| fs::write(path, vec![0; 5000]).expect("written"));
    refused("another document", |path| fs::write(path, "{\"schema\": \"other/1\"}").expect("written"));
    refused("a list", |path| fs::write(path, "[]").expect("written"));
    refused("deep", |path| fs::write(path, "[".repeat(200_000)).expect("written"));
    refused("of a later version", |path| {
        let text = fs::read_to_string(path).expect("a report");
        fs::write(path, text.replace("memguard.report/1", "memguard.report/2")).expect("written");
    });
}

/// Goal: no beginning of a report is taken for one. Method: the file cut at many places.
#[test]
fn a_truncated_report() {
    let place = finished();
    let path = place.session().join("report.json");
    let whole = fs::read(&path).expect("a report");
    for cut in (1..12).map(|twelfth| whole.len() * twelfth / 12) {
        fs::write(&path, &whole[..cut]).expect("written");
        let ended = ask(&place, &["report"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "cut at {cut}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "cut at {cut}: {}", ended.stderr);
    }
    fs::write(&path, &whole).expect("written");
    assert_eq!(ask(&place, &["report"]).code, 0);
}

/// Goal: a report with strange values is shown or refused, and no terminal is harmed. Method: single values replaced.
#[test]
fn a_report_with_strange_values() {
    for (from, to) in [
        ("\"created_at\": ", "\"created_at\": 1e308, \"was\": "),
        ("\"findings\": []", "\"findings\": [{}]"),
        ("\"findings\": []", "\"findings\": {}"),
        ("\"processes\": [", "\"processes\": [null, "),
        ("\"host\": \"", "\"host\": \"\\u001b[31m\\u0007"),
        ("\"pid\": ", "\"pid\": -"),
    ] {
        let place = finished();
        let path = place.session().join("report.json");
        let text = fs::read_to_string(&path).expect("a report");
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "there is no {from} in {text}");
        fs::write(&path, changed).expect("written");
        let ended = ask(&place, &["report"]);
        assert!(ended.code == 0 || ended.code == 2 && ended.stderr.lines().count() == 1, "{to}: {ended:?}");
        assert!(!ended.stdout.contains(['\u{1b}', '\u{7}']), "{to}: {ended:?}");
    }
}

/// Goal: other files of a session do not matter to its report. Method: garbage beside it.
#[test]
fn strangers_beside_the_report() {
    let place = finished();
    let session = place.session();
    fs::write(session.join("1-1.segment"), garbage(20_000, 2)).expect("written");
    fs::write(session.join("control"), garbage(4096, 3)).expect("written");
    fs::create_dir(session.join("2-2.segment")).expect("made");
    assert_eq!(ask(&place, &["report"]).code, 0);
    assert_eq!(ask(&place, &["list"]).code, 0);
}
