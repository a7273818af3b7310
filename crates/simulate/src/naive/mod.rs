//! Simulate, naive rules: what people do without survivors and cases, on the same runs.
//! In: the lives of one process. Out: for each place and rule, what it says at the end and whether it ever did.
//!
//! Each rule is asked at 24 times, evenly spread over the last seven eighths of the run: fewer than the verdicts, which are
//! asked at every look, so "ever" is kinder to it.

mod age;
mod mann_kendall;
mod minima;
mod regression;
mod scalene;
mod series;

use crate::life::Life;
use series::Series;
use std::collections::{BTreeMap, BTreeSet};

/// Times at which a rule is asked.
const CHECKS: u32 = 24;
/// Probability below which a trend is called one.
const SIGNIFICANT: f64 = 0.01;

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Linear regression of what is held on time: p < 0.01 and a slope above 0.
    Regression,
    /// Mann and Kendall's trend test, p < 0.01.
    MannKendall,
    /// The same, corrected for autocorrelation (Hamed and Rao).
    HamedRao,
    /// Scalene's score of at least 0.95, and growth of at least 1 %.
    Scalene,
    /// Ten objects or more that are older than ten median lifetimes, or than a quarter of the run if none has ended.
    Age,
    /// The lowest level rises from third to third of the run.
    Minima,
}

impl Rule {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 6] =
        [Self::Regression, Self::MannKendall, Self::HamedRao, Self::Scalene, Self::Age, Self::Minima];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Regression => "linear regression, p < 0.01",
            Self::MannKendall => "Mann-Kendall, p < 0.01",
            Self::HamedRao => "Mann-Kendall, Hamed-Rao",
            Self::Scalene => "Scalene's score >= 0.95",
            Self::Age => "age, 10 median lifetimes",
            Self::Minima => "minima of thirds",
        }
    }
}

/// What a rule said of one place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Said {
    /// At the end.
    pub last: bool,
    /// At any time it was asked.
    pub ever: bool,
}

/// Asks every rule about every place of a process that lived so long.
pub fn ask(lives: &[Life], end_s: f64) -> BTreeMap<u32, [Said; 6]> {
    let sites: BTreeSet<u32> = lives.iter().map(|life| life.site).collect();
    let checks: Vec<f64> =
        (1..=CHECKS).map(|check| end_s * (0.125 + 0.875 * f64::from(check) / f64::from(CHECKS))).collect();
    let scores = scalene::suspects(lives, &checks);
    let mut all = BTreeMap::new();
    for site in sites {
        let own: Vec<Life> = lives.iter().filter(|life| life.site == site).copied().collect();
        let series = Series::of(&own, end_s);
        let mut said = [Said::default(); 6];
        for (index, at_s) in checks.iter().enumerate() {
            let held = series.until(*at_s);
            let now = [
                regression::grows(&held),
                mann_kendall::grows(&held, false),
                mann_kendall::grows(&held, true),
                scores[index].contains(&site),
                age::holds_old(&own, *at_s),
                minima::rise(&held),
            ];
            for (rule, now) in said.iter_mut().zip(now) {
                rule.last = now;
                rule.ever |= now;
            }
        }
        all.insert(site, said);
    }
    all
}
