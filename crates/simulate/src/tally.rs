//! Simulate, tallies: many runs in few numbers.
//! In: results of runs. Out: a row for each scenario; totals of the verdicts and of each naive rule.

use crate::calibration::{Calibration, Proportion};
use crate::judge::{Judged, Label, RunResult};
use crate::naive::Rule;
use crate::scenario::{Run, Split};
use memguard_detect::SHOWN;
use serde::Serialize;

/// Shares of one rule on one scenario.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Shares {
    /// Said at the end.
    pub last: f64,
    /// Ever said.
    pub ever: f64,
}

/// One scenario in one mode.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What it is an instance of.
    pub family: &'static str,
    /// The mode.
    pub mode: &'static str,
    /// The truth.
    pub label: Label,
    /// Whether rules may be fitted to it.
    pub is_test: bool,
    /// Shown by the verdicts: of a leak, its leaking places; else runs in which any place was.
    pub shown: Shares,
    /// Median time from the first leaked object to the first look that showed the leak, in seconds.
    pub delay_s: Option<f64>,
    /// Mean confidence at the end.
    pub confidence: f64,
    /// Share of leaks shown at the end that have their right name.
    pub kind_right: Option<f64>,
    /// The same of each naive rule.
    pub naive: [Shares; 6],
}

impl Row {
    pub(crate) fn of(run: &Run, results: &[RunResult]) -> Self {
        let label = results.first().map_or(Label::Healthy, |result| result.label);
        let leaking = || results.iter().flat_map(|result| &result.places).filter(|p| p.label == Label::Leak);
        let mut delays: Vec<f64> = leaking().filter_map(|place| place.delay_s).collect();
        delays.sort_by(f64::total_cmp);
        let said: Vec<bool> = leaking().filter_map(|place| place.kind_right).collect();
        let share = |hit: &dyn Fn(&Judged) -> bool| share_of(label, results, hit);
        Self {
            name: run.scenario.name.clone(),
            family: run.scenario.family,
            mode: run.mode.name,
            label,
            is_test: run.scenario.split == Split::Test,
            shown: Shares {
                last: share(&|place| place.last >= SHOWN),
                ever: share(&|place| place.ever >= SHOWN),
            },
            delay_s: delays.get(delays.len() / 2).copied(),
            confidence: match label {
                Label::Leak => mean(leaking().map(|place| place.last)),
                _ => mean(results.iter().map(RunResult::last)),
            },
            kind_right: (!said.is_empty())
                .then(|| mean(said.iter().map(|right| f64::from(u8::from(*right))))),
            naive: std::array::from_fn(|rule| Shares {
                last: share(&|place| place.naive[rule].last),
                ever: share(&|place| place.naive[rule].ever),
            }),
        }
    }
}

/// Share of leaking places of a leak, or of runs with any place otherwise.
fn share_of(label: Label, results: &[RunResult], hit: &dyn Fn(&Judged) -> bool) -> f64 {
    let is = |hit: bool| f64::from(u8::from(hit));
    match label {
        Label::Leak => {
            let leaking = results.iter().flat_map(|result| &result.places).filter(|p| p.label == Label::Leak);
            mean(leaking.map(|place| is(hit(place))))
        }
        _ => mean(results.iter().map(|result| is(result.places.iter().any(hit)))),
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut many) = (0.0, 0_u64);
    for value in values {
        sum += value;
        many += 1;
    }
    sum / many.max(1) as f64
}

/// One rule over many scenarios.
#[derive(Debug, Clone, Serialize)]
pub struct Totals {
    /// Who judges.
    pub rule: &'static str,
    /// Of what is shown at the end at this confidence, the share that is real; a naive rule has but one.
    pub precision: Vec<(f64, Proportion)>,
    /// Share of leaking places that are shown at the end.
    pub recall: Proportion,
    /// Share of them that were ever shown.
    pub recall_ever: Proportion,
    /// Share of healthy runs that end with anything shown.
    pub false_runs: Proportion,
    /// Share of them in which anything was ever shown.
    pub false_runs_ever: Proportion,
    /// Share of leaks shown at the end that have their right name.
    pub kind_right: Option<Proportion>,
    /// Whether confidences mean what they say.
    pub calibration: Option<Calibration>,
}

impl Totals {
    /// The verdicts.
    pub(crate) fn of_verdicts(results: &[&RunResult]) -> Self {
        let mut totals =
            Self::of("MemGuard", results, &[0.9, 0.7, SHOWN], &|place, bar| place.last >= bar, &|place| {
                place.ever >= SHOWN
            });
        let named: Vec<bool> = places(results).filter_map(|place| place.kind_right).collect();
        totals.kind_right =
            Some(Proportion::of(count(named.iter().filter(|right| **right)), named.len() as u64));
        let said: Vec<(f64, bool)> =
            places(results).map(|place| (place.last, place.label == Label::Leak)).collect();
        totals.calibration = Some(Calibration::of(&said));
        totals
    }

    /// A naive rule.
    pub(crate) fn of_rule(rule: Rule, results: &[&RunResult]) -> Self {
        let index = Rule::ALL.iter().position(|other| *other == rule).unwrap_or(0);
        let last = |place: &Judged, _| place.naive[index].last;
        Self::of(rule.name(), results, &[SHOWN], &last, &|place| place.naive[index].ever)
    }

    fn of(
        rule: &'static str,
        results: &[&RunResult],
        bars: &[f64],
        last: &dyn Fn(&Judged, f64) -> bool,
        ever: &dyn Fn(&Judged) -> bool,
    ) -> Self {
        let leaks = || places(results).filter(|place| place.label == Label::Leak);
        let healthy = || results.iter().filter(|result| result.label == Label::Healthy);
        let precision = bars.iter().map(|bar| {
            let shown = places(results).filter(|place| last(place, *bar));
            let shown: Vec<&Judged> = shown.collect();
            let real = count(shown.iter().filter(|place| place.label == Label::Leak));
            (*bar, Proportion::of(real, shown.len() as u64))
        });
        let leaking = count(leaks());
        let runs = count(healthy());
        let any =
            |hit: &dyn Fn(&Judged) -> bool| count(healthy().filter(|result| result.places.iter().any(hit)));
        Self {
            rule,
            precision: precision.collect(),
            recall: Proportion::of(count(leaks().filter(|place| last(place, SHOWN))), leaking),
            recall_ever: Proportion::of(count(leaks().filter(|place| ever(place))), leaking),
            false_runs: Proportion::of(any(&|place| last(place, SHOWN)), runs),
            false_runs_ever: Proportion::of(any(&|place| ever(place)), runs),
            kind_right: None,
            calibration: None,
        }
    }
}

/// Everything that is one or the other.
fn places<'a>(results: &'a [&RunResult]) -> impl Iterator<Item = &'a Judged> {
    results.iter().flat_map(|result| &result.places).filter(|place| place.label != Label::Ambiguous)
}

fn count<T>(of: impl Iterator<Item = T>) -> u64 {
    of.count() as u64
}
