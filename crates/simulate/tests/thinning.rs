//! Simulate, error rates when the sampling interval changes in mid-run, as the budget governor does it: leaks are found as
//! with a steady interval, and no healthy program is shown because of the change. 240 virtual minutes, a look a minute; ten
//! times as many objects as in `patterns.rs`, so that a sixteenth of them is still enough to go by. Table:
//! `SEEDS=40 cargo test --release -p memguard-simulate --test thinning -- --nocapture`.

use memguard_detect::DetectConfig;
use memguard_sampling::Rng;
use memguard_simulate::{FOREVER, Program, exponential, fifo, seeds};

const MINUTE: f64 = 60.0;
const END: f64 = 240.0 * MINUTE;
const SIZE: u64 = 65_536;

type Pattern = fn(&mut Rng) -> Program;
type Schedule = &'static [(f64, u64)];

/// From which minute on the interval is how many times the configured one.
const SCHEDULES: [(&str, Schedule); 6] = [
    ("steady", &[]),
    ("x4 from 80 min on", &[(80.0, 4)]),
    ("x16 from 60 to 180 min", &[(60.0, 16), (180.0, 1)]),
    ("x16 until 120 min", &[(0.0, 16), (120.0, 1)]),
    (
        "up and down in steps",
        &[(40.0, 2), (60.0, 4), (80.0, 8), (100.0, 16), (150.0, 8), (170.0, 4), (190.0, 2), (210.0, 1)],
    ),
    (
        "x2 every other half hour",
        &[(30.0, 2), (60.0, 1), (90.0, 2), (120.0, 1), (150.0, 2), (180.0, 1), (210.0, 2)],
    ),
];

fn rate(program: &mut Program, rng: &mut Rng, most_per_min: f64, rate: impl Fn(f64) -> f64) {
    program.poisson(rng, 1, SIZE, (0.0, END), most_per_min / MINUTE, |at| rate(at) / MINUTE, |_, _| FOREVER);
}

fn churn(rng: &mut Rng, per_min: f64) -> Program {
    let mut program = Program::default();
    let rate = per_min / MINUTE;
    program.poisson(rng, 1, SIZE, (0.0, END), rate, |_| rate, |rng, _| exponential(rng, 0.5 * MINUTE));
    program
}

const HEALTHY: [(&str, Pattern); 6] = [
    ("churn", |rng| churn(rng, 100.0)),
    ("kept from the first 5 min", |rng| {
        let mut program = churn(rng, 40.0);
        rate(&mut program, rng, 400.0, |at| if at < 5.0 * MINUTE { 400.0 } else { 0.0 });
        program
    }),
    ("warm-up, decaying", |rng| {
        let mut program = churn(rng, 40.0);
        rate(&mut program, rng, 80.0, |at| 80.0 * (-at / (30.0 * MINUTE)).exp());
        program
    }),
    ("FIFO cache of 3000", |rng| {
        let mut entries = Program::default();
        rate(&mut entries, rng, 50.0, |_| 50.0);
        fifo(&mut entries.births, 3000, 0.0, rng);
        let mut program = churn(rng, 40.0);
        program.births.append(&mut entries.births);
        program
    }),
    ("fills for 60 %, then serves", |rng| {
        let mut program = churn(rng, 40.0);
        rate(&mut program, rng, 40.0, |at| if at < 0.6 * END { 40.0 } else { 0.0 });
        program
    }),
    ("fills until 110 min, then serves", |rng| {
        let mut program = churn(rng, 40.0);
        rate(&mut program, rng, 20.0, |at| if at < 110.0 * MINUTE { 20.0 } else { 0.0 });
        program
    }),
];

const LEAKS: [(&str, Pattern); 5] = [
    ("ten a minute", |rng| {
        let mut program = churn(rng, 100.0);
        rate(&mut program, rng, 10.0, |_| 10.0);
        program
    }),
    ("three a minute, nothing else", |rng| {
        let mut program = Program::default();
        rate(&mut program, rng, 3.0, |_| 3.0);
        program
    }),
    ("under a load wave", |rng| {
        let mut program = Program::default();
        let wave = |at: f64| 0.5 * (1.0 - (std::f64::consts::TAU * at / (120.0 * MINUTE)).cos());
        let life = |rng: &mut Rng, _: f64| {
            if rng.next_unit() < 0.05 { FOREVER } else { exponential(rng, 0.5 * MINUTE) }
        };
        program.poisson(rng, 1, SIZE, (0.0, END), 400.0 / MINUTE, |at| 400.0 / MINUTE * wave(at), life);
        program
    }),
    ("begins at 90 min", |rng| {
        let mut program = churn(rng, 40.0);
        rate(&mut program, rng, 20.0, |at| if at > 90.0 * MINUTE { 20.0 } else { 0.0 });
        program
    }),
    ("5 % of a FIFO cache forgotten", |rng| {
        let mut entries = Program::default();
        rate(&mut entries, rng, 200.0, |_| 200.0);
        fifo(&mut entries.births, 3000, 0.05, rng);
        let mut program = churn(rng, 40.0);
        program.births.append(&mut entries.births);
        program
    }),
];

/// Shares of runs that end with a finding, and ratio of the size of the leak to the truth where one is known.
fn shown(pattern: Pattern, schedule: Schedule, seeds: u64) -> (f64, f64) {
    let (mut shown, mut sizes, mut truths) = (0.0, 0.0, 0.0);
    for seed in 0..seeds {
        let mut rng = Rng::from_seed(seed);
        let mut program = pattern(&mut rng);
        program.thinned = schedule.iter().map(|(minute, times)| (minute * MINUTE, *times)).collect();
        let interval = DetectConfig::guard().sample_interval_bytes as u64;
        let leaked = program.births.iter().filter(|birth| birth.dies_s == FOREVER).count() as f64;
        let truth = leaked * SIZE as f64 / memguard_sampling::inclusion_probability(SIZE, interval);
        let outcome = program.watch(&mut rng, MINUTE, END, DetectConfig::guard());
        shown += f64::from(u8::from(outcome.last >= 0.5)) / seeds as f64;
        if let Some(finding) = outcome.findings.first().filter(|finding| finding.confidence >= 0.5) {
            sizes += finding.size_bytes;
            truths += truth;
        }
    }
    (shown, sizes / truths)
}

/// Goal: the same verdicts, whatever the interval does. Method: seeded runs of every pattern under every schedule.
#[test]
fn changes_of_the_interval_change_no_verdict() {
    let seeds = seeds(3);
    println!("| pattern | {} |", SCHEDULES.map(|schedule| schedule.0).join(" | "));
    let row = |(name, pattern): &(&str, Pattern)| {
        let cells = SCHEDULES.map(|(_, schedule)| shown(*pattern, schedule, seeds));
        println!("| {name} | {} |", cells.map(|cell| format!("{:.2}", cell.0)).join(" | "));
        cells
    };
    let mean = |rows: &[[(f64, f64); 6]], schedule: usize| {
        rows.iter().map(|row| row[schedule].0).sum::<f64>() / rows.len() as f64
    };
    let healthy = HEALTHY.each_ref().map(row);
    let leaks = LEAKS.each_ref().map(row);
    for (schedule, (name, _)) in SCHEDULES.iter().enumerate() {
        let sizes = leaks[..3].iter().map(|row| row[schedule].1).filter(|size| size.is_finite());
        let size = sizes.clone().sum::<f64>() / sizes.count().max(1) as f64;
        println!(
            "{name}: healthy {:.3}, leaks {:.3}, size {size:.2} of the truth",
            mean(&healthy, schedule),
            mean(&leaks, schedule)
        );
        assert!(mean(&healthy, schedule) <= 0.02 + mean(&healthy, 0), "{name}: healthy programs are shown");
        assert!(mean(&leaks, schedule) >= mean(&leaks, 0) - 0.1, "{name}: leaks are missed");
        assert!((0.7..1.3).contains(&size), "{name}: sizes are {size:.2} of the truth");
    }
}

/// Goal: a change hides no decay. Method: a warm-up that takes the whole run, under the schedule that thins its beginning and
/// not its end; by numbers of samples alone it grows undiminished, and is shown in every run.
#[test]
fn a_slow_warm_up_stays_one() {
    let slow: Pattern = |rng| {
        let mut program = churn(rng, 40.0);
        rate(&mut program, rng, 80.0, |at| 80.0 * (-at / (80.0 * MINUTE)).exp());
        program
    };
    let (name, schedule) = SCHEDULES[4];
    let (shown, _) = shown(slow, schedule, seeds(3));
    println!("slow warm-up, {name}: {shown:.2}");
    assert!(shown < 0.5, "{name}: shown in {shown:.2} of the runs");
}
