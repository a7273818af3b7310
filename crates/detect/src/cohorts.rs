//! Detect, cohorts: births of the objects that stayed, counted in equal spans of a clock.
//! In: birth times in order and the edges of the spans. Out: how steady the births are.

use statrs::function::beta::beta_reg;

/// Fewest survivors in the last half for which its two quarters are compared: fewer say nothing.
const LATELY_MIN: f64 = 16.0;

/// Survivors per cohort.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cohorts {
    counts: Vec<f64>,
}

impl Cohorts {
    /// Counts sorted birth times between consecutive edges.
    pub fn between(births_ns: &[u64], edges_ns: &[u64]) -> Self {
        let below = |edge: u64| births_ns.partition_point(|born| *born < edge);
        Self { counts: edges_ns.windows(2).map(|pair| (below(pair[1]) - below(pair[0])) as f64).collect() }
    }

    /// All survivors.
    pub fn total(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// Cohorts with survivors.
    pub fn occupied(&self) -> usize {
        self.counts.iter().filter(|count| **count > 0.0).count()
    }

    /// Number of cohorts.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Share of the largest cohort.
    pub fn largest_share(&self) -> f64 {
        self.counts.iter().fold(0.0_f64, |most, count| most.max(*count)) / self.total().max(1.0)
    }

    /// Whether survivors are spread over the run instead of coming from one or two bursts: at least four
    /// cohorts (or as many as there are survivors), and more than 60 % of the number that evenly thrown births would occupy.
    pub fn spread(&self) -> bool {
        let cohorts = self.len() as f64;
        let events = self.total() / self.dispersion();
        let expected = cohorts * (1.0 - (-events / cohorts).exp());
        self.occupied() as f64 >= self.total().min(4.0) && self.occupied() as f64 > 0.6 * expected
    }

    /// Index of dispersion from successive differences, at least 1: unlike the variance it is not inflated
    /// by the very trend that is being tested.
    pub fn dispersion(&self) -> f64 {
        let steps = self.counts.windows(2).map(|pair| (pair[1] - pair[0]).powi(2));
        let mean_step = steps.sum::<f64>() / (self.len() - 1).max(1) as f64;
        (mean_step / (2.0 * self.total() / self.len() as f64).max(1e-9)).max(1.0)
    }

    /// Probability that the last third grows at more than `share` of the rate of what came before.
    pub fn undiminished(&self, share: f64) -> f64 {
        let third = self.len() / 3;
        let late: f64 = self.counts.iter().rev().take(third).sum();
        let early = self.total() - late;
        rate_ratio_above(late, third as f64, early, (self.len() - third) as f64, share, self.dispersion())
    }

    /// Probability that the last quarter grows at more than `share` of the rate of the quarter before it:
    /// sees a second wave of warm-up die away, which the run as a whole hides.
    pub fn undiminished_lately(&self, share: f64) -> f64 {
        let quarter = self.len() / 4;
        let mut from_end = self.counts.iter().rev();
        let late: f64 = from_end.by_ref().take(quarter).sum();
        let before: f64 = from_end.take(quarter).sum();
        if late + before < LATELY_MIN {
            return 1.0;
        }
        rate_ratio_above(late, 1.0, before, 1.0, share, self.dispersion())
    }
}

/// Probability that rate one (`events / span`) exceeds `share` times rate two, with overdispersed counts.
pub(crate) fn rate_ratio_above(
    events: f64,
    span: f64,
    events_before: f64,
    span_before: f64,
    share: f64,
    dispersion: f64,
) -> f64 {
    let even = share * span / (share * span + span_before);
    1.0 - beta_reg(events / dispersion + 0.5, events_before / dispersion + 0.5, even.clamp(1e-9, 1.0 - 1e-9))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(counts: &[f64]) -> Cohorts {
        Cohorts { counts: counts.to_vec() }
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
        assert_eq!(Cohorts::between(&[0, 5, 9], &[0, 5, 10]), of(&[1.0, 2.0]));
    }
}
