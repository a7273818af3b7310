//! Memory: where the resident memory of real programs went, and whether the allocator holds what nobody needs.
//!
//! One program grows in eight ways and says at its end what it holds. The report must say the same, leave little unexplained,
//! and call fragmentation what is fragmentation alone, in guard and in audit mode.

use std::fmt;

use memguard_tests::report::{Report, SHOWN};
use memguard_tests::targets::program;
use memguard_tests::together::{ensure, together};
use memguard_tests::watched::{Place, words};

/// Of a part, this may be wrong: as a share of what it should be, and in MiB.
const WRONG_SHARE: f64 = 0.1;
const WRONG_MB: f64 = 2.0;

/// One way to grow.
struct Way {
    what: &'static str,
    /// Whether the allocator is to be found to hold what nobody needs, and by which advice.
    fragmentation: Option<&'static str>,
    /// Function and kind of what else is to be found where everything is recorded.
    leak: Option<(&'static str, &'static str)>,
    /// Kinds that may be shown beside.
    beside: &'static [&'static str],
}

const WAYS: [Way; 8] = [
    Way { what: "fragment", fragmentation: Some("malloc_trim"), leak: None, beside: &[] },
    Way {
        what: "both",
        fragmentation: Some("malloc_trim"),
        leak: Some(("forget", "heap-unreachable")),
        beside: &[],
    },
    Way { what: "sawtooth", fragmentation: None, leak: None, beside: &[] },
    Way { what: "peak", fragmentation: None, leak: None, beside: &[] },
    Way { what: "arenas", fragmentation: Some("MALLOC_ARENA_MAX"), leak: None, beside: &["thread-growth"] },
    Way { what: "mappings", fragmentation: None, leak: Some(("map", "mmap-not-unmapped")), beside: &[] },
    Way { what: "stacks", fragmentation: None, leak: None, beside: &["thread-growth"] },
    Way { what: "file", fragmentation: None, leak: None, beside: &[] },
];

/// One way in one mode.
struct Case {
    way: &'static Way,
    aggressive: bool,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.aggressive { "audit" } else { "guard" }, self.way.what)
    }
}

/// Goal: parts, rest and verdicts are right in both modes. Method: all ways side by side; a run takes 21 seconds in guard
/// mode, 15 where everything is recorded.
#[test]
fn the_report_says_where_memory_went() {
    let of = |aggressive| WAYS.iter().map(move |way| Case { way, aggressive });
    let cases: Vec<Case> = of(false).chain(of(true)).collect();
    let residence = program("residence");
    together(4, &cases, |case| {
        let options: &[&str] = if case.aggressive { &["--quiet", "--aggressive"] } else { &["--quiet"] };
        let seconds = if case.aggressive { "10" } else { "15" };
        // In guard mode two looks through memory, which a proof needs, may lie ten seconds apart on a busy machine.
        let attempts = if case.aggressive { 1 } else { 3 };
        let mut verdict = Ok(());
        for _ in 0..attempts {
            let watched = Place::new().watch(options, &words(&residence, &[case.way.what, seconds]));
            ensure(watched.ended.code == 0, || format!("it ended with {:?}", watched.ended))?;
            let report = watched.report();
            println!("{case}: {} {}", report.document["memory"], report);
            let truth = Truth::said(&watched.ended.stdout)?;
            parts_are_right(&report, &truth)?;
            verdict = verdicts_are_right(case, &report, &truth);
            if verdict.is_ok() {
                break;
            }
        }
        verdict
    });
}

/// What the program says it holds, in MiB.
struct Truth(Vec<(String, f64)>);

impl Truth {
    fn said(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (pairs, rest) = words.as_chunks::<2>();
        let number = |text: &str| text.parse::<f64>().map_err(|error| format!("{text}: {error}"));
        let parts = pairs.iter().map(|[what, mb]| Ok(((*what).to_owned(), number(mb)?)));
        let parts: Vec<_> = parts.collect::<Result<_, String>>()?;
        ensure(!parts.is_empty() && rest.is_empty(), || format!("it says {text}"))?;
        Ok(Self(parts))
    }

    fn mb(&self, what: &str) -> f64 {
        self.0.iter().find(|(part, _)| part == what).map_or(0.0, |(_, mb)| *mb)
    }
}

/// A part of the growth in a report, in MiB.
fn part(report: &Report, what: &str) -> f64 {
    let parts = report.document["memory"]["explained"].as_array().expect("parts");
    parts.iter().filter(|part| part["what"] == what).map(|part| part["mb"].as_f64().expect("a number")).sum()
}

fn parts_are_right(report: &Report, truth: &Truth) -> Result<(), String> {
    let memory = &report.document["memory"];
    let growth = memory["growth_mb"].as_f64().expect("a number");
    let parts = memory["explained"].as_array().expect("parts");
    let sum: f64 = parts.iter().map(|part| part["mb"].as_f64().expect("a number")).sum();
    ensure((sum - growth).abs() < 0.1, || format!("the parts are {sum} MiB of {growth}"))?;
    ensure(report.processes()[0]["memory"] == *memory, || "its only process has grown otherwise".to_owned())?;
    for rest in ["unexplained", "not looked into yet"] {
        let mb = part(report, rest);
        ensure(mb.abs() <= WRONG_SHARE * growth.abs() + WRONG_MB, || {
            format!("{rest}: {mb} MiB of {growth}")
        })?;
    }
    let named = [
        ("free", "allocator-held free memory"),
        ("heap", "heap"),
        ("mappings", "mappings"),
        ("stacks", "thread stacks"),
        ("files", "mapped files"),
    ];
    for (said, word) in named {
        let (is, should) = (part(report, word), truth.mb(said));
        // Of the heap a sample is seen.
        let share = if said == "heap" { 0.35 } else { WRONG_SHARE };
        ensure((is - should).abs() <= share * should + WRONG_MB, || {
            format!("{word}: {is} MiB, it should be {should}: {memory}")
        })?;
    }
    Ok(())
}

fn verdicts_are_right(case: &Case, report: &Report, truth: &Truth) -> Result<(), String> {
    let (way, shown) = (case.way, report.findings(SHOWN));
    let of = |kind: &str, function: Option<&str>| {
        shown.iter().find(|finding| {
            let is_there = |function| finding.place().is_some_and(|place| place.is_in(function));
            finding.kind() == kind && function.is_none_or(is_there)
        })
    };
    let is_about = |mb: f64, should: f64, share: f64| (mb - should).abs() <= share * should + WRONG_MB;
    match (way.fragmentation, of("allocator-fragmentation", None)) {
        (Some(advice), Some(found)) => {
            ensure(found.confidence() <= 0.85, || found.to_string())?;
            // What was needed at one time, some MiB, is no part of it.
            ensure(is_about(found.size_mb(), truth.mb("free"), 0.25), || {
                format!("{found} of {} MiB", truth.mb("free"))
            })?;
            let fix = found.0["suggested_fix"].as_str().expect("a text");
            ensure(fix.contains(advice), || format!("it advises {fix}"))?;
        }
        (None, None) => {}
        (wanted, _) => return Err(format!("fragmentation: {}, {report}", wanted.is_some())),
    }
    // What is mapped is judged by its age: a minute in guard mode.
    let is_due = case.aggressive || way.leak.is_some_and(|(_, kind)| kind == "heap-unreachable");
    if let Some((function, kind)) = way.leak.filter(|_| is_due) {
        let found = of(kind, Some(function)).ok_or_else(|| format!("no {kind} in {function}: {report}"))?;
        let should = truth.mb("heap") + truth.mb("mappings");
        ensure(is_about(found.size_mb(), should, 0.4), || format!("{found} of {should} MiB"))?;
    }
    let known = |kind: &str| {
        kind == "allocator-fragmentation"
            || way.leak.is_some_and(|(_, leak)| leak == kind)
            || way.beside.contains(&kind)
    };
    let stranger = shown.iter().find(|finding| !known(finding.kind()));
    ensure(stranger.is_none(), || format!("more than there is: {report}"))
}
