//! Verdicts, refused: a file that is not what it should be is one line, before anything is started.

use std::fs;

use memguard_tests::process::Process;
use memguard_tests::watched::Place;

use crate::{file, memguard, text_of};

/// Goal: whatever lies there, `run` and `report` refuse it in one line that names it, and the program is not started. Method: files of
/// all sorts; a program that would leave a trace.
#[test]
fn files_that_are_no_rules() {
    let place = Place::new();
    assert_eq!(Process::run(place.run(&["--quiet"], &["true"])).code, 0);
    let missing = text_of(&place.path().join("missing"));
    let folder = text_of(place.path());
    let empty = file(&place, "empty", "");
    let garbage = file(&place, "garbage", "\u{1}\u{2} nothing\n");
    let cut = file(&place, "cut.json", "{\"schema\": \"memguard.report/1\", \"findings\": [");
    let foreign = file(&place, "foreign.json", "{\"version\": 3}");
    let later = file(&place, "later.json", "{\"schema\": \"memguard.report/9\"}");
    let bad_toml = file(&place, "bad.toml", "[[suppression]]\nname = 'x'\n\n");
    let bad_leak = file(&place, "bad.supp", "leak:a\nleek:b\n");
    let open_brace = file(&place, "open.supp", "\n{\n x\n Memcheck:Leak\n fun:y\n");
    let binary = text_of(&place.path().join("binary"));
    fs::write(&binary, [b'l', b'e', b'a', b'k', b':', 0xff, 0xfe]).expect("written");
    let cases = [
        ("--baseline", &missing, "No such file"),
        ("--baseline", &folder, "directory"),
        ("--baseline", &empty, "no JSON"),
        ("--baseline", &garbage, "no JSON"),
        ("--baseline", &cut, "no JSON"),
        ("--baseline", &foreign, "no MemGuard report"),
        ("--baseline", &later, "memguard.report/9"),
        ("--baseline", &"/dev/zero".to_owned(), "larger than"),
        ("--suppressions", &missing, "No such file"),
        ("--suppressions", &folder, "directory"),
        ("--suppressions", &garbage, "begins no suppression"),
        ("--suppressions", &binary, "no text"),
        ("--suppressions", &foreign, "begins no suppression"),
        ("--suppressions", &bad_toml, "bad.toml:1: missing field `reason`"),
        ("--suppressions", &bad_leak, "bad.supp:2: found 'leek:b'"),
        ("--suppressions", &open_brace, "open.supp:2: the suppression that begins here"),
        ("--min-confidence", &"2".to_owned(), "from 0 to 1"),
    ];
    let trace = place.path().join("trace");
    for (option, value, told) in cases {
        let started = Process::run(place.run(&[option, value], &["touch", &text_of(&trace)]));
        let asked = memguard(&place, &["report", option, value]);
        for (ended, code) in [(started, 125), (asked, 2)] {
            assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{option} {value}: {ended:?}");
            assert_eq!(ended.stderr.lines().count(), 1, "{option} {value}: {}", ended.stderr);
            assert!(
                ended.stderr.starts_with("memguard: ") && ended.stderr.contains(told),
                "{told}: {}",
                ended.stderr
            );
        }
    }
    assert!(!trace.exists(), "the program was started");
    assert_eq!(place.sessions().len(), 1, "no session is left of what was not started");
    assert_eq!(
        memguard(&place, &["report", "--suppressions", &empty]).code,
        0,
        "an empty file suppresses nothing"
    );
    let mut command = place.run(&["--quiet"], &["touch", &text_of(&trace)]);
    command.env("MEMGUARD_MIN_SIZE_MB_HANDLES", "1");
    let ended = Process::run(command);
    assert!(
        ended.code == 125 && ended.stderr.contains("min_size_mb.handles: this pattern is counted"),
        "{ended:?}"
    );
}
