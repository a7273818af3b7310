//! Simulate, naive rules: an age threshold. In: lives. Out: whether enough objects are too old.

use crate::life::Life;

/// So many median lifetimes are too old.
const MEDIANS: f64 = 10.0;
/// Without any ended life: this share of the run.
const SHARE: f64 = 0.25;
/// Fewest old objects.
const OLD_MIN: usize = 10;

/// Whether ten objects or more are older than ten median lifetimes, or a quarter of the run where none has ended.
pub fn holds_old(lives: &[Life], now_s: f64) -> bool {
    let mut ended: Vec<f64> =
        lives.iter().filter(|life| life.dies_s <= now_s).map(|life| life.dies_s - life.at_s).collect();
    let middle = ended.len() / 2;
    let bar_s = match ended.get(middle) {
        Some(_) => MEDIANS * *ended.select_nth_unstable_by(middle, f64::total_cmp).1,
        None => SHARE * now_s,
    };
    let old = |life: &&Life| life.dies_s > now_s && now_s - life.at_s > bar_s;
    lives.iter().filter(|life| life.at_s <= now_s).filter(old).count() >= OLD_MIN
}
