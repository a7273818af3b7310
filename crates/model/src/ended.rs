//! Model, ended lives: how long objects lived that were seen live on one look and gone on a later one.
//! In: lifetimes. Out: counts and sums past an age.
//!
//! Finer than the power-of-four histogram of a reading, and enough for its purpose: an object too short-lived
//! to be seen live even once is short-lived by any standard that matters for leaks.

/// Buckets of [`EndedLives`].
pub const ENDED_BUCKETS: usize = 80;
/// Lower bound of bucket 1: 1 ms. Each bucket is wider than the one before by the square root of two; the
/// last begins at about 25 days.
const FIRST_BOUND_NS: f64 = 1e6;

/// A histogram of lifetimes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedLives {
    counts: [u32; ENDED_BUCKETS],
}

impl Default for EndedLives {
    fn default() -> Self {
        Self { counts: [0; ENDED_BUCKETS] }
    }
}

impl EndedLives {
    /// Counts one ended life.
    pub fn add(&mut self, lifetime_ns: u64) {
        if let Some(count) = self.counts.get_mut(bucket(lifetime_ns as f64)) {
            *count = count.saturating_add(1);
        }
    }

    /// Counts everything of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine = mine.saturating_add(*theirs);
        }
    }

    /// Number of lives ended.
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// Lives that lasted longer than `age_ns`, and the time they lived past it, in ns. Within the bucket of
    /// `age_ns` lives are taken as evenly spread.
    pub fn past(&self, age_ns: u64) -> (f64, f64) {
        let age = age_ns as f64;
        let (mut lives, mut lived) = (0.0, 0.0);
        for (index, count) in self.counts.iter().enumerate().skip(bucket(age)) {
            let (low, high) = bounds(index);
            let from = low.max(age);
            let share = if low >= age { 1.0 } else { (high - age) / (high - low) };
            let many = f64::from(*count) * share;
            lives += many;
            lived += many * (0.5 * (from + high) - age);
        }
        (lives, lived)
    }

    /// The lifetime that only `count` of the ended lives exceeded, in ns (upper end of its bucket).
    pub fn exceeded_by(&self, count: u64) -> u64 {
        let mut longer = 0;
        for (index, here) in self.counts.iter().enumerate().rev() {
            longer += u64::from(*here);
            if longer > count {
                return bounds(index).1 as u64;
            }
        }
        0
    }
}

fn bucket(lifetime_ns: f64) -> usize {
    if lifetime_ns < FIRST_BOUND_NS {
        return 0;
    }
    let index = 1.0 + 2.0 * (lifetime_ns / FIRST_BOUND_NS).log2();
    (index as usize).min(ENDED_BUCKETS - 1)
}

fn bounds(index: usize) -> (f64, f64) {
    let bound =
        |index: usize| if index == 0 { 0.0 } else { FIRST_BOUND_NS * 2_f64.powf((index as f64 - 1.0) / 2.0) };
    (bound(index), bound(index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: counts past an age are right to within a bucket. Method: lives of 1, 2, …, 1000 s.
    #[test]
    fn past_and_quantile() {
        let mut ended = EndedLives::default();
        for second in 1..=1000_u64 {
            ended.add(second * 1_000_000_000);
        }
        assert_eq!(ended.total(), 1000);
        let (lives, lived_ns) = ended.past(500_000_000_000);
        assert!((lives - 500.0).abs() < 60.0, "{lives}");
        assert!((lived_ns / 1e9 / lives - 250.0).abs() < 60.0);
        let q99 = ended.exceeded_by(10) as f64 / 1e9;
        assert!((990.0..1500.0).contains(&q99), "{q99}");
    }
}
