//! Leaks, guard mode: default sampling, 20 MB in twelve seconds, which is forty samples.
//!
//! With so few samples a verdict is a matter of chance: about one run in ten is not sure enough yet. So each program runs
//! three times side by side; one that was never found runs three times more, and then must be. Over all runs the share that
//! is found may not fall below what one run in seven missed would explain.

use memguard_tests::report::{Finding, SHOWN};
use memguard_tests::together::together;
use statrs::distribution::{Binomial, DiscreteCDF};

use crate::case::Case;

const ARGUMENTS: [&str; 6] = ["--objects", "5000", "--size", "4096", "--seconds", "12"];
const COPIES: usize = 3;
/// Share of runs in which a leak is to be shown.
const FOUND_MIN: f64 = 0.85;
/// A good product fails this test so rarely.
const CHANCE: f64 = 1e-6;

const CASES: [Case; 9] = [
    Case::new("leak_steady", "leak_steady.c"),
    Case::new("no_frame_pointers", "leak_steady.c"),
    Case::new("leak_error_path", "leak_error_path.c"),
    Case::new("leak_cpp", "leak_cpp.cpp").with_slack(2),
    Case::new("leak_rust", "leak_rust.rs"),
    Case::new("leak_threads", "leak_threads.c"),
    Case::new("leak_dlopen", "leak_dlopen.c").marked_in("leak_plugin.c"),
    Case::new("leak_inlined", "leak_inlined.c"),
    Case::new("wrapper", "wrapper.c"),
];

/// Goal: the right function and line once 20 MB have leaked, nothing else. Method: see above. In `leak_cpp` the bytes are
/// the string's; the two functions of `leak_rust` share the 20 MB, so one of them is asked for.
#[test]
fn leaks_of_20_mb_are_found() {
    let mut found = [0; CASES.len()];
    let mut runs = 0;
    for round in 1..=2 {
        let open: Vec<Case> =
            CASES.into_iter().zip(found).filter(|(_, n)| *n == 0).map(|(case, _)| case).collect();
        let copies: Vec<Case> = open.iter().flat_map(|case| [*case; COPIES]).collect();
        let surest = together(copies.len(), &copies, |case| {
            let report = case.watch(&["--quiet"], &ARGUMENTS)?.report();
            let surest =
                case.judge(&report)?.into_iter().flatten().map(Finding::confidence).fold(0.0, f64::max);
            println!("{case}: {surest:.2}: {report}");
            Ok(surest)
        });
        for (case, surest) in copies.iter().zip(surest) {
            let index = CASES.iter().position(|known| known.program == case.program).expect("known");
            found[index] += u64::from(surest >= SHOWN);
            runs += u64::from(round == 1);
        }
        if round == 1 {
            let total: u64 = found.iter().sum();
            let law = Binomial::new(FOUND_MIN, runs).expect("a law");
            println!("found in {total} of {runs} runs");
            assert!(law.cdf(total) > CHANCE, "found in {total} of {runs} runs, {FOUND_MIN} are promised");
        }
    }
    let missed: Vec<_> =
        CASES.iter().zip(found).filter(|(_, n)| *n == 0).map(|(case, _)| case.program).collect();
    assert!(missed.is_empty(), "never found in {} runs: {missed:?}", 2 * COPIES);
}
