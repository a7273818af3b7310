//! Simulate, error rates on everything beside the heap: for every kind a leak that must be found in time and under its
//! name, and near misses that must stay below 0.5 at every look. Times are in units of `handles_max_age_s` (60 s in
//! guard mode, 2 s in aggressive mode), so both modes run the same patterns. Table: `SEEDS=40 cargo test --release
//! -p memguard-simulate --test resources -- --nocapture --test-threads 1`.

use memguard_sampling::Rng;
use memguard_simulate::scenarios::resources_leaking::MakeWorld;
use memguard_simulate::scenarios::{resources_healthy, resources_leaking};
use memguard_simulate::{Mode, Outcome, seeds};

fn modes() -> [Mode; 2] {
    [Mode::guard(), Mode::aggressive()]
}

fn watch(mode: &Mode, seed: u64, units: f64, make: MakeWorld) -> Outcome {
    let end_s = units * mode.unit_s;
    // Long runs are looked at less often, as the collector does when a look is dear.
    let poll_s = if units > 30.0 { mode.unit_s / 20.0 } else { mode.poll_s };
    make(&mut Rng::from_seed(seed), mode, end_s).watch(poll_s, end_s, mode.config)
}

/// Goal: every kind is found in time, under its own name, and stays found. Method: seeded runs in both modes.
#[test]
fn leaks_are_found() {
    let seeds = seeds(4);
    println!(
        "| leak | mode | found in time | at end | highest, mean | first shown, s | other kinds | renamed |"
    );
    let (mut all, mut found, mut wrong) = (0, 0, 0);
    let mut bad = Vec::new();
    for leak in resources_leaking::all() {
        for mode in modes() {
            let by_s = mode.unit_s * if leak.by > 0.0 { leak.by } else { mode.growth_by };
            let (mut in_time, mut at_end, mut others, mut renamed, mut best) = (0, 0, 0, 0, 0.0);
            let mut first = Vec::new();
            for seed in 0..seeds {
                let seen = watch(&mode, seed, leak.units, leak.make);
                let shown = seen.shown_s.get(&leak.kind).copied();
                in_time += u64::from(shown.is_some_and(|at| at <= by_s + 2.01 * mode.poll_s));
                at_end += u64::from(seen.findings.iter().any(|f| f.kind == leak.kind && f.confidence >= 0.5));
                others += u64::from(seen.shown_s.keys().any(|kind| *kind != leak.kind));
                renamed += seen.changes;
                best += seen.best.get(&leak.kind).copied().unwrap_or(0.0) / seeds as f64;
                first.extend(shown);
            }
            first.sort_by(f64::total_cmp);
            let median = first.get(first.len() / 2).map_or_else(|| "-".to_owned(), |at| format!("{at:.1}"));
            println!(
                "| {:44} | {:10} | {:.2} | {:.2} | {best:.2} | {median:>6} | {others} | {renamed} |",
                leak.name,
                mode.name,
                in_time as f64 / seeds as f64,
                at_end as f64 / seeds as f64,
            );
            all += seeds;
            found += in_time;
            wrong += others;
            if (in_time as f64) < 0.75 * seeds as f64 || best < leak.reaches - 1e-9 {
                bad.push(format!("{} ({})", leak.name, mode.name));
            }
        }
    }
    println!("| mean | | {:.3} | | | | {wrong} | |", found as f64 / all as f64);
    assert!(bad.is_empty(), "not found in time: {bad:?}");
    assert!(found as f64 >= 0.95 * all as f64, "{found} of {all} in time");
}

/// Goal: near misses stay below 0.5 at every look. Method: seeded runs in both modes.
#[test]
fn healthy_is_never_shown() {
    let seeds = seeds(4);
    println!("| healthy | mode | ever shown | highest, mean |");
    let (mut all, mut shown) = (0_u64, 0_u64);
    let mut bad = Vec::new();
    for (name, units, make) in resources_healthy::all() {
        for mode in modes() {
            let (mut ever, mut best) = (0_u64, 0.0);
            let mut worst = None;
            for seed in 0..seeds {
                let seen = watch(&mode, seed, units, make);
                best += seen.ever / seeds as f64;
                if seen.ever >= 0.5 {
                    ever += 1;
                    worst = seen.worst;
                }
            }
            println!("| {name:48} | {:10} | {:.2} | {best:.2} |", mode.name, ever as f64 / seeds as f64);
            if let Some(worst) = worst {
                println!(
                    "    {:?} {:.2} {} {:?}",
                    worst.kind, worst.confidence, worst.detail, worst.evidence
                );
            }
            all += seeds;
            shown += ever;
            if ever as f64 > 0.25 * seeds as f64 {
                bad.push(format!("{name} ({})", mode.name));
            }
        }
    }
    println!("| mean | | {:.3} | |", shown as f64 / all as f64);
    assert!(bad.is_empty(), "shown: {bad:?}");
    assert!(shown as f64 <= 0.02 * all as f64, "{shown} of {all} shown");
}
