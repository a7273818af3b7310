//! Model, resources: what a process holds beside memory, by class and place, and its history.
//! In: [`ResourceReading`]s and the mapping from stacks to sites. Out: queries for detectors.
//!
//! A place that makes resources is a [`Site`] like one that allocates: each holding is a sample with probability one.
//! So the same questions (lifetimes, survivors, history) have the same answers.

use crate::history::{History, Point};
use crate::holding::{Holding, HoldingTotals, ResourceReading};
use crate::process::SITES_MAX;
use crate::reading::{LiveSample, SiteId, StackId, StackTotals};
use crate::site::{Site, SiteTotals};
use memguard_segment::Class;
use std::collections::BTreeMap;

/// Name of a place among the resources: one class of things made at one site.
pub type Place = (Class, SiteId);

/// Counts over the whole process at one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourcePoint {
    /// When.
    pub at_ns: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Living threads.
    pub threads: u64,
    /// Loaded libraries, as last counted.
    pub modules: u64,
}

impl Point for ResourcePoint {
    fn at_ns(&self) -> u64 {
        self.at_ns
    }
    fn same_as(&self, other: &Self) -> bool {
        (self.descriptors, self.threads, self.modules) == (other.descriptors, other.threads, other.modules)
    }
}

/// One class of things made at one place.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceSite {
    class: Class,
    stack: StackId,
    site: Site,
    holdings: Vec<Holding>,
}

impl ResourceSite {
    /// What it makes.
    pub fn class(&self) -> Class {
        self.class
    }

    /// The stack that made most of them so far; [`StackId`] 0 where none is known.
    pub fn stack(&self) -> StackId {
        self.stack
    }

    /// Births, deaths, lifetimes and history; its live samples are the holdings, in the same order.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// What is held now, in order of birth.
    pub fn holdings(&self) -> &[Holding] {
        &self.holdings
    }
}

/// All resources of one process.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resources {
    at_ns: Option<u64>,
    sites: BTreeMap<Place, ResourceSite>,
    history: History<ResourcePoint>,
    descriptors_max: Option<u64>,
    places_without_room: u64,
}

impl Resources {
    /// Takes in one look.
    pub(crate) fn absorb(&mut self, reading: &ResourceReading, site_of: &dyn Fn(StackId) -> SiteId) {
        self.places_without_room = 0;
        self.descriptors_max = reading.descriptors_max.or(self.descriptors_max);
        let modules = reading.modules.or(self.history.points().last().map(|last| last.modules));
        self.history.push(ResourcePoint {
            at_ns: reading.at_ns,
            descriptors: reading.descriptors,
            threads: reading.threads,
            modules: modules.unwrap_or(0),
        });
        self.absorb_totals(reading, site_of);
        if let Some(holdings) = &reading.holdings {
            self.absorb_holdings(holdings, reading.at_ns, site_of);
        }
    }

    fn absorb_totals(&mut self, reading: &ResourceReading, site_of: &dyn Fn(StackId) -> SiteId) {
        let mut fresh: BTreeMap<Place, (SiteTotals, u64, StackId)> = BTreeMap::new();
        for totals in &reading.totals {
            let place = (totals.class, site_of(totals.stack));
            let (sum, most, stack) =
                fresh.entry(place).or_insert_with(|| (SiteTotals::default(), 0, StackId(0)));
            sum.add(&as_stack_totals(totals));
            if totals.births > *most {
                (*most, *stack) = (totals.births, totals.stack);
            }
        }
        for (place, (totals, _, stack)) in fresh {
            match self.place_or_make(place, reading.at_ns) {
                Some(resource) => {
                    resource.stack = stack;
                    resource.site.set_totals(totals, reading.at_ns);
                }
                None => self.places_without_room += 1,
            }
        }
    }

    fn absorb_holdings(&mut self, holdings: &[Holding], at_ns: u64, site_of: &dyn Fn(StackId) -> SiteId) {
        self.at_ns = Some(at_ns);
        let mut fresh: BTreeMap<Place, Vec<Holding>> = BTreeMap::new();
        for holding in holdings {
            // A birth in the future comes from a damaged table.
            let holding = Holding { born_ns: holding.born_ns.min(at_ns), ..holding.clone() };
            fresh.entry((holding.class, site_of(holding.stack))).or_default().push(holding);
        }
        for (place, resource) in &mut self.sites {
            resource.set(fresh.remove(place).unwrap_or_default(), at_ns);
        }
        for (place, held) in fresh {
            match self.place_or_make(place, at_ns) {
                Some(resource) => resource.set(held, at_ns),
                None => self.places_without_room += 1,
            }
        }
    }

    fn place_or_make(&mut self, place: Place, at_ns: u64) -> Option<&mut ResourceSite> {
        if !self.sites.contains_key(&place) && self.sites.len() >= SITES_MAX {
            return None;
        }
        Some(self.sites.entry(place).or_insert_with(|| ResourceSite {
            class: place.0,
            stack: StackId(0),
            site: Site::new(place.1, at_ns),
            holdings: Vec::new(),
        }))
    }

    /// Time of the last look that listed the holdings.
    pub fn listed_at_ns(&self) -> Option<u64> {
        self.at_ns
    }

    /// All places, in order of class and site.
    pub fn places(&self) -> impl Iterator<Item = &ResourceSite> {
        self.sites.values()
    }

    /// One place.
    pub fn place(&self, class: Class, site: SiteId) -> Option<&ResourceSite> {
        self.sites.get(&(class, site))
    }

    /// Counts over time.
    pub fn history(&self) -> &History<ResourcePoint> {
        &self.history
    }

    /// Soft limit of descriptors, as last told.
    pub fn descriptors_max(&self) -> Option<u64> {
        self.descriptors_max
    }

    /// Places of the last look that did not fit into the model.
    pub fn places_without_room(&self) -> u64 {
        self.places_without_room
    }
}

impl ResourceSite {
    fn set(&mut self, mut held: Vec<Holding>, at_ns: u64) {
        held.sort_unstable_by_key(|holding| (holding.born_ns, holding.id));
        let sample = |holding: &Holding| LiveSample {
            address: holding.id,
            size_bytes: holding.size_bytes,
            born_ns: holding.born_ns,
            inclusion_probability: 1.0,
            stack: holding.stack,
        };
        self.site.set_live(held.iter().map(sample).collect(), at_ns);
        self.holdings = held;
    }
}

fn as_stack_totals(totals: &HoldingTotals) -> StackTotals {
    StackTotals {
        stack: totals.stack,
        births: totals.births,
        deaths: totals.deaths,
        born_count: totals.births as f64,
        died_count: totals.deaths as f64,
        born_bytes: 0.0,
        died_bytes: 0.0,
        lifetimes: totals.lifetimes,
    }
}
