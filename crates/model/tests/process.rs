//! Model: what absorbing readings does to sites, live samples and losses.

use memguard_model::{
    LIFETIME_BUCKETS, LiveSample, ProcessModel, Reading, SITES_MAX, SiteId, StackId, StackTotals,
};

const SECOND: u64 = 1_000_000_000;

fn totals(stack: u32, births: u64, deaths: u64) -> StackTotals {
    StackTotals {
        stack: StackId(stack),
        births,
        deaths,
        born_count: births as f64,
        died_count: deaths as f64,
        born_bytes: 100.0 * births as f64,
        died_bytes: 100.0 * deaths as f64,
        lifetimes: [0; LIFETIME_BUCKETS],
    }
}

fn sample(stack: u32, address: u64, born_s: u64) -> LiveSample {
    LiveSample {
        address,
        size_bytes: 100,
        born_ns: born_s * SECOND,
        inclusion_probability: 1.0,
        stack: StackId(stack),
    }
}

fn reading(at_s: u64, totals: Vec<StackTotals>, live: Option<Vec<LiveSample>>) -> Reading {
    Reading { at_ns: at_s * SECOND, totals, live, rss_bytes: None }
}

/// Two stacks to a site.
fn halved(stack: StackId) -> SiteId {
    SiteId(stack.0 / 2)
}

/// Goal: stacks of a site add up, live samples are in order of birth. Method: two stacks, one site.
#[test]
fn stacks_of_a_site_add_up() {
    let mut model = ProcessModel::new();
    let live = vec![sample(3, 32, 5), sample(2, 16, 4)];
    model.absorb(&reading(10, vec![totals(2, 3, 1), totals(3, 4, 2)], Some(live)), &halved);
    let site = model.site(SiteId(1)).expect("the site is there");
    assert_eq!((site.totals().births, site.totals().deaths), (7, 3));
    assert_eq!(site.live().iter().map(|s| s.address).collect::<Vec<_>>(), [16, 32]);
    assert!((model.born_bytes_at(10 * SECOND) - 700.0).abs() < 1e-9);
}

/// Goal: a reading without a scan keeps the live list; a scan ends what is missing, also when its address is
/// in use again. Method: three looks.
#[test]
fn lives_end_when_a_scan_misses_them() {
    let mut model = ProcessModel::new();
    model.absorb(&reading(1, vec![totals(0, 2, 0)], Some(vec![sample(0, 16, 1), sample(0, 32, 1)])), &halved);
    model.absorb(&reading(2, vec![totals(0, 2, 1)], None), &halved);
    let site = model.site(SiteId(0)).expect("the site is there");
    assert_eq!((site.live().len(), site.ended().total()), (2, 0));
    model.absorb(&reading(9, vec![totals(0, 3, 1)], Some(vec![sample(0, 16, 8), sample(0, 32, 1)])), &halved);
    let site = model.site(SiteId(0)).expect("the site is there");
    assert_eq!((site.live().len(), site.ended().total()), (2, 1));
    let (past, _) = site.ended().past(5 * SECOND);
    assert!((past - 1.0).abs() < 1e-9);
    assert_eq!(model.live_at_ns(), Some(9 * SECOND));
}

/// Goal: losses are counted, not hidden. Method: a late reading, too many sites, a damaged sample.
#[test]
fn losses_are_counted() {
    let mut model = ProcessModel::new();
    let many = (0..SITES_MAX as u32 + 5).map(|stack| totals(stack, 1, 0)).collect();
    let one_each = |stack: StackId| SiteId(stack.0);
    let damaged = LiveSample { inclusion_probability: 0.0, ..sample(0, 16, 1) };
    let room_less = sample(SITES_MAX as u32 + 1, 48, 1);
    model.absorb(&reading(5, many, Some(vec![damaged, room_less])), &one_each);
    model.absorb(&reading(4, Vec::new(), None), &one_each);
    let losses = model.losses();
    assert_eq!(losses.stacks_without_room, 5);
    assert_eq!(losses.samples_without_room, 1);
    assert_eq!(losses.readings_out_of_order, 1);
    assert_eq!(model.sites().count(), SITES_MAX);
    assert!(model.site(SiteId(0)).is_some_and(|site| site.live().is_empty()));
}

/// Goal: the CPU share over a span is what was told. Method: half a processor, then none.
#[test]
fn cpu_share() {
    let mut model = ProcessModel::new();
    model.absorb(&reading(1, Vec::new(), None), &halved);
    assert_eq!(model.cpu_share(0, SECOND), None);
    let mut model = ProcessModel::new();
    for (at_s, used_s) in [(0, 0), (10, 5), (20, 5)] {
        model.absorb_cpu(used_s * SECOND);
        model.absorb(&reading(at_s, Vec::new(), None), &halved);
    }
    let share = |from, to| model.cpu_share(from * SECOND, to * SECOND).unwrap_or(-1.0);
    assert!((share(0, 10) - 0.5).abs() < 1e-9 && share(10, 20).abs() < 1e-9);
}
