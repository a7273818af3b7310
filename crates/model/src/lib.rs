//! Model: what a watched process holds, and its bounded history.
//! In: [`Reading`]s of the heap, [`ResourceReading`]s of everything else. Out: questions that detectors ask.
//!
//! Constraints: pure and deterministic (no I/O, no clock: time is what the readings say), and bounded: a run
//! of a month costs what a run of an hour costs.
#![forbid(unsafe_code)]

mod ended;
mod history;
mod holding;
mod process;
mod reading;
mod resources;
mod site;
mod traced;

/// What a resource is, by the door it came through.
pub use memguard_segment::{Class, Family};

pub use ended::{ENDED_BUCKETS, EndedLives};
pub use history::{HISTORY_POINTS, History, Point};
pub use holding::{Condition, Holding, HoldingTotals, Origin, ResourceReading};
pub use process::{Losses, ProcessModel, ProcessPoint, SITES_MAX};
pub use reading::{LIFETIME_BUCKETS, LifetimeHistogram, LiveSample, Reading, SiteId, StackId, StackTotals};
pub use resources::{Place, ResourcePoint, ResourceSite, Resources};
pub use site::{Site, SitePoint, SiteTotals};
pub use traced::{Tally as TraceTally, Trace, Traced};
