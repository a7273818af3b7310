//! Detect, resources: one class of things at one place, as of one look.
//! In: a [`ResourceSite`]. Out: the strongest [`Suspicion`] about it, if any.
//!
//! Left out are standard input, output and error, what was inherited, and sockets that listen. Overdue is what is
//! older than the age limit and has not been used within it.

use super::class_rules::ClassRule;
use super::judged::{Judged, examples};
use super::score::{Features, fact};
use super::state_rules::{Births, StateRule};
use crate::config::DetectConfig;
use crate::detector::{Growing, Suspicion};
use crate::finding::Kind;
use crate::survivors::{Population, Survivors};
use crate::thinning::Thinning;
use crate::words;
use memguard_model::{Class, Condition, Family, Holding, LiveSample, Origin, ResourceSite};

/// Age limit in multiples of the lifetime that 99 % of the ended stayed below.
const LIFETIMES: u64 = 2;

/// A place with what is asked of its class.
pub(super) struct PlaceView<'a> {
    place: &'a ResourceSite,
    rule: &'static ClassRule,
    now_ns: u64,
    max_age_s: f64,
    age_limit_ns: u64,
    eligible: Vec<&'a Holding>,
    features: Features,
}

impl<'a> PlaceView<'a> {
    /// Looks at a place.
    pub fn new(
        place: &'a ResourceSite,
        rule: &'static ClassRule,
        config: &DetectConfig,
        now_ns: u64,
    ) -> Self {
        let site = place.site();
        let max_age_s = config.handles_max_age_s;
        let age_limit_ns = (LIFETIMES * site.lifetime_q99_ns()).max((max_age_s * 1e9) as u64);
        let eligible: Vec<&Holding> = place.holdings().iter().filter(|holding| is_judged(holding)).collect();
        let deaths = site.totals().deaths.max(site.ended().total());
        let features = Features {
            class: place.class(),
            age_limit_s: age_limit_ns as f64 / 1e9,
            overdue: eligible.iter().filter(|holding| is_overdue(holding, age_limit_ns, now_ns)).count(),
            births: site.totals().births.max(deaths + eligible.len() as u64),
            deaths,
            q99_s: site.lifetime_q99_ns() as f64 / 1e9,
            used_late: eligible.iter().filter(|holding| used_late(holding, age_limit_ns)).count(),
            unhooked: eligible.iter().all(|holding| holding.origin == Origin::Unhooked),
        };
        Self { place, rule, now_ns, max_age_s, age_limit_ns, eligible, features }
    }

    /// What is suspected: what the kernel says if that is worth showing, else growth.
    pub fn suspicion(&self, config: &DetectConfig) -> Option<Suspicion> {
        let growth = self.growth(config);
        let Some(mut state) = self.state() else { return growth };
        match growth {
            Some(growth) if state.at_once < 0.5 && growth.kind != state.kind => Some(growth),
            Some(growth) => {
                state.growing = growth.growing;
                (state.bytes_per_s, state.count_per_s) = (growth.bytes_per_s, growth.count_per_s);
                Some(state)
            }
            None => Some(state),
        }
    }

    fn judged(&self, kind: Kind) -> Judged<'_> {
        Judged { kind, rule: self.rule, site: self.place.site().id(), now_ns: self.now_ns }
    }

    fn state(&self) -> Option<Suspicion> {
        let rule = self.rule.state?;
        let limit_s = (rule.lifetimes * self.features.q99_s).min(rule.ages_max * self.max_age_s);
        let limit_ns = (limit_s.max(self.max_age_s) * 1e9) as u64;
        let dwelling: Vec<&Holding> =
            self.eligible.iter().copied().filter(|holding| self.dwells(rule, holding, limit_ns)).collect();
        let dwell_s = |holding: &&Holding| {
            let since_ns = (rule.since_ns)(holding).unwrap_or(self.now_ns);
            self.now_ns.saturating_sub(since_ns) as f64 / 1e9
        };
        let shortest_s = dwelling.iter().map(dwell_s).reduce(f64::min)?;
        let longest_s = dwelling.iter().map(dwell_s).fold(0.0, f64::max);
        let births = Births::of(&dwelling, self.max_age_s);
        let detail = format!(
            "{} {} for {} or more{}",
            words::grouped(dwelling.len() as f64),
            rule.phrase,
            words::seconds(shortest_s),
            examples(&dwelling),
        );
        let mut said = self.judged(rule.kind).suspicion(&dwelling, detail);
        rule.fix.clone_into(&mut said.suggested_fix);
        said.at_once = self.features.state_confidence(rule, dwelling.len(), births, self.max_age_s);
        said.evidence = self.features.evidence();
        said.evidence.extend([
            fact(
                "in this state for",
                format!("{} to {}", words::seconds(shortest_s), words::seconds(longest_s)),
            ),
            fact("time in this state that is asked for", words::seconds(limit_ns as f64 / 1e9)),
            fact(
                "births apart from each other",
                format!("{}, over {}", births.groups, words::seconds(births.span_s)),
            ),
        ]);
        if self.features.pool_at_start(births, self.max_age_s) {
            said.evidence.push(fact("all made in one burst at the start", "yes: likely a pool".to_owned()));
        } else if rule.burst_is_batch && dwelling.len() > 1 && births.burst(self.max_age_s) {
            said.evidence.push(fact("all made in one burst", "yes: likely one batch".to_owned()));
        }
        Some(said)
    }

    fn dwells(&self, rule: &StateRule, holding: &Holding, limit_ns: u64) -> bool {
        let Some(since_ns) = (rule.since_ns)(holding) else { return false };
        let dwell_ns = self.now_ns.saturating_sub(since_ns);
        if rule.from_birth {
            dwell_ns as f64 >= self.max_age_s * 1e9 && self.now_ns - holding.born_ns >= limit_ns
        } else {
            dwell_ns >= limit_ns
        }
    }

    fn growth(&self, config: &DetectConfig) -> Option<Suspicion> {
        let plain = self.rule.growth?;
        let terms = self.features.growth_terms(self.rule.samples_min, config);
        if self.features.overdue < terms.samples_min {
            return None;
        }
        let (age_limit_ns, now_ns) = (self.age_limit_ns, self.now_ns);
        // What is in use is not forgotten, and a thread that has ended does not grow.
        let staying: Vec<&Holding> = self
            .eligible
            .iter()
            .copied()
            .filter(|holding| !matches!(holding.condition, Condition::Ended { .. }))
            .filter(|holding| !used_late(holding, age_limit_ns))
            .collect();
        let live: Vec<LiveSample> = staying.iter().map(|holding| as_sample(holding)).collect();
        let site = self.place.site();
        // Load comes and goes: per thing made here a leak is as steady as per hour. Where no hook counts, time is all.
        let made = |at_ns| site.history().value_at(at_ns, |point| point.births as f64).unwrap_or(0.0);
        let clock: &dyn Fn(u64) -> f64 = &made;
        let is_counted = site.totals().births >= live.len() as u64;
        let population = Population {
            revived: self.features.used_late as f64,
            ..Population::of(site, &live, is_counted.then_some(clock), Thinning::none())
        };
        let judged = self.judged(self.growth_kind(plain, &staying));
        let survivors = judged.survivors(&population, terms.samples_min, config)?;
        let overdue = overdue_since(&survivors, &staying, age_limit_ns, now_ns);
        let rate_per_s = survivors.samples.len() as f64 / survivors.span_s();
        let mut said = judged.suspicion(&overdue, judged.growth_detail(&overdue, rate_per_s, &self.features));
        if self.place.class() == Class::Mapping && said.bytes.value < bytes_min(config) {
            return None;
        }
        said.count_per_s = rate_per_s;
        said.bytes_per_s = rate_per_s * said.bytes.value / said.count.value.max(1.0);
        said.evidence = self.features.evidence();
        said.evidence.extend(Judged::growth_evidence(&survivors));
        let births_ns = live.iter().map(|sample| sample.born_ns).collect();
        let growing = Judged::growing(&survivors, births_ns, config);
        said.growing = Some(Growing {
            looks_to_confirm: terms.looks_to_confirm,
            confidence_max: terms.confidence_max,
            maturity_s: growing.maturity_s * self.features.patience(judged.kind),
            ..growing
        });
        Some(said)
    }

    fn growth_kind(&self, plain: Kind, staying: &[&Holding]) -> Kind {
        let told = staying.iter().filter(|holding| holding.used_ns.is_some()).count();
        match (self.rule.idle, self.rule.error_path) {
            (Some(idle), _) if 2 * told > staying.len() => idle,
            (_, Some(error_path)) if self.features.error_path() => error_path,
            _ => plain,
        }
    }
}

/// Overdue ones since the window began, and those of start-up too if they stayed at no less than half the rate.
fn overdue_since<'a>(
    survivors: &Survivors<'_>,
    staying: &[&'a Holding],
    age_limit_ns: u64,
    now_ns: u64,
) -> Vec<&'a Holding> {
    let start_ns = survivors.window.start_ns;
    let head = staying.iter().filter(|holding| holding.born_ns < start_ns).count() as f64;
    let asked = 0.5 * survivors.samples.len() as f64 / survivors.span_s() * start_ns as f64 / 1e9;
    let from_ns = if survivors.window.whole_run && head >= asked { 0 } else { start_ns };
    let counts =
        |holding: &&&Holding| holding.born_ns >= from_ns && is_overdue(holding, age_limit_ns, now_ns);
    staying.iter().filter(counts).copied().collect()
}

/// Whether a holding is judged at all.
pub(super) fn is_judged(holding: &Holding) -> bool {
    let standard = holding.class.family() == Family::Descriptor && holding.id <= 2;
    !standard && holding.origin != Origin::Inherited && holding.condition != Condition::Listening
}

/// Whether a holding is past the age limit and was not used within it.
pub(super) fn is_overdue(holding: &Holding, age_limit_ns: u64, now_ns: u64) -> bool {
    let last_ns = holding.born_ns.max(holding.used_ns.unwrap_or(0));
    now_ns.saturating_sub(last_ns) >= age_limit_ns
}

/// Whether a holding was still used when it was past the age limit.
pub(super) fn used_late(holding: &Holding, age_limit_ns: u64) -> bool {
    holding.used_ns.is_some_and(|used_ns| used_ns.saturating_sub(holding.born_ns) > age_limit_ns)
}

/// A holding as a sample that is certain.
pub(super) fn as_sample(holding: &Holding) -> LiveSample {
    LiveSample {
        address: holding.id,
        size_bytes: holding.size_bytes,
        born_ns: holding.born_ns,
        inclusion_probability: 1.0,
        stack: holding.stack,
    }
}

/// Mappings smaller than this in sum are not worth a finding.
fn bytes_min(config: &DetectConfig) -> f64 {
    config.leaked_bytes_min.min(65_536.0)
}
