//! Detect, tracing: which objects to look for in the process's memory. In: the suspicions of the last look, the model. Out:
//! [`Wanted`] objects, the same ones each time as long as they live; none while nothing is suspected.
//!
//! Beside the suspects' objects some of other places are asked for: if those look lost too, the program hides its pointers
//! (`lost.rs`).

use crate::config::DetectConfig;
use crate::lost::old_enough_ns;
use crate::survivors::born_between;
use memguard_model::{LiveSample, ProcessModel, SiteId};
use memguard_sampling::mix;
use std::collections::BTreeSet;

/// Objects of a suspect place that are asked for, and of any other.
const SUSPECTS_MAX: usize = 48;
const OTHERS_MAX: usize = 8;

/// One object to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Where it was made.
    pub site: SiteId,
    /// Its birth on the process clock, in ns.
    pub born_ns: u64,
    /// Its address.
    pub address: u64,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Whether its place is suspected; others are asked for to compare.
    pub is_suspect: bool,
}

/// What to look for, given the places that are suspected.
pub(crate) fn wanted(
    model: &ProcessModel,
    suspects: &BTreeSet<SiteId>,
    config: &DetectConfig,
) -> Vec<Wanted> {
    let Some(now_ns) = model.live_at_ns().filter(|_| !suspects.is_empty()) else { return Vec::new() };
    let mut wanted = Vec::new();
    for site in model.sites() {
        let is_suspect = suspects.contains(&site.id());
        let most = if is_suspect { SUSPECTS_MAX } else { OTHERS_MAX };
        let old = born_between(site.live(), 0, old_enough_ns(config, now_ns));
        // Young objects hold pointers to others.
        wanted.extend(chosen(old, most).into_iter().map(|sample| Wanted {
            site: site.id(),
            born_ns: sample.born_ns,
            address: sample.address,
            size_bytes: sample.size_bytes,
            is_suspect,
        }));
    }
    wanted
}

/// So many of a place's objects, by a number that has nothing to do with age or place: another look chooses the same.
fn chosen(samples: &[LiveSample], many: usize) -> Vec<&LiveSample> {
    let mut ranked: Vec<&LiveSample> = samples.iter().collect();
    if ranked.len() > many {
        ranked.select_nth_unstable_by_key(many, |sample| rank(sample));
        ranked.truncate(many);
    }
    ranked
}

fn rank(sample: &LiveSample) -> u64 {
    mix(sample.address ^ sample.born_ns.rotate_left(32))
}
