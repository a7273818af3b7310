//! Simulate, naive rules, series: what a place holds over time.
//! In: lives. Out: levels at even times.

use crate::life::Life;

/// Levels over a whole run.
const POINTS: usize = 480;
/// Levels that a rule is given, at most.
const GIVEN_MAX: usize = 80;

/// What is held at even times.
pub struct Series {
    step_s: f64,
    held: Vec<f64>,
}

impl Series {
    /// Of all these lives.
    pub fn of(lives: &[Life], end_s: f64) -> Self {
        let step_s = end_s / POINTS as f64;
        let mut changes = vec![0.0; POINTS + 2];
        // The first point at or after a time: whoever dies before it was never seen.
        let index = |at_s: f64| {
            if at_s.is_finite() { ((at_s / step_s).ceil() as usize).min(POINTS + 1) } else { POINTS + 1 }
        };
        for life in lives {
            changes[index(life.at_s)] += life.weight;
            changes[index(life.dies_s)] -= life.weight;
        }
        let mut sum = 0.0;
        let held = changes.iter().take(POINTS + 1).map(|change| {
            sum += change;
            f64::max(sum, 0.0)
        });
        Self { step_s, held: held.collect() }
    }

    /// Levels from the beginning to a time.
    pub fn until(&self, at_s: f64) -> Vec<f64> {
        let many = ((at_s / self.step_s) as usize + 1).clamp(2, self.held.len());
        let every = many.div_ceil(GIVEN_MAX);
        // Ends at the time itself.
        self.held[..many].iter().rev().step_by(every).rev().copied().collect()
    }
}
