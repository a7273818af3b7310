//! Sampling: do the estimators keep their promises over many seeded runs?
//! Run with `cargo test -p memguard-sampling --features estimate -- --nocapture` to see the table.
#![cfg(feature = "estimate")]

use memguard_sampling::{Rng, estimate_bytes, estimate_count, inclusion_probability, next_gap_bytes};

const INTERVAL_BYTES: u64 = 524_288;

/// Draws one size of a named mix.
type SizeLaw = fn(&mut Rng) -> u64;

const LAWS: [(&str, SizeLaw); 5] = [
    ("64 B", |_| 64),
    ("4 KiB", |_| 4096),
    ("log-uniform 16 B..1 MiB", |rng| (16.0 * 65_536_f64.powf(rng.next_unit())) as u64),
    ("90 % 256 B, 10 % 256 KiB", |rng| if rng.next_unit() < 0.9 { 256 } else { 262_144 }),
    ("80 % 32 KiB, 20 % 4 MiB", |rng| if rng.next_unit() < 0.8 { 32_768 } else { 4_194_304 }),
];

/// One run: allocates objects until `total_bytes`, samples them by the countdown.
fn run(rng: &mut Rng, law: SizeLaw, total_bytes: f64) -> (f64, f64, Vec<(u64, f64)>) {
    let (mut bytes, mut count) = (0.0, 0.0);
    let mut samples = Vec::new();
    let mut gap = next_gap_bytes(rng, INTERVAL_BYTES);
    while bytes < total_bytes {
        let size = law(rng);
        bytes += size as f64;
        count += 1.0;
        if gap <= size {
            samples.push((size, inclusion_probability(size, INTERVAL_BYTES)));
            gap = next_gap_bytes(rng, INTERVAL_BYTES);
        } else {
            gap -= size;
        }
    }
    (bytes, count, samples)
}

/// Goal: no bias in bytes or count. Method: mean error of 400 runs within 4 standard errors of zero.
#[test]
fn estimates_are_unbiased() {
    for (name, law) in &LAWS[1..] {
        let mut rng = Rng::from_seed(11);
        let (mut errors, mut count_errors) = (Vec::new(), Vec::new());
        for _ in 0..400 {
            let (bytes, count, samples) = run(&mut rng, *law, 8.0 * INTERVAL_BYTES as f64);
            errors.push(estimate_bytes(samples.iter().copied(), INTERVAL_BYTES as f64).value - bytes);
            count_errors
                .push(estimate_count(samples.iter().map(|s| s.1), INTERVAL_BYTES as f64, 64.0).value - count);
        }
        for errors in [errors, count_errors] {
            let n = errors.len() as f64;
            let mean = errors.iter().sum::<f64>() / n;
            let sigma = (errors.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / n / n).sqrt();
            assert!(mean.abs() <= 4.0 * sigma + 1e-6, "{name}: mean error {mean} with sigma {sigma}");
        }
    }
}

/// Goal: the 95 % interval of a site's live bytes contains the truth in 93 to 98 % of runs.
/// Method: for each expected number of samples, runs over all size laws; table printed, bands asserted.
#[test]
fn coverage_of_live_bytes() {
    println!("expected samples |   runs | coverage | missed low | missed high | median width / truth");
    let (mut hits_all, mut runs_all) = (0.0, 0.0);
    for expected in [1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 200.0] {
        let (mut hits, mut runs, mut below, mut above) = (0.0, 0.0, 0.0, 0.0);
        let mut widths = Vec::new();
        for (index, (_, law)) in LAWS.iter().enumerate() {
            let mut rng = Rng::from_seed(1000 * index as u64 + expected as u64);
            // The smallest objects need millions of draws for many samples: fewer runs for them.
            let repeats = if index == 0 { (600.0 / expected) as u32 } else { 400 };
            for _ in 0..repeats {
                let (truth, _, samples) = run(&mut rng, *law, expected * INTERVAL_BYTES as f64);
                let estimate = estimate_bytes(samples, INTERVAL_BYTES as f64);
                runs += 1.0;
                if truth < estimate.low {
                    above += 1.0;
                } else if truth > estimate.high {
                    below += 1.0;
                } else {
                    hits += 1.0;
                }
                widths.push((estimate.high - estimate.low) / truth);
            }
        }
        widths.sort_by(f64::total_cmp);
        println!(
            "{expected:16} | {runs:6} |   {:.3}  |    {:.3}   |    {:.3}    | {:.2}",
            hits / runs,
            below / runs,
            above / runs,
            widths[widths.len() / 2]
        );
        hits_all += hits;
        runs_all += runs;
        if expected >= 4.0 {
            assert!((0.93..=0.98).contains(&(hits / runs)), "{expected} expected: {}", hits / runs);
        } else {
            assert!(hits / runs >= 0.93, "{expected} expected: {}", hits / runs);
        }
    }
    let coverage = hits_all / runs_all;
    println!("all              | {runs_all:6} |   {coverage:.3}");
    assert!((0.93..=0.98).contains(&coverage));
}
