//! Inspect: what the kernel says about a process, read from outside it, at no cost to it.
//! In: a process id. Out: plain numbers.
#![forbid(unsafe_code)]

mod stat;

pub use stat::{Identity, Stat};
