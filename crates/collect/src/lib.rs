//! Collect: from segments to readings of the model. In: the files that watched processes share with us, and the
//! kernel's view of them. Out: [`memguard_model::Reading`]s, stacks, modules, losses.
//!
//! The segment is not trusted: every part is bounds-checked in `memguard-segment`, damage is counted and skipped.
//! The live table is the truth; ring events only keep a copy of it up to date between scans, and any loss of events
//! leads to a new scan.
//!
//! `unsafe` is confined to [`file`], which maps the files.

pub mod file;
mod live;
mod process;
mod session;

pub use process::{OpenError, ProcessReader, StackFrames, StackStatistics};
pub use session::{SessionFiles, prepare};
