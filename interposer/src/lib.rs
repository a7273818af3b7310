//! libmemguard.so: what runs inside the watched process. In: its calls of malloc and free. Out: records in the
//! segment. The way of one allocation:
//!
//! ```text
//! hooks/      the exported functions: a countdown or a filter, then a jump to the real one       (hot)
//!   └─ sample.rs   the countdown ran out: real call, then record                                  (cold)
//!        ├─ stack.rs     registers -> frames -> a stack's number
//!        └─ book.rs      live table, totals, ring, page filter
//! filter.rs   what a free asks            passing.rs  what it takes to be passed on        timing.rs  what it takes to be booked
//! thread.rs   per-thread state            real.rs   the functions we stand before, bootstrap arena
//! lifecycle.rs start, attach, fork        session.rs where the segment comes from        loader/ which module is where
//! join/        the way into a session of a process that was given none
//! ```
//!
//! Rules that hold in every file: no allocation from the program's heap, no lock that is waited for, no panic, no
//! output, errno kept. In doubt the program goes on and the loss is counted.
//!
//! Small variables that every process writes to while it starts lie in `.data`, beside the table of the functions we stand
//! before. In `.bss` they would lie between the large tables, and each page there that is touched costs a process a fault.
#![cfg_attr(not(any(feature = "portable", not(target_arch = "x86_64"))), no_std)]

extern crate alloc;

mod annex;
mod book;
mod clock;
mod errno;
mod filter;
mod frame_sizes;
mod hash;
mod heap;
mod hints;
mod hooks;
mod join;
mod ledger;
mod lifecycle;
mod loader;
mod mapping;
mod mapping_homes;
mod parachute;
mod passing;
mod private_stack;
mod proc_self;
mod real;
mod sample;
mod session;
mod stack;
mod stack_cache;
mod strangers;
mod sys;
mod task;
mod thread;
mod timing;
mod writers;

#[cfg(not(any(feature = "portable", not(target_arch = "x86_64"))))]
mod bare;
