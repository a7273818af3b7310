//! Simulate, naive rules: linear regression on time. In: levels. Out: whether they grow.

use super::SIGNIFICANT;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Whether the slope is above 0 with a two-sided p below 0.01.
pub fn grows(held: &[f64]) -> bool {
    let n = held.len() as f64;
    if held.len() < 8 {
        return false;
    }
    let (mean_x, mean_y) = ((n - 1.0) / 2.0, held.iter().sum::<f64>() / n);
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for (index, level) in held.iter().enumerate() {
        let (x, y) = (index as f64 - mean_x, level - mean_y);
        xx += x * x;
        xy += x * y;
        yy += y * y;
    }
    if xy <= 0.0 {
        return false;
    }
    let residual = (yy - xy * xy / xx).max(1e-12 * yy) / (n - 2.0);
    let t = xy / xx / (residual / xx).sqrt();
    StudentsT::new(0.0, 1.0, n - 2.0).is_ok_and(|law| 2.0 * law.sf(t) < SIGNIFICANT)
}
