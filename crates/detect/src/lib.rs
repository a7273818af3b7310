//! Detect: pure functions in virtual time from a process model to findings.
//! In: `memguard_model::ProcessModel`. Out: [`Finding`]s.
//!
//! One look: every [`Detector`] gives its [`Suspicion`]s. Many looks: [`Verdicts`] confirms or drops them and
//! sets the confidence. `docs/detection.md` holds the measured error rates.
#![forbid(unsafe_code)]

mod batch;
mod calibration;
mod case;
mod cohorts;
mod confidence;
mod config;
mod detector;
mod dossier;
mod finding;
mod fragmentation;
mod heap_growth;
mod lost;
mod resource;
mod routine;
mod shapes;
mod survivors;
mod thinning;
mod tracing;
mod verdicts;
mod words;

pub use confidence::{Basis, SHOWN, Score};
pub use config::DetectConfig;
pub use detector::{Detector, Growing, Subject, Suspicion};
pub use finding::{Evidence, Finding, Kind, Pattern};
pub use fragmentation::Fragmentation;
pub use heap_growth::HeapGrowth;
pub use resource::{Handles, Listeners, Mappings, Processes, Threads, Timers};
pub use tracing::Wanted;
pub use verdicts::{Verdicts, is_mostly_gone};
