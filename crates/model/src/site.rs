//! Model, sites: what one place in the program allocated, freed and still holds.
//! In: totals and live samples of its stacks, from [`crate::ProcessModel`]. Out: queries for detectors.

use crate::ended::EndedLives;
use crate::history::{History, Point};
use crate::reading::{LIFETIME_BUCKETS, LifetimeHistogram, LiveSample, SiteId, StackId, StackTotals};
use crate::traced::{Trace, Traced};
use std::collections::BTreeMap;

/// Running totals over all stacks of a site.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SiteTotals {
    /// Sampled allocations.
    pub births: u64,
    /// Sampled allocations that were freed.
    pub deaths: u64,
    /// Estimate of all objects allocated.
    pub born_count: f64,
    /// Estimate of all objects freed.
    pub died_count: f64,
    /// Estimate of all bytes allocated.
    pub born_bytes: f64,
    /// Estimate of all bytes freed.
    pub died_bytes: f64,
    /// Lifetimes of the freed ones, as the interposer counted them.
    pub lifetimes: LifetimeHistogram,
}

impl SiteTotals {
    pub(crate) fn add(&mut self, stack: &StackTotals) {
        self.births = self.births.saturating_add(stack.births);
        self.deaths = self.deaths.saturating_add(stack.deaths);
        self.born_count += stack.born_count;
        self.died_count += stack.died_count;
        self.born_bytes += stack.born_bytes;
        self.died_bytes += stack.died_bytes;
        for bucket in 0..LIFETIME_BUCKETS {
            self.lifetimes[bucket] = self.lifetimes[bucket].saturating_add(stack.lifetimes[bucket]);
        }
    }
}

/// A site's totals at one look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SitePoint {
    /// When.
    pub at_ns: u64,
    /// Sampled allocations so far.
    pub births: u64,
    /// Sampled allocations freed so far.
    pub deaths: u64,
    /// Estimate of all objects allocated so far.
    pub born_count: f64,
    /// Estimate of all objects freed so far.
    pub died_count: f64,
    /// Estimate of all bytes allocated so far.
    pub born_bytes: f64,
    /// Estimate of all bytes freed so far.
    pub died_bytes: f64,
}

impl SitePoint {
    /// Estimate of the bytes held at this look.
    pub fn live_bytes(&self) -> f64 {
        (self.born_bytes - self.died_bytes).max(0.0)
    }

    /// Estimate of the objects held at this look.
    pub fn live_count(&self) -> f64 {
        (self.born_count - self.died_count).max(0.0)
    }
}

impl Point for SitePoint {
    fn at_ns(&self) -> u64 {
        self.at_ns
    }
    fn same_as(&self, other: &Self) -> bool {
        self.births == other.births && self.deaths == other.deaths
    }
}

/// Two spans of ended lives: when the run has doubled since the older one began, it is let go.
#[derive(Debug, Clone, Default, PartialEq)]
struct Generations {
    older_since_ns: u64,
    older: EndedLives,
    newer_since_ns: u64,
    newer: EndedLives,
}

/// One place in the program.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    id: SiteId,
    first_seen_ns: u64,
    totals: SiteTotals,
    live: Vec<LiveSample>,
    history: History<SitePoint>,
    ended: EndedLives,
    generations: Generations,
    traced: Traced,
}

impl Site {
    pub(crate) fn new(id: SiteId, first_seen_ns: u64) -> Self {
        Self {
            id,
            first_seen_ns,
            totals: SiteTotals::default(),
            live: Vec::new(),
            history: History::default(),
            ended: EndedLives::default(),
            generations: Generations::default(),
            traced: Traced::default(),
        }
    }

    pub(crate) fn set_totals(&mut self, totals: SiteTotals, at_ns: u64) {
        self.totals = totals;
        self.history.push(SitePoint {
            at_ns,
            births: totals.births,
            deaths: totals.deaths,
            born_count: totals.born_count,
            died_count: totals.died_count,
            born_bytes: totals.born_bytes,
            died_bytes: totals.died_bytes,
        });
    }

    /// Replaces the live list; those of the old list that are missing have ended since.
    pub(crate) fn set_live(&mut self, mut live: Vec<LiveSample>, at_ns: u64) {
        let key = |sample: &LiveSample| (sample.born_ns, sample.address);
        live.sort_unstable_by_key(key);
        self.turn_generations(at_ns);
        let mut fresh = live.iter().map(key).peekable();
        for old in &self.live {
            while fresh.peek().is_some_and(|new| *new < key(old)) {
                fresh.next();
            }
            if fresh.peek() != Some(&key(old)) {
                let lifetime = at_ns.saturating_sub(old.born_ns);
                self.ended.add(lifetime);
                self.generations.newer.add(lifetime);
            }
        }
        self.traced.keep(&live);
        self.live = live;
    }

    pub(crate) fn add_trace(&mut self, at_ns: u64, trace: Trace) {
        self.traced.add(at_ns, trace);
    }

    fn turn_generations(&mut self, at_ns: u64) {
        let generations = &mut self.generations;
        if at_ns > 2 * generations.newer_since_ns {
            generations.older_since_ns = generations.newer_since_ns;
            generations.newer_since_ns = at_ns;
            generations.older = std::mem::take(&mut generations.newer);
        }
    }

    /// Its name.
    pub fn id(&self) -> SiteId {
        self.id
    }

    /// Time of the look that showed it first.
    pub fn first_seen_ns(&self) -> u64 {
        self.first_seen_ns
    }

    /// Totals at the last look.
    pub fn totals(&self) -> &SiteTotals {
        &self.totals
    }

    /// Live samples in order of birth, as of the last look that scanned the live table.
    pub fn live(&self) -> &[LiveSample] {
        &self.live
    }

    /// Estimate of the bytes that it held at that look.
    pub fn held_bytes(&self) -> f64 {
        self.live.iter().map(LiveSample::estimated_bytes).sum()
    }

    /// Which of its live samples something still points at, as far as that was looked for.
    pub fn traced(&self) -> &Traced {
        &self.traced
    }

    /// Totals over time.
    pub fn history(&self) -> &History<SitePoint> {
        &self.history
    }

    /// Lives that ended between two looks, since the beginning.
    pub fn ended(&self) -> &EndedLives {
        &self.ended
    }

    /// Lives that ended in recent times, and since when these are counted: that is at least the last half of
    /// the run, at most the last three quarters.
    pub fn ended_recently(&self) -> (u64, EndedLives) {
        let mut recent = self.generations.older.clone();
        recent.merge(&self.generations.newer);
        (self.generations.older_since_ns, recent)
    }

    /// The lifetime that 99 % of the completed lives stayed below, in ns; 0 when none completed.
    /// Lives that ended between looks without ever being seen live count as shorter than any other.
    pub fn lifetime_q99_ns(&self) -> u64 {
        let deaths = self.totals.deaths.max(self.ended.total());
        self.ended.exceeded_by(deaths / 100)
    }

    /// The stack that holds most of the given samples' bytes.
    pub fn heaviest_stack<'a>(samples: impl IntoIterator<Item = &'a LiveSample>) -> Option<StackId> {
        let mut bytes: BTreeMap<StackId, f64> = BTreeMap::new();
        for sample in samples {
            *bytes.entry(sample.stack).or_default() += sample.estimated_bytes();
        }
        bytes.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(stack, _)| stack)
    }
}
