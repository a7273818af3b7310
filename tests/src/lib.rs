//! Whole-product tests: real programs under watch. Here is the kit they are made of; the tests are in `tests/tests`.
//!
//! # Contents of the tests
//!
//! * `kit`: the kit's own matchers notice what they are there to notice
//! * `shape`: what was built and written. The library's exports and needs, its hot path, who imports whom, unsafe code,
//!   how files open
//! * `cost`: how many instructions hooks add to a call, counted
//! * `leaks`: every leaking target is found at its function and line, in audit and in guard mode; healthy near misses
//!   are not
//! * `resources`: the same for descriptors, timers, threads, children, mappings and registrations; the table of descriptors
//!   is what the program holds
//! * `patterns`: what real libraries hand out and programs forget is told by name; what was learned is known again
//! * `memory`: where resident memory went, and fragmentation told from leaks
//! * `hazards`: programs that are hard on a preloaded library do what they do without it, in every mode
//! * `weather`: what happens around a program. The collector killed, the session's directory gone, limits, full disks,
//!   sudden ends, other preloaded libraries
//! * `damage`: sessions with damaged files, before and while they are read
//! * `estimates`: intervals contain the truth as often as they say
//! * `services`: redis, nginx, sqlite, `CPython` and g++ are unchanged, unsuspected, and their stacks complete
//! * `interpreters`: node, java, perl, ruby, bash and gdb do real work as they do it without
//! * `corpus`: the labels of `tests/corpus` fit its programs, and its scorer says what is so
//! * `transparency`: test suites that others wrote end as they end without, test by test
//!
//! `cargo test -p memguard-tests` runs them all; `-- --nocapture` shows what they measured. Where a machine lacks
//! something, a test says "skipped: …"; `MEMGUARD_REQUIRE_ALL=1` makes that a failure. The release binaries under test
//! are built first, unless `MEMGUARD_BIN`, `MEMGUARD_SO` and `MEMGUARD_PORTABLE_SO` name others.
//!
//! # The kit
//!
//! ```text
//! product   the binaries under test          targets    the programs that are watched, what their sources expect
//! process   one program, its streams, end    puppet     a program that does what it is told
//! watched   `memguard run` in its own place  ability    what the machine allows; mounts
//! report    report.json                      recording  segments, read directly
//! events    waiting for files                keeper     segments kept beyond their end
//! together  many cases at once
//! ```
//!
//! Nothing here waits for time: only for lines, files and ends, none of them for ever.
#![forbid(unsafe_code)]

pub mod ability;
pub mod events;
pub mod keeper;
pub mod process;
pub mod product;
pub mod puppet;
pub mod recording;
pub mod report;
pub mod targets;
pub mod together;
pub mod watched;
