//! Unwind: the atomics everything here is made of. The model-checked parts name them through this module, so that a
//! test can compile those parts over loom's instead.

pub use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
