//! Detect, resources: how evidence becomes confidence. The one place where the numbers stand.
//! In: [`Features`] of a place. Out: what growth may reach and must show, what kernel state is worth, and the evidence
//! as it is logged with the finding.

use super::state_rules::{Births, StateRule};
use crate::config::DetectConfig;
use crate::finding::{Evidence, Kind};
use crate::words;
use memguard_model::Class;

/// Cap of a suspicion that is not shown by default.
pub(super) const CAP_SUSPECT: f64 = 0.45;
/// Cap of confirmed growth alone.
const CAP_GROWTH: f64 = 0.85;
/// The same beside others of the place that are given back soon.
const CAP_ERROR_PATH: f64 = 0.92;
/// What is taken off where no hook saw the births: no stack, and times only as fine as the looks.
const UNHOOKED_LESS: f64 = 0.1;
/// Fewest overdue ones beside many that are given back soon.
const ERROR_PATH_SAMPLES_MIN: usize = 3;
/// Share given back, its least number, and the part of the age limit within which that happens, for an error path.
const ERROR_PATH_CLOSED_SHARE: f64 = 0.5;
const ERROR_PATH_DEATHS_MIN: u64 = 5;
const ERROR_PATH_LIFETIME_SHARE: f64 = 0.25;

/// Servers keep idle connections for a while, and close them by a time-out that is often a few times the age at which
/// they are suspect: so much longer growth must last before they are called forgotten. The kernel alone does not tell
/// which sockets were accepted.
const IDLE_PATIENCE: f64 = 2.0;

/// What is known of a place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Features {
    /// What it makes.
    pub class: Class,
    /// Age past which one is overdue, in seconds.
    pub age_limit_s: f64,
    /// How many are.
    pub overdue: usize,
    /// How many were made and given back.
    pub births: u64,
    /// How many of them were given back.
    pub deaths: u64,
    /// Lifetime that 99 % of those stayed below, in seconds.
    pub q99_s: f64,
    /// Living ones seen in use past the age limit.
    pub used_late: usize,
    /// Whether no hook saw any of them come.
    pub unhooked: bool,
}

/// What growth must show and may reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct GrowthTerms {
    /// Fewest overdue ones.
    pub samples_min: usize,
    /// Looks that must agree.
    pub looks_to_confirm: u32,
    /// Cap when confirmed.
    pub confidence_max: f64,
}

impl Features {
    /// Share of those made that were given back.
    pub fn closed_share(&self) -> f64 {
        self.deaths as f64 / self.births.max(1) as f64
    }

    /// Whether most are given back, and long before the age limit: then those that stay were forgotten.
    pub fn error_path(&self) -> bool {
        self.deaths >= ERROR_PATH_DEATHS_MIN
            && self.closed_share() > ERROR_PATH_CLOSED_SHARE
            && self.q99_s <= ERROR_PATH_LIFETIME_SHARE * self.age_limit_s
    }

    /// The terms for growth at this place.
    pub fn growth_terms(&self, rule_min: usize, config: &DetectConfig) -> GrowthTerms {
        let less = if self.unhooked { UNHOOKED_LESS } else { 0.0 };
        if self.error_path() {
            return GrowthTerms {
                samples_min: ERROR_PATH_SAMPLES_MIN.max(rule_min),
                looks_to_confirm: config.handles_looks_to_confirm.div_ceil(2),
                confidence_max: CAP_ERROR_PATH - less,
            };
        }
        GrowthTerms {
            samples_min: config.handles_samples_min.max(rule_min),
            looks_to_confirm: config.handles_looks_to_confirm,
            confidence_max: CAP_GROWTH - less,
        }
    }

    /// How much longer than usual growth of this kind must have been seen.
    pub fn patience(&self, kind: Kind) -> f64 {
        let is_servers = self.class == Class::Accepted || self.unhooked;
        if kind == Kind::SocketIdle && is_servers { IDLE_PATIENCE } else { 1.0 }
    }

    /// What it is worth that the kernel says this of so many.
    pub fn state_confidence(&self, rule: &StateRule, many: usize, births: Births, max_age_s: f64) -> f64 {
        let Some(step) = many.min(rule.ladder.len()).checked_sub(1) else { return 0.0 };
        let confidence = rule.ladder[step];
        let together = births.burst(max_age_s);
        if self.pool_at_start(births, max_age_s) || (rule.burst_is_batch && many > 1 && together) {
            return confidence.min(CAP_SUSPECT);
        }
        // Several births apart from each other are a habit, one burst is an accident.
        let most = match births.groups {
            0..=2 if rule.burst_is_batch => rule.ladder[1],
            0..=2 => rule.ladder[2],
            _ => 0.97,
        };
        let further = 0.004 * (many.saturating_sub(rule.ladder.len()).min(5)) as f64;
        (confidence + further).min(most)
    }

    /// Connections that the process itself made in one burst when it started, and none since: a pool.
    pub fn pool_at_start(&self, births: Births, max_age_s: f64) -> bool {
        self.class == Class::Socket && births.burst(max_age_s) && births.first_s < max_age_s / 2.0
    }

    /// The facts.
    pub fn evidence(&self) -> Vec<Evidence> {
        let mut facts = vec![
            fact("age past which one is overdue", words::seconds(self.age_limit_s)),
            fact("overdue now", words::grouped(self.overdue as f64)),
            fact("made here since the start", words::grouped(self.births as f64)),
            fact("share of them given back", words::percent(self.closed_share())),
        ];
        if self.deaths > 0 {
            let q99 = if self.q99_s > 0.0 { words::seconds(self.q99_s) } else { "one look".to_owned() };
            facts.push(fact("99 % of those given back lived less than", q99));
        }
        if self.used_late > 0 {
            facts.push(fact("seen in use past that age", words::grouped(self.used_late as f64)));
        }
        if self.unhooked {
            facts.push(fact("seen by a hook", "no: the kernel lists them".to_owned()));
        }
        facts
    }
}

/// One fact.
pub(super) fn fact(what: &str, value: String) -> Evidence {
    Evidence { what: what.to_owned(), value }
}
