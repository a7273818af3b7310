//! Detect, one look: what a detector is and what it says.
//! In: the model, as of its last look. Out: [`Suspicion`]s for [`crate::Verdicts`].

use crate::config::DetectConfig;
use crate::finding::{Evidence, Kind, Pattern};
use memguard_model::{ProcessModel, SiteId, StackId};
use memguard_sampling::Estimate;

/// Judges one look. A pure function of the model: the same for a live process, a recorded session and a
/// simulated month.
pub trait Detector {
    /// What is suspected now, and why.
    fn examine(&self, model: &ProcessModel, config: &DetectConfig) -> Vec<Suspicion>;
}

/// What one look says about one site.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspicion {
    /// Family.
    pub pattern: Pattern,
    /// Kind within the family.
    pub kind: Kind,
    /// The place.
    pub site: SiteId,
    /// The stack with the largest share.
    pub stack: StackId,
    /// Bytes leaked by now.
    pub bytes: Estimate,
    /// Objects leaked by now.
    pub count: Estimate,
    /// Growth of bytes per second.
    pub bytes_per_s: f64,
    /// Growth of objects per second.
    pub count_per_s: f64,
    /// Probability, from this look alone, that growth goes on undiminished; below
    /// one half it is merely not refuted.
    pub support: f64,
    /// Span of time over which growth was seen, in seconds.
    pub window_s: f64,
    /// Objects born later than this are too young to be judged, ns on the process clock.
    pub frontier_ns: u64,
    /// Sampled births per second that stay.
    pub samples_per_s: f64,
    /// How much burstier than a Poisson process the births are (1 or more).
    pub dispersion: f64,
    /// Span over which growth must have been seen for a finding of 0.5 or more, in seconds.
    pub maturity_s: f64,
    /// One sentence: what is seen.
    pub detail: String,
    /// What to do about it.
    pub suggested_fix: String,
    /// The facts.
    pub evidence: Vec<Evidence>,
}
