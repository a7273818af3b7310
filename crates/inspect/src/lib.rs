//! Inspect: what the kernel says about a process, read from outside it, at no cost to it.
//! In: a process id. Out: plain numbers.
#![forbid(unsafe_code)]

mod clock;
mod stat;

pub use clock::{monotonic_ns, thread_cpu_ns};
pub use stat::{Identity, Stat};
