//! Detect, heap growth: a site whose objects, once past the age at which others are freed, are never freed,
//! and of which new ones keep coming.
//! In: live samples with births, ended lives, the bytes-allocated clock. Out: [`Suspicion`]s.
//!
//! The cohort survivor test. Three windows (the whole run, its last half, its last quarter); in each:
//! 1. age bar: twice the lifetime that 99 % of the freed stayed below; younger objects are not judged;
//! 2. start-up (the first tenth of the run) is left out;
//! 3. tail hazard: objects past the bar are not freed any more (else: a cache, a time-out, a batch);
//! 4. spread: births of the survivors come from all over the window (else: one burst);
//! 5. undiminished: the last third grows like what came before, by the clock and per byte allocated
//!    (else: warm-up, plateau, a filled cache);
//! 6. no deceleration against the span before the window.

use crate::batch::Batch;
use crate::cohorts::{Cohorts, rate_ratio_above};
use crate::config::DetectConfig;
use crate::detector::{Detector, Suspicion};
use crate::finding::{Evidence, Kind, Pattern};
use crate::words;
use memguard_model::{LiveSample, ProcessModel, Site, SiteId};
use memguard_sampling::{Estimate, estimate_bytes, estimate_count};

/// Share of the earlier rate that growth must keep up.
const UNDIMINISHED_SHARE: f64 = 0.7;
/// Probability of undiminished growth below which a look refutes it.
const SUPPORT_MIN: f64 = 0.15;
/// Probability of outliving the window that an object past the age bar must have.
const OUTLIVE_MIN: f64 = 0.5;
/// Largest share of a window that may be too young to judge.
const YOUNG_SHARE_MAX: f64 = 0.4;
/// Start-up, as a share of the run.
const STARTUP_SHARE: f64 = 0.1;

/// The detector.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeapGrowth;

impl Detector for HeapGrowth {
    fn examine(&self, model: &ProcessModel, config: &DetectConfig) -> Vec<Suspicion> {
        // Judged as of the last scan of the live table: later totals know of deaths that `live` does not.
        let Some(now_ns) = model.live_at_ns() else { return Vec::new() };
        let mut batch = None;
        let mut suspicions = Vec::new();
        for site in model.sites() {
            if site.live().len() < config.samples_min {
                continue;
            }
            if let Some(growth) = Growth::of(model, site, config, now_ns) {
                let batch = batch.get_or_insert_with(|| Batch::of(model));
                suspicions.extend(growth.suspicion(site, config, *batch));
            }
        }
        suspicions
    }
}

/// A span of time under test, ns on the process clock.
#[derive(Debug, Clone, Copy)]
struct Window {
    start_ns: u64,
    now_ns: u64,
    whole_run: bool,
}

/// Growth of one site that passed the test in one window.
#[derive(Debug, Clone)]
struct Growth<'a> {
    window: Window,
    now_ns: u64,
    age_bar_ns: u64,
    survivors: &'a [LiveSample],
    cohorts: Cohorts,
    outlive: f64,
    support: f64,
}

impl<'a> Growth<'a> {
    /// The longest window that is not refuted, with the support of the best one.
    fn of(model: &ProcessModel, site: &'a Site, config: &DetectConfig, now_ns: u64) -> Option<Self> {
        let startup_ns = (now_ns as f64 * STARTUP_SHARE) as u64;
        let windows = [
            Window { start_ns: startup_ns, now_ns, whole_run: true },
            Window { start_ns: now_ns / 2, now_ns, whole_run: false },
            Window { start_ns: now_ns - now_ns / 4, now_ns, whole_run: false },
        ];
        let mut passing = windows.into_iter().filter_map(|window| Self::test(model, site, config, window));
        let mut longest = passing.next()?;
        longest.support = passing.fold(longest.support, |best, other| best.max(other.support));
        Some(longest)
    }

    fn test(model: &ProcessModel, site: &'a Site, config: &DetectConfig, window: Window) -> Option<Self> {
        let now_ns = window.now_ns;
        let length_ns = now_ns - window.start_ns;
        let bar_ns = (2 * site.lifetime_q99_ns()).max((config.min_age_s * 1e9) as u64);
        let bar_max_ns = (length_ns as f64 * YOUNG_SHARE_MAX) as u64;
        if bar_ns > bar_max_ns && !window.whole_run {
            return None;
        }
        let age_bar_ns = bar_ns.min(bar_max_ns);
        let frontier_ns = now_ns - age_bar_ns;

        let survivors = born_between(site.live(), window.start_ns, frontier_ns);
        if survivors.len() < config.samples_min {
            return None;
        }
        let outlive = outlive(site, window, age_bar_ns);
        if outlive < OUTLIVE_MIN {
            return None;
        }
        let births: Vec<u64> = survivors.iter().map(|sample| sample.born_ns).collect();
        let many = if window.whole_run && births.len() >= 36 { 12 } else { 9 };
        let cohorts = Cohorts::between(&births, &even_edges(window.start_ns, frontier_ns, many));
        if !cohorts.spread() {
            return None;
        }
        let by_bytes = Cohorts::between(&births, &byte_edges(model, window.start_ns, frontier_ns, many));
        let share = UNDIMINISHED_SHARE;
        // A quiet stretch slows one clock but not both: only when both have slowed lately has growth.
        let lately = cohorts.undiminished_lately(share).max(by_bytes.undiminished_lately(share));
        let mut support = cohorts.undiminished(share).min(by_bytes.undiminished(share)).min(lately);
        if !window.whole_run {
            support = support.min(not_slower_than_before(site, window, frontier_ns, &cohorts));
        }
        (support > SUPPORT_MIN).then_some(Self {
            window,
            now_ns,
            age_bar_ns,
            survivors,
            cohorts,
            outlive,
            support,
        })
    }

    fn suspicion(&self, site: &Site, config: &DetectConfig, batch: Batch) -> Option<Suspicion> {
        let interval = config.sample_interval_bytes;
        // What surely stays: the objects of the window that are past the age bar.
        let staying = estimate_bytes(self.survivors.iter().map(sized), interval);
        if staying.low < config.leaked_bytes_min {
            return None;
        }
        let count = estimate_count(
            self.survivors.iter().map(|sample| sample.inclusion_probability),
            interval,
            self.typical_size(),
        );
        let span_s = (self.now_ns - self.age_bar_ns - self.window.start_ns) as f64 / 1e9;
        let bytes_per_s = staying.value / span_s;
        let count_per_s = count.value / span_s;
        // What is leaked by now: the same rate over the whole time that the leak has been on.
        let leaking_s = self.leaking_s(site, bytes_per_s, interval);
        let bytes = scaled(staying, leaking_s / span_s);
        let count = scaled(count, leaking_s / span_s);
        let id: SiteId = site.id();
        Some(Suspicion {
            pattern: Pattern::Leaks,
            kind: Kind::HeapGrowth,
            site: id,
            stack: Site::heaviest_stack(self.survivors)?,
            bytes,
            count,
            bytes_per_s,
            count_per_s,
            support: self.support,
            window_s: (self.now_ns - self.window.start_ns) as f64 / 1e9,
            frontier_ns: self.now_ns - self.age_bar_ns,
            samples_per_s: self.survivors.len() as f64 / span_s,
            dispersion: self.cohorts.dispersion(),
            maturity_s: config.maturity_at(bytes_per_s)
                * batch.patience(bytes_per_s, config.fill_bytes_per_s),
            detail: detail(bytes, count, leaking_s),
            suggested_fix: suggested_fix(site),
            evidence: self.evidence(site, bytes, batch),
        })
    }

    /// How long the leak has been on, in seconds: from the window's start until now, and the start-up before it too if
    /// what was born then stayed at no less than half the rate.
    fn leaking_s(&self, site: &Site, bytes_per_s: f64, interval: f64) -> f64 {
        let head_s = self.window.start_ns as f64 / 1e9;
        let head = born_between(site.live(), 0, self.window.start_ns);
        let head_bytes = estimate_bytes(head.iter().map(sized), interval).value;
        let was_on = self.window.whole_run && head_bytes >= 0.5 * bytes_per_s * head_s;
        (self.now_ns - if was_on { 0 } else { self.window.start_ns }) as f64 / 1e9
    }

    fn typical_size(&self) -> f64 {
        let total: f64 = self.survivors.iter().map(|sample| sample.size_bytes as f64).sum();
        total / self.survivors.len().max(1) as f64
    }

    fn evidence(&self, site: &Site, bytes: Estimate, batch: Batch) -> Vec<Evidence> {
        let totals = site.totals();
        let fact = |what: &str, value: String| Evidence { what: what.to_owned(), value };
        let mut facts = vec![
            fact(
                "bytes leaked by now, 95 % interval",
                format!("{} to {}", words::bytes(bytes.low), words::bytes(bytes.high)),
            ),
            fact("sampled objects behind this estimate", self.survivors.len().to_string()),
            fact("age past which objects were judged", words::seconds(self.age_bar_ns as f64 / 1e9)),
            fact(
                "share of objects from here that were freed",
                words::percent(totals.died_count / totals.born_count.max(1.0)),
            ),
        ];
        if totals.deaths > 0 {
            let q99_s = site.lifetime_q99_ns() as f64 / 1e9;
            facts.push(fact("99 % of the freed ones lived less than", words::seconds(q99_s)));
        }
        facts.extend([
            fact("chance that one past that age is still freed", words::percent(1.0 - self.outlive)),
            fact(
                "spans of the run with births that stayed",
                format!("{} of {}", self.cohorts.occupied(), self.cohorts.len()),
            ),
            fact("largest share of one span", words::percent(self.cohorts.largest_share())),
            fact("probability that growth is undiminished", words::percent(self.support)),
            fact("places that grow at once (effective)", format!("{:.1}", batch.breadth)),
        ]);
        if let Some(share) = batch.cpu_share {
            facts.push(fact("share of one processor used", words::percent(share)));
        }
        facts
    }
}

fn scaled(estimate: Estimate, factor: f64) -> Estimate {
    Estimate { value: estimate.value * factor, low: estimate.low * factor, high: estimate.high * factor }
}

fn detail(bytes: Estimate, count: Estimate, span_s: f64) -> String {
    format!(
        "{} objects ({}) allocated here over {} were never freed, {} a second, and growth goes on",
        words::count(count.value),
        words::bytes(bytes.value),
        words::seconds(span_s),
        words::bytes(bytes.value / span_s),
    )
}

fn suggested_fix(site: &Site) -> String {
    let totals = site.totals();
    if totals.died_count > 0.2 * totals.born_count {
        "Most objects from here are freed, some never: look at the early returns and error paths after this \
         allocation and free the object on each of them (or let a scope guard own it)"
            .to_owned()
    } else {
        "Nothing that frees these objects ever runs: free them when their user is done, or, if they are kept \
         on purpose in a container or cache, give it a size limit or an expiry"
            .to_owned()
    }
}

fn sized(sample: &LiveSample) -> (u64, f64) {
    (sample.size_bytes, sample.inclusion_probability)
}

fn born_between(live: &[LiveSample], from_ns: u64, to_ns: u64) -> &[LiveSample] {
    let from = live.partition_point(|sample| sample.born_ns < from_ns);
    let to = live.partition_point(|sample| sample.born_ns < to_ns);
    live.get(from..to).unwrap_or_default()
}

/// Probability that an object past the age bar outlives the window, from deaths and exposure past the bar.
fn outlive(site: &Site, window: Window, age_bar_ns: u64) -> f64 {
    let (since_ns, recent) = site.ended_recently();
    let ended = if window.whole_run || since_ns > window.start_ns { site.ended() } else { &recent };
    let (deaths, lived_ns) = ended.past(age_bar_ns);
    let frontier_ns = window.now_ns - age_bar_ns;
    let exposure_ns: f64 = born_between(site.live(), window.start_ns, frontier_ns)
        .iter()
        .map(|sample| (frontier_ns - sample.born_ns) as f64)
        .sum();
    let hazard = (deaths + 0.5) / (exposure_ns + lived_ns).max(1.0);
    (-hazard * (window.now_ns - window.start_ns) as f64).exp()
}

/// Probability that the window's survivors come at no less than the tolerated share of the rate before it.
fn not_slower_than_before(site: &Site, window: Window, frontier_ns: u64, cohorts: &Cohorts) -> f64 {
    let span_ns = frontier_ns - window.start_ns;
    let before = born_between(site.live(), window.start_ns.saturating_sub(span_ns), window.start_ns);
    rate_ratio_above(cohorts.total(), 1.0, before.len() as f64, 1.0, UNDIMINISHED_SHARE, cohorts.dispersion())
}

fn even_edges(from_ns: u64, to_ns: u64, many: usize) -> Vec<u64> {
    let step = (to_ns - from_ns) as f64 / many as f64;
    (0..=many).map(|index| from_ns + (step * index as f64) as u64).collect()
}

/// Times at which the bytes-allocated clock passes equal spans between the two times.
fn byte_edges(model: &ProcessModel, from_ns: u64, to_ns: u64, many: usize) -> Vec<u64> {
    let (first, last) = (model.born_bytes_at(from_ns), model.born_bytes_at(to_ns));
    (0..=many)
        .map(|index| {
            let wanted = first + (last - first) * index as f64 / many as f64;
            let (mut low, mut high) = (from_ns, to_ns);
            for _ in 0..40 {
                let middle = low + (high - low) / 2;
                if model.born_bytes_at(middle) < wanted { low = middle } else { high = middle }
            }
            if index == 0 { from_ns } else { high }
        })
        .collect()
}
