//! Scenarios, further leaks of the heap: slow ones, late ones, hidden ones, rare ones, parts of one structure, queues and
//! containers without a bound.
//! In: mode and length. Out: programs whose births are samples.

use super::classic::{Bench, MINUTES, Pattern, wave};
use super::further_healthy::{big_heap, day_wave};
use super::{DAY_S, FORGOTTEN, GROWING, HOUR_S, LOST};
use crate::draws::{FOREVER, exponential};
use crate::mode::Mode;
use crate::program::Program;
use crate::scenario::{Horizon, Make, Modes, Scenario, Truth};
use memguard_sampling::Rng;

const FOUR_HOURS: f64 = 4.0 * HOUR_S;
const MONTH: f64 = 30.0 * DAY_S;

/// All of them.
pub fn all() -> Vec<Scenario> {
    let mut all = reachable();
    all.extend(hidden());
    all.extend(late());
    all.extend(rare());
    all.extend(months());
    all
}

fn of(
    name: &str,
    family: &'static str,
    modes: Modes,
    seconds: f64,
    kinds: &'static [&'static str],
    make: Pattern,
) -> Scenario {
    Scenario::new(name, family, modes, Horizon::Seconds(seconds), Truth::leak(kinds), Make::Heap(make))
}

/// What the program still refers to.
fn reachable() -> Vec<Scenario> {
    const BACKLOG: &[&str] = &["queue-backlog"];
    vec![
        of("an entry for each distinct key", "keys", Modes::Guard, FOUR_HOURS, GROWING, |rng, mode, end| {
            let mut bench = Bench::churning(rng, mode, end, 30.0);
            bench.stay((0.0, MINUTES), 1.5, |_| 1.0);
            bench.program
        }),
        of(
            "an entry for each distinct key, t^0.8",
            "keys",
            Modes::Guard,
            FOUR_HOURS,
            GROWING,
            |rng, mode, end| {
                let mut bench = Bench::churning(rng, mode, end, 30.0);
                bench.stay((0.0, MINUTES), 6.0, |minute| minute.max(1.0).powf(-0.2));
                bench.program
            },
        ),
        of(
            "queue whose consumer is slower",
            "backlog",
            Modes::Guard,
            FOUR_HOURS,
            BACKLOG,
            |rng, mode, end| backlog(rng, mode, end, 0.85),
        ),
        of(
            "queue whose consumer is slower; 24 s",
            "backlog",
            Modes::Aggressive,
            24.0,
            BACKLOG,
            |rng, mode, end| backlog(rng, mode, end, 0.85),
        ),
        of(
            "queue whose consumer is much slower",
            "backlog",
            Modes::Guard,
            FOUR_HOURS,
            BACKLOG,
            |rng, mode, end| backlog(rng, mode, end, 0.5),
        ),
    ]
}

/// Ten arrivals a minute; each is taken out when its turn comes, at a share of that rate.
fn backlog(rng: &mut Rng, mode: &Mode, end: f64, served: f64) -> Program {
    let mut bench = Bench::new(rng, mode, end);
    bench.stay((0.0, MINUTES), 10.0, |_| 1.0);
    let step = bench.minute / (10.0 * served);
    let mut free_at = 0.0;
    for birth in &mut bench.program.births {
        free_at = f64::max(free_at, birth.at_s) + step;
        birth.dies_s = free_at;
    }
    bench.program
}

/// What other memory stands in front of.
fn hidden() -> Vec<Scenario> {
    vec![
        of("behind a cache that shrinks", "masked", Modes::Guard, FOUR_HOURS, LOST, |rng, mode, end| {
            let mut bench = Bench::churning(rng, mode, end, 10.0);
            bench.born((0.0, 10.0), 30.0, |_| 1.0, |rng, _| 0.05 * end + 0.95 * end * rng.next_unit());
            bench.stay((0.0, MINUTES), 1.2, |_| 1.0);
            bench.program.lose(1)
        }),
        of("one of eight workers", "one worker", Modes::Guard, FOUR_HOURS, LOST, |rng, mode, end| {
            let mut bench = Bench::churning(rng, mode, end, 10.0);
            bench.stay((0.0, MINUTES), 1.0, |_| 1.0);
            let mut leaking = bench.program.lose(1);
            let healthy = (0..7).map(|_| {
                let program = Bench::churning(rng, mode, end, 10.0).program;
                Program { innocent: true, ..program }
            });
            leaking.fellows = healthy.collect();
            leaking
        }),
        of("five places, parts of one structure", "structure", Modes::Guard, FOUR_HOURS, LOST, structure)
            .at(&[1, 2, 3, 4, 5]),
        of(
            "five places, parts of one structure; 24 s",
            "structure",
            Modes::Aggressive,
            24.0,
            LOST,
            structure,
        )
        .at(&[1, 2, 3, 4, 5]),
        of(
            "1 MB a minute beside a heap of 2 GB",
            "big heap",
            Modes::Guard,
            FOUR_HOURS,
            LOST,
            |rng, mode, end| {
                let mut program = big_heap(rng, mode, end);
                let per_s = 2.0 / 60.0;
                program.poisson(rng, 30, mode.object_bytes, (0.0, end), per_s, |_| per_s, |_, _| FOREVER);
                program.lose(30)
            },
        )
        .at(&[30]),
        of(
            "1 MB a minute where 200 MB were read",
            "big heap",
            Modes::Guard,
            FOUR_HOURS,
            LOST,
            |rng, mode, end| {
                let mut program = big_heap(rng, mode, end);
                let read = program.births.len();
                let per_s = 2.0 / 60.0;
                program.poisson(rng, 12, mode.object_bytes, (0.0, end), per_s, |_| per_s, |_, _| FOREVER);
                program.births[read..].iter_mut().for_each(|birth| birth.referenced = false);
                program
            },
        )
        .at(&[12]),
        of(
            "1 % under a wave, batches freed hourly",
            "wave and batches",
            Modes::Guard,
            FOUR_HOURS,
            FORGOTTEN,
            |rng, mode, end| {
                let mut bench = Bench::new(rng, mode, end);
                let hour = 60.0 * bench.minute;
                bench.born((0.0, MINUTES), 6.0, wave, |_, at| hour - at % hour);
                let mean = 0.5 * bench.minute;
                bench.born((0.0, MINUTES), 100.0, wave, |rng, _| {
                    if rng.next_unit() < 0.01 { FOREVER } else { exponential(rng, mean) }
                });
                bench.program.lose(1)
            },
        ),
        of(
            "x16 thinned from 60 to 180 min, ten a minute",
            "thinned",
            Modes::Guard,
            FOUR_HOURS,
            LOST,
            |rng, mode, end| {
                let mut bench = Bench::churning(rng, mode, end, 100.0);
                bench.stay((0.0, MINUTES), 10.0, |_| 1.0);
                Program { thinned: vec![(60.0 * 60.0, 16), (180.0 * 60.0, 1)], ..bench.program.lose(1) }
            },
        ),
    ]
}

fn structure(rng: &mut Rng, mode: &Mode, end: f64) -> Program {
    let mut bench = Bench::churning(rng, mode, end, 10.0);
    bench.stay((0.0, MINUTES), 0.6, |_| 1.0);
    let roots: Vec<f64> =
        bench.program.births.iter().filter(|b| b.dies_s == FOREVER).map(|b| b.at_s).collect();
    let mut program = bench.program;
    for site in 2..=5 {
        for at in &roots {
            program.add(site, *at, FOREVER, mode.object_bytes);
        }
    }
    (1..=5).fold(program, Program::lose)
}

/// What leaks seldom.
fn rare() -> Vec<Scenario> {
    vec![
        of(
            "blocks of 1 MB, one in 15 min",
            "rare blocks",
            Modes::Guard,
            FOUR_HOURS,
            LOST,
            |rng, mode, end| {
                let mut program = Bench::churning(rng, mode, end, 10.0).program;
                let mut blocks = Program::default();
                for quarter in 0..16 {
                    let at = (f64::from(quarter) + rng.next_unit()) / 16.0 * end;
                    // Sampled like everything else: with a probability of 0.86.
                    if rng.next_unit() < 0.86 {
                        blocks.add(2, at, FOREVER, 1 << 20);
                    }
                }
                program.births.extend(blocks.births);
                program.lose(2)
            },
        )
        .at(&[2]),
        of(
            "six storms of errors, 25 lost in each",
            "storms",
            Modes::Guard,
            FOUR_HOURS,
            FORGOTTEN,
            |rng, mode, end| {
                let mut bench = Bench::churning(rng, mode, end, 10.0);
                for storm in 0..6 {
                    let from = 40.0 * (f64::from(storm) + 0.8 * bench.rng.next_unit());
                    bench.stay((from, from + 5.0), 5.0, |_| 1.0);
                }
                bench.program.lose(1)
            },
        ),
        of(
            "tests that lose ten objects each; 24 s",
            "tests",
            Modes::Aggressive,
            24.0,
            LOST,
            |rng, mode, end| {
                let mut bench = Bench::new(rng, mode, end);
                bench.born((0.0, MINUTES), 20.0, |_| 1.0, |_, at| 0.8 - at % 0.8);
                for test in 0..30 {
                    for _ in 0..10 {
                        let at = 0.8 * (f64::from(test) + bench.rng.next_unit());
                        bench.program.add(1, at, FOREVER, bench.size);
                    }
                }
                bench.program.lose(1)
            },
        ),
        of(
            "resident memory grows, the heap does not",
            "fragmentation",
            Modes::Guard,
            FOUR_HOURS,
            &["allocator-fragmentation"],
            |rng, mode, end| {
                let program = Bench::churning(rng, mode, end, 20.0).program;
                Program { resident_bytes: vec![(0.0, 3e7), (end, 1.2e9)], ..program }
            },
        )
        .at(&[0]),
    ]
}

/// What begins late, stops, or becomes rarer.
fn late() -> Vec<Scenario> {
    vec![
        of("begins at 90 %", "late start", Modes::Guard, FOUR_HOURS, LOST, |rng, mode, end| {
            let mut bench = Bench::churning(rng, mode, end, 10.0);
            bench.stay((0.9 * MINUTES, MINUTES), 5.0, |_| 1.0);
            bench.program.lose(1)
        }),
        of(
            "begins after 22 of 24 hours, 2 MB a minute",
            "late start",
            Modes::Guard,
            DAY_S,
            LOST,
            |rng, mode, end| {
                let mut bench = Bench::churning(rng, mode, end, 10.0);
                bench.stay((22.0 / 24.0 * MINUTES, MINUTES), 3.6 * 6.0, |_| 1.0);
                bench.program.lose(1)
            },
        ),
        of(
            "stops in mid-run, mended by a switch",
            "stopped leak",
            Modes::Guard,
            FOUR_HOURS,
            LOST,
            |rng, mode, end| {
                let mut bench = Bench::churning(rng, mode, end, 10.0);
                bench.stay((0.0, 0.5 * MINUTES), 2.0, |_| 1.0);
                bench.program.lose(1)
            },
        ),
        of(
            "a tenth of the rate since mid-run",
            "rarer",
            Modes::Guard,
            FOUR_HOURS,
            FORGOTTEN,
            |rng, mode, end| {
                let mut bench = Bench::churning(rng, mode, end, 40.0);
                bench.stay((0.0, MINUTES), 3.0, |minute| if minute < 0.5 * MINUTES { 1.0 } else { 0.1 });
                bench.program.lose(1)
            },
        ),
    ]
}

/// A month in production.
fn months() -> Vec<Scenario> {
    vec![
        of("0.5 MB an hour; 30 days", "slow", Modes::Guard, MONTH, LOST, |rng, mode, end| {
            let mut program = Program::default();
            // A sample stands for 558 KB.
            let (leak, churn) = (0.9 / HOUR_S, 20.0 / HOUR_S);
            program.poisson(rng, 1, mode.object_bytes, (0.0, end), leak, |_| leak, |_, _| FOREVER);
            let short = |rng: &mut Rng, _: f64| exponential(rng, 600.0);
            program.poisson(rng, 1, mode.object_bytes, (0.0, end), churn, |_| churn, short);
            program.lose(1)
        }),
        of(
            "nightly job forgets eight objects; 30 days",
            "cron",
            Modes::Guard,
            MONTH,
            FORGOTTEN,
            |rng, mode, end| {
                let mut program = daily_churn(rng, mode, end);
                for day in 0..30 {
                    for _ in 0..8 {
                        let at = (f64::from(day) + 0.1) * DAY_S + 600.0 * rng.next_unit();
                        program.add(1, at, FOREVER, mode.object_bytes);
                    }
                }
                program.lose(1)
            },
        ),
        of("1 % of a daily load; 30 days", "daily leak", Modes::Guard, MONTH, FORGOTTEN, |rng, mode, end| {
            let mut program = daily_churn(rng, mode, end);
            let most = 1.0 / HOUR_S;
            let rate = |at: f64| most * day_wave(at);
            program.poisson(rng, 1, mode.object_bytes, (0.0, end), most, rate, |_, _| FOREVER);
            program.lose(1)
        }),
    ]
}

fn daily_churn(rng: &mut Rng, mode: &Mode, end: f64) -> Program {
    let mut program = Program::default();
    let most = 20.0 / HOUR_S;
    let short = |rng: &mut Rng, _: f64| exponential(rng, 0.25 * HOUR_S);
    program.poisson(rng, 1, mode.object_bytes, (0.0, end), most, |at| most * day_wave(at), short);
    program
}
