//! Leaks: what is found in programs that leak, and not found in those that only look like it.
//!
//! * `audit`: every leaking target, with every allocation recorded, after 300 objects in 3 seconds
//! * `guard`: the main ones at default sampling, once 20 MB have leaked in 12 seconds
//! * `family`: each function of the malloc family is recorded, exactly
//! * `allocators`: operators and functions that other allocators bring themselves
//! * `recorded`: what was read, judged again
//! * `silence`: healthy near misses

mod allocators;
mod audit;
mod case;
mod family;
mod guard;
mod recorded;
mod silence;
