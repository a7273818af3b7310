//! Simulate, rules of confidence that hold look by look: caps, withdrawal, what a finding carries.

use memguard_detect::{DetectConfig, Kind};
use memguard_sampling::Rng;
use memguard_simulate::{FOREVER, Outcome, Program, random_replacement};

/// Growth of 2 MB/s between two times, of what the program still points at; with `freed_s`, all of it is freed then.
fn leak(seed: u64, span_s: (f64, f64), freed_s: f64, end_s: f64, config: DetectConfig) -> Outcome {
    let mut rng = Rng::from_seed(seed);
    growth(&mut rng, span_s, freed_s).watch(&mut rng, config.look_gap_s, end_s, config)
}

fn growth(rng: &mut Rng, span_s: (f64, f64), freed_s: f64) -> Program {
    let mut program = Program { thin: true, ..Program::default() };
    program.poisson(rng, 1, 4096, span_s, 500.0, |_| 500.0, |_, at| freed_s - at);
    program
}

/// Goal: a young process has no finding of 0.5 or more. Method: leaks, watched until just before maturity.
#[test]
fn young_processes_are_not_accused() {
    for seed in 0..20 {
        assert!(leak(seed, (0.0, 8.0), FOREVER, 7.0, DetectConfig::guard()).ever < 0.5);
        assert!(leak(seed, (0.0, 2.0), FOREVER, 1.3, DetectConfig::aggressive()).ever < 0.5);
    }
}

/// Goal: growth of what the program still points at never exceeds 0.75, and gets near it in time; what it has lost is
/// proven. Method: two minutes.
#[test]
fn growth_is_capped_and_loss_is_proven() {
    let config = DetectConfig::guard();
    let outcome = leak(1, (0.0, 120.0), FOREVER, 120.0, config);
    assert!(outcome.last > 0.7 && outcome.ever <= 0.75, "{} {}", outcome.last, outcome.ever);
    let mut rng = Rng::from_seed(1);
    let lost = growth(&mut rng, (0.0, 120.0), FOREVER).lose(1);
    let outcome = lost.watch(&mut rng, config.look_gap_s, 120.0, config);
    assert!((0.95..=0.98).contains(&outcome.last), "{}", outcome.last);
    assert!(outcome.first_shown_s < Some(15.0), "{:?}", outcome.first_shown_s);
}

/// Goal: growth that ends is withdrawn. Method: a leak that stops at 60 % of the run.
#[test]
fn a_plateau_is_withdrawn() {
    for seed in 0..10 {
        let outcome = leak(seed, (0.0, 36.0), FOREVER, 60.0, DetectConfig::guard());
        assert!(outcome.ever >= 0.5 && outcome.last < 0.5, "{} {}", outcome.ever, outcome.last);
    }
}

/// Goal: what is freed after all is withdrawn at once. Method: everything freed one look before the end.
#[test]
fn freed_after_all_is_withdrawn() {
    let outcome = leak(3, (0.0, 30.0), 30.0, 31.0, DetectConfig::guard());
    assert!(outcome.ever >= 0.5 && outcome.findings.is_empty());
}

/// Goal: a finding tells size, count, rate, times and facts, right within their intervals.
/// Method: a known leak from the first second on: its size is all that was allocated.
#[test]
fn a_finding_carries_its_facts() {
    let outcome = leak(4, (0.0, 60.0), FOREVER, 60.0, DetectConfig::guard());
    let finding = &outcome.findings[0];
    let truth = 500.0 * 4096.0 * 60.0;
    let (low, high) = finding.size_bytes_interval;
    assert!(low < truth && truth < high, "{low} {truth} {high}");
    assert!((finding.count * 4096.0 / finding.size_bytes - 1.0).abs() < 0.01);
    assert!((finding.growth_bytes_per_hour / (3600.0 * 500.0 * 4096.0) - 1.0).abs() < 0.3);
    assert!(finding.first_seen_ns < finding.last_seen_ns && finding.last_seen_ns == 60_000_000_000);
    assert!(finding.evidence.len() >= 8 && finding.suggested_fix.contains("limit"));
}

/// Goal: a rare large block among small ones is not taken for something that grows. Method: short-lived processes that keep up
/// to 64 blocks, most of some KiB, one in 200 of a megabyte or more, and then replace one at random with each new one.
#[test]
fn a_rare_large_block_is_no_growing_container() {
    for seed in 0..400 {
        let mut rng = Rng::from_seed(seed);
        let mut program = Program::default();
        let mut at_s = 0.0;
        let (end_s, gap_s) = (2.0 + 4.0 * rng.next_unit(), 0.01 + 0.1 * rng.next_unit());
        while at_s < end_s {
            at_s += gap_s * rng.next_unit();
            let size: f64 = if rng.next_unit() < 0.005 { 20.0 } else { 5.0 + 10.0 * rng.next_unit() };
            program.add(1, at_s, FOREVER, (size.exp2() * (1.0 + rng.next_unit())) as u64);
        }
        random_replacement(&mut program.births, 64, &mut rng);
        let config = DetectConfig::aggressive();
        let outcome = program.watch(&mut rng, config.look_gap_s, end_s, config);
        let shown = outcome.shown_s.get(&Kind::ContainerGrowing);
        assert!(shown.is_none(), "seed {seed}: {:?}", outcome.worst);
    }
}

/// Goal: blocks of all sizes that are replaced at random are not taken for something that grows. Method: short-lived processes
/// with 64 places; at each step one of them is freed, filled, or its block enlarged or shrunk at a second site.
#[test]
fn blocks_resized_at_random_are_no_growing_container() {
    const ENLARGED: u32 = 2;
    let (runs, mut told) = (1500, 0);
    for seed in 0..runs {
        let mut rng = Rng::from_seed(seed);
        let mut program = Program::default();
        let mut places: [Option<usize>; 64] = [None; 64];
        let (end_s, gap_s) = (2.0 + 6.0 * rng.next_unit(), 0.002 + 0.1 * rng.next_unit());
        let mut at_s = 0.0;
        while at_s < end_s {
            at_s += gap_s * rng.next_unit();
            let place = &mut places[(rng.next_u64() % 64) as usize];
            let site = match (rng.next_u64() % 3, &place) {
                (0, _) => None,
                (1, Some(_)) => Some(ENLARGED),
                _ => Some(1),
            };
            if let Some(block) = place.take() {
                program.births[block].dies_s = at_s;
            }
            if let Some(site) = site {
                let bits = 5 + rng.next_u64() % if rng.next_unit() < 0.03 { 17 } else { 10 };
                program.add(site, at_s, FOREVER, (2f64.powi(bits as i32) * (1.0 + rng.next_unit())) as u64);
                *place = Some(program.births.len() - 1);
            }
        }
        let config = DetectConfig::aggressive();
        let outcome = program.watch(&mut rng, config.look_gap_s, end_s, config);
        told += usize::from(outcome.shown_s.contains_key(&Kind::ContainerGrowing));
    }
    assert!(told <= 1, "{told} of {runs}");
}
