//! Simulate, judging: one run against the truth, by verdicts and by naive rules.
//! In: a scenario in a mode, a seed. Out: what was said of each place, and what is true of it.

use crate::draws::FOREVER;
use crate::life::Life;
use crate::naive::{self, Said};
use crate::outcome::SiteSeen;
use crate::program::{Drawn, Program};
use crate::scenario::{Run, Truth};
use crate::watch::watch;
use memguard_detect::{Kind, SHOWN, Score};
use memguard_model::Origin;
use memguard_sampling::Rng;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is true of a place, or of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// Nothing leaks.
    Healthy,
    /// It leaks.
    Leak,
    /// No one can say.
    Ambiguous,
}

/// One place of one process.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What is true of it.
    pub label: Label,
    /// Confidence at the end; 0 without a finding.
    pub last: f64,
    /// The score behind it, and what it rests on.
    pub score: Option<Score>,
    /// Highest confidence ever.
    pub ever: f64,
    /// From the first object that leaks to the first look that showed it, in seconds.
    pub delay_s: Option<f64>,
    /// Whether a leak that is shown at the end has its right name.
    pub kind_right: Option<bool>,
    /// What naive rules say, in the order of [`naive::Rule::ALL`].
    pub naive: [Said; 6],
}

/// One run of one seed.
#[derive(Debug, Clone)]
pub struct RunResult {
    /// What is true of it.
    pub label: Label,
    /// Its places.
    pub places: Vec<Judged>,
}

impl RunResult {
    /// Highest confidence of any place at the end.
    pub fn last(&self) -> f64 {
        self.places.iter().map(|place| place.last).fold(0.0, f64::max)
    }

    /// Highest confidence of any place, ever.
    pub fn ever(&self) -> f64 {
        self.places.iter().map(|place| place.ever).fold(0.0, f64::max)
    }
}

/// The name of a kind in reports.
pub(crate) fn kind_name(kind: Kind) -> String {
    serde_json::to_value(kind).ok().and_then(|name| Some(name.as_str()?.to_owned())).unwrap_or_default()
}

/// Judges one seed of a run.
pub fn judge(run: &Run, seed: u64) -> RunResult {
    let mut rng = Rng::from_seed(seed ^ stream(run));
    let program = run.program(&mut rng);
    let mut places = Vec::new();
    for process in std::iter::once(&program).chain(&program.fellows) {
        places.extend(judge_process(run, process, &mut rng));
    }
    let label = match run.scenario.truth {
        Truth::Healthy => Label::Healthy,
        Truth::Leak(_) => Label::Leak,
        Truth::Ambiguous => Label::Ambiguous,
    };
    RunResult { label, places }
}

/// Runs of the same shape in other lengths and modes are drawn anew: FNV-1a of name and mode.
fn stream(run: &Run) -> u64 {
    let bytes = run.scenario.name.bytes().chain(run.mode.name.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn judge_process(run: &Run, process: &Program, rng: &mut Rng) -> Vec<Judged> {
    let config = run.mode.config;
    let end_s = process.ends_s.unwrap_or_else(|| run.end_s());
    let drawn = process.draw(rng, config.sample_interval_bytes as u64);
    let lives = lives(process, &drawn);
    let outcome = watch(process, &drawn, run.mode.look_s(end_s), end_s, config);
    let naive = naive::ask(&lives, end_s);
    let leaking = &run.scenario.leaking_sites;
    let leaks = matches!(run.scenario.truth, Truth::Leak(_)) && !process.innocent;
    let mut sites: BTreeSet<u32> = naive.keys().chain(outcome.sites.keys()).copied().collect();
    if leaks {
        sites.extend(leaking.iter());
    }
    let place = |site: u32| {
        let label = match &run.scenario.truth {
            Truth::Ambiguous => Label::Ambiguous,
            Truth::Leak(_) if leaks && leaking.contains(&site) => Label::Leak,
            _ => Label::Healthy,
        };
        let seen = outcome.sites.get(&site).cloned().unwrap_or_default();
        Judged {
            label,
            last: seen.last,
            score: seen.score,
            ever: seen.ever,
            delay_s: seen.first_shown_s.map(|at_s| (at_s - began_s(&lives, site)).max(0.0)),
            kind_right: kind_right(&run.scenario.truth, &seen).filter(|_| label == Label::Leak),
            naive: naive.get(&site).copied().unwrap_or_default(),
        }
    };
    sites.into_iter().map(place).collect()
}

fn kind_right(truth: &Truth, seen: &SiteSeen) -> Option<bool> {
    match truth {
        Truth::Leak(kinds) if seen.last >= SHOWN => {
            Some(seen.kinds.iter().any(|kind| kinds.contains(&kind_name(*kind))))
        }
        _ => None,
    }
}

/// Birth of the first at a place that is lost; else of the first that never ends; else of the first of all.
fn began_s(lives: &[Life], site: u32) -> f64 {
    let first = |wanted: &dyn Fn(&Life) -> bool| {
        let own = lives.iter().filter(|life| life.site == site && wanted(life));
        own.map(|life| life.at_s).reduce(f64::min)
    };
    let began_s = first(&|life| !life.referenced).or_else(|| first(&|life| life.dies_s == FOREVER));
    began_s.or_else(|| first(&|_| true)).unwrap_or(0.0)
}

/// Everything that naive rules go by.
fn lives(process: &Program, drawn: &[Drawn]) -> Vec<Life> {
    let sample = |Drawn { birth, p }: &Drawn| Life {
        site: birth.site,
        at_s: birth.at_s,
        dies_s: birth.dies_s,
        referenced: birth.referenced,
        weight: birth.size_bytes as f64 / p,
    };
    let mut lives: Vec<Life> = drawn.iter().map(sample).collect();
    let world = &process.world;
    lives.extend(world.things.iter().map(|thing| Life {
        site: if thing.origin == Origin::Hooked { thing.site } else { 0 },
        at_s: thing.at_s,
        dies_s: thing.dies_s,
        referenced: true,
        weight: 1.0,
    }));
    let single = |site, at_s, dies_s| Life { site, at_s, dies_s, referenced: true, weight: 1.0 };
    lives.extend(world.callbacks_s.iter().map(|at_s| single(1, *at_s, FOREVER)));
    lives.extend(world.libraries_s.iter().map(|(at_s, until_s)| single(0, *at_s, *until_s)));
    lives
}

/// Judges all runs with as many seeds, on so many threads; results in the order of runs.
pub fn judge_all(runs: &[Run], seeds: u64, threads: usize) -> Vec<Vec<RunResult>> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Vec<RunResult>)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let Some((index, run)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    runs.get(index).map(|run| (index, run))
                } {
                    let results = (0..seeds).map(|seed| judge(run, seed)).collect();
                    if let Ok(mut done) = done.lock() {
                        done.push((index, results));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, results)| results).collect()
}
