//! Simulate, draws: random numbers of the laws that programs follow.
//! In: a seeded stream. Out: numbers.

use memguard_sampling::Rng;

/// Kept for ever.
pub const FOREVER: f64 = f64::INFINITY;

/// An exponential number with this mean.
pub fn exponential(rng: &mut Rng, mean: f64) -> f64 {
    -mean * rng.next_unit().ln()
}

/// A standard normal number.
pub fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * rng.next_unit().ln()).sqrt() * (std::f64::consts::TAU * rng.next_unit()).cos()
}

/// Seeds per pattern in tests: few in the ordinary run, more with the variable `SEEDS`.
pub fn seeds(default: u64) -> u64 {
    std::env::var("SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
