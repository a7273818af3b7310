//! Kinds of memory that grows: what is forgotten, what is kept, what is made larger, what waits.
//!
//! In: `tests/programs/keeper.c`, which does one of these at a time. Out: the kind and the confidence that the report gives.

use std::fmt;

use memguard_tests::report::SHOWN;
use memguard_tests::targets;
use memguard_tests::together::{ensure, together};
use memguard_tests::watched::Place;

/// What a program does, where, and how that is to be called.
struct Case {
    what: &'static str,
    function: &'static str,
    kind: Option<&'static str>,
    confidence: std::ops::RangeInclusive<f64>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

const fn lost(what: &'static str, function: &'static str, kind: &'static str) -> Case {
    Case { what, function, kind: Some(kind), confidence: 0.9..=0.98 }
}

const fn kept(what: &'static str, function: &'static str, kind: &'static str) -> Case {
    Case { what, function, kind: Some(kind), confidence: SHOWN..=0.85 }
}

const fn healthy(what: &'static str) -> Case {
    Case { what, function: "", kind: None, confidence: 0.0..=1.0 }
}

/// Runs a case in audit mode, again if a busy machine disturbed it: everything is recorded each time.
fn check(case: &Case) -> Result<(), String> {
    let program = targets::program("keeper").display().to_string();
    let mut attempt = 1;
    loop {
        let place = Place::new();
        let watched =
            place.watch(&["--quiet", "--aggressive"], &[program.clone(), case.what.into(), "6".into()]);
        ensure(watched.ended.stdout == format!("{}: done\n", case.what), || format!("{:?}", watched.ended))?;
        let report = watched.report();
        println!("{case}, attempt {attempt}: {report}");
        let shown = report.findings(SHOWN);
        let of_heap: Vec<_> = shown
            .iter()
            .filter(|f| f.kind().starts_with("heap") || ["caches", "leaks"].contains(&f.pattern()))
            .collect();
        let as_told = match (case.kind, of_heap.as_slice()) {
            (None, []) => Ok(()),
            (None, _) => Err("it is healthy".to_owned()),
            (Some(kind), [one]) => ensure(
                one.kind() == kind
                    && case.confidence.contains(&one.confidence())
                    && one.stack().any(|frame| frame.is_in(case.function)),
                || format!("it is {kind} in {}, {:?}", case.function, case.confidence),
            ),
            (Some(kind), _) => Err(format!("it is {kind} in {} alone", case.function)),
        };
        let Err(why) = as_told else { return Ok(()) };
        ensure(attempt < 3, || format!("{why}: {report}"))?;
        attempt += 1;
    }
}

/// Goal: what is forgotten is proven to be, with all that hangs on it. Method: the program's memory is looked through.
#[test]
fn forgotten_memory_is_proven() {
    let cases = [
        lost("lost", "lose", "heap-unreachable"),
        lost("tree", "lose_tree", "heap-unreachable"),
        lost("ring", "lose_ring", "heap-unreachable"),
        lost("error", "handle", "heap-error-path"),
        // Not growing any more, but still lost.
        lost("stopped", "lose", "heap-unreachable"),
    ];
    together(3, &cases, check);
}

/// Goal: what is kept is not called forgotten, wherever the pointer is: in a list, a table, or the kernel.
#[test]
fn kept_memory_is_not_called_forgotten() {
    let cases = [
        kept("list", "keep", "heap-growth"),
        kept("cache", "cache_put", "cache-unbounded"),
        kept("epoll", "watch", "heap-growth"),
        kept("timer", "arm", "heap-growth"),
        // Given back on the way out alone.
        kept("exit", "keep", "heap-growth"),
    ];
    together(3, &cases, check);
}

/// Goal: growth that no single object survives is seen, and told from a container that is full and a load that grows.
#[test]
fn containers_and_queues() {
    let cases = [
        kept("vector", "push", "container-growing"),
        kept("queue", "enqueue", "queue-backlog"),
        healthy("filled"),
        healthy("load"),
    ];
    together(3, &cases, check);
}
