//! Simulate, worlds: what a program holds beside memory: things with a birth, an end and a kernel state, in virtual time.
//! In: things, callbacks, libraries. Out: [`ResourceReading`]s.

use crate::draws::{FOREVER, exponential};
use memguard_model::{
    Class, Condition, Holding, HoldingTotals, LIFETIME_BUCKETS, Origin, ResourceReading, StackId,
};
use memguard_sampling::Rng;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One thing.
#[derive(Debug, Clone)]
pub struct Thing {
    /// What it is.
    pub class: Class,
    /// Where it was made.
    pub site: u32,
    /// Birth, in seconds.
    pub at_s: f64,
    /// End, in seconds.
    pub dies_s: f64,
    /// Bytes of a mapping.
    pub size_bytes: u64,
    /// How it came to be known.
    pub origin: Origin,
    /// When the kernel state of its class begins: `CLOSE_WAIT`, ended, orphaned, unread.
    pub state_s: f64,
    /// Interval of a timer whose ticks are unread.
    pub interval_s: f64,
    /// Whether it waits for connections.
    pub listening: bool,
    /// Whether nobody has to join it.
    pub detached: bool,
    /// It is used this often; 0 where the kernel does not tell.
    pub use_every_s: f64,
    /// Time of its last use.
    pub used_until_s: f64,
}

/// A thing of a class at site 1, kept for ever.
pub fn thing(class: Class, at_s: f64) -> Thing {
    Thing {
        class,
        site: 1,
        at_s,
        dies_s: FOREVER,
        size_bytes: 65_536,
        origin: Origin::Hooked,
        state_s: FOREVER,
        interval_s: 0.0,
        listening: false,
        detached: false,
        use_every_s: 0.0,
        used_until_s: FOREVER,
    }
}

/// A program.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Everything with a life of its own.
    pub things: Vec<Thing>,
    /// Times at which a callback is registered.
    pub callbacks_s: Vec<f64>,
    /// Times at which a library is loaded, and unloaded.
    pub libraries_s: Vec<(f64, f64)>,
    /// Limit of descriptors.
    pub descriptors_max: Option<u64>,
}

impl World {
    /// Poisson births of things.
    pub fn poisson(
        &mut self,
        rng: &mut Rng,
        span_s: (f64, f64),
        per_s: f64,
        mut make: impl FnMut(&mut Rng, f64) -> Thing,
    ) {
        let mut at = span_s.0 + exponential(rng, 1.0 / per_s);
        while at < span_s.1 {
            let made = make(rng, at);
            self.things.push(made);
            at += exponential(rng, 1.0 / per_s);
        }
    }

    /// Things in order of birth.
    pub(crate) fn in_order(&self) -> Self {
        let mut world = self.clone();
        world.things.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        world
    }

    /// Whether the program holds nothing beside memory.
    pub(crate) fn is_empty(&self) -> bool {
        self.things.is_empty() && self.callbacks_s.is_empty() && self.libraries_s.is_empty()
    }

    pub(crate) fn reading(&self, now_s: f64, poll_s: f64) -> ResourceReading {
        let mut totals: BTreeMap<(Class, u32), HoldingTotals> = BTreeMap::new();
        let mut holdings = Vec::new();
        for (index, thing) in self.things.iter().enumerate().take_while(|(_, thing)| thing.at_s <= now_s) {
            let alive = thing.dies_s > now_s;
            if thing.origin == Origin::Hooked {
                let sum = totals.entry((thing.class, thing.site)).or_insert(HoldingTotals {
                    class: thing.class,
                    stack: StackId(thing.site),
                    births: 0,
                    deaths: 0,
                    lifetimes: [0; LIFETIME_BUCKETS],
                });
                sum.births += 1;
                sum.deaths += u64::from(!alive);
            }
            if alive {
                holdings.push(thing.holding(index, now_s, poll_s));
            }
        }
        let registered = self.callbacks_s.iter().filter(|at| **at <= now_s).count() as u64;
        if registered > 0 {
            let (class, stack) = (Class::Callback, StackId(1));
            let none = HoldingTotals { class, stack, births: registered, deaths: 0, lifetimes: [0; 16] };
            totals.insert((class, 1), none);
        }
        let loaded =
            self.libraries_s.iter().filter(|(from, to)| (*from..*to).contains(&now_s)).count() as u64;
        let of = |family| holdings.iter().filter(|h: &&Holding| h.class.family() == family).count() as u64;
        ResourceReading {
            at_ns: ns(now_s),
            totals: totals.into_values().collect(),
            descriptors: 3 + of(memguard_model::Family::Descriptor),
            descriptors_max: self.descriptors_max,
            threads: 1,
            modules: Some(12 + loaded),
            holdings: Some(holdings),
        }
    }
}

impl Thing {
    fn holding(&self, index: usize, now_s: f64, poll_s: f64) -> Holding {
        // The collector sees a state at the first look that shows it.
        let seen_ns = ns((self.state_s / poll_s).ceil() * poll_s);
        let condition = if self.listening {
            Condition::Listening
        } else if self.detached && self.state_s > now_s {
            Condition::Detached
        } else if self.state_s > now_s {
            Condition::Ordinary
        } else {
            match self.class {
                Class::Timerfd => Condition::Unread {
                    since_ns: seen_ns,
                    ticks: if self.interval_s > 0.0 {
                        ((now_s - self.state_s) / self.interval_s) as u64
                    } else {
                        1
                    },
                    interval_ns: ns(self.interval_s),
                },
                Class::Thread | Class::Child => Condition::Ended { since_ns: seen_ns },
                Class::EpollRegistration => Condition::Orphaned { since_ns: seen_ns },
                _ => Condition::CloseWait { since_ns: seen_ns },
            }
        };
        let used_s = (now_s.min(self.used_until_s) - self.at_s) / self.use_every_s;
        let used =
            (self.use_every_s > 0.0).then(|| ns(self.at_s + used_s.max(0.0).floor() * self.use_every_s));
        let hooked = self.origin == Origin::Hooked;
        Holding {
            id: 100 + index as u64,
            class: self.class,
            origin: self.origin,
            stack: StackId(if hooked { self.site } else { 0 }),
            born_ns: if hooked { ns(self.at_s) } else { ns((self.at_s / poll_s).ceil() * poll_s) },
            size_bytes: self.size_bytes,
            condition,
            used_ns: used,
            name: Arc::from(format!("{} {index}", self.class.word())),
        }
    }
}

fn ns(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}
