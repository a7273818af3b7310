//! Detect, output side: a verdict about one site of one process, with its evidence.
//! In: built by the detectors. Out: given to `report`, which adds symbols and cost.

use memguard_model::{SiteId, StackId};
use serde::Serialize;

/// The family of resource misuse (DESIGN section 6); what configuration switches on and off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pattern {
    /// Memory that is never given back.
    Leaks,
}

/// The finer kind within a [`Pattern`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Live heap bytes of a site grow steadily and nothing born there after start-up is ever freed.
    HeapGrowth,
}

/// One observed fact that a verdict rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// What was observed, in words a reader understands.
    pub what: String,
    /// Its value with unit.
    pub value: String,
}

/// A verdict about one site of one process.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Family.
    pub pattern: Pattern,
    /// Kind within the family.
    pub kind: Kind,
    /// The place.
    pub site: SiteId,
    /// The stack with the largest share of what is held.
    pub stack: StackId,
    /// Unbiased estimate of the bytes leaked by now.
    pub size_bytes: f64,
    /// 95 % interval of `size_bytes`.
    pub size_bytes_interval: (f64, f64),
    /// Unbiased estimate of the objects leaked by now.
    pub count: f64,
    /// Growth of bytes per hour.
    pub growth_bytes_per_hour: f64,
    /// Growth of objects per hour.
    pub growth_per_hour: f64,
    /// Probability that this is a leak, 0 to 1.
    pub confidence: f64,
    /// One sentence: what is seen.
    pub detail: String,
    /// What to do about it.
    pub suggested_fix: String,
    /// First look at which the finding was suspected, ns on the process clock.
    pub first_seen_ns: u64,
    /// Last look at which it held.
    pub last_seen_ns: u64,
    /// The facts.
    pub evidence: Vec<Evidence>,
}
