//! Detect, resources: the limit of open descriptors comes near.
//! In: counts over time, the limit, all descriptors held. Out: one [`Suspicion`] about the process.
//!
//! Near is 80 % of the limit while the count grows, nearly all of it in any case, or growth that passes the cohort
//! test, has taken a tenth of it, and reaches it within an hour. A process that stands at a high plateau is only suspected.

use super::class_rules::ClassRule;
use super::judged::{Judged, commonest_stack, exactly};
use super::place::{as_sample, is_judged, is_overdue, used_late};
use super::score::{CAP_SUSPECT, fact};
use crate::config::DetectConfig;
use crate::detector::{Growing, Subject, Suspicion};
use crate::finding::Kind;
use crate::survivors::Population;
use crate::thinning::Thinning;
use crate::words;
use memguard_model::{Class, EndedLives, Family, Holding, LiveSample, ResourceSite, Resources, SiteId};

/// Share of the limit that is near.
const NEAR: f64 = 0.8;
/// Share of the limit at which nothing is left.
const FULL: f64 = 0.97;
/// Share of the limit below which its end is out of sight, whatever the rate.
const IN_SIGHT: f64 = 0.1;
/// A limit that is reached within this span is near, in seconds.
const HORIZON_S: f64 = 3600.0;
/// Confidence when it is near.
const CONFIDENCE: f64 = 0.9;
/// Cap of confirmed growth towards the limit.
const CAP_GROWTH: f64 = 0.85;
/// Fewest descriptors for which growth of the whole process is judged.
const SAMPLES_MIN: usize = 6;

/// Whether the limit is near, and who holds most of what has come.
pub(super) fn limit_near(resources: &Resources, config: &DetectConfig, now_ns: u64) -> Option<Suspicion> {
    let limit = resources.descriptors_max().filter(|limit| *limit > 0)? as f64;
    let open = resources.history().points().last()?.descriptors as f64;
    let all = Descriptors::of(resources);
    let age_limit_ns = (2 * all.q99_ns).max((config.handles_max_age_s * 1e9) as u64);
    let live = all.staying(age_limit_ns, now_ns);
    let revived = all.holdings().filter(|holding| used_late(holding, age_limit_ns)).count() as f64;
    let population = Population {
        live: &live,
        q99_ns: all.q99_ns,
        ended: all.ended.clone(),
        ended_recently: all.ended_recently.clone(),
        revived,
        clock: None,
        thinning: Thinning::none(),
    };
    let rule = ClassRule::of(Class::OtherDescriptor)?;
    let judged = Judged { kind: Kind::FdLimitNear, rule, site: SiteId(0), now_ns };
    let samples_min = config.handles_samples_min.max(SAMPLES_MIN);
    let survivors = judged.survivors(&population, samples_min, config);

    let share = open / limit;
    let per_s = survivors.as_ref().map_or(0.0, |growth| growth.samples.len() as f64 / growth.span_s());
    let left_s = (limit - open).max(0.0) / per_s.max(1e-9);
    if share < NEAR && (share < IN_SIGHT || left_s > HORIZON_S) {
        return None;
    }
    let old = now_ns as f64 / 1e9 >= config.handles_max_age_s;
    let at_once = match share {
        share if share >= FULL || (share >= NEAR && survivors.is_some() && old) => CONFIDENCE,
        share if share >= NEAR => CAP_SUSPECT,
        _ => 0.0,
    };
    let since_ns = survivors.as_ref().map_or(now_ns / 10, |growth| growth.window.start_ns);
    let (site, suspects) = all.grown_most(since_ns);
    let when = survivors.as_ref().map(|_| {
        format!(
            ": at this rate the limit of {} is reached in {}",
            words::grouped(limit),
            words::seconds(left_s)
        )
    });
    let detail = format!(
        "{} of {} descriptors are open{}",
        words::grouped(open),
        words::grouped(limit),
        when.unwrap_or_default()
    );
    let mut said = judged.suspicion(&suspects, detail);
    said.subject = Subject::Process(Kind::FdLimitNear);
    said.site = site;
    said.stack = commonest_stack(&suspects);
    said.count = exactly(open);
    said.count_per_s = per_s;
    said.at_once = at_once;
    "close what this place opens; a higher limit (ulimit -n, LimitNOFILE) only buys time"
        .clone_into(&mut said.suggested_fix);
    said.evidence = vec![
        fact("share of the limit in use", words::percent(share)),
        fact(
            "grown since the window began, at the place that grew most",
            words::grouped(suspects.len() as f64),
        ),
    ];
    if let Some(growth) = &survivors {
        said.evidence.extend(Judged::growth_evidence(growth));
        let births_ns = live.iter().map(|sample| sample.born_ns).collect();
        said.growing =
            Some(Growing { confidence_max: CAP_GROWTH, ..Judged::growing(growth, births_ns, config) });
    }
    Some(said)
}

/// All descriptors of a process as one population.
struct Descriptors<'a> {
    places: Vec<&'a ResourceSite>,
    q99_ns: u64,
    ended: EndedLives,
    ended_recently: (u64, EndedLives),
}

impl<'a> Descriptors<'a> {
    fn of(resources: &'a Resources) -> Self {
        let places: Vec<_> =
            resources.places().filter(|place| place.class().family() == Family::Descriptor).collect();
        let mut all = Self {
            places: Vec::new(),
            q99_ns: 0,
            ended: EndedLives::default(),
            ended_recently: (0, EndedLives::default()),
        };
        let mut deaths = 0;
        for site in places.iter().map(|place| place.site()) {
            let (since_ns, recent) = site.ended_recently();
            deaths += site.totals().deaths.max(site.ended().total());
            all.ended.merge(site.ended());
            all.ended_recently.0 = all.ended_recently.0.max(since_ns);
            all.ended_recently.1.merge(&recent);
        }
        all.q99_ns = all.ended.exceeded_by(deaths / 100);
        all.places = places;
        all
    }

    fn holdings(&self) -> impl Iterator<Item = &'a Holding> {
        self.places.iter().flat_map(|place| place.holdings()).filter(|holding| is_judged(holding))
    }

    /// What is young, or overdue, in order of birth.
    fn staying(&self, age_limit_ns: u64, now_ns: u64) -> Vec<LiveSample> {
        let counts = |holding: &&Holding| {
            now_ns - holding.born_ns < age_limit_ns || is_overdue(holding, age_limit_ns, now_ns)
        };
        let mut live: Vec<LiveSample> = self.holdings().filter(counts).map(as_sample).collect();
        live.sort_unstable_by_key(|sample| (sample.born_ns, sample.address));
        live
    }

    /// The place that holds most of what was born since a time, and those; site 0 stands for the whole process.
    fn grown_most(&self, since_ns: u64) -> (SiteId, Vec<&'a Holding>) {
        let grown = |place: &&'a ResourceSite| {
            let fresh = place.holdings().iter().filter(|h| h.born_ns >= since_ns && is_judged(h));
            (place.site().id(), fresh.collect::<Vec<_>>())
        };
        let places = self.places.iter().map(grown).filter(|(_, fresh)| !fresh.is_empty());
        places
            .max_by_key(|(site, fresh)| (fresh.len(), std::cmp::Reverse(*site)))
            .unwrap_or((SiteId(0), Vec::new()))
    }
}
