//! Estimates: intervals of live bytes, made of samples of a real process, contain the truth as often as they say.
//!
//! Method: many runs of a program with sixteen sites, each of which holds a known number of bytes in blocks of one of four
//! size laws, some of them given back or grown. The process draws its own seed each time. While it waits, its live table is
//! read, each site's samples become an estimate, and the truth, which the program prints, lies in the interval or not.
//! The bounds are such that a product within the promised range fails one run of this test in a million.

use std::collections::BTreeMap;

use memguard_sampling::{Estimate, estimate_bytes, estimate_count};
use memguard_segment::HeaderWord;
use memguard_tests::process::Process;
use memguard_tests::targets;
use memguard_tests::together::together;
use memguard_tests::watched::{Place, words};
use statrs::distribution::{Binomial, DiscreteCDF};

const SITES: usize = 16;
const INTERVAL_BYTES: f64 = 65_536.0;
/// The promised range.
const COVERAGE: [f64; 2] = [0.93, 0.98];
/// A good product fails so rarely.
const CHANCE: f64 = 1e-6;

/// What one site of one run really holds, and what is estimated.
struct Trial {
    site: usize,
    bytes: f64,
    count: f64,
    estimated_bytes: Estimate,
    estimated_count: Estimate,
}

/// Runs the program once.
fn run(seed: usize) -> Vec<Trial> {
    let place = Place::new();
    let program = words(&targets::program("sites"), &[&seed.to_string(), &INTERVAL_BYTES.to_string()]);
    // The interval stays what it is, whatever it costs.
    let options = ["--quiet", "--sample-bytes", "64KiB", "--overhead-budget", "none"];
    let mut process = Process::converse(place.run(&options, &program));
    let truth: Vec<[f64; 2]> = (0..SITES).map(|_| numbers(&process.line())).collect();
    assert_eq!(process.line(), "ready");
    let recordings = place.recordings();
    assert_eq!(recordings.len(), 1);
    assert_eq!(recordings[0].segment().get(HeaderWord::SampleIntervalBytes), 64 << 10);
    let mut samples: BTreeMap<usize, Vec<(u64, f64)>> = BTreeMap::new();
    for object in recordings[0].live() {
        if object.size_bytes % 2 == 1 {
            let site = (object.size_bytes % 32 / 2) as usize;
            samples.entry(site).or_default().push((object.size_bytes, f64::from(object.p)));
        }
    }
    assert_eq!(process.finish().code, 0);
    let trial = |(site, [bytes, count]): (usize, [f64; 2])| {
        let own = samples.remove(&site).unwrap_or_default();
        let probabilities = own.iter().map(|(_, p)| *p);
        Trial {
            site,
            bytes,
            count,
            estimated_count: estimate_count(probabilities, INTERVAL_BYTES, bytes / count),
            estimated_bytes: estimate_bytes(own, INTERVAL_BYTES),
        }
    };
    truth.into_iter().enumerate().map(trial).collect()
}

fn numbers(line: &str) -> [f64; 2] {
    let mut words =
        line.strip_prefix("site ").unwrap_or_else(|| panic!("the program says '{line}'")).split(' ');
    [(); 2].map(|()| words.next().and_then(|word| word.parse().ok()).expect("a number"))
}

fn holds(estimate: &Estimate, truth: f64) -> bool {
    (estimate.low..=estimate.high).contains(&truth)
}

/// Checks a number of hits against the promised range.
fn check(what: &str, hits: u64, trials: u64) {
    println!("{what}: {hits} of {trials} intervals hold the truth, {:.4}", hits as f64 / trials as f64);
    let [low, high] = COVERAGE.map(|share| Binomial::new(share, trials).expect("a law"));
    assert!(low.cdf(hits) > CHANCE, "{what}: fewer than {} of {trials} would be by chance", COVERAGE[0]);
    assert!(
        high.sf(hits.saturating_sub(1)) > CHANCE,
        "{what}: more than {} of {trials} would be by chance",
        COVERAGE[1]
    );
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    let runs: Vec<usize> = (1..=200).collect();
    let trials: Vec<Trial> = together(3, &runs, |seed| Ok(run(*seed))).into_iter().flatten().collect();
    let bytes = trials.iter().filter(|trial| holds(&trial.estimated_bytes, trial.bytes)).count();
    for expected in 0..4 {
        let of = trials.iter().filter(|trial| trial.site % 4 == expected);
        let hits = of.clone().filter(|trial| holds(&trial.estimated_bytes, trial.bytes)).count();
        println!(
            "  of {} expected samples: {:.4}",
            [4, 8, 15, 30][expected],
            hits as f64 / of.count() as f64
        );
    }
    check("bytes of a site", bytes as u64, trials.len() as u64);
    for (law, name) in ["256 B", "4 KiB", "64 B to 64 KiB", "1 KiB and 128 KiB"].iter().enumerate() {
        let of = trials.iter().filter(|trial| trial.site / 4 == law);
        let hits = of.clone().filter(|trial| holds(&trial.estimated_count, trial.count)).count();
        println!("  objects of {name}: {:.4} (nothing is promised)", hits as f64 / of.count() as f64);
    }

    // Unbiased: over all trials the sums agree. One standard error of the ratio is below half a per cent.
    let sum = |of: fn(&Trial) -> f64| trials.iter().map(of).sum::<f64>();
    let ratio = sum(|trial| trial.estimated_bytes.value) / sum(|trial| trial.bytes);
    println!("all estimates together are {ratio:.4} of the truth");
    assert!((0.97..1.03).contains(&ratio), "the estimates are biased: {ratio:.4}");
}
