//! Launcher, watch: what was shown of a process shortly before it ended. In: the findings of each look. Out: those whose memory
//! was given back on the way out alone.
//!
//! A program that grew for weeks and frees everything when it is told to stop has leaked all the same: what its last moments
//! give back does not count. What was withdrawn for another reason, or long before, stays withdrawn.

use std::collections::VecDeque;

use memguard_detect::{Evidence, Finding, Kind, is_mostly_gone};
use memguard_model::ProcessModel;
use memguard_report::MIN_CONFIDENCE_DEFAULT;

/// How long a program may take to end, as a share of its life, and at least.
const END_SHARE: f64 = 0.1;
const END_NS_MIN: u64 = 1_000_000_000;
const END_NS_MAX: u64 = 60_000_000_000;
/// Looks that are kept.
const LOOKS_MAX: usize = 64;

/// The findings of the last looks.
#[derive(Debug, Default)]
pub struct Shown {
    looks: VecDeque<(u64, Vec<Finding>)>,
}

impl Shown {
    /// Takes in a look at a process that lives.
    pub fn add(&mut self, at_ns: u64, findings: &[Finding]) {
        let shown = findings.iter().filter(|finding| finding.confidence >= MIN_CONFIDENCE_DEFAULT);
        self.looks.push_back((at_ns, shown.cloned().collect()));
        let end_ns = ((at_ns as f64 * END_SHARE) as u64).clamp(END_NS_MIN, END_NS_MAX);
        while self.looks.len() > LOOKS_MAX
            || self.looks.front().is_some_and(|(since, _)| since + end_ns < at_ns)
        {
            self.looks.pop_front();
        }
    }

    /// Findings about the heap that are not among those of the last look because most of their memory has gone.
    pub fn given_back_at_end(&self, last: &[Finding], model: &ProcessModel) -> Vec<Finding> {
        let mut back: Vec<Finding> = Vec::new();
        let of_heap = |finding: &&Finding| finding.kind.identity() == Kind::HeapGrowth;
        for finding in self.looks.iter().rev().flat_map(|(_, shown)| shown).filter(of_heap) {
            let is_known = |other: &Finding| {
                other.site == finding.site && other.kind.identity() == finding.kind.identity()
            };
            let is_shown = |other: &Finding| is_known(other) && other.confidence >= MIN_CONFIDENCE_DEFAULT;
            if last.iter().any(is_shown)
                || back.iter().any(is_known)
                || !is_mostly_gone(model, finding.site, finding.size_bytes)
            {
                continue;
            }
            let mut finding = finding.clone();
            finding.evidence.push(Evidence {
                what: "given back when the program ended".to_owned(),
                value: "yes, until then it was kept".to_owned(),
            });
            back.push(finding);
        }
        back
    }
}
