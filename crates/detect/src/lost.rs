//! Detect, lost objects: what looking through the process's memory for pointers says about a place.
//! In: how many of the place's old objects were looked for, and how many nothing points at. Out: lost, still known, or no
//! answer.
//!
//! Unreachability is the one sign that tells a leak from a cache that is filling: it asks nothing of time, rate or load. It is
//! also one-sided. A word that merely looks like an address keeps an object "known", and of a chain whose head is forgotten
//! only the first link has nothing that points at it; so many known objects do not prove that a place is healthy.

use crate::config::DetectConfig;
use memguard_model::{ProcessModel, TraceTally};
use statrs::function::beta::beta_reg;

/// Fewest lost objects that prove anything.
const LOST_MIN: usize = 3;
/// Fewest judged objects of which none is lost that show that a place is known.
const KNOWN_MIN: usize = 6;
/// The highest confidence that it gives: pointers may be hidden in ways that nobody has thought of.
const CONFIDENCE_MAX: f64 = 0.98;
/// Prior of the lost share, as of a beta distribution: mostly none or all.
const PRIOR: (f64, f64) = (0.2, 0.8);
/// Probability that a share must have.
const SURE: f64 = 0.9;
/// Objects elsewhere of which so large a share is lost show that the program hides its pointers.
const HIDDEN_SHARE: f64 = 0.4;
const HIDDEN_JUDGED_MIN: usize = 12;

/// What is known of a place's objects.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Reach {
    /// They were not looked for, or too few to tell.
    Unknown,
    /// The program still knows practically all of them.
    Known(TraceTally),
    /// So large a share of them is lost.
    Lost {
        /// What was counted.
        tally: TraceTally,
        /// Posterior mean of the lost share.
        share: f64,
        /// Probability that objects are lost here.
        confidence: f64,
    },
}

impl Reach {
    /// Reads a tally.
    pub fn of(tally: TraceTally) -> Self {
        let lost = tally.lost as f64;
        let known = tally.judged.saturating_sub(tally.lost) as f64;
        let above = |share: f64| 1.0 - beta_reg(PRIOR.0 + lost, PRIOR.1 + known, share);
        let share = (PRIOR.0 + lost) / (lost + known + 1.0);
        if tally.lost >= LOST_MIN && above(0.5) > SURE {
            return Self::Lost { tally, share, confidence: (1.0 - 0.35 / (lost + 0.5)).min(CONFIDENCE_MAX) };
        }
        if tally.lost >= 2 * LOST_MIN && above(0.1) > SURE {
            return Self::Lost { tally, share, confidence: 0.85 };
        }
        if tally.judged >= KNOWN_MIN && above(0.1) < 1.0 - SURE {
            return Self::Known(tally);
        }
        Self::Unknown
    }

    /// Whether practically all are known.
    pub const fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }
}

/// Whether the program keeps its pointers in a form that looking for them does not find: then places that do not grow would
/// have lost objects too, here and there. `suspect`: places that grow.
pub(crate) fn hides_pointers(model: &ProcessModel, suspect: &dyn Fn(memguard_model::SiteId) -> bool) -> bool {
    let mut judged = 0;
    let mut lost = 0;
    let mut places = 0;
    for site in model.sites().filter(|site| !site.traced().is_empty() && !suspect(site.id())) {
        let tally = site.traced().tally(site.live());
        judged += tally.judged;
        lost += tally.lost;
        places += usize::from(tally.lost > 0);
    }
    judged >= HIDDEN_JUDGED_MIN && places >= 3 && lost as f64 > HIDDEN_SHARE * judged as f64
}

/// Objects of a place that are old enough to be asked for.
pub(crate) fn old_enough_ns(config: &DetectConfig, now_ns: u64) -> u64 {
    now_ns.saturating_sub((config.min_age_s * 1e9) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(judged: usize, lost: usize) -> Reach {
        Reach::of(TraceTally { judged, lost })
    }

    #[test]
    fn few_say_nothing() {
        assert_eq!(of(0, 0), Reach::Unknown);
        assert_eq!(of(2, 2), Reach::Unknown);
        assert_eq!(of(4, 0), Reach::Unknown);
    }

    #[test]
    fn all_lost_is_surer_with_more() {
        let Reach::Lost { confidence: few, .. } = of(3, 3) else { panic!() };
        let Reach::Lost { confidence: many, .. } = of(30, 30) else { panic!() };
        assert!((0.9..0.91).contains(&few) && (0.97..=0.98).contains(&many), "{few} {many}");
    }

    #[test]
    fn one_in_many_is_a_word_that_hides_nothing() {
        assert!(of(48, 0).is_known());
        assert!(of(48, 1).is_known());
        assert!(matches!(of(48, 48), Reach::Lost { .. }));
        assert!(matches!(of(48, 20), Reach::Lost { confidence, .. } if confidence < 0.9));
        assert_eq!(of(20, 3), Reach::Unknown);
    }
}
