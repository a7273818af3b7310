//! Detect, resources: what is known by its number alone (callbacks, loaded libraries).
//! In: counts over time. Out: the same test as for single things, on births that are made from the counts.
//!
//! What stays is the lowest count that is still to come: whatever is loaded and unloaded again leaves no trace in it.
//! Between two looks births are taken as evenly spread.

use super::class_rules::ClassRule;
use super::judged::{Judged, exactly};
use super::score::fact;
use crate::config::DetectConfig;
use crate::detector::{Growing, Suspicion};
use crate::survivors::Population;
use crate::thinning::Thinning;
use crate::words;
use memguard_model::{Class, EndedLives, LiveSample, ResourceSite, Resources, SiteId, StackId};

/// Cap of confirmed growth of a number.
const CAP_GROWTH: f64 = 0.8;
/// Births that are made at most; more say the same.
const BIRTHS_MAX: f64 = 4096.0;

/// Callbacks of one place that are registered without end.
pub(super) fn callbacks(
    place: &ResourceSite,
    rule: &'static ClassRule,
    config: &DetectConfig,
    now_ns: u64,
) -> Option<Suspicion> {
    let points = place.site().history().points().iter();
    let counts: Vec<(u64, f64)> =
        points.map(|point| (point.at_ns, point.live_count())).filter(|(at, _)| *at <= now_ns).collect();
    let mut said = growth(rule, place.site().id(), &counts, config, now_ns)?;
    said.stack = place.stack();
    Some(said)
}

/// Libraries of the process that are loaded without end.
pub(super) fn modules(resources: &Resources, config: &DetectConfig, now_ns: u64) -> Option<Suspicion> {
    let rule = ClassRule::of(Class::Module)?;
    let points = resources.history().points().iter();
    // Before they were first counted there are none.
    let counts: Vec<(u64, f64)> = points
        .filter(|point| point.modules > 0 && point.at_ns <= now_ns)
        .map(|point| (point.at_ns, point.modules as f64))
        .collect();
    growth(rule, SiteId(0), &counts, config, now_ns)
}

fn growth(
    rule: &'static ClassRule,
    site: SiteId,
    counts: &[(u64, f64)],
    config: &DetectConfig,
    now_ns: u64,
) -> Option<Suspicion> {
    let live = births(counts);
    let population = Population {
        live: &live,
        q99_ns: 0,
        ended: EndedLives::default(),
        ended_recently: (0, EndedLives::default()),
        revived: 0.0,
        clock: None,
        thinning: Thinning::none(),
    };
    let kind = rule.growth?;
    let judged = Judged { kind, rule, site, now_ns };
    let samples_min = config.handles_samples_min.max(rule.samples_min);
    let survivors = judged.survivors(&population, samples_min, config)?;
    let (first, last) = (counts.first()?.1, counts.last()?.1);
    let per_s = survivors.samples.len() as f64 / survivors.span_s() * ((last - first) / live.len() as f64);
    let (done, undone) = rule.verbs;
    let detail = format!(
        "{} {} {done} and never {undone} over {}, {} more an hour, {} in all",
        words::grouped(last - first),
        rule.noun,
        words::seconds((now_ns - counts.first()?.0) as f64 / 1e9),
        words::grouped(3600.0 * per_s),
        words::grouped(last),
    );
    let mut said = judged.suspicion(&[], detail);
    said.count = exactly(last - first);
    said.count_per_s = per_s;
    said.evidence = vec![
        fact("at the first look", words::grouped(first)),
        fact("at the last look", words::grouped(last)),
    ];
    said.evidence.extend(Judged::growth_evidence(&survivors));
    let births_ns = live.iter().map(|sample| sample.born_ns).collect();
    said.growing =
        Some(Growing { confidence_max: CAP_GROWTH, ..Judged::growing(&survivors, births_ns, config) });
    Some(said)
}

/// Births of what stayed, from counts in order of time.
fn births(counts: &[(u64, f64)]) -> Vec<LiveSample> {
    let mut staying = counts.to_vec();
    for index in (1..staying.len()).rev() {
        staying[index - 1].1 = staying[index - 1].1.min(staying[index].1);
    }
    let grown = staying.last().map_or(0.0, |last| last.1) - staying.first().map_or(0.0, |first| first.1);
    let share = (BIRTHS_MAX / grown.max(1.0)).min(1.0);
    let mut births = Vec::new();
    for pair in staying.windows(2) {
        let [(from_ns, before), (to_ns, after)] = [pair[0], pair[1]];
        let many = ((after - before) * share).round() as u64;
        let at = |index: u64| from_ns + (to_ns - from_ns) * (index + 1) / many;
        births.extend((0..many).map(|index| sample(at(index))));
    }
    births
}

fn sample(born_ns: u64) -> LiveSample {
    LiveSample { address: born_ns, size_bytes: 0, born_ns, inclusion_probability: 1.0, stack: StackId(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: what comes and goes leaves no births, what stays does. Method: hand-made counts.
    #[test]
    fn only_what_stays_is_born() {
        let times = |counts: &[(u64, f64)]| births(counts).iter().map(|s| s.born_ns).collect::<Vec<_>>();
        assert_eq!(times(&[(0, 5.0), (10, 9.0), (20, 5.0)]), Vec::<u64>::new());
        assert_eq!(times(&[(0, 5.0), (10, 9.0), (20, 7.0), (30, 8.0)]), vec![5, 10, 30]);
    }
}
