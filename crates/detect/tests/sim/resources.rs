//! Simulator of what a program holds beside memory: things with a birth, an end and a kernel state, in virtual time.
//! In: things, callbacks, libraries. Out: what was found when, judged at every look.

use super::{FOREVER, exponential};
use memguard_detect::{DetectConfig, Finding, Kind, Verdicts};
use memguard_model::{
    Class, Condition, Holding, HoldingTotals, LIFETIME_BUCKETS, Origin, ProcessModel, ResourceReading,
    SiteId, StackId,
};
use memguard_sampling::Rng;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One thing.
#[derive(Debug, Clone)]
pub struct Thing {
    pub class: Class,
    pub site: u32,
    pub at_s: f64,
    pub dies_s: f64,
    pub size_bytes: u64,
    pub origin: Origin,
    /// When the kernel state of its class begins: `CLOSE_WAIT`, ended, orphaned, unread.
    pub state_s: f64,
    /// Interval of a timer whose ticks are unread.
    pub interval_s: f64,
    pub listening: bool,
    pub detached: bool,
    /// It is used this often, until then; 0 where the kernel does not tell.
    pub use_every_s: f64,
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
    pub things: Vec<Thing>,
    /// Times at which a callback is registered.
    pub callbacks_s: Vec<f64>,
    /// Times at which a library is loaded, and unloaded.
    pub libraries_s: Vec<(f64, f64)>,
    pub descriptors_max: Option<u64>,
}

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Highest confidence of any finding, ever.
    pub ever: f64,
    /// Highest confidence at the last look.
    pub last: f64,
    /// First time each kind was at 0.5 or more.
    pub shown_s: BTreeMap<Kind, f64>,
    /// Highest confidence of each kind.
    pub best: BTreeMap<Kind, f64>,
    /// How often a place that was shown under one kind came to be shown under another.
    pub changes: u32,
    /// Findings of the last look.
    pub findings: Vec<Finding>,
    /// The finding that was highest, when it was.
    pub worst: Option<Finding>,
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

    /// Looks every `poll_s`.
    pub fn watch(mut self, poll_s: f64, end_s: f64, config: DetectConfig) -> Seen {
        self.things.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        let mut model = ProcessModel::new();
        let mut verdicts = Verdicts::new(config);
        let mut seen = Seen::default();
        let mut kinds: BTreeMap<(SiteId, &str), Kind> = BTreeMap::new();
        let looks = (end_s / poll_s).round() as u64;
        for look in 1..=looks {
            let now_s = look as f64 * poll_s;
            model.absorb_resources(&self.reading(now_s, poll_s), &|stack| SiteId(stack.0));
            seen.findings = verdicts.look(&model);
            seen.last = seen.findings.first().map_or(0.0, |finding| finding.confidence);
            for finding in &seen.findings {
                if finding.confidence > seen.ever {
                    seen.ever = finding.confidence;
                    seen.worst = Some(finding.clone());
                }
                let best = seen.best.entry(finding.kind).or_default();
                *best = best.max(finding.confidence);
                if finding.confidence >= 0.5 {
                    seen.shown_s.entry(finding.kind).or_insert(now_s);
                    let subject = if finding.kind == Kind::FdLimitNear { "process" } else { "place" };
                    let before = kinds.insert((finding.site, subject), finding.kind);
                    seen.changes += u32::from(before.is_some_and(|kind| kind != finding.kind));
                }
            }
        }
        seen
    }

    fn reading(&self, now_s: f64, poll_s: f64) -> ResourceReading {
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
