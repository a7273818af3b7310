//! Patterns: real programs that forget what real libraries hand out are told by name, at their own line; what a user
//! learned is known again.

use std::fmt;
use std::fs;
use std::path::Path;

use memguard_tests::process::{Ended, Process};
use memguard_tests::product;
use memguard_tests::report::{Finding, Frame, Report, SHOWN};
use memguard_tests::targets::{Expectation, Leak, expectation, program, said, target};
use memguard_tests::together::{ensure, together};
use memguard_tests::watched::{Place, words};

const SOURCE: &str = "leak_apis.c";
/// What follows a call on the next lines may be where the compiler sees it.
const SLACK_LINES: u64 = 2;
/// A machine may be so busy that a run of seconds shows nothing.
const ATTEMPTS: usize = 3;

/// One function of a library whose result is forgotten.
struct Call {
    function: String,
    line: u64,
    fingerprint: String,
    kind: &'static str,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.function)
    }
}

fn calls() -> Vec<Call> {
    let Expectation::Leak(leaks) = expectation(SOURCE, SOURCE) else { panic!("{SOURCE} does not leak") };
    let names = said(SOURCE, "fingerprint: ");
    let name = |function: &str| {
        let line = names.iter().find(|line| line[0] == function);
        line.map_or_else(|| panic!("{SOURCE} does not name {function}"), |line| line[1].clone())
    };
    let call = |leak: Leak| Call {
        fingerprint: name(&leak.function),
        // A handler is connected, not handed out.
        kind: if leak.function == "forget_handler" { "heap-growth" } else { "api-result-not-freed" },
        line: leak.line,
        function: leak.function,
    };
    leaks.into_iter().map(call).collect()
}

impl Call {
    fn watch(&self, place: &Place, options: &[&str]) -> Ended {
        let arguments = ["--what", &self.function, "--objects", "300", "--seconds", "4"];
        let options = [&["--quiet", "--aggressive"], options].concat();
        Process::run(place.run(&options, &words(&target("leak_apis"), &arguments)))
    }

    /// The surest finding in the function, or why it is not what it is to be.
    fn judge<'a>(&self, report: &'a Report) -> Result<Finding<'a>, String> {
        let found = report.findings_in(&self.function).into_iter().next();
        let found = found.ok_or_else(|| format!("nothing is found: {report}"))?;
        let line = found.place().and_then(Frame::line).unwrap_or(0);
        let place = found.location().starts_with(SOURCE) && line.abs_diff(self.line) <= SLACK_LINES;
        let name = found.0["fingerprint"]["name"].as_str();
        ensure(place && name == Some(&self.fingerprint) && found.kind() == self.kind, || {
            format!("{} as {name:?} at line {line}, not {}: {report}", found.kind(), self.line)
        })?;
        let strangers: Vec<_> =
            report.findings(SHOWN).into_iter().filter(|f| f.0["id"] != found.0["id"]).collect();
        ensure(strangers.is_empty(), || format!("something else is shown: {report}"))?;
        Ok(found)
    }
}

fn fix(finding: Finding<'_>) -> &str {
    finding.0["suggested_fix"].as_str().expect("a text")
}

/// Goal: each call is told by its fingerprint's name, as the kind it becomes, at the program's own line, with the
/// fingerprint's advice; a library's internal places are one finding. Method: the variants of `leak_apis`, everything recorded.
#[test]
fn real_libraries_are_recognised() {
    together(8, &calls(), |call| {
        let mut attempt = 1;
        loop {
            let place = Place::new();
            let ended = call.watch(&place, &[]);
            ensure(ended.code == 0, || format!("{ended:?}"))?;
            let report = place.report();
            match call.judge(&report) {
                Ok(found) => {
                    ensure(
                        !fix(found).is_empty() && found.0["fingerprint"]["explanation"].is_string(),
                        || report.to_string(),
                    )?;
                    println!("{call}: {found} at attempt {attempt}");
                    return Ok(());
                }
                Err(why) if attempt == ATTEMPTS => return Err(why),
                Err(_) => attempt += 1,
            }
        }
    });
}

/// Runs until the function is found; the report, and the place with its session.
fn found_in(function: &str, run: impl Fn(&Place) -> Ended) -> (Place, Report) {
    for _ in 0..ATTEMPTS {
        let place = Place::new();
        assert_eq!(run(&place).code, 0);
        let report = place.report();
        if !report.findings_in(function).is_empty() {
            return (place, report);
        }
    }
    panic!("{function} is not found after {ATTEMPTS} attempts")
}

fn learn(place: &Place, report: &Report, function: &str, into: &Path, name: &str) {
    let id = report.findings_in(function)[0].0["id"].as_str().expect("an id").to_owned();
    let into = into.to_str().expect("UTF-8");
    let mut command =
        place.memguard(&["learn", &id[..12], "--name", name, "--fix", "ask the team of the store"]);
    command.args(["--patterns-dir", into]);
    let learned = Process::run(command);
    assert_eq!(learned.code, 0, "{learned:?}");
    assert!(learned.stdout.contains(&format!("fingerprint {name}")), "{learned:?}");
}

/// Goal: what a user has confirmed is called by their name, with their advice, in the next run. Method: a plain leak, and one
/// that a built-in fingerprint knows: it keeps its kind and its id.
#[test]
fn what_was_learned_is_known_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let own = folder.path().to_str().expect("UTF-8");

    let steady = words(&target("leak_steady"), &[]);
    let (place, report) =
        found_in("remember_request", |place| Process::run(place.run(&["--quiet", "--aggressive"], &steady)));
    learn(&place, &report, "remember_request", folder.path(), "shop-requests");
    let options = ["--quiet", "--aggressive", "--patterns-dir", own];
    let (_, again) = found_in("remember_request", |place| Process::run(place.run(&options, &steady)));
    let (before, after) =
        (report.findings_in("remember_request")[0], again.findings_in("remember_request")[0]);
    assert_eq!(after.0["fingerprint"]["name"], "shop-requests", "{again}");
    assert_eq!(fix(after), "ask the team of the store");
    assert_eq!((after.0["id"].as_str(), after.kind()), (before.0["id"].as_str(), "heap-unreachable"));
    assert!(before.0.get("fingerprint").is_none());

    let calls = calls();
    let copy = calls.iter().find(|call| call.function == "forget_headers").expect("a variant");
    let (place, report) = found_in("forget_headers", |place| copy.watch(place, &[]));
    learn(&place, &report, "forget_headers", folder.path(), "shop-headers");
    let (_, again) = found_in("forget_headers", |place| copy.watch(place, &["--patterns-dir", own]));
    let (before, after) = (report.findings_in("forget_headers")[0], again.findings_in("forget_headers")[0]);
    assert_eq!(before.0["fingerprint"]["name"], "curl-slist", "{report}");
    assert_eq!(after.0["fingerprint"]["name"], "shop-headers", "{again}");
    assert_eq!((after.0["id"].as_str(), after.kind()), (before.0["id"].as_str(), "api-result-not-freed"));
}

/// Goal: by the library alone, too, a wrong fingerprint is one line on stderr, and the program runs. Method: a folder with a
/// file that is none.
#[test]
fn a_wrong_fingerprint_is_told_once_by_the_library_alone() {
    let place = Place::new();
    fs::write(place.path().join("wrong.toml"), "[[fingerprint]]\nname = \"x\"\n").expect("written");
    let mut command = place.command(program("alone"));
    command.arg("2").env("LD_PRELOAD", product::library());
    command.env("MEMGUARD_PATTERNS_DIR", place.path()).env("MEMGUARD_AGGRESSIVE", "1");
    let ended = Process::run(command);
    let line = format!(
        "memguard: environment MEMGUARD_PATTERNS_DIR: {}:1: fingerprint 'x': missing key `title`; the program runs \
         unwatched\n",
        place.path().join("wrong.toml").display()
    );
    assert_eq!((ended.code, ended.stderr.as_str()), (3, line.as_str()));
}
