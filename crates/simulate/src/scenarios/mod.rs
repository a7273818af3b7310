//! Simulate, scenarios: all of them, and which may be used to fit rules.
//! In: nothing. Out: [`Scenario`]s.

mod classic;
mod fast;
mod further_healthy;
mod further_leaking;
mod further_resources;
pub mod resources_healthy;
pub mod resources_leaking;
pub mod services;
mod vectors;

use crate::scenario::{Horizon, Make, Modes, Scenario, Split, Truth};
use resources_leaking::Leak;

/// Kinds that fit what is lost steadily.
const LOST: &[&str] = &["heap-growth", "heap-unreachable"];
/// Kinds that fit what is freed on most paths and lost on some.
const FORGOTTEN: &[&str] = &["heap-error-path", "heap-unreachable"];
/// Kinds that fit what the program still refers to and never takes out again.
const GROWING: &[&str] = &["cache-unbounded", "container-growing"];

const HOUR_S: f64 = 3600.0;
const DAY_S: f64 = 24.0 * HOUR_S;

/// Families that rules are only measured by. All others were in sight when rules were made, or may be.
const TEST: [&str; 29] = [
    "big heap",
    "coupons",
    "cron",
    "cron descriptors",
    "daily",
    "deploys",
    "file cache",
    "flush",
    "generations",
    "heavy tails",
    "high-water mark",
    "keys",
    "late descriptors",
    "late start",
    "long connections",
    "masked",
    "object and stream",
    "plugins at first use",
    "queue",
    "rising load",
    "slow",
    "slow descriptors",
    "socket error path",
    "storms",
    "structure",
    "stuck threads",
    "unfilled cache",
    "watches at first use",
    "wave and batches",
];

/// The split of a family, the same for all its instances.
pub fn split_of(family: &str) -> Split {
    if TEST.contains(&family) { Split::Test } else { Split::Fit }
}

/// The patterns S1 to S14 and L1 to L7.
pub fn classic() -> Vec<Scenario> {
    classic::all()
}

/// Programs of seconds to minutes.
pub fn fast() -> Vec<Scenario> {
    fast::all()
}

/// Everything.
pub fn all() -> Vec<Scenario> {
    let mut all = classic::all();
    all.extend(fast::all());
    all.extend(further_healthy::all());
    all.extend(further_leaking::all());
    all.extend(vectors::all());
    all.extend(services::all());
    all.extend(resources_healthy::all().into_iter().map(|(name, units, make)| {
        let name = format!("resources: {name}");
        let horizon = Horizon::Units(units);
        Scenario::new(name, "resources", Modes::Both, horizon, Truth::Healthy, Make::Held(make))
    }));
    all.extend(resources_leaking::all().iter().map(Leak::scenario));
    all.extend(further_resources::all());
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Goal: a name in the split is a family, names of scenarios are unique. Method: all of them.
    #[test]
    fn names_fit() {
        let all = all();
        let families: BTreeSet<&str> = all.iter().map(|scenario| scenario.family).collect();
        assert!(TEST.iter().all(|family| families.contains(family)), "{families:?}");
        let names: BTreeSet<&str> = all.iter().map(|scenario| scenario.name.as_str()).collect();
        assert_eq!(names.len(), all.len());
    }

    /// Goal: both splits have healthy programs and leaks. Method: counts.
    #[test]
    fn both_splits_can_be_measured() {
        let all = all();
        for split in [Split::Fit, Split::Test] {
            let many = |wanted: fn(&Truth) -> bool| {
                all.iter().filter(|of| of.split == split && wanted(&of.truth)).count()
            };
            assert!(many(|truth| *truth == Truth::Healthy) >= 15);
            assert!(many(|truth| matches!(truth, Truth::Leak(_))) >= 15);
        }
    }
}
