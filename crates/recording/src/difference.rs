//! Recording, differences: what both sides of a file know at a look, and what is new at the next.
//! In: readings (writing), differences (reading). Out: the other.

use crate::line::{Heap, Held};
use crate::rows::{HeldRow, HeldTotals, LiveRow};
use memguard_model::{
    Class, Holding, HoldingTotals, LiveSample, Reading, ResourceReading, StackId, StackTotals,
};
use std::collections::{BTreeMap, HashMap};

/// Everything that the last look knew.
#[derive(Debug, Default)]
pub struct Known {
    totals: BTreeMap<StackId, StackTotals>,
    live: HashMap<u64, LiveSample>,
    /// By stack first: the order in which a segment tells them.
    held_totals: BTreeMap<(StackId, Class), HoldingTotals>,
    held: BTreeMap<(Class, u64), Holding>,
}

impl Known {
    /// What a reading says that is new.
    pub fn difference(&mut self, reading: &Reading) -> Heap {
        let mut heap = Heap { at: reading.at_ns, rss: reading.rss_bytes, ..Heap::default() };
        for totals in &reading.totals {
            if self.totals.insert(totals.stack, *totals).as_ref() != Some(totals) {
                heap.totals.push(totals.into());
            }
        }
        let Some(live) = &reading.live else { return heap };
        heap.live = true;
        let fresh: HashMap<u64, LiveSample> = live.iter().map(|sample| (sample.address, *sample)).collect();
        heap.died = self.live.keys().filter(|address| !fresh.contains_key(address)).copied().collect();
        heap.died.sort_unstable();
        let born = live.iter().filter(|sample| self.live.get(&sample.address) != Some(sample));
        heap.born = born.map(LiveRow::from).collect();
        self.live = fresh;
        heap
    }

    /// The reading again. `None` if a row is damaged.
    pub fn reading(&mut self, heap: &Heap) -> Option<Reading> {
        for row in &heap.totals {
            let totals = row.restore()?;
            self.totals.insert(totals.stack, totals);
        }
        for address in &heap.died {
            self.live.remove(address);
        }
        for row in &heap.born {
            let sample = row.restore();
            self.live.insert(sample.address, sample);
        }
        Some(Reading {
            at_ns: heap.at,
            totals: self.totals.values().copied().collect(),
            live: heap.live.then(|| self.live.values().copied().collect()),
            rss_bytes: heap.rss,
        })
    }

    /// What a reading of everything else says that is new.
    pub fn held_difference(&mut self, reading: &ResourceReading) -> Held {
        let counts = (reading.descriptors, reading.descriptors_max, reading.threads, reading.modules);
        let mut held = Held { at: reading.at_ns, counts, ..Held::default() };
        for totals in &reading.totals {
            if self.held_totals.insert((totals.stack, totals.class), *totals).as_ref() != Some(totals) {
                held.totals.push(HeldTotals::from(totals));
            }
        }
        let Some(holdings) = &reading.holdings else { return held };
        held.listed = true;
        let key = |holding: &Holding| (holding.class, holding.id);
        let fresh: BTreeMap<(Class, u64), Holding> = holdings.iter().map(|h| (key(h), h.clone())).collect();
        let gone = self.held.keys().filter(|key| !fresh.contains_key(key));
        held.gone = gone.map(|(class, id)| (class.code(), *id)).collect();
        let come = fresh.iter().filter(|(key, holding)| self.held.get(key) != Some(holding));
        held.come = come.map(|(_, holding)| HeldRow::from(holding)).collect();
        self.held = fresh;
        held
    }

    /// The reading again. `None` if a row is damaged.
    pub fn held_reading(&mut self, held: &Held) -> Option<ResourceReading> {
        for row in &held.totals {
            let totals = row.restore()?;
            self.held_totals.insert((totals.stack, totals.class), totals);
        }
        for (class, id) in &held.gone {
            self.held.remove(&(Class::from_code(*class)?, *id));
        }
        for row in &held.come {
            let holding = row.restore()?;
            self.held.insert((holding.class, holding.id), holding);
        }
        let (descriptors, descriptors_max, threads, modules) = held.counts;
        Some(ResourceReading {
            at_ns: held.at,
            totals: self.held_totals.values().copied().collect(),
            holdings: held.listed.then(|| self.held.values().cloned().collect()),
            descriptors,
            descriptors_max,
            threads,
            modules,
        })
    }
}
