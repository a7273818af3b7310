//! Scenarios, fast: programs that run for seconds to minutes, with real allocations thinned by the real draws. Leaks, jobs
//! that build something and exit, stores that fill and then serve.
//! In: length. Out: programs.

use super::{FORGOTTEN, GROWING};
use crate::draws::{FOREVER, exponential};
use crate::program::Program;
use crate::scenario::{Horizon, Make, Modes, Scenario, Truth};
use memguard_sampling::Rng;

/// Requests at place 1 of which one in `one_in` is never freed.
fn requests(rng: &mut Rng, end_s: f64, per_s: f64, size: u64, one_in: u64) -> Program {
    let mut program = Program { thin: true, ..Program::default() };
    let life = |rng: &mut Rng, _: f64| {
        if rng.next_u64().is_multiple_of(one_in) { FOREVER } else { exponential(rng, 0.01) }
    };
    program.poisson(rng, 1, size, (0.0, end_s), per_s, |_| per_s, life);
    program
}

/// A compiler: phases of its own length and places, most of what they allocate stays to the end.
fn compiler(rng: &mut Rng, end_s: f64, scale: f64, busy: bool) -> Program {
    let mut program = Program { cpu_share: busy.then_some(0.97), thin: true, ..Program::default() };
    let mut from = 0.0;
    let mut phase = 0;
    while from < end_s {
        let to = (from + end_s * (0.05 + 0.3 * rng.next_unit())).min(end_s);
        for _ in 0..6 {
            let site = phase * 3 + (rng.next_u64() % 8) as u32;
            let per_s = scale * exponential(rng, 1.0);
            let kept = rng.next_unit();
            let life = |rng: &mut Rng, _: f64| {
                if rng.next_unit() < kept { FOREVER } else { exponential(rng, 0.2) }
            };
            program.poisson(rng, site, 16_384, (from, to), per_s, |_| per_s, life);
        }
        from = to;
        phase += 1;
    }
    program
}

/// A store that is filled for a share of its run and then serves.
fn filled_store(rng: &mut Rng, end_s: f64, share: f64, per_s: f64) -> Program {
    let mut program = requests(rng, end_s, per_s, 4096, u64::MAX);
    program.poisson(rng, 1, 4096, (0.0, share * end_s), per_s, |_| per_s, |_, _| FOREVER);
    program.poisson(rng, 2, 256, (0.0, share * end_s), per_s, |_| per_s, |_, _| FOREVER);
    program
}

/// A server with start-up objects, connections of various lengths and per-request buffers.
fn server(rng: &mut Rng, end_s: f64, per_s: f64) -> Program {
    let mut program = requests(rng, end_s, per_s, 8192, u64::MAX);
    program.poisson(rng, 2, 4096, (0.0, 0.5), 2000.0, |_| 2000.0, |_, _| FOREVER);
    let rare = per_s / 10.0;
    program.poisson(rng, 3, 16_384, (0.0, end_s), rare, |_| rare, |rng, _| exponential(rng, 5.0));
    program
}

fn busy(mut program: Program) -> Program {
    program.cpu_share = Some(0.99);
    program
}

/// All of them.
pub fn all() -> Vec<Scenario> {
    let mut all = leaks();
    all.extend(healthy());
    all
}

/// Programs that leak.
fn leaks() -> Vec<Scenario> {
    use Modes::{Aggressive, Guard};
    let of = |name: &str, modes, seconds, kinds, make| {
        Scenario::new(
            name,
            "fast leak",
            modes,
            Horizon::Seconds(seconds),
            Truth::leak(kinds),
            Make::Heap(make),
        )
    };
    vec![
        of("20 MB at 1 MB/s, nothing else", Guard, 20.0, super::LOST, |rng, _, end_s| {
            requests(rng, end_s, 1e6 / 4096.0, 4096, 1).lose(1)
        }),
        of("20 MB at 2 MB/s, nothing else", Guard, 10.5, super::LOST, |rng, _, end_s| {
            requests(rng, end_s, 2e6 / 4096.0, 4096, 1).lose(1)
        }),
        of("20 MB at 1.3 MB/s, 99 % freed", Guard, 15.5, FORGOTTEN, |rng, _, end_s| {
            requests(rng, end_s, 1.3e8 / 16_384.0, 16_384, 100).lose(1)
        }),
        of("20 MB at 1 MB/s of 64 B objects", Guard, 20.0, super::LOST, |rng, _, end_s| {
            requests(rng, end_s, 1e6 / 64.0, 64, 1).lose(1)
        }),
        of("60 MB at 1 MB/s, 99 % freed", Guard, 60.0, FORGOTTEN, |rng, _, end_s| {
            requests(rng, end_s, 1e8 / 16_384.0, 16_384, 100).lose(1)
        }),
        of("15 MB at 0.05 MB/s in a server", Guard, 300.0, super::LOST, |rng, _, end_s| {
            let mut program = server(rng, end_s, 100.0);
            program.poisson(rng, 7, 4096, (0.0, end_s), 12.5, |_| 12.5, |_, _| FOREVER);
            program.lose(7)
        })
        .at(&[7]),
        of("60 MB at 0.2 MB/s in a server", Guard, 300.0, super::LOST, |rng, _, end_s| {
            let mut program = server(rng, end_s, 100.0);
            program.poisson(rng, 7, 4096, (0.0, end_s), 50.0, |_| 50.0, |_, _| FOREVER);
            program.lose(7)
        })
        .at(&[7]),
        of("1 MB blocks, one every 2 s", Guard, 60.0, super::LOST, |rng, _, end_s| {
            let mut program = Program { thin: true, ..Program::default() };
            program.poisson(rng, 1, 1 << 20, (0.0, end_s), 0.5, |_| 0.5, |_, _| FOREVER);
            program.lose(1)
        }),
        of("300 objects over 2.5 s", Aggressive, 2.5, super::LOST, |rng, _, end_s| {
            requests(rng, end_s, 120.0, 64, 1).lose(1)
        }),
        of("300 objects over 3 s, 95 % freed", Aggressive, 3.0, FORGOTTEN, |rng, _, end_s| {
            requests(rng, end_s, 2000.0, 64, 20).lose(1)
        }),
        of("list that grows, nothing else, 4 s", Aggressive, 4.0, GROWING, |rng, _, end_s| {
            requests(rng, end_s, 100.0, 64, 1)
        }),
    ]
}

/// Programs that do not.
fn healthy() -> Vec<Scenario> {
    use Modes::{Aggressive, Guard};
    let of = |name: &str, family, modes, seconds, make| {
        Scenario::new(name, family, modes, Horizon::Seconds(seconds), Truth::Healthy, Make::Heap(make))
    };
    vec![
        of("compiler, 3 s", "job", Guard, 3.0, |rng, _, end_s| compiler(rng, end_s, 800.0, true)),
        of("compiler, 15 s", "job", Guard, 15.0, |rng, _, end_s| compiler(rng, end_s, 400.0, true)),
        of("compiler, 30 s", "job", Guard, 30.0, |rng, _, end_s| compiler(rng, end_s, 400.0, true)),
        of("compiler, 30 s, CPU unknown", "job", Guard, 30.0, |rng, _, end_s| {
            compiler(rng, end_s, 400.0, false)
        }),
        of("compiler, 5 s", "job", Aggressive, 5.0, |rng, _, end_s| compiler(rng, end_s, 100.0, true)),
        of("compiler, 5 s, CPU unknown", "job", Aggressive, 5.0, |rng, _, end_s| {
            compiler(rng, end_s, 100.0, false)
        }),
        of("builds a structure for 20 s, busy", "job", Guard, 20.0, |rng, _, end_s| {
            busy(requests(rng, end_s, 2000.0, 4096, 1))
        }),
        of("builds for 4 s, busy", "job", Aggressive, 4.0, |rng, _, end_s| {
            busy(requests(rng, end_s, 1000.0, 512, 1))
        }),
        of("fills for 60 % of 40 s, then serves", "filled store", Guard, 40.0, |rng, _, end_s| {
            filled_store(rng, end_s, 0.6, 1000.0)
        }),
        of("fills for 60 % of 5 s, then serves", "filled store", Aggressive, 5.0, |rng, _, end_s| {
            filled_store(rng, end_s, 0.6, 300.0)
        }),
        of("server, 120 s", "server", Guard, 120.0, |rng, _, end_s| server(rng, end_s, 500.0)),
        of("server, 10 s", "server", Aggressive, 10.0, |rng, _, end_s| server(rng, end_s, 50.0)),
    ]
}
