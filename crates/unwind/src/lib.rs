//! Unwind: registers and stack memory in, return addresses out. Runs inside the watched process, in the
//! middle of its malloc, so it must not allocate, lock, wait or fault.
//!
//! ```text
//! Registers + StackMemory ──> Walker ──> frames in a Scratch, with a hash
//!                               │ asks
//!                     ModuleSet: fixed modules (never unloaded, read in place)
//!                                dynamic modules (may be closed any time, read from a private mapping)
//! ```
//!
//! The only allocations are at start-up ([`Pool::fill`], [`ModuleSet::seal`]), when several threads walk for the first time,
//! and when a new dynamic module is admitted ([`ModuleSet::admit`]); all are called where the caller knows allocation is in
//! order.
//! Memory safety rests on three promises of the caller: [`StackMemory`] only loads what is mapped, the
//! tables given for fixed modules live forever, those for dynamic modules live until `release` is called.
#![no_std]

extern crate alloc;

mod arch;
mod modules;
mod occupancy;
mod pool;
mod primitive;
mod stack_memory;
mod tables;
mod walker;

pub use arch::Registers;
pub use modules::{Admission, DYNAMIC_MODULES_MAX, Identity, Loader, ModuleRange, ModuleSet};
pub use pool::{FRAMES_MAX, Lease, Pool, Scratch, WALKERS_MAX};
pub use stack_memory::{Page, StackMemory};
pub use tables::{Tables, eh_frame_address};
pub use walker::{Walk, WalkEnd, walk};
