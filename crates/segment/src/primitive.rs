//! Segment: the atomics everything here is made of; `loom`'s under `--cfg loom`, so that the algorithms
//! can be model-checked without a second version of them.

#[cfg(not(loom))]
pub use core::sync::atomic::{AtomicU64, Ordering, fence};

#[cfg(loom)]
pub use loom::sync::atomic::{AtomicU64, Ordering, fence};
