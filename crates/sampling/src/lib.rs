//! Sampling: which allocations are recorded, and what the recorded ones say about all of them.
//! In: sizes, a mean interval, one word of random state. Out: gaps and probabilities ([`draw`], used in
//! the watched process); with the feature `estimate`, unbiased totals with intervals (`estimate`).
//!
//! Constraints: the draws are `no_std`, never allocate and never panic, because they run inside `malloc`.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod draw;
#[cfg(feature = "estimate")]
pub mod estimate;

pub use draw::{GAP_BYTES_MAX, Rng, inclusion_probability, mix, next_gap_bytes};
#[cfg(feature = "estimate")]
pub use estimate::{Estimate, Sample, estimate_bytes, estimate_count};
