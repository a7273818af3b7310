//! Detect, error rates on fast programs: seconds instead of hours, allocations thinned by the real draws.
//! Leaks must be shown at the end; jobs and services that fill and then serve must not.

mod sim;

use memguard_detect::DetectConfig;
use memguard_sampling::Rng;
use sim::{FOREVER, Outcome, Program, exponential, seeds};

type Case = fn(&mut Rng) -> Outcome;

fn guard(program: Program, rng: &mut Rng, end_s: f64) -> Outcome {
    program.watch(rng, 1.0, end_s, DetectConfig::guard(), true)
}

fn aggressive(program: Program, rng: &mut Rng, end_s: f64) -> Outcome {
    program.watch(rng, 0.1, end_s, DetectConfig::aggressive(), true)
}

/// Requests at a site of which one in `one_in` is never freed.
fn requests(rng: &mut Rng, end_s: f64, per_s: f64, size: u64, one_in: u64) -> Program {
    let mut program = Program::default();
    program.poisson(
        rng,
        1,
        size,
        (0.0, end_s),
        per_s,
        |_| per_s,
        |rng, _| {
            if rng.next_u64().is_multiple_of(one_in) { FOREVER } else { exponential(rng, 0.01) }
        },
    );
    program
}

/// A compiler: phases of its own length and places, most of what they allocate stays to the end.
fn compiler(rng: &mut Rng, end_s: f64, scale: f64, busy: bool) -> Program {
    let mut program = Program { cpu_share: busy.then_some(0.97), ..Program::default() };
    let mut from = 0.0;
    let mut phase = 0;
    while from < end_s {
        let to = (from + end_s * (0.05 + 0.3 * rng.next_unit())).min(end_s);
        for _ in 0..6 {
            let site = phase * 3 + (rng.next_u64() % 8) as u32;
            let per_s = scale * exponential(rng, 1.0);
            let kept = rng.next_unit();
            program.poisson(
                rng,
                site,
                16_384,
                (from, to),
                per_s,
                |_| per_s,
                |rng, _| {
                    if rng.next_unit() < kept { FOREVER } else { exponential(rng, 0.2) }
                },
            );
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
    program.poisson(
        rng,
        3,
        16_384,
        (0.0, end_s),
        per_s / 10.0,
        |_| per_s / 10.0,
        |rng, _| exponential(rng, 5.0),
    );
    program
}

const LEAKS: [(&str, Case); 9] = [
    ("guard: 20 MB at 1 MB/s, nothing else", |rng| {
        let program = requests(rng, 20.0, 1e6 / 4096.0, 4096, 1);
        guard(program, rng, 20.0)
    }),
    ("guard: 20 MB at 2 MB/s, nothing else", |rng| {
        let program = requests(rng, 10.5, 2e6 / 4096.0, 4096, 1);
        guard(program, rng, 10.5)
    }),
    ("guard: 20 MB at 1.3 MB/s, 99 % freed", |rng| {
        let program = requests(rng, 15.5, 1.3e8 / 16_384.0, 16_384, 100);
        guard(program, rng, 15.5)
    }),
    ("guard: 20 MB at 1 MB/s of 64 B objects", |rng| {
        let program = requests(rng, 20.0, 1e6 / 64.0, 64, 1);
        guard(program, rng, 20.0)
    }),
    ("guard: 60 MB at 1 MB/s, 99 % freed", |rng| {
        let program = requests(rng, 60.0, 1e8 / 16_384.0, 16_384, 100);
        guard(program, rng, 60.0)
    }),
    ("guard: 60 MB at 0.2 MB/s in a server", |rng| {
        let mut program = server(rng, 300.0, 100.0);
        program.poisson(rng, 7, 4096, (0.0, 300.0), 50.0, |_| 50.0, |_, _| FOREVER);
        guard(program, rng, 300.0)
    }),
    ("guard: 1 MB blocks, one every 2 s", |rng| {
        let mut program = Program::default();
        program.poisson(rng, 1, 1 << 20, (0.0, 60.0), 0.5, |_| 0.5, |_, _| FOREVER);
        guard(program, rng, 60.0)
    }),
    ("aggressive: 300 objects over 2.5 s", |rng| {
        let program = requests(rng, 2.5, 120.0, 64, 1);
        aggressive(program, rng, 2.5)
    }),
    ("aggressive: 300 objects over 3 s, 95 % freed", |rng| {
        let program = requests(rng, 3.0, 2000.0, 64, 20);
        aggressive(program, rng, 3.0)
    }),
];

const HEALTHY: [(&str, Case); 12] = [
    ("guard: compiler, 3 s", |rng| {
        let program = compiler(rng, 3.0, 800.0, true);
        guard(program, rng, 3.0)
    }),
    ("guard: compiler, 15 s", |rng| {
        let program = compiler(rng, 15.0, 400.0, true);
        guard(program, rng, 15.0)
    }),
    ("guard: compiler, 30 s", |rng| {
        let program = compiler(rng, 30.0, 400.0, true);
        guard(program, rng, 30.0)
    }),
    ("guard: compiler, 30 s, CPU unknown", |rng| {
        let program = compiler(rng, 30.0, 400.0, false);
        guard(program, rng, 30.0)
    }),
    ("aggressive: compiler, 5 s", |rng| {
        let program = compiler(rng, 5.0, 100.0, true);
        aggressive(program, rng, 5.0)
    }),
    ("aggressive: compiler, 5 s, CPU unknown", |rng| {
        let program = compiler(rng, 5.0, 100.0, false);
        aggressive(program, rng, 5.0)
    }),
    ("guard: builds a structure for 20 s, busy", |rng| {
        let mut program = requests(rng, 20.0, 2000.0, 4096, 1);
        program.cpu_share = Some(0.99);
        guard(program, rng, 20.0)
    }),
    ("aggressive: builds for 4 s, busy", |rng| {
        let mut program = requests(rng, 4.0, 1000.0, 512, 1);
        program.cpu_share = Some(0.99);
        aggressive(program, rng, 4.0)
    }),
    ("guard: fills for 60 % of 40 s, then serves", |rng| {
        let program = filled_store(rng, 40.0, 0.6, 1000.0);
        guard(program, rng, 40.0)
    }),
    ("aggressive: fills for 60 % of 5 s, then serves", |rng| {
        let program = filled_store(rng, 5.0, 0.6, 300.0);
        aggressive(program, rng, 5.0)
    }),
    ("guard: server, 120 s", |rng| {
        let program = server(rng, 120.0, 500.0);
        guard(program, rng, 120.0)
    }),
    ("aggressive: server, 10 s", |rng| {
        let program = server(rng, 10.0, 50.0);
        aggressive(program, rng, 10.0)
    }),
];

fn rates(name: &str, case: Case, seeds: u64) -> (f64, f64) {
    let (mut last, mut ever, mut confidence, mut first) = (0.0, 0.0, 0.0, Vec::new());
    for seed in 0..seeds {
        let outcome = case(&mut Rng::from_seed(seed));
        last += f64::from(u8::from(outcome.last >= 0.5)) / seeds as f64;
        ever += f64::from(u8::from(outcome.ever >= 0.5)) / seeds as f64;
        confidence += outcome.last / seeds as f64;
        first.extend(outcome.first_shown_s);
    }
    first.sort_by(f64::total_cmp);
    let median = first.get(first.len() / 2).map_or_else(|| "-".to_owned(), |at| format!("{at:.1}"));
    println!("| {name:46} | {last:.2} | {ever:.2} | {confidence:.2} | {median:>5} |");
    (last, ever)
}

fn table(cases: &[(&str, Case)]) -> Vec<(f64, f64)> {
    println!("| program | shown at end | ever shown | mean confidence at end | first shown, s |");
    let seeds = seeds(5);
    cases.iter().map(|(name, case)| rates(name, *case, seeds)).collect()
}

/// Goal: leaks are shown at the end. Method: seeded runs, a look at every poll.
#[test]
fn leaks_are_shown() {
    let rates = table(&LEAKS);
    let mean = rates.iter().map(|rate| rate.0).sum::<f64>() / rates.len() as f64;
    println!("| mean | {mean:.3} |");
    assert!(mean >= 0.85, "true positive rate {mean}");
}

/// Goal: healthy programs end without a finding. Method: seeded runs, a look at every poll.
#[test]
fn healthy_programs_are_not() {
    let rates = table(&HEALTHY);
    let mean = |part: fn(&(f64, f64)) -> f64| rates.iter().map(part).sum::<f64>() / rates.len() as f64;
    println!("| mean | {:.3} | {:.3} |", mean(|rate| rate.0), mean(|rate| rate.1));
    assert!(mean(|rate| rate.0) <= 0.02, "false positive rate at the end {}", mean(|rate| rate.0));
    assert!(mean(|rate| rate.1) <= 0.35, "false positive rate of any look {}", mean(|rate| rate.1));
}
