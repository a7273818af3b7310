//! Detect, cases: one suspicion followed over successive looks.
//! In: [`Growing`] and misses of one subject. Out: a confidence.
//!
//! Looking often finds something by chance. Two things guard against that: several looks, apart by a share of
//! the window, must agree; and a test martingale bets, on births that came *after* the suspicion arose, that
//! growth keeps its rate against the alternative that it has halved. Under that alternative the wealth
//! exceeds `1/alpha` with probability at most alpha, however often one looks (exactly for Poisson births;
//! dividing by the dispersion is approximate).

use crate::config::DetectConfig;
use crate::detector::Growing;
use crate::thinning::Tally;

/// Wealth at which growth counts as confirmed: 20, that is alpha = 0.05.
const LN_WEALTH_CONFIRMED: f64 = 2.995_732_273_553_991;
/// Cap while the process is too young or too few looks agree: never shown by default.
const CAP_SUSPECT: f64 = 0.45;
/// Cap of what rests on looks close together.
const CAP_UNCONFIRMED: f64 = 0.7;
/// Looks, as a share of the window, that count as separate.
const LOOK_GAP_SHARE: f64 = 0.04;
/// From the window, which leaves out start-up, to the span it stands for.
const WINDOW_TO_SPAN: f64 = 1.0 / 0.9;
/// Support that a look needs to open a case.
const SUPPORT_TO_OPEN: f64 = 0.5;
/// Support that a look needs to count as one more that agrees; below it is neutral.
const SUPPORT_TO_COUNT: f64 = 0.35;
/// Wealth that refutes the case.
const LN_WEALTH_REFUTED: f64 = -2.0;
/// Births to expect before their absence says anything.
const EXPECTED_MIN: f64 = 1.5;
/// Misses in a row that close a case: a look that refutes it counts twice, a neutral one once.
const MISSES_MAX: u32 = 6;

/// Suspected growth and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Case {
    last: Growing,
    counted: u32,
    counted_at_ns: u64,
    misses: u32,
    missed_at_ns: u64,
    frontier_ns: u64,
    first_frontier_ns: u64,
    reference_per_s: f64,
    ln_wealth: f64,
}

impl Case {
    /// Opens a case, if the look supports one.
    pub fn open(growing: Growing, now_ns: u64) -> Option<Self> {
        (growing.support >= SUPPORT_TO_OPEN).then(|| Self {
            counted: 1,
            counted_at_ns: now_ns,
            misses: 0,
            missed_at_ns: now_ns,
            frontier_ns: growing.frontier_ns,
            first_frontier_ns: growing.frontier_ns,
            reference_per_s: cautious_rate(&growing),
            ln_wealth: 0.0,
            last: growing,
        })
    }

    /// Another look that does not refute it; `born` counts births between two times that stay.
    /// Returns whether the case is to be closed.
    pub fn support(
        &mut self,
        growing: Growing,
        born: &dyn Fn(u64, u64) -> Tally,
        config: &DetectConfig,
        now_ns: u64,
    ) -> bool {
        self.last = growing;
        if self.due(self.counted_at_ns, config, now_ns) {
            let Some(grew) = self.bet(born) else { return false };
            self.counted_at_ns = now_ns;
            if self.ln_wealth < LN_WEALTH_REFUTED {
                self.rebase();
            } else if grew && self.last.support >= SUPPORT_TO_COUNT {
                self.counted += 1;
                self.misses = 0;
            } else {
                self.misses += 1;
            }
        }
        self.misses >= MISSES_MAX
    }

    /// A look that does not. Returns whether the case is to be closed.
    pub fn miss(&mut self, config: &DetectConfig, now_ns: u64) -> bool {
        if self.due(self.missed_at_ns.max(self.counted_at_ns), config, now_ns) {
            self.misses += 2;
            self.missed_at_ns = now_ns;
        }
        self.misses >= MISSES_MAX
    }

    fn due(&self, since_ns: u64, config: &DetectConfig, now_ns: u64) -> bool {
        let gap_s = config.look_gap_s.max(LOOK_GAP_SHARE * self.last.window_s);
        // A tenth of slack: polls are never exactly on time.
        (now_ns - since_ns) as f64 / 1e9 > 0.9 * gap_s
    }

    /// Bets on the births between the last frontier and this one, and says whether there were any. `None`
    /// when it is too early to expect some.
    fn bet(&mut self, born: &dyn Fn(u64, u64) -> Tally) -> Option<bool> {
        let frontier_ns = self.last.frontier_ns;
        if frontier_ns <= self.frontier_ns {
            return None;
        }
        let fresh = born(self.frontier_ns, frontier_ns);
        let span_s = (frontier_ns - self.frontier_ns) as f64 / 1e9;
        // As many samples were to be expected, and as many count, as were really drawn.
        let kept = self.reference_per_s / fresh.weight();
        if fresh.samples < 1.0 && kept * span_s < EXPECTED_MIN {
            return None;
        }
        let halved = 0.5 * kept;
        let won = fresh.effective() * (kept / halved).ln() - (kept - halved) * span_s;
        self.ln_wealth += won / self.last.dispersion;
        self.frontier_ns = frontier_ns;
        Some(fresh.samples > 0.0)
    }

    /// Growth goes on, but at another rate than was bet on: start over from here.
    fn rebase(&mut self) {
        self.counted = 1;
        self.ln_wealth = 0.0;
        self.reference_per_s = cautious_rate(&self.last);
        self.first_frontier_ns = self.frontier_ns;
    }

    /// Probability that this is a leak.
    pub fn confidence(&self, now_ns: u64) -> f64 {
        let grown_s = (now_ns as f64 / 1e9).min(WINDOW_TO_SPAN * self.last.window_s);
        let mature = grown_s >= self.last.maturity_s;
        if !mature || self.counted < self.last.looks_to_confirm {
            return CAP_SUSPECT * self.last.support;
        }
        let wealth = (self.ln_wealth / LN_WEALTH_CONFIRMED).clamp(0.0, 1.0);
        // Growth seen for as long again as it took to be suspected.
        let since_ns = self.first_frontier_ns.max((self.last.maturity_least_s * 0.5e9) as u64);
        let lasted = self.frontier_ns as f64 / since_ns as f64 - 1.0;
        let confidence = 0.4 + 0.15 * wealth + 0.15 * lasted.clamp(0.0, 1.0);
        if wealth >= 1.0 && lasted >= 1.0 {
            let further = (lasted / 3.0).clamp(0.0, 1.0) * self.last.support;
            return CAP_UNCONFIRMED + (self.last.confidence_max - CAP_UNCONFIRMED) * further;
        }
        confidence.min(CAP_UNCONFIRMED)
    }
}

/// A rate that growth has at least: a suspicion arises when births happened to be many, so the estimate at
/// that moment is a lucky one; one standard error less is bet on.
fn cautious_rate(growing: &Growing) -> f64 {
    let samples = growing.samples_per_s * growing.window_s / growing.dispersion / growing.weight;
    growing.samples_per_s * (1.0 - 1.0 / samples.max(4.0).sqrt())
}
