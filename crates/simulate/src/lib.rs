//! Simulate: programs in virtual time, seeded, that feed the same model and verdicts as a live process.
//! In: named scenarios. Out: what was shown when, against the truth, and what naive rules say of the same runs.
//!
//! A development tool: nothing imports it but tests and its own command, `memguard-simulate`. A collector looks every
//! second; a virtual run is looked at 400 times at most, so a month is judged in a fraction of a second.
#![forbid(unsafe_code)]

mod calibration;
mod docs;
mod draws;
mod errors;
mod fit;
mod judge;
mod life;
mod mode;
mod naive;
mod outcome;
mod plot;
mod process;
mod program;
mod scenario;
pub mod scenarios;
mod table;
mod tally;
mod watch;
mod world;

pub use docs::{check as check_docs, update as update_docs};
pub use draws::{FOREVER, exponential, normal, seeds};
pub use errors::SimulateError;
pub use fit::fitted_source;
pub use judge::{Judged, Label, RunResult, judge, judge_all};
pub use life::Life;
pub use mode::Mode;
pub use naive::{Rule, Said};
pub use outcome::{Outcome, SiteSeen};
pub use plot::reliability_svg;
pub use process::Process;
pub use program::{Birth, Program, fifo, random_replacement};
pub use scenario::{Make, Modes, Run, Scenario, Split, Truth};
pub use table::{Table, render_markdown};
pub use world::{Thing, World, thing};
