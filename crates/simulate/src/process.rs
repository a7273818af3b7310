//! Simulate, processes: what the interposer's tables would hold at a time.
//! In: sampled births and the time. Out: [`Reading`]s for the model, and which live objects nothing refers to.

use crate::program::Drawn;
use memguard_model::{LIFETIME_BUCKETS, LiveSample, Reading, StackId, StackTotals};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// The tables of one process.
#[derive(Debug, Default)]
pub struct Process {
    live: BTreeMap<u64, LiveSample>,
    lost: BTreeSet<u64>,
    deaths: BinaryHeap<(Reverse<u64>, u64)>,
    totals: BTreeMap<u32, StackTotals>,
    next_address: u64,
}

impl Process {
    pub(crate) fn born(&mut self, drawn: &Drawn) {
        let Drawn { birth, p } = *drawn;
        self.next_address += 16;
        let address = self.next_address;
        let sample = LiveSample {
            address,
            size_bytes: birth.size_bytes,
            born_ns: (birth.at_s * 1e9) as u64,
            inclusion_probability: p,
            stack: StackId(birth.site),
        };
        self.live.insert(address, sample);
        if !birth.referenced {
            self.lost.insert(address);
        }
        if birth.dies_s.is_finite() {
            self.deaths.push((Reverse((birth.dies_s * 1e9) as u64), address));
        }
        let totals = self.totals_of(birth.site);
        totals.births += 1;
        totals.born_count += 1.0 / p;
        totals.born_bytes += birth.size_bytes as f64 / p;
    }

    pub(crate) fn bury(&mut self, now_s: f64) {
        let now_ns = (now_s * 1e9) as u64;
        while self.deaths.peek().is_some_and(|(dies, _)| dies.0 <= now_ns) {
            let Some((dies, address)) = self.deaths.pop() else { return };
            let Some(sample) = self.live.remove(&address) else { continue };
            self.lost.remove(&address);
            let lifetime_us = (dies.0.saturating_sub(sample.born_ns) / 1000).max(1);
            let bucket = (lifetime_us.ilog2() / 2) as usize;
            let totals = self.totals_of(sample.stack.0);
            totals.deaths += 1;
            totals.died_count += 1.0 / sample.inclusion_probability;
            totals.died_bytes += sample.estimated_bytes();
            totals.lifetimes[bucket.min(LIFETIME_BUCKETS - 1)] += 1;
        }
    }

    fn totals_of(&mut self, site: u32) -> &mut StackTotals {
        self.totals.entry(site).or_insert_with(|| StackTotals::none(StackId(site)))
    }

    pub(crate) fn reading(&self, now_s: f64, rss_bytes: Option<u64>) -> Reading {
        Reading {
            at_ns: (now_s * 1e9) as u64,
            totals: self.totals.values().copied().collect(),
            live: Some(self.live.values().copied().collect()),
            rss_bytes,
        }
    }

    /// Addresses of the live samples that the program does not refer to, as a scan for references would find them.
    pub fn lost(&self) -> &BTreeSet<u64> {
        &self.lost
    }
}
