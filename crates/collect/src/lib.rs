//! Collect: from segments to readings of the model. In: the files that watched processes share with us, and the
//! kernel's view of them. Out: [`memguard_model::Reading`]s of the heap, [`memguard_model::ResourceReading`]s of everything
//! else, stacks, modules, losses.
//!
//! The segment is not trusted: every part is bounds-checked in `memguard-segment`, damage is counted and skipped.
//! The live table is the truth; ring events only keep a copy of it up to date between scans, and any loss of events
//! leads to a new scan.
//!
//! `unsafe` is confined to [`file`], which maps the files.

mod deep_look;
mod descriptors;
pub mod file;
mod kernel;
mod live;
mod memory;
mod objects;
mod outside;
mod process;
mod redaction;
mod registrations;
mod residence;
mod resources;
mod session;
mod unbooked;

pub use deep_look::DeepLook;
pub use kernel::Kernel;
pub use outside::Outsider;
pub use process::{HookTimes, OpenError, ProcessReader, StackFrames, StackStatistics};
pub use redaction::Redaction;
pub use resources::{Pace, ResourceReader};
pub use session::{SessionFiles, prepare};
