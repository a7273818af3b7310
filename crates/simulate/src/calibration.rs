//! Simulate, calibration: whether a confidence means what it says.
//! In: confidences with what was true. Out: Brier score, expected calibration error, reliability by tenths; Wilson's interval.

use serde::Serialize;

/// Findings below this are not kept in reports.
pub const KEPT_MIN: f64 = 0.05;
/// Bins of confidence.
pub const BINS: usize = 10;

/// Findings of one tenth of confidence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Bin {
    /// How many.
    pub findings: u64,
    /// How many of them were real.
    pub real: u64,
    /// Their mean confidence.
    pub mean_confidence: f64,
}

impl Bin {
    /// Share of them that was real.
    pub fn share(&self) -> f64 {
        self.real as f64 / self.findings.max(1) as f64
    }
}

/// How well confidences are calibrated.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Calibration {
    /// Mean squared distance of confidence and truth, over all places; a place without a finding has confidence 0.
    pub brier_places: f64,
    /// The same over findings that a report keeps.
    pub brier_findings: f64,
    /// Expected calibration error over findings that a report keeps, ten bins.
    pub expected_error: f64,
    /// The bins.
    pub bins: [Bin; BINS],
}

impl Calibration {
    /// Of confidences and whether there was a leak.
    pub fn of(said: &[(f64, bool)]) -> Self {
        let squared = |(confidence, real): &(f64, bool)| (confidence - f64::from(u8::from(*real))).powi(2);
        let mean = |of: &[(f64, bool)]| of.iter().map(squared).sum::<f64>() / of.len().max(1) as f64;
        let kept: Vec<(f64, bool)> =
            said.iter().filter(|(confidence, _)| *confidence >= KEPT_MIN).copied().collect();
        let mut bins = [Bin::default(); BINS];
        for (confidence, real) in &kept {
            let bin = &mut bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
            bin.findings += 1;
            bin.real += u64::from(*real);
            bin.mean_confidence += confidence;
        }
        for bin in &mut bins {
            bin.mean_confidence /= bin.findings.max(1) as f64;
        }
        let distance = |bin: &Bin| bin.findings as f64 * (bin.share() - bin.mean_confidence).abs();
        let expected_error = bins.iter().map(distance).sum::<f64>() / kept.len().max(1) as f64;
        Self { brier_places: mean(said), brier_findings: mean(&kept), expected_error, bins }
    }
}

/// A share of a number of trials with Wilson's 95 % interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Proportion {
    /// How often.
    pub hits: u64,
    /// Of how many.
    pub trials: u64,
    /// The share; none without a trial.
    pub share: Option<f64>,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Proportion {
    /// Of so many trials.
    pub fn of(hits: u64, trials: u64) -> Self {
        const Z: f64 = 1.959_963_984_540_054;
        if trials == 0 {
            return Self { hits, trials, share: None, low: 0.0, high: 1.0 };
        }
        let n = trials as f64;
        let share = hits as f64 / n;
        let middle = share + Z * Z / (2.0 * n);
        let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        Self {
            hits,
            trials,
            share: Some(share),
            low: ((middle - half) / scale).max(0.0),
            high: ((middle + half) / scale).min(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: known values. Method: 35 of 35 (lower end 0.90), 9 of 10.
    #[test]
    fn wilson() {
        assert!((Proportion::of(35, 35).low - 0.901).abs() < 1e-3);
        let nine = Proportion::of(9, 10);
        assert!((nine.low - 0.596).abs() < 1e-3 && (nine.high - 0.982).abs() < 1e-3);
        assert_eq!(Proportion::of(0, 0).share, None);
    }

    /// Goal: a perfect forecaster has no error, an overconfident one has. Method: hand-made findings.
    #[test]
    fn errors() {
        let fair: Vec<(f64, bool)> = (0..100).map(|n| (0.75, n % 4 != 0)).collect();
        assert!(Calibration::of(&fair).expected_error < 1e-12);
        let proud: Vec<(f64, bool)> = (0..100).map(|n| (0.95, n % 2 == 0)).chain([(0.0, false)]).collect();
        let calibration = Calibration::of(&proud);
        assert!((calibration.expected_error - 0.45).abs() < 1e-9);
        assert_eq!(calibration.bins[9].findings, 100);
        assert!((calibration.brier_findings - 0.5 * (0.0025 + 0.9025)).abs() < 1e-9);
    }
}
