//! Report: what a session found, as a document, as JSON and as text for a person at three in the morning.
//! In: [`ReportInput`], plain facts with resolved stacks. Out: [`Report`] (`memguard.report/1`, described in
//! `docs/report.schema.json`), and its renderings.
//!
//! # Design constraints
//!
//! * **Pure.** No clock, no file, no terminal: the same input gives the same bytes.
//! * **The renderers read the document alone**, so that a report stored a year ago on another host reads the
//!   same as one made now.
//! * **Losses are shown.** What was not seen is as much part of a report as what was.
#![forbid(unsafe_code)]

mod assemble;
mod document;
mod filter;
mod identity;
mod input;
mod json;
mod location;
mod loss;
mod merge;
mod noun;
mod paragraph;
mod read;
mod summary;
mod text;
mod units;

pub use assemble::assemble;
pub use document::{
    Cleanup, Counted, Evidence, Exit, Explained, Fate, FrameRole, Memory, Overhead, Process, Report,
    ReportFinding, RssMb, SCHEMA, Session, StackCounts, StackFrame,
};
pub use filter::{MIN_CONFIDENCE_DEFAULT, filter};
pub use identity::{finding_id, stamp};
pub use input::{
    ExplainedInput, FindingInput, OverheadInput, ProcessInput, ReportInput, SessionInput,
    USD_PER_GB_HOUR_DEFAULT,
};
pub use json::render_json;
pub use location::location;
pub use merge::merge;
pub use read::{ReadError, read_report};
pub use summary::{SummaryOptions, render_summary};
pub use text::{TextOptions, render_text};
