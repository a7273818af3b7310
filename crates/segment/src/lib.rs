//! Segment: the shared-memory contract between a watched process and the collector.
//!
//! One file per process, mapped shared by both sides; it survives the process. Everything in it is a
//! 64-bit atomic word: the process writes, the collector reads, and no bit pattern can break either.
//!
//! ```text
//! header | losses | fates | ring control | modules | stacks | frames | totals | live table | ring slots | descriptors | objects
//! ```
//!
//! Guarantees
//! * Writers never wait: a full structure refuses, the caller counts the loss and goes on.
//! * Tables are the truth, the ring is the order of events. After a loss the reader reads the tables again.
//! * The reader distrusts every word: positions are copied, then bounds-checked, then used.
//! * Layouts follow from the [`Capacities`] alone; change one and [`VERSION`] goes up.
//!
//! This crate knows nobody: no system calls, no allocation, no panics on the writing side.
#![no_std]
// One module has some: `writers`.
#![deny(unsafe_code)]

#[cfg(test)]
extern crate std;

mod class;
pub mod control;
mod descriptors;
mod fates;
mod layout;
mod live_table;
mod losses;
#[cfg(loom)]
pub mod model;
mod modules;
mod object;
mod primitive;
pub mod request;
mod ring;
mod segment;
mod stacks;
mod text;
mod totals;
mod writers;

pub use class::{Class, Family};
pub use descriptors::{BeyondTable, Descriptor, DescriptorTable};
pub use fates::{FATES, Fates};
pub use layout::{Capacities, HEADER_WORDS, Layout, MAGIC, VERSION};
pub use live_table::{BUCKET_OBJECTS, Entry, Full as TableFull, LiveTable, PAYLOAD_WORDS, Record, Table};
pub use losses::{Loss, Losses};
pub use modules::{BUILD_ID_BYTES_MAX, Module, ModuleInfo, ModuleTable, PATH_BYTES_MAX};
pub use object::{Object, ObjectTable};
pub use primitive::AtomicU64;
pub use ring::{Dropped, Event, EventKind, Next, Ring, SLOT_WORDS};
pub use segment::{HeaderWord, Invalid, Segment, State};
pub use stacks::{FRAME_UNKNOWN_MODULE, Frame, STACK_UNKNOWN, StackEnd, StackShape, StackTable};
pub use totals::{LIFETIME_BUCKETS, Totals, TotalsTable, lifetime_bucket};
pub use writers::Writers;

/// Memory shared by the process and the collector: nothing but atomic words.
pub type Words<'a> = &'a [AtomicU64];
