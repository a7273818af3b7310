//! Annex: what a small second preload library needs to stand before functions that only some allocators define, and to
//! reach the books of libmemguard.so. In: the names it stands before. Out: calls that are counted, or passed straight on.
//!
//! ```text
//! exported name ── door ──┬── counts down or asks the filter, then the real function   the allocator defines it
//!                         └── the real function at once                                anyone else does, or nobody
//! ```
//!
//! The same rules as in libmemguard.so: no allocation, no lock that is waited for, no panic, errno kept.
#![no_std]

#[cfg(target_arch = "x86_64")]
mod bound;
mod door;
mod interface;
#[cfg(target_arch = "x86_64")]
mod macros;
mod start;
mod withdraw;

pub use door::{Door, booked, released};
pub use interface::{FILTER, Interface, OFFSET, PAGES, VERSION, interface};
pub use start::{Home, Row, open_doors, start};
