//! Scenarios, services: what a service holds over a month of days and nights, and in an hour of shifting load: sessions that time out,
//! caches with eviction by size, pools; and the same without a bound, or with a leak that begins late or hides behind a cache.
//! In: mode and length. Out: programs whose births are samples.

use super::classic::{Bench, MINUTES, wave};
use super::{DAY_S, GROWING, HOUR_S, LOST};
use crate::draws::{FOREVER, exponential, normal};
use crate::mode::Mode;
use crate::program::{Program, fifo, random_replacement};
use crate::scenario::{Horizon, Make, Modes, Scenario, Truth};
use memguard_sampling::Rng;

const MONTH: f64 = 30.0 * DAY_S;

/// All of them.
pub fn all() -> Vec<Scenario> {
    let mut all = steady();
    all.extend(leaking());
    all
}

/// Healthy services under the load of days, and of an hour: never to be accused, at any moment.
pub fn steady() -> Vec<Scenario> {
    let of = |name: &str, seconds, make| {
        let horizon = Horizon::Seconds(seconds);
        Scenario::new(name, "service", Modes::Guard, horizon, Truth::Healthy, Make::Heap(make))
    };
    vec![
        of("sessions that time out after 8 h; a month of weeks", MONTH, |rng, mode, end| {
            by_day(rng, mode, end, 6.0, |_, _| 8.0 * HOUR_S)
        }),
        of("cache of 150 by size, oldest out; a month of weeks", MONTH, |rng, mode, end| {
            let mut cache = by_day(rng, mode, end, 4.0, |_, _| FOREVER);
            fifo(&mut cache.births, 150, 0.0, rng);
            with_churn(rng, mode, end, cache)
        }),
        of("cache of 200 by size, any out; a month of weeks", MONTH, |rng, mode, end| {
            let mut cache = by_day(rng, mode, end, 3.0, |_, _| FOREVER);
            random_replacement(&mut cache.births, 200, rng);
            with_churn(rng, mode, end, cache)
        }),
        of("pool of connections that follows the load; a month of weeks", MONTH, pool),
        of("sessions, cache and pool of one service; a month of weeks", MONTH, |rng, mode, end| {
            let mut all = pool(rng, mode, end);
            let mut cache = by_day(rng, mode, end, 4.0, |_, _| FOREVER);
            fifo(&mut cache.births, 150, 0.0, rng);
            all.births.extend(cache.births.iter().map(|birth| crate::program::Birth { site: 2, ..*birth }));
            let sessions = by_day(rng, mode, end, 6.0, |rng, _| exponential(rng, 2.0 * HOUR_S));
            all.births
                .extend(sessions.births.iter().map(|birth| crate::program::Birth { site: 3, ..*birth }));
            all
        }),
        of("key-value store under four loads, keys expire; 1 h", HOUR_S, |rng, mode, end| {
            let mut program = Program::default();
            let load = |at: f64| [0.3, 1.0, 0.5, 0.8][((at / (0.25 * HOUR_S)) as usize).min(3)];
            let per_s = 0.5;
            program.poisson(
                rng,
                1,
                mode.object_bytes,
                (0.0, end),
                per_s,
                |at| per_s * load(at),
                |_, _| 300.0,
            );
            with_churn(rng, mode, end, program)
        }),
        of("database pages, 300 buffers replaced at random; 1 h", HOUR_S, |rng, mode, end| {
            let mut program = Program::default();
            program.poisson(rng, 1, mode.object_bytes, (0.0, end), 0.2, |_| 0.2, |_, _| FOREVER);
            random_replacement(&mut program.births, 300, rng);
            with_churn(rng, mode, end, program)
        }),
    ]
}

/// What the same services leak.
fn leaking() -> Vec<Scenario> {
    let of = |name: &str, family, seconds, kinds: &[&str], make| {
        Scenario::new(
            name,
            family,
            Modes::Guard,
            Horizon::Seconds(seconds),
            Truth::leak(kinds),
            Make::Heap(make),
        )
    };
    vec![
        of("sessions without a time-out; a month of weeks", "service", MONTH, GROWING, |rng, mode, end| {
            let sessions = by_day(rng, mode, end, 6.0, |_, _| FOREVER);
            with_churn(rng, mode, end, sessions)
        }),
        of("index that is only added to; 6 h", "service", 6.0 * HOUR_S, GROWING, |rng, mode, end| {
            let mut bench = Bench::churning(rng, mode, end, 20.0);
            bench.stay((0.0, MINUTES), 4.0, |_| 1.0);
            bench.program
        }),
        of("begins at 93 % of two days", "late leak", 2.0 * DAY_S, LOST, |rng, mode, end| {
            let mut bench = Bench::churning(rng, mode, end, 10.0);
            bench.stay((0.93 * MINUTES, MINUTES), 6.0, |_| 1.0);
            bench.program.lose(1)
        }),
        of(
            "beside entries of a cache that thins out at night",
            "thinning cache",
            DAY_S,
            LOST,
            |rng, mode, end| {
                let mut bench = Bench::churning(rng, mode, end, 8.0);
                let late = |rng: &mut Rng, at: f64| (0.3 + 0.65 * rng.next_unit()) * end - at;
                bench.born((0.0, 0.2 * MINUTES), 8.0, |_| 1.0, late);
                bench.stay((0.0, MINUTES), 2.0, wave);
                bench.program.lose(1)
            },
        ),
    ]
}

/// Load of days, nights and weekends, between a tenth and the most.
fn week(at_s: f64) -> f64 {
    let weekend = if (at_s / DAY_S) as u64 % 7 >= 5 { 0.4 } else { 1.0 };
    weekend * (0.55 - 0.45 * (std::f64::consts::TAU * at_s / DAY_S).cos())
}

/// So many births an hour at most, as the load of the week has it.
fn by_day(rng: &mut Rng, mode: &Mode, end: f64, per_hour: f64, life: fn(&mut Rng, f64) -> f64) -> Program {
    let mut program = Program::default();
    let most = per_hour / HOUR_S;
    program.poisson(rng, 1, mode.object_bytes, (0.0, end), most, |at| most * week(at), life);
    program
}

/// With buffers of requests at the same place: some seconds in an hour, a quarter of an hour in a month.
fn with_churn(rng: &mut Rng, mode: &Mode, end: f64, mut program: Program) -> Program {
    let mean = (0.25 * HOUR_S).min(0.005 * end);
    let per_s = 2000.0 / end;
    program.poisson(rng, 1, mode.object_bytes, (0.0, end), per_s, |_| per_s, |rng, _| exponential(rng, mean));
    program
}

/// As many connections as an hour's load needs; the ones that are too many are closed, the newest first.
fn pool(rng: &mut Rng, mode: &Mode, end: f64) -> Program {
    let mut program = Program::default();
    let mut open: Vec<f64> = Vec::new();
    let mut at = 0.0;
    while at < end {
        let wanted = (40.0 * week(at) + 2.0 * normal(rng)).max(1.0) as usize;
        open.resize(wanted.max(open.len()), at);
        for born in open.split_off(wanted.min(open.len())) {
            program.add(1, born, at - born, mode.object_bytes);
        }
        at += HOUR_S;
    }
    for born in open {
        program.add(1, born, FOREVER, mode.object_bytes);
    }
    program
}
