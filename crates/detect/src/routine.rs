//! Detect, routine looks: places that are looked for in memory now and then although nothing is suspected there.
//! In: the model. Out: which places, at most a few; none most of the time.
//!
//! The test of growth needs a good part of the run to see a leak, and never sees one that hides behind a cache at the same
//! place whose entries go. Looking for pointers needs neither. A look costs the same whatever is asked for, so what matters
//! is how many there are: one each time that the process has grown older by a twentieth, which is some two hundred in a month.

use crate::config::DetectConfig;
use crate::lost::old_enough_ns;
use crate::survivors::born_between;
use memguard_model::{ProcessModel, SiteId};
use memguard_sampling::estimate_bytes;

/// By which share of its age a process is older at each routine look.
const AGE_SHARE: f64 = 0.05;
/// What was born in this last part of the run and stays makes a place worth asking for.
const RECENT_SHARE: f64 = 0.25;
/// Most places of one look.
const PLACES_MAX: usize = 32;

/// The places of a routine look, if it is due, and those of which the last look found something that it takes another to
/// be sure of.
pub(crate) fn routine(model: &ProcessModel, config: &DetectConfig) -> Vec<SiteId> {
    let Some(now_ns) = model.live_at_ns().filter(|at_ns| *at_ns as f64 >= config.maturity_s * 1e9) else {
        return Vec::new();
    };
    let is_due = model
        .traced_at_ns()
        .is_none_or(|at_ns| now_ns.saturating_sub(at_ns) as f64 >= AGE_SHARE * now_ns as f64);
    let recent_ns = now_ns - (now_ns as f64 * RECENT_SHARE) as u64;
    let mut places: Vec<(f64, SiteId)> = model
        .sites()
        .filter(|site| is_due || site.traced().is_unsure())
        .filter_map(|site| {
            let staying = born_between(site.live(), recent_ns, old_enough_ns(config, now_ns));
            let sized = staying.iter().map(|sample| (sample.size_bytes, sample.inclusion_probability));
            let bytes = estimate_bytes(sized, config.sample_interval_bytes);
            let is_worth_it = staying.len() >= config.samples_min && bytes.low >= config.leaked_bytes_min;
            is_worth_it.then_some((bytes.value, site.id()))
        })
        .collect();
    places.sort_by(|a, b| b.0.total_cmp(&a.0));
    places.truncate(PLACES_MAX);
    places.into_iter().map(|(_, site)| site).collect()
}
