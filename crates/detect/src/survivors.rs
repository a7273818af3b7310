//! Detect, survivors: the cohort test that heap and resources share.
//! In: a [`Population`] (what is alive, how long others lived, a second clock) and [`Rules`]. Out: the [`Survivors`]
//! that keep coming, or nothing.
//!
//! Windows: the whole run, its last half, its last quarter. In each:
//! 1. age bar: twice the lifetime that 99 % of the ended stayed below; younger objects are not judged;
//! 2. start-up (the first tenth of the run) is left out;
//! 3. tail hazard: objects past the bar do not end any more (else: a cache, a time-out, a batch);
//! 4. spread: births of the survivors come from all over the window (else: one burst);
//! 5. undiminished: the last third grows like what came before, by time and by the second clock
//!    (else: warm-up, plateau, a filled cache);
//! 6. no deceleration against the span before the window;
//! 7. where objects are recorded one by one: those too young to be judged are not far fewer than they should be.

use crate::cohorts::{Cohorts, rate_ratio_above};
use crate::thinning::{Tally, Thinning, mean_size_bytes};
use memguard_model::{EndedLives, LiveSample, Site};

/// Share of the earlier rate that growth must keep up.
const UNDIMINISHED_SHARE: f64 = 0.7;
/// Probability of undiminished growth below which a look refutes it.
const SUPPORT_MIN: f64 = 0.15;
/// Probability of outliving the window that an object past the age bar must have.
const OUTLIVE_MIN: f64 = 0.5;
/// Start-up, as a share of the run.
const STARTUP_SHARE: f64 = 0.1;
/// Share of the survivors' rate that the youngest must keep up, and the probability below which they do not.
const YOUNG_SHARE: f64 = 0.5;
const YOUNG_SUPPORT_MIN: f64 = 0.03;

/// Objects of one kind, as of one look.
pub(crate) struct Population<'a> {
    /// What is alive, in order of birth.
    pub live: &'a [LiveSample],
    /// Lifetime that 99 % of the ended stayed below, in ns.
    pub q99_ns: u64,
    /// Lives ended since the beginning.
    pub ended: EndedLives,
    /// Lives ended lately, and since when these are counted.
    pub ended_recently: (u64, EndedLives),
    /// Living ones that were seen in use past the age bar: as good as an end, they were not forgotten.
    pub revived: f64,
    /// A second clock, which never decreases.
    pub clock: Option<&'a dyn Fn(u64) -> f64>,
    /// How rarely they were sampled when.
    pub thinning: Thinning<'a>,
}

impl<'a> Population<'a> {
    /// The population of a site, with other live samples than its own where some are left out.
    pub fn of(
        site: &Site,
        live: &'a [LiveSample],
        clock: Option<&'a dyn Fn(u64) -> f64>,
        thinning: Thinning<'a>,
    ) -> Self {
        Self {
            thinning,
            live,
            q99_ns: site.lifetime_q99_ns(),
            ended: site.ended().clone(),
            ended_recently: site.ended_recently(),
            revived: 0.0,
            clock,
        }
    }
}

/// In what heap and resources differ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Youngest age bar, in ns.
    pub min_age_ns: u64,
    /// Fewest survivors.
    pub samples_min: usize,
    /// Largest share of a window that may be too young to judge.
    pub young_share_max: f64,
    /// Whether the whole run is judged with a lower bar when that share is exceeded, instead of not at all.
    pub lower_bar: bool,
    /// Whether the young must show that growth goes on.
    pub ask_young: bool,
}

/// A span of time under test, ns on the process clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub start_ns: u64,
    pub now_ns: u64,
    pub whole_run: bool,
}

/// Growth that passed the test in one window.
#[derive(Debug, Clone)]
pub(crate) struct Survivors<'a> {
    pub window: Window,
    pub age_bar_ns: u64,
    pub samples: &'a [LiveSample],
    pub cohorts: Cohorts,
    /// Probability that one past the bar outlives the window.
    pub outlive: f64,
    /// Probability that growth is undiminished.
    pub support: f64,
}

impl<'a> Survivors<'a> {
    /// The longest window that is not refuted, with the support of the best one.
    pub fn of(population: &Population<'a>, rules: Rules, now_ns: u64) -> Option<Self> {
        let startup_ns = (now_ns as f64 * STARTUP_SHARE) as u64;
        let windows = [
            Window { start_ns: startup_ns, now_ns, whole_run: true },
            Window { start_ns: now_ns / 2, now_ns, whole_run: false },
            Window { start_ns: now_ns - now_ns / 4, now_ns, whole_run: false },
        ];
        let mut passing = windows.into_iter().filter_map(|window| Self::test(population, rules, window));
        let mut longest = passing.next()?;
        longest.support = passing.fold(longest.support, |best, other| best.max(other.support));
        Some(longest)
    }

    fn test(population: &Population<'a>, rules: Rules, window: Window) -> Option<Self> {
        let now_ns = window.now_ns;
        let length_ns = now_ns - window.start_ns;
        let bar_ns = (2 * population.q99_ns).max(rules.min_age_ns);
        let bar_max_ns = (length_ns as f64 * rules.young_share_max) as u64;
        if bar_ns > bar_max_ns && !(window.whole_run && rules.lower_bar) {
            return None;
        }
        let age_bar_ns = bar_ns.min(bar_max_ns);
        let frontier_ns = now_ns - age_bar_ns;

        let samples = born_between(population.live, window.start_ns, frontier_ns);
        if samples.len() < rules.samples_min {
            return None;
        }
        let outlive = outlive(population, window, age_bar_ns);
        if outlive < OUTLIVE_MIN {
            return None;
        }
        let many = if window.whole_run && samples.len() >= 36 { 12 } else { 9 };
        let size_bytes = mean_size_bytes(samples);
        let between = |edges: &[u64]| Cohorts::between(samples, edges, population.thinning, size_bytes);
        let cohorts = between(&even_edges(window.start_ns, frontier_ns, many));
        if !cohorts.spread() || (rules.ask_young && !still_coming(population, window, frontier_ns, &cohorts))
        {
            return None;
        }
        let by_clock = population.clock.map_or_else(
            || cohorts.clone(),
            |clock| between(&clock_edges(clock, window.start_ns, frontier_ns, many)),
        );
        let share = UNDIMINISHED_SHARE;
        // A quiet stretch slows one clock but not both: only when both have slowed lately has growth.
        let lately = cohorts.undiminished_lately(share).max(by_clock.undiminished_lately(share));
        let mut support = cohorts.undiminished(share).min(by_clock.undiminished(share)).min(lately);
        if !window.whole_run {
            support = support.min(not_slower_than_before(population, window, frontier_ns, &cohorts));
        }
        (support > SUPPORT_MIN).then_some(Self { window, age_bar_ns, samples, cohorts, outlive, support })
    }

    /// Births later than this were not judged, ns on the process clock.
    pub fn frontier_ns(&self) -> u64 {
        self.window.now_ns - self.age_bar_ns
    }

    /// Span of time in which the survivors were born, in seconds.
    pub fn span_s(&self) -> f64 {
        (self.frontier_ns() - self.window.start_ns) as f64 / 1e9
    }

    /// Length of the window, in seconds.
    pub fn window_s(&self) -> f64 {
        (self.window.now_ns - self.window.start_ns) as f64 / 1e9
    }
}

/// Those of a list in order of birth that were born between two times.
pub(crate) fn born_between(live: &[LiveSample], from_ns: u64, to_ns: u64) -> &[LiveSample] {
    let from = live.partition_point(|sample| sample.born_ns < from_ns);
    let to = live.partition_point(|sample| sample.born_ns < to_ns);
    live.get(from..to).unwrap_or_default()
}

/// Probability that an object past the age bar outlives the window, from deaths and exposure past the bar. Both are
/// counted as they were sampled, like the lifetimes behind the bar: whether an object is sampled has nothing to do with how
/// long it will live, so a change of the interval leaves their ratio alone, while weights would only add noise.
fn outlive(population: &Population<'_>, window: Window, age_bar_ns: u64) -> f64 {
    let (since_ns, recent) = &population.ended_recently;
    let ended = if window.whole_run || *since_ns > window.start_ns { &population.ended } else { recent };
    let (deaths, lived_ns) = ended.past(age_bar_ns);
    let frontier_ns = window.now_ns - age_bar_ns;
    let exposure_ns: f64 = born_between(population.live, window.start_ns, frontier_ns)
        .iter()
        .map(|sample| (frontier_ns - sample.born_ns) as f64)
        .sum();
    let hazard = (deaths + population.revived + 0.5) / (exposure_ns + lived_ns).max(1.0);
    (-hazard * (window.now_ns - window.start_ns) as f64).exp()
}

/// Whether those born after the frontier are as many as growth asks for. Short-lived ones are among them, so many
/// prove nothing; too few prove that growth has ended.
fn still_coming(population: &Population<'_>, window: Window, frontier_ns: u64, cohorts: &Cohorts) -> bool {
    let young = tally_between(population, frontier_ns, window.now_ns + 1);
    let (span, before) =
        ((window.now_ns - frontier_ns) as f64 / 1e9, (frontier_ns - window.start_ns) as f64 / 1e9);
    let support = rate_ratio_above(young, span, cohorts.total(), before, YOUNG_SHARE, cohorts.dispersion());
    support > YOUNG_SUPPORT_MIN
}

/// Probability that the window's survivors come at no less than the tolerated share of the rate before it.
fn not_slower_than_before(
    population: &Population<'_>,
    window: Window,
    frontier_ns: u64,
    cohorts: &Cohorts,
) -> f64 {
    let span_ns = frontier_ns - window.start_ns;
    let before = tally_between(population, window.start_ns.saturating_sub(span_ns), window.start_ns);
    rate_ratio_above(cohorts.total(), 1.0, before, 1.0, UNDIMINISHED_SHARE, cohorts.dispersion())
}

fn tally_between(population: &Population<'_>, from_ns: u64, to_ns: u64) -> Tally {
    let samples = born_between(population.live, from_ns, to_ns);
    population.thinning.tally(samples, from_ns, to_ns, mean_size_bytes(population.live))
}

fn even_edges(from_ns: u64, to_ns: u64, many: usize) -> Vec<u64> {
    let step = (to_ns - from_ns) as f64 / many as f64;
    (0..=many).map(|index| from_ns + (step * index as f64) as u64).collect()
}

/// Times at which the second clock passes equal spans between the two times.
fn clock_edges(clock: &dyn Fn(u64) -> f64, from_ns: u64, to_ns: u64, many: usize) -> Vec<u64> {
    let (first, last) = (clock(from_ns), clock(to_ns));
    let edge = |index: usize| {
        let wanted = first + (last - first) * index as f64 / many as f64;
        let (mut low, mut high) = (from_ns, to_ns);
        for _ in 0..40 {
            let middle = low + (high - low) / 2;
            if clock(middle) < wanted { low = middle } else { high = middle }
        }
        if index == 0 { from_ns } else { high }
    };
    (0..=many).map(edge).collect()
}
