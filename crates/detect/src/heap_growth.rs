//! Detect, heap growth: a site whose objects, once past the age at which others are freed, are never freed,
//! and of which new ones keep coming.
//! In: live samples with births, ended lives, the bytes-allocated clock. Out: [`Suspicion`]s.
//!
//! The cohort test of `survivors.rs`, with bytes allocated as second clock, and the patience that jobs need.

use crate::batch::Batch;
use crate::config::DetectConfig;
use crate::detector::{Detector, Growing, Subject, Suspicion};
use crate::finding::{Evidence, Kind};
use crate::survivors::{Population, Rules, Survivors, born_between};
use crate::thinning::{Thinning, mean_size_bytes};
use crate::words;
use memguard_model::{Class, LiveSample, ProcessModel, Site};
use memguard_sampling::{Estimate, estimate_bytes, estimate_count};

/// Largest share of a window that may be too young to judge.
const YOUNG_SHARE_MAX: f64 = 0.4;
/// Cap of confirmed growth without evidence of access.
const CONFIDENCE_MAX: f64 = 0.85;

/// The detector.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeapGrowth;

impl Detector for HeapGrowth {
    fn examine(&self, model: &ProcessModel, config: &DetectConfig) -> Vec<Suspicion> {
        // Judged as of the last scan of the live table: later totals know of deaths that `live` does not.
        let Some(now_ns) = model.live_at_ns() else { return Vec::new() };
        let rules = Rules {
            min_age_ns: (config.min_age_s * 1e9) as u64,
            samples_min: config.samples_min,
            young_share_max: YOUNG_SHARE_MAX,
            lower_bar: true,
            ask_young: false,
        };
        let clock = |at_ns| model.born_bytes_at(at_ns);
        let thinning = Thinning::of(model, config.sample_interval_bytes);
        let mut batch = None;
        let mut suspicions = Vec::new();
        for site in model.sites() {
            if site.live().len() < config.samples_min {
                continue;
            }
            let population = Population::of(site, site.live(), Some(&clock), thinning);
            if let Some(survivors) = Survivors::of(&population, rules, now_ns) {
                let batch = batch.get_or_insert_with(|| Batch::of(model));
                suspicions.extend(Growth { site, survivors }.suspicion(config, *batch));
            }
        }
        suspicions
    }
}

/// Growth of one site that passed the test.
struct Growth<'a> {
    site: &'a Site,
    survivors: Survivors<'a>,
}

impl Growth<'_> {
    fn suspicion(&self, config: &DetectConfig, batch: Batch) -> Option<Suspicion> {
        let interval = config.sample_interval_bytes;
        // What surely stays: the objects of the window that are past the age bar.
        let staying = estimate_bytes(self.survivors.samples.iter().map(sized), interval);
        if staying.low < config.leaked_bytes_min {
            return None;
        }
        let count = estimate_count(
            self.survivors.samples.iter().map(|sample| sample.inclusion_probability),
            interval,
            mean_size_bytes(self.survivors.samples) as f64,
        );
        let span_s = self.survivors.span_s();
        let survivors = self.survivors.cohorts.total();
        let bytes_per_s = staying.value / span_s;
        let count_per_s = count.value / span_s;
        // What is leaked by now: the same rate over the whole time that the leak has been on.
        let leaking_s = self.leaking_s(bytes_per_s, interval);
        let bytes = scaled(staying, leaking_s / span_s);
        let count = scaled(count, leaking_s / span_s);
        Some(Suspicion {
            subject: Subject::Place(Class::Heap, self.site.id()),
            kind: Kind::HeapGrowth,
            site: self.site.id(),
            stack: Site::heaviest_stack(self.survivors.samples)?,
            bytes,
            count,
            bytes_per_s,
            count_per_s,
            growing: Some(Growing {
                support: self.survivors.support,
                window_s: self.survivors.window_s(),
                frontier_ns: self.survivors.frontier_ns(),
                samples_per_s: survivors.sum / span_s,
                weight: survivors.weight(),
                dispersion: self.survivors.cohorts.dispersion(),
                maturity_s: config.maturity_at(bytes_per_s)
                    * batch.patience(bytes_per_s, config.fill_bytes_per_s),
                maturity_least_s: config.maturity_s,
                looks_to_confirm: config.looks_to_confirm,
                confidence_max: CONFIDENCE_MAX,
                births_ns: Vec::new(),
            }),
            at_once: 0.0,
            detail: detail(bytes, count, leaking_s),
            suggested_fix: suggested_fix(self.site),
            evidence: self.evidence(bytes, batch),
        })
    }

    /// How long the leak has been on, in seconds: from the window's start until now, and the start-up before it too if
    /// what was born then stayed at no less than half the rate.
    fn leaking_s(&self, bytes_per_s: f64, interval: f64) -> f64 {
        let Survivors { window, .. } = self.survivors;
        let head_s = window.start_ns as f64 / 1e9;
        let head = born_between(self.site.live(), 0, window.start_ns);
        let head_bytes = estimate_bytes(head.iter().map(sized), interval).value;
        let was_on = window.whole_run && head_bytes >= 0.5 * bytes_per_s * head_s;
        (window.now_ns - if was_on { 0 } else { window.start_ns }) as f64 / 1e9
    }

    fn evidence(&self, bytes: Estimate, batch: Batch) -> Vec<Evidence> {
        let totals = self.site.totals();
        let fact = |what: &str, value: String| Evidence { what: what.to_owned(), value };
        let mut facts = vec![
            fact(
                "bytes leaked by now, 95 % interval",
                format!("{} to {}", words::bytes(bytes.low), words::bytes(bytes.high)),
            ),
            fact("sampled objects behind this estimate", self.survivors.samples.len().to_string()),
            fact(
                "age past which objects were judged",
                words::seconds(self.survivors.age_bar_ns as f64 / 1e9),
            ),
            fact(
                "share of objects from here that were freed",
                words::percent(totals.died_count / totals.born_count.max(1.0)),
            ),
        ];
        if totals.deaths > 0 {
            let q99_s = self.site.lifetime_q99_ns() as f64 / 1e9;
            facts.push(fact("99 % of the freed ones lived less than", words::seconds(q99_s)));
        }
        facts.extend([
            fact(
                "chance that one past that age is still freed",
                words::percent(1.0 - self.survivors.outlive),
            ),
            fact(
                "spans of the run with births that stayed",
                format!("{} of {}", self.survivors.cohorts.occupied(), self.survivors.cohorts.len()),
            ),
            fact("largest share of one span", words::percent(self.survivors.cohorts.largest_share())),
            fact("probability that growth is undiminished", words::percent(self.survivors.support)),
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
