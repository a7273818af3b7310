//! Model: what a watched process holds, and its bounded history.
//! In: [`Reading`]s. Out: questions that detectors ask.
#![forbid(unsafe_code)]

mod reading;

pub use reading::{LIFETIME_BUCKETS, LifetimeHistogram, LiveSample, Reading, SiteId, StackId, StackTotals};
