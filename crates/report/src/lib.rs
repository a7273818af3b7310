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
mod baseline;
mod document;
mod filter;
mod forecast;
mod identity;
mod input;
mod json;
mod keyed;
mod location;
mod loss;
mod marks;
mod merge;
mod noun;
mod paragraph;
mod read;
mod summary;
mod suppressions;
mod text;
mod thresholds;
mod units;
mod withdrawal;

pub use assemble::assemble;
pub use baseline::Baseline;
pub use document::{
    Cleanup, Counted, Evidence, Exit, ExpiredSuppression, Explained, Fate, Fingerprint, Forecast, FrameRole,
    Memory, Overhead, Prevalence, Process, Report, ReportFinding, Resource, RssMb, SCHEMA, Session,
    StackCounts, StackFrame, Suppressed, SuppressedBy, Suppression, Withdrawn,
};
pub use filter::{filter, fresh};
pub use identity::{finding_id, stamp};
pub use input::{
    ExplainedInput, FindingInput, LimitInput, LimitKind, MemoryInput, OverheadInput, ProcessInput,
    ReportInput, SessionInput, USD_PER_GB_HOUR_DEFAULT,
};
pub use json::render_json;
pub use location::location;
pub use marks::mark;
pub use merge::merge;
pub use paragraph::Page;
pub use read::{ReadError, read_report};
pub use summary::{SummaryOptions, render_summary};
pub use suppressions::{SuppressionError, Suppressions, append_suppression};
pub use text::{PLAIN, QUIET, STRONG, TextOptions, render_text};
pub use thresholds::{MIN_CONFIDENCE_DEFAULT, Thresholds};
pub use withdrawal::follow;
