//! Kit: the matchers notice what they are there to notice, and the ways to run programs tell the truth about them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use memguard_tests::events::when_changed;
use memguard_tests::process::{Ended, Process};
use memguard_tests::report::{Report, SHOWN};
use memguard_tests::targets::{Expectation, Leak, expectation_in};
use memguard_tests::together::{ensure, together};

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// The words of the panic that must come.
fn panic_of(action: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(action)).expect_err("it must not hold");
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .expect("words")
}

#[test]
fn ends_are_told_apart() {
    let ended =
        |code, stdout: &str, stderr: &str| Ended { code, stdout: stdout.into(), stderr: stderr.into() };
    assert_eq!(Process::run(shell("echo out; echo error >&2; exit 3")), ended(3, "out\n", "error\n"));
    assert_eq!(Process::run(shell("kill -TERM $$")), ended(128 + 15, "", ""));
    assert_eq!(Process::run(shell("printf 'no\\nend'")), ended(0, "no\nend", ""));
    assert_eq!(Process::run(shell("cat")), ended(0, "", ""));
}

#[test]
fn a_conversation_goes_line_by_line() {
    let mut process = Process::converse(shell("while read line; do echo \"<$line>\"; done; exit 4"));
    process.say("one");
    assert_eq!(process.line(), "<one>");
    process.say("two");
    let ended = process.finish();
    assert_eq!((ended.code, ended.stdout.as_str()), (4, "<two>\n"));
}

#[test]
fn one_failure_does_not_hide_another() {
    let cases = ["good", "bad", "worse"];
    let said = panic_of(|| {
        together(2, &cases, |case| {
            assert_ne!(*case, "worse", "it panics");
            ensure(*case == "good", || "it fails".to_owned())
        });
    });
    assert!(
        said.contains("2 of 3") && said.contains("bad: it fails") && said.contains("it panics"),
        "{said}"
    );
    assert_eq!(together(8, &cases, |case| Ok(case.len())), [4, 3, 5]);
}

#[test]
fn a_file_that_appears_is_an_event() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    let (from, to) = (folder.path().join("draft"), file.clone());
    let writer = std::thread::spawn(move || {
        std::fs::write(&from, "text").expect("written");
        std::fs::rename(from, to).expect("renamed");
    });
    assert_eq!(when_changed(folder.path(), || std::fs::read(&file).ok()), b"text");
    writer.join().expect("written");
}

#[test]
fn sources_say_what_to_expect() {
    let text = "/* a: leaks.\n * This text says expect: silence in the middle.\n *\n * expect: leak one two\n */\n\
        x = malloc(1); /* LEAK */\n/* no LEAK here */\ny = malloc(2); // LEAK\n";
    let leak = |function: &str, line| Leak { function: function.into(), file: "a.c".into(), line };
    let leaks = Expectation::Leak(vec![leak("one", 6), leak("two", 8)]);
    assert_eq!(expectation_in("a.c", text, "a.c", text), leaks);
    assert_eq!(expectation_in("b.rs", "//! expect: silence\n", "b.rs", ""), Expectation::Silence);
    assert_eq!(expectation_in("c.c", " * expect: exit 134\n", "c.c", ""), Expectation::Exit(134));
    assert!(panic_of(|| drop(expectation_in("d.c", "nothing", "d.c", ""))).contains("d.c"));
    assert!(panic_of(|| drop(expectation_in("e.c", " * expect: leak one\n", "e.c", ""))).contains("marks"));
}

#[test]
fn findings_are_asked_by_function() {
    let frame = |function: &str, role: &str| {
        format!(
            r#"{{"function": "{function}", "file": "/src/a.cpp", "line": 7, "role": "{role}", "inlined": false}}"#
        )
    };
    let stack =
        [frame("operator new", "allocator"), frame("(anonymous namespace)::Session::open", "application")];
    let finding = |confidence: f64| {
        let stack = stack.join(",");
        format!(
            r#"{{"confidence": {confidence}, "location": "a.cpp:7", "size_mb": 1.5, "stack": [{stack}]}}"#
        )
    };
    let process =
        r#"{"pid": 4, "stacks": {"complete": 3, "truncated": 1, "lost": 0}, "lost": {"ring_full": 2}}"#;
    let findings = [finding(0.4), finding(0.8)].join(",");
    let text =
        format!(r#"{{"schema": "memguard.report/1", "processes": [{process}], "findings": [{findings}]}}"#);
    let report = Report::parse(text.as_bytes());
    assert_eq!(report.findings(SHOWN).len(), 1);
    let found = report.findings_in("Session::open");
    assert!((found[0].confidence() - 0.8).abs() < 1e-9, "surest first");
    let place = found[0].place().expect("an application frame");
    assert_eq!((place.file(), place.line()), (Some("a.cpp"), Some(7)));
    assert!(report.findings_in("open").len() == 2 && report.findings_in("operator new").is_empty());
    assert!(report.findings_in("n::open").is_empty(), "half a name is another name");
    assert_eq!((report.stacks(), report.lost("ring_full"), report.lost("other")), ([3, 1, 0], 2, 0));
    assert!(
        panic_of(|| drop(Report::parse(b"{\"schema\": \"memguard.report/9\"}"))).contains("memguard.report")
    );
}
