//! Detect, fragmentation: an allocator that holds what nobody needs, and programs that only look like it.
//! In: deep looks in virtual time, made here. Out: failing tests.

use memguard_detect::{DetectConfig, Finding, Fragmentation, Kind, Verdicts};
use memguard_model::{MemoryReading, ProcessModel, Reading, SiteId, StackId, StackTotals};

const MIB: f64 = 1_048_576.0;

/// What the allocator holds, what live blocks need, how much of it in threads' areas, at a time.
#[derive(Debug, Clone, Copy, Default)]
struct At {
    held_mb: f64,
    live_mb: f64,
    arenas: u64,
    lazy_mb: f64,
}

/// What happens over time, in seconds.
type Course = fn(f64) -> At;
/// With a word for what it is.
type Named<T> = (&'static str, T);

/// A process that is looked at every second and in depth every two; the estimate of live bytes is off by `noise_mb`, up
/// and down.
struct Run {
    seconds: u64,
    noise_mb: f64,
    churn_mb_per_s: f64,
    config: DetectConfig,
}

impl Run {
    fn guard(minutes: u64) -> Self {
        Self { seconds: 60 * minutes, noise_mb: 0.0, churn_mb_per_s: 10.0, config: DetectConfig::guard() }
    }

    /// The findings at the end, and the highest confidence on the way.
    fn watch(&self, at: impl Fn(f64) -> At) -> (Vec<Finding>, f64) {
        self.change(at, |_| {})
    }

    fn change(&self, at: impl Fn(f64) -> At, change: impl Fn(&mut MemoryReading)) -> (Vec<Finding>, f64) {
        let mut model = ProcessModel::new();
        let mut verdicts = Verdicts::with_detectors(self.config, vec![Box::new(Fragmentation)]);
        let (mut findings, mut highest) = (Vec::new(), 0.0_f64);
        for second in 0..=self.seconds {
            let at_ns = second * 1_000_000_000;
            let now = at(second as f64);
            let noise = self.noise_mb * [1.0, -1.0, 0.3, -0.6, 0.8][second as usize / 2 % 5];
            let live_bytes = ((now.live_mb + noise) * MIB).max(0.0);
            let totals = StackTotals {
                stack: StackId(1),
                births: second,
                deaths: 0,
                born_count: 0.0,
                died_count: 0.0,
                born_bytes: live_bytes + MIB * self.churn_mb_per_s * second as f64,
                died_bytes: MIB * self.churn_mb_per_s * second as f64,
                lifetimes: Default::default(),
            };
            let reading = Reading { at_ns, totals: vec![totals], live: Some(Vec::new()), rss_bytes: None };
            model.absorb(&reading, &|_| SiteId(1));
            if second % 2 == 0 {
                let held = (now.held_mb * MIB) as u64;
                let mut reading = MemoryReading {
                    at_ns,
                    rss_bytes: held,
                    anonymous_bytes: held,
                    allocator_bytes: held,
                    arenas: now.arenas,
                    arena_bytes: now.arenas * 3 * MIB as u64,
                    lazy_free_bytes: (now.lazy_mb * MIB) as u64,
                    heap_bytes: live_bytes,
                    live_bytes,
                    live_variance: (self.noise_mb * MIB).powi(2),
                    threads: now.arenas + 1,
                    is_hooked: true,
                    ..MemoryReading::default()
                };
                change(&mut reading);
                model.absorb_memory(&reading);
            }
            findings = verdicts.look(&model);
            highest = findings.iter().map(|finding| finding.confidence).fold(highest, f64::max);
        }
        (findings, highest)
    }
}

fn held(held_mb: f64, live_mb: f64) -> At {
    At { held_mb, live_mb, ..At::default() }
}

/// Goal: found, about its size, and never quite sure. Method: 3 MiB a minute for an hour beside 20 MiB of live blocks.
#[test]
fn holes_that_go_on_growing_are_found() {
    let (findings, _) = Run::guard(60).watch(|at| held(25.0 + 3.0 * at / 60.0, 20.0));
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!(finding.kind, Kind::AllocatorFragmentation);
    assert!((0.5..=0.85).contains(&finding.confidence), "{finding:?}");
    assert!((finding.size_bytes / MIB - 180.0).abs() < 10.0, "{finding:?}");
    assert!((finding.growth_bytes_per_hour / MIB - 180.0).abs() < 20.0, "{finding:?}");
    assert!(finding.suggested_fix.contains("malloc_trim"));
}

/// Goal: a leak beside it takes nothing from it and adds nothing. Method: the same, and as much that is leaked.
#[test]
fn beside_a_leak_it_has_its_own_size() {
    let run = Run { noise_mb: 5.0, ..Run::guard(60) };
    let (findings, _) = run.watch(|at| held(25.0 + 6.0 * at / 60.0, 20.0 + 3.0 * at / 60.0));
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert!(finding.confidence >= 0.5, "{finding:?}");
    assert!((finding.size_bytes / MIB - 180.0).abs() < 25.0, "{finding:?}");
}

/// Goal: what a program needed at one time is no fragmentation. Method: a start-up, waves, rising waves and a plain leak,
/// looked at all the way; the estimate of live bytes is as noisy as sampling makes it.
#[test]
fn room_that_was_needed_is_none() {
    let healthy: [Named<Course>; 5] = [
        ("start-up of a minute, then little", |at| match at {
            at if at < 60.0 => held(5.0 * at, 5.0 * at),
            _ => held(300.0, 20.0),
        }),
        ("waves", |at| held(60.0 + 140.0 * (at / 40.0).min(1.0), 120.0 + 80.0 * (at / 30.0).sin())),
        ("waves that rise", |at| {
            let top = 100.0 + at / 20.0;
            held(top + 10.0, top * (0.6 + 0.4 * (at / 10.0).sin()))
        }),
        ("a leak", |at| held(30.0 + at / 10.0, 20.0 + at / 10.0)),
        ("a peak between two deep looks", |at| {
            let needs = if (at as u64).is_multiple_of(301) { 100.0 + at / 20.0 } else { 20.0 };
            held(100.0 + at / 20.0, needs)
        }),
    ];
    for (what, at) in healthy {
        for noise_mb in [0.0, 8.0] {
            let run = Run { noise_mb, ..Run::guard(60) };
            let (findings, highest) = run.watch(at);
            assert!(highest < 0.5, "{what}, noise {noise_mb}: {highest} {findings:?}");
        }
    }
}

/// Goal: a high-water mark is not shown as one that goes on. Method: held memory jumps once, at the start, in the middle, or
/// in steps that end; nothing of it is ever needed.
#[test]
fn what_has_come_to_rest_is_not_shown() {
    let jumps: [Named<Course>; 3] = [
        ("at once", |at| held(if at < 10.0 { 20.0 } else { 120.0 }, 10.0)),
        ("in the middle", |at| held(if at < 1800.0 { 20.0 } else { 120.0 }, 10.0)),
        ("twice", |at| {
            held(
                20.0 + if at < 900.0 {
                    0.0
                } else if at < 1800.0 {
                    50.0
                } else {
                    100.0
                },
                10.0,
            )
        }),
    ];
    for (what, at) in jumps {
        let (_, highest) = Run::guard(60).watch(at);
        assert!(highest < 0.5, "{what}: {highest}");
    }
    // It rests from these times on, of 3,600 seconds.
    for rests_s in [1200.0, 2600.0] {
        let (findings, highest) = Run::guard(60).watch(|at| held(20.0 + at.min(rests_s) / 10.0, 10.0));
        let shown = findings.iter().any(|finding| finding.confidence >= 0.5);
        assert!(highest >= 0.5 && !shown, "rests from {rests_s} s on: {highest} {findings:?}");
    }
}

/// Goal: an uncertain estimate finds nothing. Method: a leak of which sampling sees a part, within its noise.
#[test]
fn noise_is_no_fragmentation() {
    let run = Run { noise_mb: 20.0, ..Run::guard(60) };
    let (_, highest) = run.watch(|at| held(30.0 + at / 60.0, 10.0 + 0.2 * at / 60.0));
    assert!(highest < 0.5, "{highest}");
    let (_, exact) = Run::guard(60).watch(|at| held(30.0 + at / 60.0, 10.0 + 0.2 * at / 60.0));
    assert!(exact >= 0.5, "the same without noise: {exact}");
}

/// Goal: little is not worth a word in production, and is in tests. Method: 8 MiB.
#[test]
fn little_is_for_tests_alone() {
    let at = |at: f64| held(10.0 + 8.0 * at / 60.0, 5.0);
    let (findings, _) = Run::guard(1).watch(at);
    assert!(findings.is_empty(), "{findings:?}");
    let (findings, _) = Run { config: DetectConfig::aggressive(), ..Run::guard(1) }.watch(at);
    assert!(findings.iter().any(|finding| finding.confidence >= 0.5), "{findings:?}");
}

/// Goal: threads' areas have an advice of their own. Method: one more every minute.
#[test]
fn areas_of_threads_are_told_apart() {
    let arenas = |at: f64| (at / 60.0) as u64 + 1;
    let of = |at| At { arenas: arenas(at), ..held(5.0 + 3.0 * arenas(at) as f64, 2.0) };
    let (findings, _) = Run::guard(30).watch(of);
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert!(finding.confidence >= 0.5 && finding.suggested_fix.contains("MALLOC_ARENA_MAX"), "{finding:?}");
}

/// Goal: what the kernel may take back is not held, blocks that were never recorded are not free, and without hooks there is
/// nothing to say. Method: the same growth, each time with one of these.
#[test]
fn what_is_not_known_or_not_held_does_not_count() {
    let at = |at: f64| held(25.0 + 3.0 * at / 60.0, 20.0);
    let changes: [Named<fn(&mut MemoryReading)>; 3] = [
        ("lazily freed", |reading| {
            reading.lazy_free_bytes = reading.allocator_bytes.saturating_sub(25 << 20);
        }),
        ("not recorded", |reading| reading.unrecorded = 1),
        ("no hooks", |reading| reading.is_hooked = false),
    ];
    for (what, change) in changes {
        let (findings, _) = Run::guard(30).change(at, change);
        assert!(findings.is_empty(), "{what}: {findings:?}");
    }
    let own = Run { churn_mb_per_s: 0.01, ..Run::guard(30) };
    let (findings, _) = own.watch(at);
    assert!(findings.is_empty(), "an allocator that no hook sees: {findings:?}");
}
