//! Verdicts, counted: `--fail-on-leak` counts what is new, sure, and not suppressed, and says which it was.

use memguard_tests::process::{Ended, Process};
use memguard_tests::targets;
use memguard_tests::together::{ensure, together};
use memguard_tests::watched::{Place, words};

use crate::{audit, file, forgetful, found, memguard, text_of};

const OWN: &str = "[[suppression]]\nname = 'buffers'\nreason = 'by design'\nfunction = 'keep_buffer'\n\
                   [[suppression]]\nname = 'threads'\nreason = 'by design'\nstack = ['keep_thread', 'serve', 'main']\n";
const SANITIZER: &str = "# the buffers alone: it knows no threads\nleak:^keep_buf*r$\n";
const VALGRIND: &str = "{\n   buffers\n   Memcheck:Leak\n   match-leak-kinds: all\n   fun:malloc\n   fun:keep_buffer\n   ...\n   \
                        fun:main\n}\n{\n   elsewhere\n   Memcheck:Cond\n   fun:keep_thread\n}\n";

// How the last line begins.
const THREADS: &str = "exit code 23 because of thread-not-joined at forgetful.c:";
const BUFFERS: &str = "exit code 23 because of heap-";
const CLEAN: &str = "full report: memguard report ";

/// One run and what is expected of it.
struct Case {
    what: &'static str,
    options: Vec<String>,
    program: Vec<std::ffi::OsString>,
    code: i32,
    /// What the last line says, and what any line says.
    last: &'static str,
    any: &'static str,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.what)
    }
}

/// Goal: each combination of options ends as documented. Method: one program with two leaks, watched many times.
#[test]
fn only_what_is_new_counts() {
    let place = found();
    let baseline = text_of(&place.path().join("baseline.json"));
    assert_eq!(memguard(&place, &["report", "--json", "-o", &baseline]).code, 0);
    let own = file(&place, "own.toml", OWN);
    let sanitizer = file(&place, "lsan.supp", SANITIZER);
    let valgrind = file(&place, "valgrind.supp", VALGRIND);
    let expired = OWN.replace("reason = 'by design'", "reason = 'by design'\nexpires = 2020-02-29");
    let expired = file(&place, "expired.toml", &expired);
    let case = |what, options: &[&str], code, last, any| Case {
        what,
        options: options.iter().map(|option| (*option).to_owned()).collect(),
        program: forgetful(&[]),
        code,
        last,
        any,
    };
    let cases = [
        case("nothing decided", &[], 23, "exit code 23 because of ", "2 leaks found"),
        case("too unsure", &["--fail-on-leak=1"], 0, CLEAN, "2 leaks found"),
        case("known", &["--baseline", &baseline], 0, CLEAN, "2 known by the baseline"),
        case("suppressed by ours", &["--suppressions", &own], 0, CLEAN, "2 suppressed"),
        case(
            "suppressed by two others",
            &["--suppressions", &sanitizer, "--suppressions", &valgrind],
            23,
            THREADS,
            "1 suppressed",
        ),
        case("by the sanitizer's", &["--suppressions", &sanitizer], 23, THREADS, "1 suppressed"),
        case("by Valgrind's", &["--suppressions", &valgrind], 23, THREADS, "1 suppressed"),
        case(
            "expired",
            &["--suppressions", &expired],
            23,
            "exit code 23",
            "suppression 'buffers' expired on 2020-02-29 and no longer",
        ),
        case("threads not looked for", &["--patterns", "leaks"], 23, BUFFERS, "heap-"),
        case("all below the threshold", &["--min-confidence", "1"], 0, CLEAN, "No leaks found"),
        Case {
            what: "known, but worse",
            program: words(&targets::program("forgetful"), &["6000", "6"]),
            ..case("", &["--baseline", &baseline, "--patterns", "leaks"], 23, BUFFERS, "heap-")
        },
        Case {
            what: "the program fails by itself",
            program: forgetful(&["exit", "7"]),
            ..case("", &[], 7, CLEAN, "2 leaks found")
        },
    ];
    together(6, &cases, |case| {
        let mut attempt = 1;
        loop {
            let ended = watch(case);
            let told = format!("{}: {}", case.what, case.options.join(" "));
            let last = ended.stderr.lines().last().unwrap_or_default();
            let fits = ended.code == case.code
                && last.starts_with(&format!("memguard: {}", case.last))
                && ended.stderr.contains(case.any);
            if fits {
                return Ok(());
            }
            // A busy machine may keep one of the verdicts from being reached in time.
            ensure(attempt < 3, || format!("{told}: {ended:?}"))?;
            attempt += 1;
        }
    });
}

fn watch(case: &Case) -> Ended {
    let fail = case.options.iter().any(|option| option.starts_with("--fail-on-leak"));
    let mut options = Vec::new();
    options.extend((!fail).then_some("--fail-on-leak=0.5"));
    options.extend(case.options.iter().map(String::as_str));
    Process::run(audit(&Place::new(), &options, &case.program))
}

/// Goal: thresholds by pattern hold where they are set, in file and environment. Method: a stored session, shown with each.
#[test]
fn thresholds_are_set_by_pattern() {
    let place = found();
    let patterns = |variables: &[(&str, &str)], options: &[&str]| {
        let mut command = place.memguard(&[&["report", "--json"], options].concat());
        command.envs(variables.iter().copied());
        let ended = Process::run(command);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{variables:?}");
        let report = memguard_tests::report::Report::parse(ended.stdout.as_bytes());
        let mut patterns: Vec<_> = report
            .findings(0.0)
            .iter()
            .map(|finding| finding.0["pattern"].as_str().expect("a word").to_owned())
            .collect();
        patterns.sort();
        patterns.join(" ")
    };
    assert_eq!(patterns(&[], &[]), "leaks threads");
    assert_eq!(patterns(&[("MEMGUARD_MIN_CONFIDENCE_THREADS", "1")], &[]), "leaks");
    assert_eq!(
        patterns(&[("MEMGUARD_MIN_CONFIDENCE_THREADS", "0.1")], &["--min-confidence", "1"]),
        "threads"
    );
    assert_eq!(patterns(&[("MEMGUARD_MIN_SIZE_MB", "1GiB")], &[]), "threads");
    assert_eq!(patterns(&[("MEMGUARD_MIN_SIZE_MB_LEAKS", "1000")], &[]), "threads");
    file(&place, "memguard.toml", "[min_confidence]\nleaks = 1\n");
    assert_eq!(patterns(&[], &[]), "threads", "the working directory's file");
    assert_eq!(patterns(&[("MEMGUARD_MIN_CONFIDENCE_LEAKS", "0.1")], &[]), "leaks threads");
}
