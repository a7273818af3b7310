//! Scenarios, classic: the patterns S1 to S14 (healthy) and L1 to L7 (leaks) of the heap, in 240 minutes and, with the same
//! shape and the same number of objects, in 30 days and in 24 seconds where everything is recorded.
//! In: mode and length. Out: programs whose births are samples, leak and churn at the same place.

use super::{DAY_S, FORGOTTEN, LOST};
use crate::draws::{FOREVER, exponential, normal};
use crate::mode::Mode;
use crate::program::{Birth, Program, fifo, random_replacement};
use crate::scenario::{Horizon, Make, Modes, Scenario, Truth};
use memguard_sampling::Rng;

/// Minutes of a run; a minute of a longer run is longer.
pub(super) const MINUTES: f64 = 240.0;

pub(super) type Pattern = fn(&mut Rng, &Mode, f64) -> Program;

/// All of them.
pub fn all() -> Vec<Scenario> {
    let mut all: Vec<Scenario> =
        HEALTHY.iter().flat_map(|(name, make)| scaled(name, &Truth::Healthy, *make)).collect();
    all.extend(LEAKS.iter().flat_map(|(name, kinds, make)| scaled(name, &Truth::leak(kinds), *make)));
    all
}

fn scaled(name: &'static str, truth: &Truth, make: Pattern) -> Vec<Scenario> {
    let family = name.split(' ').next().unwrap_or(name);
    let of = |name: String, modes, seconds| {
        Scenario::new(name, family, modes, Horizon::Seconds(seconds), truth.clone(), Make::Heap(make))
    };
    let mut all = vec![
        of(name.to_owned(), Modes::Guard, MINUTES * 60.0),
        of(format!("{name}; 30 days"), Modes::Guard, 30.0 * DAY_S),
    ];
    // 24 objects in all: fewer than are judged where everything is recorded.
    if family != "L3" {
        all.push(of(format!("{name}; 24 s"), Modes::Aggressive, 24.0));
    }
    all
}

/// One program under construction.
pub(super) struct Bench<'a> {
    pub rng: &'a mut Rng,
    pub size: u64,
    pub minute: f64,
    pub program: Program,
}

impl<'a> Bench<'a> {
    pub fn new(rng: &'a mut Rng, mode: &Mode, end: f64) -> Self {
        Self { rng, size: mode.object_bytes, minute: end / MINUTES, program: Program::default() }
    }

    /// With churn: `per_min` births a minute, mean lifetime half a minute.
    pub fn churning(rng: &'a mut Rng, mode: &Mode, end: f64, per_min: f64) -> Self {
        let mut bench = Self::new(rng, mode, end);
        let mean = 0.5 * bench.minute;
        bench.born((0.0, MINUTES), per_min, |_| 1.0, |rng, _| exponential(rng, mean));
        bench
    }

    /// Births at a rate a minute, times a factor of the minute; `life` gets and gives seconds.
    pub fn born(
        &mut self,
        span: (f64, f64),
        per_min: f64,
        factor: impl Fn(f64) -> f64,
        life: impl FnMut(&mut Rng, f64) -> f64,
    ) {
        let (minute, most) = (self.minute, per_min / self.minute);
        let span_s = (span.0 * minute, span.1 * minute);
        let rate = |at: f64| most * factor(at / minute);
        self.program.poisson(self.rng, 1, self.size, span_s, most, rate, life);
    }

    /// Births that stay.
    pub fn stay(&mut self, span: (f64, f64), per_min: f64, factor: impl Fn(f64) -> f64) {
        self.born(span, per_min, factor, |_, _| FOREVER);
    }

    /// Entries of a cache beside what is there.
    pub fn cached(mut self, per_min: f64, evict: impl Fn(&mut [Birth], &mut Rng)) -> Program {
        let kept = std::mem::take(&mut self.program.births);
        self.stay((0.0, MINUTES), per_min, |_| 1.0);
        evict(&mut self.program.births, self.rng);
        self.program.births.extend(kept);
        self.program
    }
}

/// A load wave between nothing and twice the mean, period 120 min.
pub(super) fn wave(minute: f64) -> f64 {
    0.5 * (1.0 - (std::f64::consts::TAU * minute / 120.0).cos())
}

const HEALTHY: [(&str, Pattern); 14] = [
    ("S1 200 kept from the first 5 min", |rng, mode, end| {
        let mut bench = Bench::churning(rng, mode, end, 10.0);
        bench.stay((0.0, 5.0), 40.0, |_| 1.0);
        bench.program
    }),
    ("S2 warm-up, decaying", |rng, mode, end| {
        let mut bench = Bench::churning(rng, mode, end, 10.0);
        bench.stay((0.0, MINUTES), 8.0, |minute| (-minute / 30.0).exp());
        bench.program
    }),
    ("S3 load wave, lifetimes 10 min", |rng, mode, end| {
        let mut bench = Bench::new(rng, mode, end);
        let mean = 10.0 * bench.minute;
        bench.born((0.0, MINUTES), 20.0, wave, |rng, _| exponential(rng, mean));
        bench.program
    }),
    ("S4 FIFO cache of 300", |rng, mode, end| {
        Bench::churning(rng, mode, end, 10.0).cached(5.0, |births, rng| fifo(births, 300, 0.0, rng))
    }),
    ("S5 log-normal lifetimes", |rng, mode, end| {
        let mut bench = Bench::new(rng, mode, end);
        let median = 0.5 * bench.minute;
        bench.born((0.0, MINUTES), 10.0, |_| 1.0, |rng, _| median * (2.0 * normal(rng)).exp());
        bench.program
    }),
    ("S6 TTL of 60 min, rising load", |rng, mode, end| {
        let mut bench = Bench::churning(rng, mode, end, 10.0);
        let ttl = 60.0 * bench.minute;
        bench.born((0.0, MINUTES), 6.0, |minute| minute / MINUTES, |_, _| ttl);
        bench.program
    }),
    ("S7 one burst of 150 at 120 min", |rng, mode, end| {
        let mut bench = Bench::churning(rng, mode, end, 10.0);
        bench.stay((120.0, 121.0), 150.0, |_| 1.0);
        bench.program
    }),
    ("S8 random-replacement cache", |rng, mode, end| {
        Bench::churning(rng, mode, end, 10.0).cached(5.0, |births, rng| random_replacement(births, 300, rng))
    }),
    ("S9 hourly batches", |rng, mode, end| {
        let mut bench = Bench::churning(rng, mode, end, 10.0);
        let hour = 60.0 * bench.minute;
        bench.born((0.0, MINUTES), 3.0, |_| 1.0, |_, at| hour - at % hour);
        bench.program
    }),
    ("S10 four reloads of 30 objects", |rng, mode, end| {
        let mut bench = Bench::churning(rng, mode, end, 10.0);
        let times = [1.0, 50.0, 110.0, 170.0, 1000.0];
        for pair in times.windows(2) {
            for _ in 0..30 {
                let at = (pair[0] + bench.rng.next_unit() / 60.0) * bench.minute;
                bench.program.add(1, at, pair[1] * bench.minute - at, bench.size);
            }
        }
        bench.program
    }),
    ("S11 second warm-up in mid-run", |rng, mode, end| {
        let mut bench = Bench::churning(rng, mode, end, 10.0);
        for start in [0.0, 120.0] {
            bench.stay((start, MINUTES), 6.0, |minute| (-(minute - start) / 20.0).exp());
        }
        bench.program
    }),
    ("S12 TTL ramp: 100 min, steady load", |rng, mode, end| {
        let mut bench = Bench::churning(rng, mode, end, 10.0);
        let ttl = 100.0 * bench.minute;
        bench.born((0.0, MINUTES), 3.0, |_| 1.0, |_, _| ttl);
        bench.program
    }),
    ("S13 fills for 60 %, then serves", |rng, mode, end| {
        let mut bench = Bench::churning(rng, mode, end, 10.0);
        bench.stay((0.0, 0.6 * MINUTES), 4.0, |_| 1.0);
        bench.program
    }),
    ("S14 churn only", |rng, mode, end| Bench::churning(rng, mode, end, 20.0).program),
];

const LEAKS: [(&str, &[&str], Pattern); 7] = [
    ("L1 one a minute", LOST, |rng, mode, end| {
        let mut bench = Bench::churning(rng, mode, end, 10.0);
        bench.stay((0.0, MINUTES), 1.0, |_| 1.0);
        bench.program.lose(1)
    }),
    ("L2 1 % of 50 a minute", FORGOTTEN, |rng, mode, end| {
        let mut bench = Bench::churning(rng, mode, end, 49.5);
        bench.stay((0.0, MINUTES), 0.5, |_| 1.0);
        bench.program.lose(1)
    }),
    ("L3 0.1 a minute", FORGOTTEN, |rng, mode, end| {
        let mut bench = Bench::churning(rng, mode, end, 10.0);
        bench.stay((0.0, MINUTES), 0.1, |_| 1.0);
        bench.program.lose(1)
    }),
    ("L4 2 % under a load wave", FORGOTTEN, |rng, mode, end| {
        let mut bench = Bench::new(rng, mode, end);
        let mean = 0.5 * bench.minute;
        bench.born((0.0, MINUTES), 50.0, wave, |rng, _| {
            if rng.next_unit() < 0.02 { FOREVER } else { exponential(rng, mean) }
        });
        bench.program.lose(1)
    }),
    ("L5 begins at 130 min", LOST, |rng, mode, end| {
        let mut bench = Bench::churning(rng, mode, end, 10.0);
        bench.stay((130.0, MINUTES), 1.0, |_| 1.0);
        bench.program.lose(1)
    }),
    ("L6 16 bursts of 5", FORGOTTEN, |rng, mode, end| {
        let mut bench = Bench::churning(rng, mode, end, 10.0);
        for _ in 0..16 {
            let at = bench.rng.next_unit() * end;
            for _ in 0..5 {
                let at = at + bench.rng.next_unit() / 60.0 * bench.minute;
                bench.program.add(1, at, FOREVER, bench.size);
            }
        }
        bench.program.lose(1)
    }),
    ("L7 5 % of a FIFO cache forgotten", FORGOTTEN, |rng, mode, end| {
        Bench::churning(rng, mode, end, 10.0).cached(20.0, |births, rng| fifo(births, 300, 0.05, rng))
    }),
];
