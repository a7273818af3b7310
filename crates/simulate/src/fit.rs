//! Simulate, fitting: the map from score to confidence, from judged places of the fit families.
//! In: scores with what was true. Out: Rust source, for `crates/detect/src/calibration.rs`.
//!
//! Scores that are shown are put into tenths; the share that was real, with the score itself as a prior worth a few cases, is
//! made to rise with the score (pool adjacent violators), and counts for half beside the score. Scores that are not shown are
//! scaled by one factor.

use crate::judge::{Judged, Label, RunResult};
use memguard_detect::{Basis, SHOWN};
use std::fmt::Write;

/// Cases that the score itself counts for.
const PRIOR_CASES: f64 = 4.0;
/// What the cases count for, beside the score: programs that we thought of are not the world.
const TRUST: f64 = 0.5;
/// The least factor on what is not shown: a suspicion must remain one that a report keeps.
const SUSPECT_SCALE_MIN: f64 = 0.25;
/// Fewest shown cases of a basis that is fitted: with fewer, and where something was seen, the score is the confidence.
const SHOWN_MIN: usize = 20;
/// Characters of a line of source.
const LINE_CHARS_MAX: usize = 110;
/// Tenths of what is shown.
const TENTHS: usize = 5;

/// Cases with scores alike.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    cases: f64,
    scores: f64,
    real: f64,
}

impl Block {
    fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.scores += other.scores;
        self.real += other.real;
    }

    fn score(&self) -> f64 {
        self.scores / self.cases
    }

    fn share(&self) -> f64 {
        (self.real + PRIOR_CASES * self.score()) / (self.cases + PRIOR_CASES)
    }
}

/// The source, from results of runs; `command` is how it was made.
pub fn fitted_source(results: &[Vec<RunResult>], command: &str) -> String {
    let places = || results.iter().flatten().flat_map(|run| &run.places);
    let mut text = format!(
        "//! Detect, calibration: the fitted map from score to confidence, made by `{command}`; not edited by hand.\n\
         //! In: a basis. Out: its map.\n\n\
         use crate::confidence::Basis;\n\n\
         /// A map from score to confidence.\n\
         pub(crate) struct Map {{\n    \
         /// Factor on scores that are not shown.\n    \
         pub suspect_scale: f64,\n    \
         /// Scores with confidences, both rising; linear between, level beyond. None: the score is the confidence.\n    \
         pub knots: &'static [(f64, f64)],\n\
         }}\n\n\
         /// The map of a basis.\n\
         #[allow(clippy::match_same_arms)] // an arm for each basis, with what it was fitted to\n\
         pub(crate) const fn map(basis: Basis) -> Map {{\n    match basis {{\n"
    );
    for basis in Basis::ALL {
        let cases: Vec<(f64, bool)> = places().filter_map(|place| case(place, basis)).collect();
        let shown = cases.iter().filter(|(score, _)| *score >= SHOWN).count();
        let _ = writeln!(text, "        // {} suspicions, {shown} shown.", cases.len() - shown);
        let is_fitted = shown >= SHOWN_MIN && !basis.is_seen();
        let fitted = if is_fitted { knots(&cases) } else { Vec::new() };
        let knots: Vec<String> = fitted
            .iter()
            .map(|(score, share)| format!("({score:.3}, {:.3})", share.clamp(SHOWN, basis.cap())))
            .collect();
        let scale = if basis.is_seen() { 1.0 } else { suspect_scale(&cases) };
        let knots = knots.join(", ");
        let line =
            format!("        Basis::{basis} => Map {{ suspect_scale: {scale:.2}, knots: &[{knots}] }},");
        // As rustfmt would have it.
        let _ = if line.len() <= LINE_CHARS_MAX {
            writeln!(text, "{line}")
        } else {
            writeln!(
                text,
                "        Basis::{basis} => Map {{\n            suspect_scale: {scale:.2},\n            knots: &[{knots}],\n        }},"
            )
        };
    }
    text + "    }\n}\n"
}

fn case(place: &Judged, basis: Basis) -> Option<(f64, bool)> {
    let score = place.score.filter(|score| score.basis == basis && place.label != Label::Ambiguous)?;
    Some((score.value, place.label == Label::Leak))
}

fn suspect_scale(cases: &[(f64, bool)]) -> f64 {
    let mut all = Block::default();
    for (score, real) in cases.iter().filter(|(score, _)| *score < SHOWN && *score > 0.0) {
        all.add(Block { cases: 1.0, scores: *score, real: f64::from(u8::from(*real)) });
    }
    if all.cases == 0.0 { 1.0 } else { (all.share() / all.score()).clamp(SUSPECT_SCALE_MIN, 1.0) }
}

fn knots(cases: &[(f64, bool)]) -> Vec<(f64, f64)> {
    let mut tenths = [Block::default(); TENTHS];
    for (score, real) in cases.iter().filter(|(score, _)| *score >= SHOWN) {
        let tenth = (((score - SHOWN) * 10.0 + 1e-9) as usize).min(TENTHS - 1);
        tenths[tenth].add(Block { cases: 1.0, scores: *score, real: f64::from(u8::from(*real)) });
    }
    let mut pooled: Vec<Block> = Vec::new();
    for tenth in tenths.into_iter().filter(|tenth| tenth.cases > 0.0) {
        pooled.push(tenth);
        while let [.., before, last] = pooled.as_slice()
            && before.share() >= last.share()
        {
            let last = *last;
            pooled.pop();
            if let Some(before) = pooled.last_mut() {
                before.add(last);
            }
        }
    }
    let told = |block: &Block| block.score() + TRUST * (block.share() - block.score());
    pooled.iter().map(|block| (block.score(), told(block))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: shares rise, and few cases hardly move the score. Method: hand-made cases, the higher tenth worse.
    #[test]
    fn knots_rise() {
        let many = |score: f64, real: usize, of: usize| (0..of).map(move |n| (score, n < real));
        let cases: Vec<_> = many(0.55, 20, 40).chain(many(0.65, 10, 40)).chain(many(0.95, 1, 1)).collect();
        let knots = knots(&cases);
        assert_eq!(knots.len(), 2, "{knots:?}");
        assert!(knots[0].1 < 0.5 && knots[1].1 > 0.9, "{knots:?}");
    }

    /// Goal: suspicions that come true seldom are scaled down. Method: one in a hundred.
    #[test]
    fn suspicions_are_scaled() {
        let cases: Vec<_> = (0..100).map(|n| (0.4, n == 0)).collect();
        assert!((suspect_scale(&cases) - SUSPECT_SCALE_MIN).abs() < 1e-9);
        assert!((suspect_scale(&[]) - 1.0).abs() < 1e-9);
    }
}
