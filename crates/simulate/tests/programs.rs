//! Simulate, error rates of the verdicts on fast programs: seconds instead of hours, allocations thinned by the real draws.
//! Leaks must be shown at the end; jobs and services that fill and then serve must not.

use memguard_simulate::{RunResult, Truth, judge, scenarios, seeds};

/// Share of runs shown at the end, and ever, of each program that is healthy or leaks.
fn rates(leaks: bool) -> Vec<(f64, f64)> {
    let seeds = seeds(4);
    let all = scenarios::fast().into_iter().filter(|of| matches!(of.truth, Truth::Leak(_)) == leaks);
    let rate = |run| {
        let results: Vec<RunResult> = (0..seeds).map(|seed| judge(&run, seed)).collect();
        let share = |of: fn(&RunResult) -> f64| {
            results.iter().filter(|result| of(result) >= 0.5).count() as f64 / seeds as f64
        };
        let rate = (share(RunResult::last), share(RunResult::ever));
        println!("| {:46} | {:.2} | {:.2} |", run.scenario.name, rate.0, rate.1);
        rate
    };
    all.flat_map(|of| of.runs()).map(rate).collect()
}

fn mean(rates: &[(f64, f64)], part: fn(&(f64, f64)) -> f64) -> f64 {
    rates.iter().map(part).sum::<f64>() / rates.len() as f64
}

/// Goal: leaks are shown at the end. Method: seeded runs, a look at every poll.
#[test]
fn leaks_are_shown() {
    let found = mean(&rates(true), |rate| rate.0);
    assert!(found >= 0.85, "true positive rate {found}");
}

/// Goal: healthy programs end without a finding. Method: seeded runs, a look at every poll.
#[test]
fn healthy_programs_are_not() {
    let rates = rates(false);
    let (end, ever) = (mean(&rates, |rate| rate.0), mean(&rates, |rate| rate.1));
    // One run of 48.
    assert!(end <= 0.03, "false positive rate at the end {end}");
    assert!(ever <= 0.35, "false positive rate of any look {ever}");
}
