//! Simulate, services: healthy ones are not accused at any moment, in an hour of shifting load and in a month of days.

use memguard_simulate::{judge, scenarios, seeds};

/// Goal: zero findings of 0.5 or more at any look. Method: every service, seeded; `SEEDS` says how many.
#[test]
fn a_healthy_service_is_never_accused() {
    let mut accused = Vec::new();
    for run in scenarios::services::steady().iter().flat_map(memguard_simulate::Scenario::runs) {
        for seed in 0..seeds(3) {
            let ever = judge(&run, seed).ever();
            if ever >= 0.5 {
                accused.push(format!("{}, seed {seed}: {ever:.2}", run.scenario.name));
            }
        }
    }
    assert!(accused.is_empty(), "{accused:#?}");
}
