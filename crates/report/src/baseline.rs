//! Report: what an earlier report knew already.
//! In: an earlier document, a new one. Out: which findings of the new one are known, and which known ones have become clearly
//! worse and are news again.

use std::collections::BTreeMap;

use crate::document::{Evidence, Report, ReportFinding};
use crate::noun::{counted, is_number};
use crate::units::{number, size};

/// Worse is more than this many times as much.
const FACTOR: f64 = 2.0;
/// And at least so much more memory, in MiB, or MiB an hour: what doubles from nothing to next to nothing is no news.
const MATERIAL_MB: f64 = 1.0;
/// And at least so many more things, or things an hour.
const MATERIAL_COUNT: f64 = 10.0;
/// What the evidence is called.
const WORSE: &str = "worse than in the baseline";

/// The findings of an earlier report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baseline {
    known: BTreeMap<String, Held>,
}

/// What a finding held, and how fast it grew: in MiB, or in things where these are what is scarce.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Held {
    amount: f64,
    growth_per_hour: f64,
}

impl Held {
    fn of(finding: &ReportFinding) -> Self {
        if is_number(finding) {
            Self { amount: finding.count, growth_per_hour: finding.growth_per_hour }
        } else {
            Self { amount: finding.size_mb, growth_per_hour: finding.growth_mb_per_hour }
        }
    }
}

impl Baseline {
    /// What this report has found is known from now on.
    pub fn of(report: &Report) -> Self {
        let known = report.findings.iter().map(|finding| (finding.id.clone(), Held::of(finding)));
        Self { known: known.collect() }
    }

    /// Marks the findings that are known.
    pub(crate) fn mark(&self, findings: &mut [ReportFinding]) {
        for finding in findings {
            finding.evidence.retain(|evidence| evidence.what != WORSE);
            finding.known = false;
            let Some(before) = self.known.get(&finding.id) else { continue };
            match worse(*before, finding) {
                Some(value) => finding.evidence.insert(0, Evidence { what: WORSE.to_owned(), value }),
                None => finding.known = true,
            }
        }
    }
}

/// How it has become clearly worse, if it has. A leak that holds no more than before is not worse for being quicker: the
/// same work was done in less time.
fn worse(before: Held, finding: &ReportFinding) -> Option<String> {
    let now = Held::of(finding);
    let material = if is_number(finding) { MATERIAL_COUNT } else { MATERIAL_MB };
    let doubled = |now: f64, before: f64| now > FACTOR * before && now - before >= material;
    // An estimate counts by what it is at least.
    let at_least = match finding.size_mb_interval {
        [low, _] if !is_number(finding) && low > 0.0 => low.min(now.amount),
        _ => now.amount,
    };
    let told = |amount: f64| match counted(&finding.pattern, amount) {
        Some(things) if is_number(finding) => things,
        _ => size(amount),
    };
    if doubled(at_least, before.amount) {
        return Some(format!("{}, was {}", told(now.amount), told(before.amount)));
    }
    let quicker = now.amount > before.amount && doubled(now.growth_per_hour, before.growth_per_hour);
    let rate = |growth: f64| if is_number(finding) { number(growth) } else { size(growth) };
    quicker.then(|| {
        format!("{} an hour, was {} an hour", rate(now.growth_per_hour), rate(before.growth_per_hour))
    })
}
