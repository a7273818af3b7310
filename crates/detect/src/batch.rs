//! Detect, batch: does this process look like a program that works off a job and exits (a compiler, a script
//! that builds a data structure), or like one that serves?
//! In: the model. Out: how much older than usual it must be before growth means a leak.
//!
//! A job that fills memory steadily until it ends cannot be told from a leak by its heap alone. Three things
//! differ in practice: a job keeps a processor busy, it grows at many places at once, and it grows fast.

use memguard_model::{LiveSample, ProcessModel};

/// Signs of a job, over the life of the process so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Batch {
    /// Share of one processor used over the run or its last half, when known.
    pub cpu_share: Option<f64>,
    /// Effective number of places that grow (the exponential of the entropy of their shares).
    pub breadth: f64,
}

/// A process that uses less of a processor than this is waiting for requests, not working off a job.
const BUSY: f64 = 0.6;
/// Places that a leak with its parts grows at; more is a program that builds something.
const BREADTH: f64 = 3.0;

impl Batch {
    /// Looks at growth after start-up.
    pub fn of(model: &ProcessModel) -> Self {
        let now = model.now_ns();
        let startup = now / 10;
        let grown: Vec<f64> = model
            .sites()
            .map(|site| {
                let from = site.live().partition_point(|sample| sample.born_ns < startup);
                site.live().iter().skip(from).map(LiveSample::estimated_bytes).sum()
            })
            .collect();
        let total: f64 = grown.iter().sum();
        let shares = grown.iter().map(|bytes| bytes / total.max(1.0)).filter(|share| *share > 0.0);
        let entropy: f64 = shares.map(|share| -share * share.ln()).sum();
        // A job may begin after a wait, a service may have a busy hour: the busier of both spans counts.
        let cpu_share = [0, now / 2].map(|from| model.cpu_share(from, now));
        let cpu_share = cpu_share.into_iter().flatten().reduce(f64::max);
        Self { cpu_share, breadth: entropy.exp() }
    }

    /// Factor on the age a process must reach before growth at this rate means a leak.
    pub fn patience(&self, bytes_per_s: f64, fill_bytes_per_s: f64) -> f64 {
        let busy = if self.cpu_share.is_some_and(|share| share > BUSY) { 6.0 } else { 1.0 };
        let broad = (self.breadth / BREADTH).powi(2).clamp(1.0, 40.0);
        let fast = (bytes_per_s / fill_bytes_per_s).clamp(1.0, 10.0);
        busy * broad * fast
    }
}
