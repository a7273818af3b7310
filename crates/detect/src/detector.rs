//! Detect, one look: what a detector is and what it says.
//! In: the model, as of its last look. Out: [`Suspicion`]s for [`crate::Verdicts`].

use crate::config::DetectConfig;
use crate::finding::{Evidence, Kind};
use memguard_model::{Class, ProcessModel, SiteId, StackId};
use memguard_sampling::Estimate;

/// Judges one look. A pure function of the model: the same for a live process, a recorded session and a
/// simulated month.
pub trait Detector {
    /// What is suspected now, and why.
    fn examine(&self, model: &ProcessModel, config: &DetectConfig) -> Vec<Suspicion>;

    /// Places of the heap whose objects are worth looking for in memory although nothing is suspected there.
    fn routine(&self, _model: &ProcessModel, _config: &DetectConfig) -> Vec<SiteId> {
        Vec::new()
    }

    /// The look it judges, on the process clock: the last scan of the live table, or, for what is held beside memory,
    /// the last look at resources. A look is judged once.
    fn looked_at_ns(&self, model: &ProcessModel) -> Option<u64> {
        model.live_at_ns()
    }
}

/// What a suspicion is about. Of one subject there is one finding at most: the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// One class of things made at one place.
    Place(Class, SiteId),
    /// The process as a whole.
    Process(Kind),
}

/// What one look says about one subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspicion {
    /// What it is about.
    pub subject: Subject,
    /// What is suspected.
    pub kind: Kind,
    /// The place that is named.
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
    /// Growth, which must be seen again before it counts.
    pub growing: Option<Growing>,
    /// Confidence from this look alone: what the kernel says and has said for long enough. 0 when it says nothing.
    pub at_once: f64,
    /// One sentence: what is seen.
    pub detail: String,
    /// What to do about it.
    pub suggested_fix: String,
    /// The facts.
    pub evidence: Vec<Evidence>,
}

/// Growth that one look did not refute.
#[derive(Debug, Clone, PartialEq)]
pub struct Growing {
    /// Probability, from this look alone, that growth goes on undiminished; below
    /// one half it is merely not refuted.
    pub support: f64,
    /// Span of time over which growth was seen, in seconds.
    pub window_s: f64,
    /// Objects born later than this are too young to be judged, ns on the process clock.
    pub frontier_ns: u64,
    /// Sampled births per second that stay, as they would be at the configured sampling interval.
    pub samples_per_s: f64,
    /// For how many of these a sample stands: 1 unless the interval has been raised meanwhile.
    pub weight: f64,
    /// How much burstier than a Poisson process the births are (1 or more).
    pub dispersion: f64,
    /// Span over which growth must have been seen for a finding of 0.5 or more, in seconds.
    pub maturity_s: f64,
    /// The shortest such span that the detector ever asks for, in seconds.
    pub maturity_least_s: f64,
    /// Looks that must agree before it may reach 0.5.
    pub looks_to_confirm: u32,
    /// Cap of confidence when confirmed.
    pub confidence_max: f64,
    /// Births of everything that is judged, in order; empty where these are the live samples of the heap's site.
    pub births_ns: Vec<u64>,
}
