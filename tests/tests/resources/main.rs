//! Resources: what is found in programs that leak descriptors, timers, threads, children, mappings and registrations, and
//! not found in those that only look like it.
//!
//! * `audit`: every leaking variant, by its kind, function and line
//! * `silence`: healthy near misses
//! * `doors`: the table of descriptors is what the program holds, whichever door it came and went by
//! * `cuts`: what is left of mappings that were given back in parts
//! * `kernel`: the table is what the kernel lists, under load
//! * `close_wait`: a peer that hangs up, at default sampling

mod audit;
mod close_wait;
mod cuts;
mod doors;
mod kernel;
mod silence;
mod variant;
