//! Scenarios, further healthy ones of the heap: everything that grows for a while and is no leak, and what nobody can tell.
//! In: mode and length. Out: programs whose births are samples.

use super::classic::{Bench, MINUTES, Pattern, wave};
use super::{DAY_S, HOUR_S};
use crate::draws::{FOREVER, exponential, normal};
use crate::mode::Mode;
use crate::program::{Program, fifo};
use crate::scenario::{Horizon, Make, Modes, Scenario, Truth};
use memguard_sampling::Rng;

/// All of them.
pub fn all() -> Vec<Scenario> {
    let mut all = growing_for_a_while();
    all.extend(coming_and_going());
    all.extend(days());
    all.extend(undecidable());
    all
}

fn of(name: &str, family: &'static str, modes: Modes, seconds: f64, make: Pattern) -> Scenario {
    Scenario::new(name, family, modes, Horizon::Seconds(seconds), Truth::Healthy, Make::Heap(make))
}

const FOUR_HOURS: f64 = 4.0 * HOUR_S;

/// What is kept from warm-ups, fillings and peaks.
fn growing_for_a_while() -> Vec<Scenario> {
    vec![
        of("warm-ups at 0, 40 and 75 %", "warm-ups", Modes::Guard, FOUR_HOURS, warm_ups),
        of("warm-ups at 0, 40 and 75 %; 30 days", "warm-ups", Modes::Guard, 30.0 * DAY_S, warm_ups),
        of("cache not full yet, misses get rarer", "unfilled cache", Modes::Guard, FOUR_HOURS, filling),
        of("cache not full yet, misses get rarer; 24 s", "unfilled cache", Modes::Aggressive, 24.0, filling),
        of("pool that grows to its peak", "high-water mark", Modes::Guard, FOUR_HOURS, high_water),
        of("pool that grows to its peak; 30 days", "high-water mark", Modes::Guard, 30.0 * DAY_S, high_water),
        of("templates compiled at first use", "coupons", Modes::Guard, FOUR_HOURS, coupons),
        of("templates compiled at first use; 30 days", "coupons", Modes::Guard, 30.0 * DAY_S, coupons),
        of("restarted by deploys, eight times", "deploys", Modes::Guard, FOUR_HOURS, |rng, mode, end| {
            let mut lives = (0..8).map(|_| {
                let mut bench = Bench::churning(rng, mode, end / 8.0, 10.0);
                bench.stay((0.0, MINUTES), 4.0, |minute| (-minute / 40.0).exp());
                Program { ends_s: Some(end / 8.0), ..bench.program }
            });
            let mut first = lives.next().unwrap_or_default();
            first.fellows = lives.collect();
            first
        }),
        of("2 GB read at start, then churn", "big heap", Modes::Guard, FOUR_HOURS, |rng, mode, end| {
            big_heap(rng, mode, end)
        }),
        of(
            "x16 thinned from 60 to 180 min, warm-up",
            "thinned",
            Modes::Guard,
            FOUR_HOURS,
            |rng, mode, end| {
                let mut bench = Bench::churning(rng, mode, end, 40.0);
                bench.stay((0.0, MINUTES), 80.0, |minute| (-minute / 30.0).exp());
                Program { thinned: vec![(60.0 * 60.0, 16), (180.0 * 60.0, 1)], ..bench.program }
            },
        ),
        of(
            "loads its data for 30 %, then works; 10 s",
            "tests",
            Modes::Aggressive,
            10.0,
            |rng, mode, end| {
                let mut bench = Bench::churning(rng, mode, end, 40.0);
                bench.stay((0.0, 0.3 * MINUTES), 10.0, |_| 1.0);
                bench.program
            },
        ),
        of(
            "resident memory grows until the heap is warm",
            "fragmentation",
            Modes::Guard,
            FOUR_HOURS,
            |rng, mode, end| {
                let program = Bench::churning(rng, mode, end, 20.0).program;
                Program { resident_bytes: vec![(0.0, 3e7), (0.3 * end, 2e8), (end, 2.02e8)], ..program }
            },
        ),
    ]
}

/// 4,000 samples at ten places in the first twentieth of the run.
pub(super) fn big_heap(rng: &mut Rng, mode: &Mode, end: f64) -> Program {
    let mut program = Bench::churning(rng, mode, end, 10.0).program;
    for site in 10..20 {
        let per_s = 400.0 / (0.05 * end);
        let span_s = (0.0, 0.05 * end);
        program.poisson(rng, site, mode.object_bytes, span_s, per_s, |_| per_s, |_, _| FOREVER);
    }
    program
}

fn warm_ups(rng: &mut Rng, mode: &Mode, end: f64) -> Program {
    let mut bench = Bench::churning(rng, mode, end, 10.0);
    for start in [0.0, 0.4 * MINUTES, 0.75 * MINUTES] {
        bench.stay((start, MINUTES), 6.0, |minute| (-(minute - start) / 15.0).exp());
    }
    bench.program
}

fn filling(rng: &mut Rng, mode: &Mode, end: f64) -> Program {
    let mut bench = Bench::churning(rng, mode, end, 10.0);
    bench.stay((0.0, MINUTES), 4.0, |minute| (-minute / (0.5 * MINUTES)).exp());
    bench.program
}

/// What the highest load so far has needed is kept.
fn high_water(rng: &mut Rng, mode: &Mode, end: f64) -> Program {
    let mut bench = Bench::churning(rng, mode, end, 10.0);
    let mut pool = 0.0;
    for step in 0..960 {
        let minute = MINUTES * f64::from(step) / 960.0;
        let load = 80.0 + 60.0 * wave(minute) + 12.0 * normal(bench.rng);
        while pool < load {
            bench.program.add(1, minute * bench.minute, FOREVER, bench.size);
            pool += 1.0;
        }
    }
    bench.program
}

/// 600 kinds, asked for by Zipf's law; each is kept when it was asked for first.
fn coupons(rng: &mut Rng, mode: &Mode, end: f64) -> Program {
    const KINDS: usize = 600;
    let mut sums = vec![0.0; KINDS];
    let mut sum = 0.0;
    for (rank, so_far) in sums.iter_mut().enumerate() {
        sum += 1.0 / (rank + 1) as f64;
        *so_far = sum;
    }
    let mut bench = Bench::churning(rng, mode, end, 10.0);
    let mut met = vec![false; KINDS];
    let mut at = 0.0;
    loop {
        at += exponential(bench.rng, bench.minute / 30.0);
        if at >= end {
            return bench.program;
        }
        let drawn = bench.rng.next_unit() * sum;
        let kind = sums.partition_point(|so_far| *so_far < drawn).min(KINDS - 1);
        if !std::mem::replace(&mut met[kind], true) {
            bench.program.add(1, at, FOREVER, bench.size);
        }
    }
}

/// What is taken out again, late.
fn coming_and_going() -> Vec<Scenario> {
    vec![
        of("time-out of 60 % of the run", "ttl", Modes::Guard, FOUR_HOURS, |rng, mode, end| {
            let mut bench = Bench::churning(rng, mode, end, 10.0);
            bench.born((0.0, MINUTES), 3.0, |_| 1.0, |_, _| 0.6 * end);
            bench.program
        }),
        of(
            "queue that fills for half an hour and is drained",
            "queue",
            Modes::Guard,
            FOUR_HOURS,
            |rng, mode, end| {
                let mut bench = Bench::churning(rng, mode, end, 10.0);
                let hour = 60.0 * bench.minute;
                // Filled in the first half of each hour; drained in the order of arrival within the ten minutes after it.
                let life = |_: &mut Rng, at: f64| {
                    let into = at % hour;
                    if into < 0.5 * hour { 0.5 * hour - into + into / 3.0 } else { 0.01 * hour }
                };
                bench.born((0.0, MINUTES), 5.0, |_| 1.0, life);
                bench.program
            },
        ),
        of("retries pile up while a peer is away", "queue", Modes::Guard, FOUR_HOURS, |rng, mode, end| {
            let mut bench = Bench::churning(rng, mode, end, 10.0);
            bench.born(
                (100.0, 150.0),
                5.0,
                |_| 1.0,
                |rng, at| 0.63 * end - at + exponential(rng, 0.01 * end),
            );
            bench.program
        }),
        of(
            "generations of configuration, every 20 min",
            "generations",
            Modes::Guard,
            FOUR_HOURS,
            generations,
        ),
        of(
            "generations of configuration, every 20 min; 24 s",
            "generations",
            Modes::Aggressive,
            24.0,
            generations,
        ),
        of(
            "LRU of 400, another working set in mid-run",
            "lru shift",
            Modes::Guard,
            FOUR_HOURS,
            |rng, mode, end| {
                let mut bench = Bench::new(rng, mode, end);
                let moving = |minute: f64| if minute % 120.0 < 20.0 { 1.0 } else { 0.05 };
                bench.stay((0.0, MINUTES), 20.0, moving);
                fifo(&mut bench.program.births, 400, 0.0, bench.rng);
                bench.program
            },
        ),
        of("sessions with heavy tails", "heavy tails", Modes::Guard, FOUR_HOURS, heavy_tails),
        of("sessions with heavy tails; 30 days", "heavy tails", Modes::Guard, 30.0 * DAY_S, heavy_tails),
        of("load that rises ten-fold, lifetimes 10 min", "rising load", Modes::Guard, FOUR_HOURS, rising),
        of(
            "load that rises ten-fold, lifetimes 10 min; 24 s",
            "rising load",
            Modes::Aggressive,
            24.0,
            rising,
        ),
        of("ring of 8 blocks of 4 MB", "ring", Modes::Guard, FOUR_HOURS, |rng, _, end| {
            let mut program = Program { thin: true, ..Program::default() };
            program.poisson(rng, 1, 4 << 20, (0.0, end), 2.0 / 60.0, |_| 2.0 / 60.0, |_, _| FOREVER);
            fifo(&mut program.births, 8, 0.0, rng);
            program
        }),
        of("cache that is emptied when it is full", "flush", Modes::Guard, FOUR_HOURS, |rng, mode, end| {
            let mut bench = Bench::churning(rng, mode, end, 10.0);
            let full = 70.0 * bench.minute;
            bench.born((0.0, MINUTES), 3.0, |_| 1.0, |_, at| full - at % full);
            bench.program
        }),
        of("tests that free what they made; 24 s", "tests", Modes::Aggressive, 24.0, |rng, mode, end| {
            let mut bench = Bench::new(rng, mode, end);
            bench.born((0.0, MINUTES), 20.0, |_| 1.0, |_, at| 0.8 - at % 0.8);
            bench.program
        }),
    ]
}

fn generations(rng: &mut Rng, mode: &Mode, end: f64) -> Program {
    let mut bench = Bench::churning(rng, mode, end, 10.0);
    for generation in 0..12 {
        let from = 20.0 * f64::from(generation) + 0.5;
        for _ in 0..60 {
            let at = (from + 0.1 * bench.rng.next_unit()) * bench.minute;
            let grace = 5.0 * bench.rng.next_unit();
            bench.program.add(1, at, (20.0 + grace) * bench.minute, bench.size);
        }
    }
    bench.program
}

/// Pareto's law with exponent 1.2, from half a minute on.
fn heavy_tails(rng: &mut Rng, mode: &Mode, end: f64) -> Program {
    let mut bench = Bench::new(rng, mode, end);
    let shortest = 0.5 * bench.minute;
    bench.born((0.0, MINUTES), 10.0, |_| 1.0, |rng, _| shortest * rng.next_unit().powf(-1.0 / 1.2));
    bench.program
}

fn rising(rng: &mut Rng, mode: &Mode, end: f64) -> Program {
    let mut bench = Bench::new(rng, mode, end);
    let mean = 10.0 * bench.minute;
    bench.born((0.0, MINUTES), 20.0, |minute| 0.1 + 0.9 * minute / MINUTES, |rng, _| exponential(rng, mean));
    bench.program
}

/// Load of a day, between a tenth and twice its mean.
pub(super) fn day_wave(at_s: f64) -> f64 {
    0.525 - 0.475 * (std::f64::consts::TAU * at_s / DAY_S).cos()
}

/// A month of daily load.
fn days() -> Vec<Scenario> {
    let of = |name, family, make| of(name, family, Modes::Guard, 30.0 * DAY_S, make);
    vec![
        of("daily load and a cache of a day; 30 days", "daily", |rng, mode, end| {
            daily(rng, mode, end, |_, _| DAY_S)
        }),
        of("daily load, sessions of hours; 30 days", "daily", |rng, mode, end| {
            daily(rng, mode, end, |rng, _| exponential(rng, 4.0 * HOUR_S))
        }),
        of("buffers of a log, rotated at midnight; 30 days", "daily", |rng, mode, end| {
            daily(rng, mode, end, |_, at| DAY_S - at % DAY_S)
        }),
        of("weekly report, kept for two days; 30 days", "weekly", |rng, mode, end| {
            let mut program = daily(rng, mode, end, |rng, _| exponential(rng, HOUR_S));
            for week in 0..4 {
                for _ in 0..80 {
                    let at = (3.0 + 7.0 * f64::from(week)) * DAY_S + HOUR_S * rng.next_unit();
                    program.add(1, at, 2.0 * DAY_S, mode.object_bytes);
                }
            }
            program
        }),
    ]
}

/// Eight births an hour at most, beside churn of a quarter of an hour.
fn daily(rng: &mut Rng, mode: &Mode, end: f64, life: fn(&mut Rng, f64) -> f64) -> Program {
    let mut program = Program::default();
    let most = 8.0 / HOUR_S;
    program.poisson(rng, 1, mode.object_bytes, (0.0, end), most, |at| most * day_wave(at), life);
    let short = |rng: &mut Rng, _: f64| exponential(rng, 0.25 * HOUR_S);
    program.poisson(rng, 1, mode.object_bytes, (0.0, end), most, |at| most * day_wave(at), short);
    program
}

/// What the heap cannot tell while it lasts.
fn undecidable() -> Vec<Scenario> {
    let of = |name, family, make| {
        let horizon = Horizon::Seconds(FOUR_HOURS);
        Scenario::new(name, family, Modes::Guard, horizon, Truth::Ambiguous, Make::Heap(make))
    };
    vec![
        of("cache not full yet, misses as ever", "unfilled cache", |rng, mode, end| {
            let mut bench = Bench::churning(rng, mode, end, 10.0);
            bench.stay((0.0, MINUTES), 2.0, |_| 1.0);
            bench.program
        }),
        of("interning, like the root of time", "interning", |rng, mode, end| {
            let mut bench = Bench::churning(rng, mode, end, 10.0);
            bench.stay((0.0, MINUTES), 20.0, |minute| (0.05 * MINUTES / minute.max(0.5)).sqrt().min(1.0));
            bench.program
        }),
    ]
}
