//! Scenarios, vectors: one object that is freed and born again larger, as `realloc` does it.
//! In: length. Out: programs with plain allocations, thinned by the real draws.

use super::HOUR_S;
use crate::draws::FOREVER;
use crate::program::Program;
use crate::scenario::{Horizon, Make, Modes, Scenario, Truth};
use memguard_sampling::Rng;

const GROWING: &[&str] = &["container-growing"];

/// All of them.
pub fn all() -> Vec<Scenario> {
    let of = |name: &str, modes, seconds, kinds: &[&str], make| {
        let truth = if kinds.is_empty() { Truth::Healthy } else { Truth::leak(kinds) };
        Scenario::new(name, "vector", modes, Horizon::Seconds(seconds), truth, Make::Heap(make)).at(&[2])
    };
    let (healthy, leak) = (&[][..], GROWING);
    vec![
        of("vector appended to without end, by 1.5", Modes::Guard, 4.0 * HOUR_S, leak, |rng, _, end| {
            churning(rng, end, &[(0.0, 1.0)], 1.5, 2e8)
        }),
        of("vector appended to without end, by 2", Modes::Guard, 4.0 * HOUR_S, leak, |rng, _, end| {
            churning(rng, end, &[(0.0, 1.0)], 2.0, 2e8)
        }),
        of("20 vectors appended to without end, by 1.5", Modes::Guard, 4.0 * HOUR_S, leak, |rng, _, end| {
            let shards: Vec<_> = (0..20).map(|_| (0.0, 0.6 + 0.8 * rng.next_unit())).collect();
            churning(rng, end, &shards, 1.5, 2e7)
        }),
        of("vector appended to without end; 20 s", Modes::Aggressive, 20.0, leak, |rng, _, end| {
            churning(rng, end, &[(0.0, 1.0)], 2.0, 4e6)
        }),
        of("vector grown in the first third", Modes::Guard, 4.0 * HOUR_S, healthy, |rng, _, end| {
            churning(rng, end, &[(0.67, 3.0)], 2.0, 1e8)
        }),
        of("20 vectors, each to its limit by 40 %", Modes::Guard, 4.0 * HOUR_S, healthy, |rng, _, end| {
            let shards: Vec<_> = (0..20).map(|_| (0.6, 2.5 * (0.6 + 0.8 * rng.next_unit()))).collect();
            churning(rng, end, &shards, 1.5, 1e7)
        }),
    ]
}

/// Vectors, each with the share of the run at the end in which it does not grow, and its rate in units of `bytes` a run; a
/// full one is replaced by one that is `factor` times as large.
fn churning(rng: &mut Rng, end_s: f64, vectors: &[(f64, f64)], factor: f64, bytes: f64) -> Program {
    let mut program = Program { thin: true, ..Program::default() };
    for (idle, rate) in vectors {
        let per_s = rate * bytes / end_s;
        let (mut capacity, mut at) = (4096.0, 0.001 * end_s * rng.next_unit());
        loop {
            let full = capacity / per_s;
            if full > (1.0 - idle) * end_s {
                program.add(2, at, FOREVER, capacity as u64);
                break;
            }
            if full > at {
                program.add(2, at, full - at, capacity as u64);
                at = full;
            }
            capacity *= factor;
        }
    }
    let per_s = 4000.0 / end_s;
    let short = |rng: &mut Rng, _: f64| crate::draws::exponential(rng, 0.001 * end_s);
    program.poisson(rng, 1, 16_384, (0.0, end_s), per_s, |_| per_s, short);
    program
}
