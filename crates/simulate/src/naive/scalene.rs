//! Simulate, naive rules: Scalene's leak score. In: lives. Out: the places with a high score at some times.
//!
//! At each new maximum of what the process holds, the object tracked before is scored, freed or not, and the one that made
//! the maximum is tracked.

use crate::life::Life;
use std::collections::{BTreeMap, BTreeSet};

const SCORE_MIN: f64 = 0.95;
/// Growth of what is held that is asked for, as a share of its maximum.
const GROWTH_MIN: f64 = 0.01;

#[derive(Default)]
struct Score {
    tracked: f64,
    freed: f64,
}

impl Score {
    fn value(&self) -> f64 {
        1.0 - (self.freed + 1.0) / (self.tracked - self.freed + 2.0)
    }
}

/// The places with a high score, at each of these times.
pub fn suspects(lives: &[Life], checks_s: &[f64]) -> Vec<BTreeSet<u32>> {
    let mut events: Vec<(f64, bool, usize)> = Vec::with_capacity(2 * lives.len());
    for (index, life) in lives.iter().enumerate() {
        events.push((life.at_s, true, index));
        if life.dies_s.is_finite() {
            events.push((life.dies_s, false, index));
        }
    }
    events.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut events = events.into_iter().peekable();
    let mut scores: BTreeMap<u32, Score> = BTreeMap::new();
    let mut tracked: Option<usize> = None;
    let (mut held, mut most, mut first) = (0.0, 0.0, None);
    let mut all = Vec::new();
    for check_s in checks_s {
        while let Some((at_s, is_birth, index)) = events.next_if(|event| event.0 <= *check_s) {
            let life = &lives[index];
            held += if is_birth { life.weight } else { -life.weight };
            if !is_birth || held <= most {
                continue;
            }
            most = held;
            if let Some(before) = tracked.replace(index) {
                let score = scores.entry(lives[before].site).or_default();
                score.tracked += 1.0;
                score.freed += f64::from(u8::from(lives[before].dies_s <= at_s));
            }
        }
        let first = *first.get_or_insert(held);
        let grows = held - first >= GROWTH_MIN * most;
        let high = scores.iter().filter(|(_, score)| grows && score.value() >= SCORE_MIN);
        all.push(high.map(|(site, _)| *site).collect());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::FOREVER;

    /// Goal: the score as it is written down: 18 tracked and none freed are just enough. Method: the formula.
    #[test]
    fn eighteen_are_enough() {
        assert!(Score { tracked: 18.0, freed: 0.0 }.value() >= SCORE_MIN);
        assert!(Score { tracked: 17.0, freed: 0.0 }.value() < SCORE_MIN);
    }

    /// Goal: what is never freed is a suspect, what goes at once is not. Method: two that stay for one that goes; at one to
    /// one, each new maximum is the one that goes.
    #[test]
    fn leaks_are_suspects() {
        let mut lives = Vec::new();
        for second in 0..50 {
            let at_s = f64::from(second);
            lives.push(Life { site: 1, at_s, dies_s: FOREVER, referenced: false, weight: 1.0 });
            lives.push(Life { site: 1, at_s: at_s + 0.2, dies_s: FOREVER, referenced: false, weight: 1.0 });
            lives.push(Life { site: 2, at_s: at_s + 0.5, dies_s: at_s + 0.6, referenced: true, weight: 1.0 });
        }
        let suspects = suspects(&lives, &[5.0, 60.0]);
        assert_eq!(suspects[1], BTreeSet::from([1]));
        assert!(suspects[0].is_empty());
    }
}
