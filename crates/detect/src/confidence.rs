//! Detect, confidence: the one place where evidence becomes the confidence that is told.
//! In: what a finding rests on, and the score that rules give it. Out: a confidence that is meant as a share.
//!
//! Scores are ordered rightly but say less or more than is true. The last step is a map, rising, one for each [`Basis`], fitted
//! on programs split from those that the error rates are measured on (`calibration.rs`). What is not shown stays so, and
//! what is shown, too: a score of 0.5 is a decision, not a share.

use crate::calibration::{Map, map};
use crate::finding::Kind;
use memguard_model::SiteId;
use std::fmt;

/// Score, and confidence, from which a finding is shown.
pub const SHOWN: f64 = 0.5;
/// Highest confidence of what is not shown.
const SUSPECT_MAX: f64 = 0.45;

/// What the confidence of a finding rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// Growth of the heap; whether the program still points at it is not known.
    Growth,
    /// Growth of the heap that the program still points at.
    Known,
    /// Objects that nothing points at.
    Lost,
    /// Growth of what no object survives: a container, a queue.
    Shape,
    /// Growth of what is held beside memory.
    Held,
    /// What the kernel says.
    State,
    /// What the allocator holds.
    Fragmentation,
}

impl Basis {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Growth, Self::Known, Self::Lost, Self::Shape, Self::Held, Self::State, Self::Fragmentation];

    /// The highest confidence that is told: growth alone is never sure, and least where the program still points at it.
    pub const fn cap(self) -> f64 {
        match self {
            Self::Known | Self::Shape => 0.75,
            Self::Growth => 0.85,
            Self::Held | Self::Fragmentation => 0.89,
            Self::Lost | Self::State => 0.98,
        }
    }

    /// Whether it rests on something that was seen, and not on how numbers move: then the rules' score stands. How often
    /// such a thing is a leak depends on which programs are asked, more than on the score.
    pub const fn is_seen(self) -> bool {
        matches!(self, Self::Lost | Self::State)
    }

    pub(crate) fn of(kind: Kind, is_heap: bool, at_once: bool) -> Self {
        match (kind, at_once, is_heap) {
            (Kind::ContainerGrowing | Kind::QueueBacklog, ..) => Self::Shape,
            (Kind::AllocatorFragmentation, ..) => Self::Fragmentation,
            (_, true, true) => Self::Lost,
            (_, true, false) => Self::State,
            (Kind::CacheUnbounded, false, true) => Self::Known,
            (_, false, true) => Self::Growth,
            (_, false, false) => Self::Held,
        }
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// A finding before its score becomes a confidence: what calibration is fitted to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The place.
    pub site: SiteId,
    /// What it rests on.
    pub basis: Basis,
    /// What the rules give it, 0 to 1.
    pub value: f64,
}

/// The confidence of a score.
pub(crate) fn confidence(basis: Basis, score: f64) -> f64 {
    let Map { suspect_scale, knots } = map(basis);
    if score < SHOWN {
        return (score * suspect_scale).min(SUSPECT_MAX);
    }
    let (Some(first), Some(last)) = (knots.first(), knots.last()) else { return score.min(basis.cap()) };
    let fitted = if score <= first.0 {
        first.1
    } else if score >= last.0 {
        last.1
    } else {
        let after = knots.partition_point(|knot| knot.0 < score);
        let (from, to) = (knots[after - 1], knots[after]);
        from.1 + (to.1 - from.1) * (score - from.0) / (to.0 - from.0)
    };
    fitted.clamp(SHOWN, basis.cap())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: maps rise, keep to their caps, and do not change what is shown. Method: every hundredth.
    #[test]
    fn maps_rise_within_their_caps() {
        for basis in Basis::ALL {
            let mut before = 0.0;
            for score in 0..=100 {
                let score = f64::from(score) / 100.0;
                let told = confidence(basis, score);
                assert!(told >= before && told <= basis.cap(), "{basis} {score} {told}");
                assert_eq!(told >= SHOWN, score >= SHOWN, "{basis} {score} {told}");
                before = told;
            }
        }
    }
}
