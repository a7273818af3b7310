//! Simulator: programs in virtual time, seeded, looked at as a collector would.
//! In: births with lifetimes, or plain allocations thinned by the real sampling draws. Out: confidences.
#![allow(dead_code)] // Each test binary uses its own part.

pub mod resources;

use memguard_detect::{DetectConfig, Finding, Verdicts};
use memguard_model::{LIFETIME_BUCKETS, LiveSample, ProcessModel, Reading, SiteId, StackId, StackTotals};
use memguard_sampling::{Rng, inclusion_probability, next_gap_bytes};
use std::collections::{BTreeMap, BinaryHeap};

/// Kept for ever.
pub const FOREVER: f64 = f64::INFINITY;

/// One object.
#[derive(Debug, Clone, Copy)]
pub struct Birth {
    pub at_s: f64,
    pub dies_s: f64,
    pub size_bytes: u64,
    pub site: u32,
}

/// A program: its objects and, if told, the share of a processor it uses.
#[derive(Debug, Clone, Default)]
pub struct Program {
    pub births: Vec<Birth>,
    pub cpu_share: Option<f64>,
    /// From when on the interval is so many times what is configured, in order of time.
    pub thinned: Vec<(f64, u64)>,
}

/// What looking at a program from begin to end yielded, for the most suspect site.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Highest confidence at the last look.
    pub last: f64,
    /// Highest confidence ever.
    pub ever: f64,
    /// First time at 0.5 or more.
    pub first_shown_s: Option<f64>,
    /// Findings of the last look.
    pub findings: Vec<Finding>,
}

impl Program {
    pub fn add(&mut self, site: u32, at_s: f64, life_s: f64, size_bytes: u64) {
        self.births.push(Birth { at_s, dies_s: at_s + life_s, size_bytes, site });
    }

    /// Poisson births with a rate that may vary (by thinning), each with a lifetime.
    #[allow(clippy::too_many_arguments)] // One line per stream reads better than a builder here.
    pub fn poisson(
        &mut self,
        rng: &mut Rng,
        site: u32,
        size_bytes: u64,
        span_s: (f64, f64),
        rate_max: f64,
        rate: impl Fn(f64) -> f64,
        mut life: impl FnMut(&mut Rng, f64) -> f64,
    ) {
        let mut at = span_s.0;
        loop {
            at += exponential(rng, 1.0 / rate_max);
            if at >= span_s.1 {
                return;
            }
            if rng.next_unit() * rate_max <= rate(at) {
                let life_s = life(rng, at);
                self.add(site, at, life_s, size_bytes);
            }
        }
    }

    /// How many times the configured interval is in force at a time.
    fn thinned_at(&self, at_s: f64) -> u64 {
        self.thinned.iter().rev().find(|(from_s, _)| *from_s <= at_s).map_or(1, |(_, times)| *times)
    }

    /// Looks at the program every `poll_s`. With `thin`, births are real allocations and the countdown picks
    /// the sampled ones; without, every birth is itself a sample at the configured interval, and is left out by chance
    /// while that is raised.
    pub fn watch(
        mut self,
        rng: &mut Rng,
        poll_s: f64,
        end_s: f64,
        config: DetectConfig,
        thin: bool,
    ) -> Outcome {
        self.births.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        let interval = config.sample_interval_bytes as u64;
        let mut gap = next_gap_bytes(rng, interval);
        // Of the interval with which the gap was drawn, as in the interposer.
        let mut drawn = interval;
        let mut state = State::default();
        let mut model = ProcessModel::new();
        let mut verdicts = Verdicts::new(config);
        let mut outcome = Outcome::default();
        let mut births = self.births.iter().peekable();
        let mut look = poll_s;
        while look < end_s + 0.5 * poll_s {
            while let Some(birth) = births.next_if(|birth| birth.at_s <= look) {
                let now = interval * self.thinned_at(birth.at_s);
                if thin && gap > birth.size_bytes {
                    gap -= birth.size_bytes;
                    continue;
                }
                let mut p = inclusion_probability(birth.size_bytes, now);
                if thin {
                    p = inclusion_probability(birth.size_bytes, drawn);
                    (gap, drawn) = (next_gap_bytes(rng, now), now);
                } else if now > interval
                    && rng.next_unit() > p / inclusion_probability(birth.size_bytes, interval)
                {
                    continue;
                }
                state.born(*birth, p);
            }
            state.bury(look);
            if let Some(share) = self.cpu_share {
                model.absorb_cpu((look * share * 1e9) as u64);
            }
            model.absorb_sample_interval((look * 1e9) as u64, interval * self.thinned_at(look));
            model.absorb(&state.reading(look), &|stack| SiteId(stack.0));
            outcome.findings = verdicts.look(&model);
            outcome.last = outcome.findings.first().map_or(0.0, |finding| finding.confidence);
            outcome.ever = outcome.ever.max(outcome.last);
            if outcome.last >= 0.5 && outcome.first_shown_s.is_none() {
                outcome.first_shown_s = Some(look);
            }
            look += poll_s;
        }
        outcome
    }
}

/// What the interposer would hold.
#[derive(Default)]
struct State {
    live: BTreeMap<u64, LiveSample>,
    deaths: BinaryHeap<(std::cmp::Reverse<u64>, u64)>,
    totals: BTreeMap<u32, StackTotals>,
    next_address: u64,
}

impl State {
    fn born(&mut self, birth: Birth, p: f64) {
        self.next_address += 16;
        let born_ns = (birth.at_s * 1e9) as u64;
        let sample = LiveSample {
            address: self.next_address,
            size_bytes: birth.size_bytes,
            born_ns,
            inclusion_probability: p,
            stack: StackId(birth.site),
        };
        self.live.insert(self.next_address, sample);
        if birth.dies_s.is_finite() {
            self.deaths.push((std::cmp::Reverse((birth.dies_s * 1e9) as u64), self.next_address));
        }
        let totals = self.totals_of(birth.site);
        totals.births += 1;
        totals.born_count += 1.0 / p;
        totals.born_bytes += birth.size_bytes as f64 / p;
    }

    fn bury(&mut self, now_s: f64) {
        let now_ns = (now_s * 1e9) as u64;
        while self.deaths.peek().is_some_and(|(dies, _)| dies.0 <= now_ns) {
            let Some((dies, address)) = self.deaths.pop() else { return };
            let Some(sample) = self.live.remove(&address) else { continue };
            let lifetime_us = (dies.0.saturating_sub(sample.born_ns) / 1000).max(1);
            let bucket = (lifetime_us.ilog2() / 2) as usize;
            let totals = self.totals_of(sample.stack.0);
            totals.deaths += 1;
            totals.died_count += 1.0 / sample.inclusion_probability;
            totals.died_bytes += sample.size_bytes as f64 / sample.inclusion_probability;
            totals.lifetimes[bucket.min(LIFETIME_BUCKETS - 1)] += 1;
        }
    }

    fn totals_of(&mut self, site: u32) -> &mut StackTotals {
        self.totals.entry(site).or_insert(StackTotals {
            stack: StackId(site),
            births: 0,
            deaths: 0,
            born_count: 0.0,
            died_count: 0.0,
            born_bytes: 0.0,
            died_bytes: 0.0,
            lifetimes: [0; LIFETIME_BUCKETS],
        })
    }

    fn reading(&self, now_s: f64) -> Reading {
        Reading {
            at_ns: (now_s * 1e9) as u64,
            totals: self.totals.values().copied().collect(),
            live: Some(self.live.values().copied().collect()),
            rss_bytes: None,
        }
    }
}

pub fn exponential(rng: &mut Rng, mean: f64) -> f64 {
    -mean * rng.next_unit().ln()
}

pub fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * rng.next_unit().ln()).sqrt() * (std::f64::consts::TAU * rng.next_unit()).cos()
}

/// Evicts as a FIFO of `capacity` does: each birth dies when `capacity` later ones have come. A share of
/// `forgotten` entries is dropped from the queue without being freed.
pub fn fifo(births: &mut [Birth], capacity: usize, forgotten: f64, rng: &mut Rng) {
    let times: Vec<f64> = births.iter().map(|birth| birth.at_s).collect();
    for (index, birth) in births.iter_mut().enumerate() {
        let evicted = times.get(index + capacity).copied().unwrap_or(FOREVER);
        birth.dies_s = if rng.next_unit() < forgotten { FOREVER } else { evicted };
    }
}

/// Evicts at random: each birth beyond `capacity` ends a random one.
pub fn random_replacement(births: &mut [Birth], capacity: usize, rng: &mut Rng) {
    let mut held: Vec<usize> = Vec::new();
    for index in 0..births.len() {
        if held.len() >= capacity {
            let victim = held.swap_remove((rng.next_u64() % held.len() as u64) as usize);
            births[victim].dies_s = births[index].at_s;
        }
        births[index].dies_s = FOREVER;
        held.push(index);
    }
}

/// Seeds per pattern: few in the ordinary test run, more with `SEEDS=100` for a table.
pub fn seeds(default: u64) -> u64 {
    std::env::var("SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
