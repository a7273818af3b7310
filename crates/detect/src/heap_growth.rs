//! Detect, heap growth: a site whose objects, once past the age at which others are freed, are never freed,
//! and of which new ones keep coming; or whose objects nothing points at any more, growing or not.
//! In: live samples with births, ended lives, the bytes-allocated clock, what was found pointing at objects. Out:
//! [`Suspicion`]s.
//!
//! The cohort test of `survivors.rs`, with bytes allocated as second clock, and the patience that jobs need. Where the
//! memory was looked through (`lost.rs`), lost objects need no patience.

use crate::batch::Batch;
use crate::config::DetectConfig;
use crate::detector::{Detector, Growing, Subject, Suspicion};
use crate::finding::{Evidence, Kind};
use crate::lost::{Reach, hides_pointers, old_enough_ns};
use crate::routine::routine;
use crate::shapes::shape;
use crate::survivors::{Population, Rules, Survivors, born_between};
use crate::thinning::{Thinning, mean_size_bytes};
use crate::words;
use memguard_model::{Class, LiveSample, ProcessModel, Site, SiteId};
use memguard_sampling::{Estimate, estimate_bytes, estimate_count};
use std::collections::BTreeMap;

/// Largest share of a window that may be too young to judge.
const YOUNG_SHARE_MAX: f64 = 0.4;
/// Share of what is born at a place below which what stays is an exception: a path that is seldom taken forgets it.
const ERROR_PATH_SHARE: f64 = 0.05;
/// Cap of confirmed growth where it is not known whether the program still points at the objects.
const CONFIDENCE_MAX: f64 = 0.85;
/// The same where it does: it may be meant.
const CONFIDENCE_KNOWN_MAX: f64 = 0.75;

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
        let mut growths: BTreeMap<SiteId, Survivors<'_>> = BTreeMap::new();
        for site in model.sites().filter(|site| site.live().len() >= config.samples_min) {
            let population = Population::of(site, site.live(), Some(&clock), thinning);
            growths.extend(Survivors::of(&population, rules, now_ns).map(|growth| (site.id(), growth)));
        }
        let is_blind =
            model.traced_at_ns().is_none() || hides_pointers(model, &|site| growths.contains_key(&site));
        let batch = (!growths.is_empty()).then(|| Batch::of(model));
        let mut suspicions = Vec::new();
        for site in model.sites() {
            let reach = if is_blind { Reach::Unknown } else { reach(site, config, now_ns) };
            let grown = growths.remove(&site.id()).zip(batch);
            let grown = grown
                .and_then(|(survivors, batch)| Growth { site, survivors, reach }.suspicion(config, batch));
            let grown = grown.or_else(|| forgotten(site, reach, config, now_ns));
            suspicions.extend(grown.or_else(|| shape(site, &|| Batch::of(model), config, now_ns)));
        }
        suspicions
    }

    fn routine(&self, model: &ProcessModel, config: &DetectConfig) -> Vec<SiteId> {
        routine(model, config)
    }
}

/// Whether the site's old objects are lost. Young ones may be on their way to where they will be kept.
fn reach(site: &Site, config: &DetectConfig, now_ns: u64) -> Reach {
    Reach::of(site.traced().tally(born_between(site.live(), 0, old_enough_ns(config, now_ns))))
}

/// Lost objects of a site that does not grow, or not in a way that the test takes for growth.
fn forgotten(site: &Site, reach: Reach, config: &DetectConfig, now_ns: u64) -> Option<Suspicion> {
    let Reach::Lost { share, confidence, .. } = reach else { return None };
    let interval = config.sample_interval_bytes;
    let old = born_between(site.live(), 0, old_enough_ns(config, now_ns));
    let bytes = scaled(estimate_bytes(old.iter().map(sized), interval), share);
    if bytes.low < config.leaked_bytes_min {
        return None;
    }
    let probabilities = old.iter().map(|sample| sample.inclusion_probability);
    let count = scaled(estimate_count(probabilities, interval, mean_size_bytes(old) as f64), share);
    let lost = || old.iter().filter(|sample| site.traced().is_lost(sample));
    let since_ns = lost().map(|sample| sample.born_ns).min().unwrap_or(0);
    let span_s = (now_ns.saturating_sub(since_ns) as f64 / 1e9).max(1e-3);
    let kind = kind(reach, staying_share(site, since_ns, now_ns, count.value));
    let mut evidence = vec![bytes_evidence(bytes)];
    evidence.extend(reach_evidence(reach));
    Some(Suspicion {
        subject: Subject::Place(Class::Heap, site.id()),
        kind,
        site: site.id(),
        stack: Site::heaviest_stack(lost())?,
        bytes,
        count,
        bytes_per_s: bytes.value / span_s,
        count_per_s: count.value / span_s,
        growing: None,
        at_once: confidence,
        detail: format!(
            "{} objects ({}) allocated here are forgotten: nothing in the program's memory points at them",
            words::count(count.value),
            words::bytes(bytes.value),
        ),
        suggested_fix: suggested_fix(site, kind).to_owned(),
        evidence,
    })
}

/// Which share of what was born at a site between two times these are that stay.
fn staying_share(site: &Site, from_ns: u64, to_ns: u64, staying_count: f64) -> f64 {
    let born = |at_ns: u64| site.history().value_at(at_ns, |point| point.born_count).unwrap_or(0.0);
    staying_count / (born(to_ns) - born(from_ns)).max(staying_count).max(1.0)
}

/// Which kind of leak the memory of a site is, where so large a share of what is born stays.
fn kind(reach: Reach, staying_share: f64) -> Kind {
    match reach {
        Reach::Known(_) => Kind::CacheUnbounded,
        _ if staying_share < ERROR_PATH_SHARE => Kind::HeapErrorPath,
        Reach::Lost { .. } => Kind::HeapUnreachable,
        Reach::Unknown => Kind::HeapGrowth,
    }
}

/// Growth of one site that passed the test.
struct Growth<'a> {
    site: &'a Site,
    survivors: Survivors<'a>,
    reach: Reach,
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
        let count_in_window = count.value;
        let count = scaled(count, leaking_s / span_s);
        let window = self.survivors.window;
        let staying_share =
            staying_share(self.site, window.start_ns, self.survivors.frontier_ns(), count_in_window);
        let kind = kind(self.reach, staying_share);
        let patience = match self.reach {
            // What is lost is lost in a job too.
            Reach::Lost { .. } => 1.0,
            Reach::Known(_) | Reach::Unknown => batch.patience(bytes_per_s, config.fill_bytes_per_s),
        };
        Some(Suspicion {
            subject: Subject::Place(Class::Heap, self.site.id()),
            kind,
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
                maturity_s: patience
                    * if self.reach.is_known() {
                        config.maturity_known_at(bytes_per_s)
                    } else {
                        config.maturity_at(bytes_per_s)
                    },
                maturity_least_s: config.maturity_s,
                looks_to_confirm: config.looks_to_confirm,
                confidence_max: if self.reach.is_known() { CONFIDENCE_KNOWN_MAX } else { CONFIDENCE_MAX },
                births_ns: Vec::new(),
            }),
            at_once: if let Reach::Lost { confidence, .. } = self.reach { confidence } else { 0.0 },
            detail: detail(bytes, count, leaking_s, self.reach),
            suggested_fix: suggested_fix(self.site, kind).to_owned(),
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
            bytes_evidence(bytes),
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
        facts.extend(reach_evidence(self.reach));
        facts
    }
}

fn scaled(estimate: Estimate, factor: f64) -> Estimate {
    Estimate { value: estimate.value * factor, low: estimate.low * factor, high: estimate.high * factor }
}

fn bytes_evidence(bytes: Estimate) -> Evidence {
    Evidence {
        what: "bytes leaked by now, 95 % interval".to_owned(),
        value: format!("{} to {}", words::bytes(bytes.low), words::bytes(bytes.high)),
    }
}

fn reach_evidence(reach: Reach) -> Option<Evidence> {
    let (Reach::Known(tally) | Reach::Lost { tally, .. }) = reach else { return None };
    Some(Evidence {
        what: "objects that nothing in memory points at, twice looked for".to_owned(),
        value: format!("{} of {}", tally.lost, tally.judged),
    })
}

fn detail(bytes: Estimate, count: Estimate, span_s: f64, reach: Reach) -> String {
    let what = match reach {
        Reach::Known(_) => "were kept and never freed",
        Reach::Lost { .. } => "were forgotten without being freed",
        Reach::Unknown => "were never freed",
    };
    format!(
        "{} objects ({}) allocated here over {} {what}, {} a second, and growth goes on",
        words::count(count.value),
        words::bytes(bytes.value),
        words::seconds(span_s),
        words::bytes(bytes.value / span_s),
    )
}

fn suggested_fix(site: &Site, kind: Kind) -> &'static str {
    let totals = site.totals();
    match kind {
        Kind::CacheUnbounded => {
            "The program still points at these objects and takes none of them out: give the container or cache that holds \
             them a size limit or an expiry, or remove entries when their user is done"
        }
        Kind::HeapUnreachable => {
            "The last pointer to these objects is overwritten or goes out of scope before they are freed: free them before \
             that, or let an owner (scope guard, smart pointer) do it"
        }
        _ if totals.died_count > 0.2 * totals.born_count => {
            "Most objects from here are freed, some never: look at the early returns and error paths after this \
             allocation and free the object on each of them (or let a scope guard own it)"
        }
        _ => {
            "Nothing that frees these objects ever runs: free them when their user is done, or, if they are kept \
             on purpose in a container or cache, give it a size limit or an expiry"
        }
    }
}

fn sized(sample: &LiveSample) -> (u64, f64) {
    (sample.size_bytes, sample.inclusion_probability)
}
