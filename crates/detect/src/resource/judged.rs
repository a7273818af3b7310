//! Detect, resources: what is said about a place once it is judged.
//! In: holdings that are suspect, growth that was seen. Out: a [`Suspicion`] with words, counts and evidence.

use super::class_rules::ClassRule;
use super::score::{Features, fact};
use crate::config::DetectConfig;
use crate::detector::{Growing, Subject, Suspicion};
use crate::finding::{Evidence, Kind};
use crate::survivors::{Population, Rules, Survivors};
use crate::words;
use memguard_model::{Class, Holding, SiteId, StackId};
use memguard_sampling::Estimate;
use std::collections::BTreeMap;

/// Largest share of a window that may be too young to judge: an age limit of 2 s lets a run of 4.5 s be judged.
const YOUNG_SHARE_MAX: f64 = 0.5;
/// Names given as examples.
const EXAMPLES: usize = 3;

/// Who is judged, and for what.
pub(super) struct Judged<'a> {
    pub kind: Kind,
    pub rule: &'a ClassRule,
    pub site: SiteId,
    pub now_ns: u64,
}

impl Judged<'_> {
    /// The cohort test with the terms of resources.
    pub fn survivors<'b>(
        &self,
        population: &Population<'b>,
        samples_min: usize,
        config: &DetectConfig,
    ) -> Option<Survivors<'b>> {
        let rules = Rules {
            min_age_ns: (config.handles_max_age_s * 1e9) as u64,
            samples_min,
            young_share_max: YOUNG_SHARE_MAX,
            lower_bar: false,
            ask_young: true,
        };
        Survivors::of(population, rules, self.now_ns)
    }

    /// Growth, for a case; looks and cap are for the caller to set.
    pub fn growing(survivors: &Survivors<'_>, births_ns: Vec<u64>, config: &DetectConfig) -> Growing {
        Growing {
            support: survivors.support,
            window_s: survivors.window_s(),
            frontier_ns: survivors.frontier_ns(),
            samples_per_s: survivors.samples.len() as f64 / survivors.span_s(),
            weight: 1.0,
            dispersion: survivors.cohorts.dispersion(),
            maturity_s: config.handles_maturity_s(),
            maturity_least_s: config.handles_maturity_s(),
            looks_to_confirm: config.handles_looks_to_confirm,
            confidence_max: 0.0,
            births_ns,
        }
    }

    /// A suspicion about these holdings; growth, confidence and evidence are for the caller to add.
    pub fn suspicion(&self, suspects: &[&Holding], detail: String) -> Suspicion {
        let with_bytes = self.rule.class == Class::Mapping;
        let bytes: u64 = suspects.iter().map(|holding| holding.size_bytes).sum();
        Suspicion {
            subject: Subject::Place(self.rule.class, self.site),
            kind: self.kind,
            site: self.site,
            stack: commonest_stack(suspects),
            bytes: exactly(if with_bytes { bytes as f64 } else { 0.0 }),
            count: exactly(suspects.len() as f64),
            bytes_per_s: 0.0,
            count_per_s: 0.0,
            growing: None,
            at_once: 0.0,
            detail,
            suggested_fix: self.rule.fix.to_owned(),
            evidence: Vec::new(),
        }
    }

    /// One sentence about growth.
    pub fn growth_detail(&self, suspects: &[&Holding], per_s: f64, features: &Features) -> String {
        let ages_s = |holding: &&Holding| (self.now_ns - holding.born_ns) as f64 / 1e9;
        let oldest_s = suspects.iter().map(ages_s).fold(0.0, f64::max);
        let (done, undone) = self.rule.verbs;
        let others = match (features.error_path(), features.q99_s > 0.0) {
            (false, _) => String::new(),
            (true, true) => format!(", all others within {}", words::seconds(features.q99_s)),
            (true, false) => ", all others at once".to_owned(),
        };
        let seen = if features.unhooked { "seen by the kernel alone (no stack)" } else { "here" };
        format!(
            "{} {} {done} {seen} were never {undone}{others}, the oldest for {}, {} more an hour{}",
            words::grouped(suspects.len() as f64),
            self.rule.noun,
            words::seconds(oldest_s),
            words::grouped(3600.0 * per_s),
            examples(suspects),
        )
    }

    /// The facts about growth.
    pub fn growth_evidence(survivors: &Survivors<'_>) -> Vec<Evidence> {
        vec![
            fact(
                "chance that one past that age is still given back",
                words::percent(1.0 - survivors.outlive),
            ),
            fact(
                "spans of the run with births that stayed",
                format!("{} of {}", survivors.cohorts.occupied(), survivors.cohorts.len()),
            ),
            fact("largest share of one span", words::percent(survivors.cohorts.largest_share())),
            fact("probability that growth is undiminished", words::percent(survivors.support)),
            fact("growth seen over", words::seconds(survivors.window_s())),
        ]
    }
}

/// A number that is known.
pub(super) fn exactly(value: f64) -> Estimate {
    Estimate { value, low: value, high: value }
}

/// Names of the oldest, each once.
pub(super) fn examples(holdings: &[&Holding]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for holding in holdings {
        if !holding.name.is_empty() && !names.contains(&&*holding.name) {
            names.push(&holding.name);
        }
        if names.len() == EXAMPLES {
            break;
        }
    }
    if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) }
}

/// The stack that made most of them; the lowest of several that did.
pub(super) fn commonest_stack(holdings: &[&Holding]) -> StackId {
    let mut counts: BTreeMap<StackId, usize> = BTreeMap::new();
    for holding in holdings {
        *counts.entry(holding.stack).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(stack, count)| (*count, std::cmp::Reverse(*stack)));
    most.map_or(StackId(0), |(stack, _)| stack)
}
