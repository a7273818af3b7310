//! Simulate, naive rules: Mann and Kendall's trend test, plain or with the variance corrected for autocorrelation (Hamed and
//! Rao 1998). In: levels. Out: whether they grow.

use super::SIGNIFICANT;
use statrs::distribution::{ContinuousCDF, Normal};

/// Whether there is an upward trend with a two-sided p below 0.01.
pub fn grows(held: &[f64], corrected: bool) -> bool {
    let n = held.len();
    if n < 8 {
        return false;
    }
    let mut sum = 0.0;
    for (index, level) in held.iter().enumerate() {
        sum += held[index + 1..].iter().map(|later| sign(later - level)).sum::<f64>();
    }
    let mut variance = variance(held);
    if corrected {
        variance *= inflation(held);
    }
    if sum <= 1.0 || variance <= 0.0 {
        return false;
    }
    let z = (sum - 1.0) / variance.sqrt();
    2.0 * Normal::standard().sf(z) < SIGNIFICANT
}

fn sign(difference: f64) -> f64 {
    if difference == 0.0 { 0.0 } else { difference.signum() }
}

/// Variance of the statistic without a trend, with ties.
fn variance(held: &[f64]) -> f64 {
    let term = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    let mut sorted = held.to_vec();
    sorted.sort_by(f64::total_cmp);
    let ties: f64 = sorted.chunk_by(|a, b| a.total_cmp(b).is_eq()).map(|tied| term(tied.len() as f64)).sum();
    (term(held.len() as f64) - ties) / 18.0
}

/// By how much autocorrelation of the ranks makes the variance larger.
fn inflation(held: &[f64]) -> f64 {
    let n = held.len();
    let slope = sen_slope(held);
    let detrended: Vec<f64> = held.iter().enumerate().map(|(i, level)| level - slope * i as f64).collect();
    let ranks = ranks(&detrended);
    let mean = f64::midpoint(n as f64, 1.0);
    let power: f64 = ranks.iter().map(|rank| (rank - mean).powi(2)).sum();
    let size = n as f64;
    let mut sum = 0.0;
    for lag in 1..n - 2 {
        let pairs = ranks.iter().zip(&ranks[lag..]);
        let correlation = pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / power.max(1e-12);
        // Only what is significant at 5 % counts.
        if correlation.abs() > 1.96 / size.sqrt() {
            let left = size - lag as f64;
            sum += left * (left - 1.0) * (left - 2.0) * correlation;
        }
    }
    (1.0 + 2.0 * sum / (size * (size - 1.0) * (size - 2.0))).max(0.0)
}

/// Median of the slopes of all pairs.
fn sen_slope(held: &[f64]) -> f64 {
    let mut slopes: Vec<f64> = Vec::with_capacity(held.len() * held.len() / 2);
    for (index, level) in held.iter().enumerate() {
        let later = held[index + 1..].iter().enumerate();
        slopes.extend(later.map(|(gap, other)| (other - level) / (gap + 1) as f64));
    }
    let middle = slopes.len() / 2;
    *slopes.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// Ranks from 1, ties at their mean.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut done = 0;
    for tied in order.chunk_by(|a, b| values[*a].total_cmp(&values[*b]).is_eq()) {
        let mean = done as f64 + f64::midpoint(tied.len() as f64, 1.0);
        for index in tied {
            ranks[*index] = mean;
        }
        done += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a known statistic. Method: five values without ties; S = 8, variance 16.67 by hand.
    #[test]
    fn variance_by_hand() {
        assert!((variance(&[1.0, 2.0, 3.0, 5.0, 4.0]) - 16.666_666).abs() < 1e-3);
        assert!((variance(&[1.0, 1.0, 3.0, 5.0, 4.0]) - 15.666_666).abs() < 1e-3);
    }

    /// Goal: a line grows under both, noise under neither, a random walk less often when corrected. Method: made series.
    #[test]
    fn lines_noise_and_walks() {
        let line: Vec<f64> = (0..60).map(f64::from).collect();
        assert!(grows(&line, false));
        let mut rng = memguard_sampling::Rng::from_seed(1);
        let (mut plain, mut corrected, mut noisy) = (0, 0, 0);
        for _ in 0..200 {
            let noise: Vec<f64> = (0..60).map(|_| rng.next_unit()).collect();
            noisy += u32::from(grows(&noise, false));
            let mut level = 0.0;
            let walk: Vec<f64> = (0..60)
                .map(|_| {
                    level += rng.next_unit() - 0.5;
                    level
                })
                .collect();
            plain += u32::from(grows(&walk, false));
            corrected += u32::from(grows(&walk, true));
        }
        assert!(noisy <= 6, "{noisy}");
        assert!(plain > 50 && corrected + 10 < plain, "{plain} {corrected}");
    }
}
