//! Detect, cohorts: births of the objects that stayed, counted in equal spans of a clock.
//! In: samples in order of birth and the edges of the spans. Out: how steady the births are.

use crate::survivors::born_between;
use crate::thinning::{Tally, Thinning};
use memguard_model::LiveSample;
use statrs::function::beta::beta_reg;

/// Fewest survivors in the last half for which its two quarters are compared: fewer say nothing.
const LATELY_MIN: f64 = 16.0;

/// Survivors per cohort.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cohorts {
    tallies: Vec<Tally>,
}

impl Cohorts {
    /// Counts samples, in order of birth, between consecutive edges.
    pub fn between(
        samples: &[LiveSample],
        edges_ns: &[u64],
        thinning: Thinning<'_>,
        size_bytes: u64,
    ) -> Self {
        let tally = |pair: &[u64]| {
            thinning.tally(born_between(samples, pair[0], pair[1]), pair[0], pair[1], size_bytes)
        };
        Self { tallies: edges_ns.windows(2).map(tally).collect() }
    }

    /// All survivors.
    pub fn total(&self) -> Tally {
        Tally::total(self.tallies.iter())
    }

    /// Cohorts with survivors.
    pub fn occupied(&self) -> usize {
        self.tallies.iter().filter(|tally| tally.samples > 0.0).count()
    }

    /// Number of cohorts.
    pub fn len(&self) -> usize {
        self.tallies.len()
    }

    /// Share of the largest cohort.
    pub fn largest_share(&self) -> f64 {
        self.tallies.iter().fold(0.0_f64, |most, tally| most.max(tally.sum)) / self.total().sum.max(1.0)
    }

    /// Whether survivors are spread over the run instead of coming from one or two bursts: at least four
    /// cohorts (or as many as there are survivors), and more than 60 % of the number that evenly thrown births would occupy.
    pub fn spread(&self) -> bool {
        let total = self.total();
        let events = total.sum / self.dispersion() / self.len() as f64;
        let expected: f64 = self.tallies.iter().map(|tally| 1.0 - (-events / tally.weight()).exp()).sum();
        self.occupied() as f64 >= total.samples.min(4.0) && self.occupied() as f64 > 0.6 * expected
    }

    /// Index of dispersion from successive differences, at least 1: unlike the variance it is not inflated
    /// by the very trend that is being tested.
    pub fn dispersion(&self) -> f64 {
        let steps = self.tallies.windows(2).map(|pair| (pair[1].sum - pair[0].sum).powi(2));
        let mean_step = steps.sum::<f64>() / (self.len() - 1).max(1) as f64;
        (mean_step / (2.0 * self.total().squares / self.len() as f64).max(1e-9)).max(1.0)
    }

    /// Probability that the last third grows at more than `share` of the rate of what came before.
    pub fn undiminished(&self, share: f64) -> f64 {
        let third = self.len() / 3;
        let (early, late) = self.tallies.split_at(self.len() - third);
        let spans = (third as f64, (self.len() - third) as f64);
        let (early, late) = (Tally::total(early.iter()), Tally::total(late.iter()));
        rate_ratio_above(late, spans.0, early, spans.1, share, self.dispersion())
    }

    /// Probability that the last quarter grows at more than `share` of the rate of the quarter before it:
    /// sees a second wave of warm-up die away, which the run as a whole hides.
    pub fn undiminished_lately(&self, share: f64) -> f64 {
        let quarter = self.len() / 4;
        let mut from_end = self.tallies.iter().rev();
        let late = Tally::total(from_end.by_ref().take(quarter));
        let before = Tally::total(from_end.take(quarter));
        if late.effective() + before.effective() < LATELY_MIN {
            return 1.0;
        }
        rate_ratio_above(late, 1.0, before, 1.0, share, self.dispersion())
    }
}

/// Probability that rate one (`events / span`) exceeds `share` times rate two, with overdispersed counts. Samples are
/// events; where each stands for several, the span in which they were counted was in effect shorter by as much.
pub(crate) fn rate_ratio_above(
    events: Tally,
    span: f64,
    events_before: Tally,
    span_before: f64,
    share: f64,
    dispersion: f64,
) -> f64 {
    let (span, span_before) = (span / events.weight(), span_before / events_before.weight());
    let even = share * span / (share * span + span_before);
    let counts = (events.effective() / dispersion, events_before.effective() / dispersion);
    1.0 - beta_reg(counts.0 + 0.5, counts.1 + 0.5, even.clamp(1e-9, 1.0 - 1e-9))
}

#[cfg(test)]
mod tests {
    use super::*;
    use memguard_model::StackId;

    fn of(counts: &[f64]) -> Cohorts {
        Cohorts { tallies: counts.iter().copied().map(Tally::of).collect() }
    }

    /// Goal: steady growth is undiminished, a plateau is not. Method: hand-made cohorts.
    #[test]
    fn plateau_and_growth() {
        assert!(of(&[4.0; 12]).undiminished(0.7) > 0.85);
        let plateau = [5., 5., 5., 5., 5., 5., 5., 5., 0., 0., 0., 0.];
        assert!(of(&plateau).undiminished(0.7) < 0.01);
    }

    /// Goal: a burst is not spread, and bursts raise the dispersion. Method: hand-made cohorts.
    #[test]
    fn bursts() {
        let burst = of(&[0., 0., 0., 90., 1., 0., 1., 0.]);
        assert!(!burst.spread());
        assert!(burst.dispersion() > 20.0);
        assert!(of(&[1.0; 12]).spread());
    }

    /// Goal: births on an edge fall into the later cohort. Method: three births.
    #[test]
    fn edges() {
        let born = |born_ns| LiveSample {
            address: 0,
            size_bytes: 1,
            born_ns,
            inclusion_probability: 1.0,
            stack: StackId(0),
        };
        let cohorts = Cohorts::between(&[born(0), born(5), born(9)], &[0, 5, 10], Thinning::none(), 1);
        assert_eq!(cohorts, of(&[1.0, 2.0]));
    }
}
