//! Detect, shapes: growth that no object survives: one that is made larger and larger, and a queue that falls behind.
//! In: a site's history and live samples. Out: a [`Suspicion`], or nothing.
//!
//! Both are judged by what doubles with the age of the process. A container that grows in proportion to time has doubled since
//! half the time, however seldom it is enlarged (a vector's capacity doubles once between any time and its double); one that
//! is full has not. Of a queue that falls behind the waiting time grows, objects held divided by objects that come a second
//! (Little's law); where merely the load grows, it stays. History answers for earlier times, so that several times can be
//! asked at one look.

use crate::batch::Batch;
use crate::config::DetectConfig;
use crate::detector::{Subject, Suspicion};
use crate::finding::{Evidence, Kind};
use crate::words;
use memguard_model::{Class, LiveSample, Site};
use memguard_sampling::{Estimate, estimate_bytes};

/// Times at which growth must hold, as shares of the age.
const AGES: [f64; 4] = [1.0, 0.85, 0.7, 0.55];
/// By how much must have grown what is to have doubled.
const DOUBLED: f64 = 1.4;
/// By how much at most, of a container: what is many times larger than at half the time came at once, and not by and by. What
/// grows in proportion to time has doubled, and a capacity that doubles may have been half as large as what it was to hold.
const SUDDEN: f64 = 4.5;
/// Share of the births of a site that must have ended if there is a container: what it was before.
const CONTAINER_ENDED_SHARE: f64 = 0.75;
/// Smallest container worth a word, in bytes: among small objects of all sizes one is the largest by chance.
const CONTAINER_BYTES_MIN: u64 = 64 << 10;
/// Share of what was held before, below which a site that holds a container never comes to stay.
const FELL_SHARE: f64 = 0.6;
/// Share of a site's live bytes that its largest object has if it is the container.
const CONTAINER_SHARE: f64 = 0.6;
/// Share of the births of a site that must have ended if it is a queue.
const QUEUE_ENDED_SHARE: f64 = 0.25;
/// Of the objects younger than the oldest one, so many must live: a queue gives up the oldest first.
const QUEUE_ORDER_SHARE: f64 = 0.7;
/// Fewest live samples of a queue.
const QUEUE_SAMPLES_MIN: usize = 12;
/// Youngest age of a process in which shapes are told of: in a second or two, a few large blocks come in any order.
const AGE_S_MIN: f64 = 3.0;
/// Confidence while growth holds at the later times, and at all of them.
const CONFIDENCE_SUSPECT: f64 = 0.4;
const CONFIDENCE: f64 = 0.6;
const CONFIDENCE_MATURE: f64 = 0.7;

/// What a site of which nothing stays may be suspected of.
pub(crate) fn shape(
    site: &Site,
    batch: &dyn Fn() -> Batch,
    config: &DetectConfig,
    now_ns: u64,
) -> Option<Suspicion> {
    let (kind, curve): (Kind, Curve<'_>) = if is_container(site, config, now_ns) {
        (Kind::ContainerGrowing, Curve { site, of: live_bytes_at, at_most: SUDDEN })
    } else if is_queue(site, now_ns) {
        (Kind::QueueBacklog, Curve { site, of: waiting_s_at, at_most: f64::INFINITY })
    } else {
        return None;
    };
    let holds = AGES.iter().take_while(|age| curve.doubles_until((now_ns as f64 * **age) as u64)).count();
    let bytes = estimate_bytes(site.live().iter().map(sized), config.sample_interval_bytes);
    if holds < 2
        || bytes.low < config.leaked_bytes_min
        || live_bytes_at(site, now_ns / 2) >= bytes.value / DOUBLED
    {
        return None;
    }
    let now_s = now_ns as f64 / 1e9;
    let bytes_per_s = (bytes.value - live_bytes_at(site, now_ns / 2)).max(0.0) / (0.5 * now_s);
    let maturity_s =
        config.maturity_known_at(bytes_per_s) * batch().patience(bytes_per_s, config.fill_bytes_per_s);
    let confidence = match holds {
        _ if now_s < maturity_s.max(AGE_S_MIN) => CONFIDENCE_SUSPECT,
        4 if now_s > 4.0 * maturity_s => CONFIDENCE_MATURE,
        4 => CONFIDENCE,
        _ => CONFIDENCE_SUSPECT,
    };
    Some(suspicion(site, kind, bytes, bytes_per_s, confidence, now_ns))
}

fn suspicion(
    site: &Site,
    kind: Kind,
    bytes: Estimate,
    bytes_per_s: f64,
    confidence: f64,
    now_ns: u64,
) -> Suspicion {
    let totals = site.totals();
    let count = (totals.born_count - totals.died_count).max(1.0);
    let (detail, fix) = if kind == Kind::ContainerGrowing {
        (
            format!(
                "one object is made larger and larger here; it has {} now and grows by {} a second",
                words::bytes(bytes.value),
                words::bytes(bytes_per_s)
            ),
            "Elements are added to this array or string and none, or too few, are taken out: clear it when a round of work is \
             done, or give it a limit",
        )
    } else {
        (
            format!(
                "{} objects ({}) wait here, {} each and longer and longer: they are freed in the order in which they came, \
                 but more slowly than others come",
                words::count(count),
                words::bytes(bytes.value),
                words::seconds(waiting_s_at(site, now_ns)),
            ),
            "What comes in is not worked off as fast as it comes: bound the queue (refuse or drop when it is full), or let \
             more workers take from it",
        )
    };
    let fact = |what: &str, value: String| Evidence { what: what.to_owned(), value };
    Suspicion {
        subject: Subject::Place(Class::Heap, site.id()),
        kind,
        site: site.id(),
        stack: Site::heaviest_stack(site.live()).unwrap_or(memguard_model::StackId(0)),
        bytes,
        count: Estimate { value: count, low: count, high: count },
        bytes_per_s,
        count_per_s: 0.0,
        growing: None,
        at_once: confidence,
        detail,
        suggested_fix: fix.to_owned(),
        evidence: vec![
            fact("bytes held now", words::bytes(bytes.value)),
            fact("bytes held at half the age", words::bytes(live_bytes_at(site, now_ns / 2))),
            fact("bytes held at a quarter of the age", words::bytes(live_bytes_at(site, now_ns / 4))),
            fact(
                "share of objects from here that were freed",
                words::percent(totals.died_count / totals.born_count.max(1.0)),
            ),
        ],
    }
}

/// A number of a site over time.
struct Curve<'a> {
    site: &'a Site,
    of: fn(&Site, u64) -> f64,
    /// By how much it may have grown while the age doubled.
    at_most: f64,
}

impl Curve<'_> {
    /// Whether it doubled from half of a time to that time, and before.
    fn doubles_until(&self, at_ns: u64) -> bool {
        let [now, half, quarter] = [1, 2, 4].map(|part| (self.of)(self.site, at_ns / part));
        half > 0.0 && (DOUBLED * half..=self.at_most * half).contains(&now) && half >= DOUBLED * quarter
    }
}

fn live_bytes_at(site: &Site, at_ns: u64) -> f64 {
    if at_ns < site.first_seen_ns() {
        return 0.0;
    }
    site.history().value_at(at_ns, memguard_model::SitePoint::live_bytes).unwrap_or(0.0)
}

/// How long an object waits that comes at this time: objects held by objects that come a second, over the last quarter.
fn waiting_s_at(site: &Site, at_ns: u64) -> f64 {
    let born = |at_ns: u64| site.history().value_at(at_ns, |point| point.born_count).unwrap_or(0.0);
    let held = site.history().value_at(at_ns, memguard_model::SitePoint::live_count).unwrap_or(0.0);
    let span_ns = at_ns / 4;
    let per_s = (born(at_ns) - born(at_ns - span_ns)) / (span_ns as f64 / 1e9).max(1e-9);
    if per_s > 0.0 { held / per_s } else { 0.0 }
}

/// Whether one object makes up most of what is held, and there were others before it; and where everything is recorded, so
/// that much is known of the past, none was much larger than those after it.
fn is_container(site: &Site, config: &DetectConfig, now_ns: u64) -> bool {
    let totals = site.totals();
    let Some(largest) = site.live().iter().max_by(|a, b| a.estimated_bytes().total_cmp(&b.estimated_bytes()))
    else {
        return false;
    };
    largest.size_bytes >= CONTAINER_BYTES_MIN
        && largest.estimated_bytes() > CONTAINER_SHARE * site.held_bytes()
        && totals.deaths >= 3
        && totals.died_count >= CONTAINER_ENDED_SHARE * totals.born_count
        && !(config.sample_interval_bytes == 0.0 && fell_since(site, now_ns / 4))
}

/// Whether, since a time, a site ever held much less than before, and did not get it back at once: a look may fall between the
/// end of what is enlarged and its new birth, or see both.
fn fell_since(site: &Site, since_ns: u64) -> bool {
    let points = site.history().points();
    let from = points.partition_point(|point| point.at_ns < since_ns);
    let mut most: f64 = 0.0;
    points.get(from..).unwrap_or_default().windows(2).any(|pair| {
        let [held, next] = [pair[0].live_bytes(), pair[1].live_bytes()];
        let fell = held < FELL_SHARE * most && next < most;
        most = most.max(held.min(next));
        fell
    })
}

/// Whether objects end, the oldest first.
fn is_queue(site: &Site, now_ns: u64) -> bool {
    let totals = site.totals();
    let Some(oldest) = site.live().first() else { return false };
    if site.live().len() < QUEUE_SAMPLES_MIN || totals.died_count < QUEUE_ENDED_SHARE * totals.born_count {
        return false;
    }
    // By the history, for samples that have ended are not kept one by one.
    let born = |at_ns: u64| site.history().value_at(at_ns, |point| point.births as f64).unwrap_or(0.0);
    let younger = born(now_ns) - born(oldest.born_ns);
    site.live().len() as f64 >= QUEUE_ORDER_SHARE * younger
}

fn sized(sample: &LiveSample) -> (u64, f64) {
    (sample.size_bytes, sample.inclusion_probability)
}
