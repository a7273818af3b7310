//! Detect, thinning: how much rarer than usual the heap was sampled when, so that a change of the interval in mid-run does
//! not look like a change of growth.
//! In: the interval that is configured, the intervals that were in force. Out: weights of samples, and the [`Tally`] of many.
//!
//! The unit is the sample at the configured interval. An object that would have been sampled there with probability `q` and
//! was sampled with `p` stands for `q / p` of those. As long as the interval does not change every weight is 1, and nothing
//! here makes a difference. Sums of weights are unbiased whatever the interval did; how much they *prove* depends on how
//! many samples are behind them, which is why a [`Tally`] keeps the sum of squares too.

use memguard_model::{LiveSample, ProcessModel};
use memguard_sampling::inclusion_probability;

/// Parts of a span at which the interval is looked up.
const PARTS: u64 = 8;

/// Below this a sample was taken at the configured interval.
const WEIGHT_ONE: f64 = 1.001;

/// How the heap of one process was sampled. Resources are not sampled: [`Thinning::none`].
#[derive(Clone, Copy)]
pub(crate) struct Thinning<'a> {
    base_bytes: u64,
    model: Option<&'a ProcessModel>,
}

impl<'a> Thinning<'a> {
    /// Of a heap that was to be sampled once in so many bytes.
    pub fn of(model: &'a ProcessModel, interval_bytes: f64) -> Self {
        Self { base_bytes: interval_bytes as u64, model: Some(model) }
    }

    /// Everything is recorded.
    pub const fn none() -> Self {
        Self { base_bytes: 0, model: None }
    }

    /// Samples at the configured interval that this one stands for; never less than 1.
    pub fn weight(&self, sample: &LiveSample) -> f64 {
        if self.base_bytes == 0 {
            return 1.0;
        }
        let usual = inclusion_probability(sample.size_bytes, self.base_bytes);
        let weight = usual / sample.inclusion_probability.max(1e-12);
        // Probabilities are stored with seven digits.
        if weight < WEIGHT_ONE { 1.0 } else { weight }
    }

    /// What one sample of about this size weighed on average between two times, where there was none to tell.
    fn weight_between(&self, from_ns: u64, to_ns: u64, size_bytes: u64) -> f64 {
        let Some(model) = self.model.filter(|_| self.base_bytes != 0) else { return 1.0 };
        let size_bytes = size_bytes.max(1);
        let usual = inclusion_probability(size_bytes, self.base_bytes);
        let span_ns = to_ns.saturating_sub(from_ns);
        let at = |part: u64| from_ns + span_ns / (2 * PARTS) * (2 * part + 1);
        let share = |part: u64| {
            let interval =
                model.sample_interval_bytes_at(at(part)).unwrap_or(0.0).max(self.base_bytes as f64);
            inclusion_probability(size_bytes, interval as u64) / usual
        };
        let mean = (0..PARTS).map(share).sum::<f64>() / PARTS as f64;
        1.0 / mean.clamp(1e-9, 1.0)
    }

    /// All samples of a list that was born between two times.
    pub fn tally(&self, samples: &[LiveSample], from_ns: u64, to_ns: u64, size_bytes: u64) -> Tally {
        let mut tally = Tally::default();
        for sample in samples {
            tally.add(self.weight(sample));
        }
        tally.weight_unseen =
            if samples.is_empty() { self.weight_between(from_ns, to_ns, size_bytes) } else { 1.0 };
        tally
    }
}

/// Mean size of samples, in bytes.
pub(crate) fn mean_size_bytes(samples: &[LiveSample]) -> u64 {
    let total: f64 = samples.iter().map(|sample| sample.size_bytes as f64).sum();
    (total / samples.len().max(1) as f64) as u64
}

/// Samples of one span with their weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tally {
    /// Samples.
    pub samples: f64,
    /// Sum of weights: samples as they would have been at the configured interval.
    pub sum: f64,
    /// Sum of squared weights, which estimates the variance of `sum`.
    pub squares: f64,
    /// What a sample would have weighed, where there is none.
    weight_unseen: f64,
}

impl Default for Tally {
    fn default() -> Self {
        Self { samples: 0.0, sum: 0.0, squares: 0.0, weight_unseen: 1.0 }
    }
}

impl Tally {
    /// So many samples of weight 1.
    pub fn of(samples: f64) -> Self {
        Self { samples, sum: samples, squares: samples, weight_unseen: 1.0 }
    }

    fn add(&mut self, weight: f64) {
        self.samples += 1.0;
        self.sum += weight;
        self.squares += weight * weight;
    }

    /// Several spans as one.
    pub fn total<'t>(tallies: impl Iterator<Item = &'t Self>) -> Self {
        let (mut all, mut shares, mut spans) = (Self::default(), 0.0, 0.0);
        for tally in tallies {
            all.samples += tally.samples;
            all.sum += tally.sum;
            all.squares += tally.squares;
            shares += 1.0 / tally.weight();
            spans += 1.0;
        }
        all.weight_unseen = if shares > 0.0 { spans / shares } else { 1.0 };
        all
    }

    /// Weight of a typical sample.
    pub fn weight(&self) -> f64 {
        if self.sum > 0.0 { self.squares / self.sum } else { self.weight_unseen }
    }

    /// Samples of equal weight that would prove as much.
    pub fn effective(&self) -> f64 {
        self.sum / self.weight()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memguard_model::StackId;

    fn sample(size_bytes: u64, interval_bytes: u64) -> LiveSample {
        let inclusion_probability = inclusion_probability(size_bytes, interval_bytes);
        LiveSample { address: 0, size_bytes, born_ns: 0, inclusion_probability, stack: StackId(0) }
    }

    /// Goal: weights are relative to the configured interval. Method: small and large objects at both intervals.
    #[test]
    fn a_sample_stands_for_those_left_out() {
        let model = ProcessModel::new();
        let thinning = Thinning::of(&model, 1024.0);
        assert!((thinning.weight(&sample(64, 1024)) - 1.0).abs() < 1e-12);
        assert!((thinning.weight(&sample(1, 16 * 1024)) - 16.0).abs() < 0.01);
        assert!((thinning.weight(&sample(1 << 20, 16 * 1024)) - 1.0).abs() < 1e-12, "sure at both intervals");
    }

    /// Goal: a sum of heavy samples proves no more than their number. Method: sixteen ones, and one sixteen.
    #[test]
    fn heavy_samples_prove_little() {
        let mut heavy = Tally::default();
        heavy.add(16.0);
        assert!((heavy.sum - Tally::of(16.0).sum).abs() < 1e-12);
        assert!((heavy.effective() - 1.0).abs() < 1e-12);
        assert!((Tally::of(16.0).effective() - 16.0).abs() < 1e-12);
    }

    /// Goal: an empty span knows how rarely it was sampled. Method: the interval rises, and there is no sample after.
    #[test]
    fn empty_spans_know_the_interval() {
        let mut model = ProcessModel::new();
        for second in 0..20 {
            model.absorb_sample_interval(second * 1_000_000_000, if second < 10 { 1024 } else { 16 * 1024 });
        }
        let thinning = Thinning::of(&model, 1024.0);
        let before = thinning.tally(&[], 0, 9_000_000_000, 1);
        let after = thinning.tally(&[], 11_000_000_000, 19_000_000_000, 1);
        assert!((before.weight() - 1.0).abs() < 1e-9);
        assert!((after.weight() - 16.0).abs() < 0.1, "{}", after.weight());
    }
}
