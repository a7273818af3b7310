//! Leaks, recorded: what was read of a program is kept, and judged again it gives the same verdict.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use memguard_tests::process::Process;
use memguard_tests::report::SHOWN;
use memguard_tests::targets::target;
use memguard_tests::watched::{Place, words};
use serde_json::Value;

/// The recordings of a session.
fn recordings(session: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(session).expect("a folder").map(|entry| entry.expect("readable").path());
    files.filter(|path| path.to_string_lossy().ends_with(".jsonl.gz")).collect()
}

fn replay(place: &Place, file: &Path) -> Value {
    let ended = Process::run(place.memguard(&["replay".as_ref(), "--json".as_ref(), file.as_os_str()]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).expect("JSON")
}

/// Kind, location and confidence of everything that is shown, surest first.
fn shown(findings: &Value) -> Vec<(String, String, f64)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let findings = findings.as_array().expect("findings").iter().map(|finding| {
        let confidence = finding["confidence"].as_f64().expect("a number");
        (text(&finding["kind"]), text(&finding["location"]), confidence)
    });
    let mut shown: Vec<_> = findings.filter(|finding| finding.2 >= SHOWN).collect();
    shown.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    shown
}

/// Goal: the verdict of a recording is the verdict of its session, and names it the same. Method: programs that leak memory
/// and descriptors, everything recorded; findings at the end against the report's, which rounds.
#[test]
fn a_replay_says_what_the_report_said() {
    for (program, arguments) in [("leak_error_path", &[][..]), ("leak_files", &[]), ("fifo_cache", &[])] {
        let place = Place::new();
        let command = words(&target(program), arguments);
        let ended = Process::run(place.run(&["--quiet", "--aggressive", "--record"], &command));
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let files = recordings(&place.session());
        assert_eq!(files.len(), 1, "{program}: {files:?}");
        let mode = fs::metadata(&files[0]).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{program}");
        let replayed = &replay(&place, &files[0])["recordings"][0];
        assert_eq!(replayed["is_complete"], true, "{program}");
        let (again, report) = (shown(&replayed["findings"]), shown(&place.report().document["findings"]));
        assert_eq!(again.len(), report.len(), "{program}: {again:?}, {report:?}");
        for (again, report) in again.iter().zip(&report) {
            assert_eq!((&again.0, &again.1), (&report.0, &report.1), "{program}");
            assert!((again.2 - report.2).abs() < 1e-4, "{program}: {again:?}, {report:?}");
        }
    }
}

/// Goal: nothing is recorded unasked. Method: the same without the option.
#[test]
fn nothing_is_recorded_unasked() {
    let place = Place::new();
    Process::run(place.run(&["--quiet", "--aggressive"], &words("/bin/true".as_ref(), &[])));
    assert!(recordings(&place.session()).is_empty());
}

/// Goal: what is no recording is told in one line. Method: no file, a folder, text.
#[test]
fn other_files_are_refused() {
    let place = Place::new();
    let text = place.path().join("text");
    fs::write(&text, "{}\n").expect("written");
    for (file, why) in [
        (place.path().join("none"), "No such file"),
        (place.path().to_owned(), "directory"),
        (text, "is no recording"),
    ] {
        let ended = Process::run(place.memguard(&["replay".as_ref(), file.as_os_str()]));
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
        let line = ended.stderr.trim_end();
        assert!(line.contains(why) && !line.contains('\n'), "{line}");
    }
}
