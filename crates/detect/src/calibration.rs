//! Detect, calibration: the fitted map from score to confidence, made by `memguard-simulate calibrate --seeds 20`; not edited by hand.
//! In: a basis. Out: its map.

use crate::confidence::Basis;

/// A map from score to confidence.
pub(crate) struct Map {
    /// Factor on scores that are not shown.
    pub suspect_scale: f64,
    /// Scores with confidences, both rising; linear between, level beyond. None: the score is the confidence.
    pub knots: &'static [(f64, f64)],
}

/// The map of a basis.
#[allow(clippy::match_same_arms)] // an arm for each basis, with what it was fitted to
pub(crate) const fn map(basis: Basis) -> Map {
    match basis {
        // 46 suspicions, 2 shown.
        Basis::Growth => Map { suspect_scale: 0.25, knots: &[] },
        // 353 suspicions, 77 shown.
        Basis::Known => Map { suspect_scale: 0.25, knots: &[(0.527, 0.500), (0.748, 0.750)] },
        // 0 suspicions, 777 shown.
        Basis::Lost => Map { suspect_scale: 1.00, knots: &[] },
        // 7 suspicions, 131 shown.
        Basis::Shape => Map { suspect_scale: 0.82, knots: &[(0.631, 0.750)] },
        // 15 suspicions, 1244 shown.
        Basis::Held => Map {
            suspect_scale: 1.00,
            knots: &[(0.560, 0.740), (0.655, 0.815), (0.769, 0.883), (0.834, 0.890)],
        },
        // 40 suspicions, 337 shown.
        Basis::State => Map { suspect_scale: 1.00, knots: &[] },
        // 0 suspicions, 0 shown.
        Basis::Fragmentation => Map { suspect_scale: 1.00, knots: &[] },
    }
}
