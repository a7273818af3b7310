//! Model, process: all sites of one process and its own history.
//! In: [`Reading`]s and the mapping from stacks to sites. Out: queries for detectors.

use crate::history::{History, Point};
use crate::holding::ResourceReading;
use crate::reading::{LiveSample, Reading, SiteId, StackId};
use crate::resources::Resources;
use crate::site::{Site, SiteTotals};
use crate::traced::Trace;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Sites a model keeps. Real programs have hundreds to a few thousand; what comes later is counted, not kept.
pub const SITES_MAX: usize = 8192;

/// The whole process at one look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProcessPoint {
    /// When.
    pub at_ns: u64,
    /// Resident memory, as last told.
    pub rss_bytes: Option<u64>,
    /// CPU time used so far, as last told.
    pub cpu_ns: Option<u64>,
    /// Estimate of all bytes allocated so far: the bytes-allocated clock.
    pub born_bytes: f64,
    /// Estimate of all bytes freed so far.
    pub died_bytes: f64,
}

impl Point for ProcessPoint {
    fn at_ns(&self) -> u64 {
        self.at_ns
    }
    fn same_as(&self, other: &Self) -> bool {
        self.rss_bytes == other.rss_bytes
            && self.cpu_ns == other.cpu_ns
            && self.born_bytes.to_bits() == other.born_bytes.to_bits()
            && self.died_bytes.to_bits() == other.died_bytes.to_bits()
    }
}

/// How rarely the heap was sampled at one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct IntervalPoint {
    at_ns: u64,
    bytes: u64,
}

impl Point for IntervalPoint {
    fn at_ns(&self) -> u64 {
        self.at_ns
    }
    fn same_as(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

/// What the model could not take in. Loss is data: one counter per cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Losses {
    /// Stacks of the last reading whose site did not fit into [`SITES_MAX`].
    pub stacks_without_room: u64,
    /// Live samples of the last scan whose site did not fit.
    pub samples_without_room: u64,
    /// Readings older than the one before; they were ignored.
    pub readings_out_of_order: u64,
}

/// What one process holds, and its history.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProcessModel {
    now_ns: u64,
    looks: u64,
    live_at_ns: Option<u64>,
    traced_at_ns: Option<u64>,
    rss_bytes: Option<u64>,
    cpu_ns: Option<u64>,
    sites: BTreeMap<SiteId, Site>,
    history: History<ProcessPoint>,
    intervals: History<IntervalPoint>,
    resources: Resources,
    losses: Losses,
}

impl ProcessModel {
    /// A process of which nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one look. `site_of` must give a stack the same site every time.
    /// When the reading has no live list, the one before stays.
    pub fn absorb(&mut self, reading: &Reading, site_of: &dyn Fn(StackId) -> SiteId) {
        if reading.at_ns < self.now_ns {
            self.losses.readings_out_of_order += 1;
            return;
        }
        self.now_ns = reading.at_ns;
        self.looks += 1;
        self.rss_bytes = reading.rss_bytes.or(self.rss_bytes);
        self.absorb_totals(reading, site_of);
        if let Some(live) = &reading.live {
            self.absorb_live(live, site_of);
        }
        let sum = |part: fn(&SiteTotals) -> f64| self.sites.values().map(|site| part(site.totals())).sum();
        self.history.push(ProcessPoint {
            at_ns: self.now_ns,
            rss_bytes: self.rss_bytes,
            cpu_ns: self.cpu_ns,
            born_bytes: sum(|totals| totals.born_bytes),
            died_bytes: sum(|totals| totals.died_bytes),
        });
    }

    /// Tells the CPU time the process has used so far (user and system), or would have used had a processor been free; call
    /// it before [`ProcessModel::absorb`]. Optional: it lets detectors tell a batch program at work from a service.
    pub fn absorb_cpu(&mut self, cpu_ns: u64) {
        self.cpu_ns = Some(cpu_ns);
    }

    /// Tells the mean number of bytes between samples that was in force at a time. Optional: it lets detectors tell growth
    /// that has become slower from growth that is seen more rarely.
    pub fn absorb_sample_interval(&mut self, at_ns: u64, bytes: u64) {
        self.intervals.push(IntervalPoint { at_ns, bytes });
    }

    /// Takes in which objects something in the process's memory points at, as one look through it found. Optional: it
    /// tells what is forgotten from what is kept.
    pub fn absorb_traces(&mut self, at_ns: u64, traces: impl IntoIterator<Item = (SiteId, Trace)>) {
        for (site, trace) in traces {
            if let Some(site) = self.sites.get_mut(&site) {
                site.add_trace(at_ns, trace);
            }
        }
        self.traced_at_ns = Some(at_ns);
    }

    /// Time of the last look through the process's memory.
    pub fn traced_at_ns(&self) -> Option<u64> {
        self.traced_at_ns
    }

    /// Takes in one look at what the process holds beside memory; `site_of` as for [`ProcessModel::absorb`].
    pub fn absorb_resources(&mut self, reading: &ResourceReading, site_of: &dyn Fn(StackId) -> SiteId) {
        self.now_ns = self.now_ns.max(reading.at_ns);
        self.resources.absorb(reading, site_of);
    }

    /// What the process holds beside memory.
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    fn absorb_totals(&mut self, reading: &Reading, site_of: &dyn Fn(StackId) -> SiteId) {
        self.losses.stacks_without_room = 0;
        let mut fresh: BTreeMap<SiteId, SiteTotals> = BTreeMap::new();
        for stack in &reading.totals {
            fresh.entry(site_of(stack.stack)).or_default().add(stack);
        }
        for (id, totals) in fresh {
            match self.site_or_make(id) {
                Some(site) => site.set_totals(totals, reading.at_ns),
                None => self.losses.stacks_without_room += 1,
            }
        }
    }

    fn absorb_live(&mut self, live: &[LiveSample], site_of: &dyn Fn(StackId) -> SiteId) {
        self.losses.samples_without_room = 0;
        self.live_at_ns = Some(self.now_ns);
        let mut fresh: BTreeMap<SiteId, Vec<LiveSample>> = BTreeMap::new();
        for sample in live {
            // No probability, or a birth in the future, comes from a damaged table: not usable.
            let p = sample.inclusion_probability;
            if p > 0.0 && p <= 1.0 && sample.born_ns <= self.now_ns {
                fresh.entry(site_of(sample.stack)).or_default().push(*sample);
            }
        }
        let now_ns = self.now_ns;
        for site in self.sites.values_mut() {
            site.set_live(fresh.remove(&site.id()).unwrap_or_default(), now_ns);
        }
        for (id, samples) in fresh {
            let many = samples.len() as u64;
            match self.site_or_make(id) {
                Some(site) => site.set_live(samples, now_ns),
                None => self.losses.samples_without_room += many,
            }
        }
    }

    fn site_or_make(&mut self, id: SiteId) -> Option<&mut Site> {
        let full = self.sites.len() >= SITES_MAX;
        match self.sites.entry(id) {
            Entry::Occupied(site) => Some(site.into_mut()),
            Entry::Vacant(_) if full => None,
            Entry::Vacant(room) => Some(room.insert(Site::new(id, self.now_ns))),
        }
    }

    /// Time of the last look.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Number of looks taken in.
    pub fn looks(&self) -> u64 {
        self.looks
    }

    /// Time of the last look that scanned the live table.
    pub fn live_at_ns(&self) -> Option<u64> {
        self.live_at_ns
    }

    /// All sites, in order of their ids.
    pub fn sites(&self) -> impl Iterator<Item = &Site> {
        self.sites.values()
    }

    /// One site.
    pub fn site(&self, id: SiteId) -> Option<&Site> {
        self.sites.get(&id)
    }

    /// The process over time.
    pub fn history(&self) -> &History<ProcessPoint> {
        &self.history
    }

    /// Bytes the process had allocated by a time: its bytes-allocated clock.
    pub fn born_bytes_at(&self, at_ns: u64) -> f64 {
        self.history.value_at(at_ns, |point| point.born_bytes).unwrap_or(0.0)
    }

    /// Mean number of bytes between samples at a time, if it was told.
    pub fn sample_interval_bytes_at(&self, at_ns: u64) -> Option<f64> {
        self.intervals.value_at(at_ns, |point| point.bytes as f64)
    }

    /// Share of one processor used between two times, if CPU time was told over that span.
    pub fn cpu_share(&self, from_ns: u64, to_ns: u64) -> Option<f64> {
        let told = self.history.points().iter().all(|point| point.cpu_ns.is_some());
        if !told || to_ns <= from_ns {
            return None;
        }
        let at = |at_ns| self.history.value_at(at_ns, |point| point.cpu_ns.unwrap_or(0) as f64);
        Some((at(to_ns)? - at(from_ns)?) / (to_ns - from_ns) as f64)
    }

    /// What could not be taken in.
    pub fn losses(&self) -> Losses {
        self.losses
    }
}
