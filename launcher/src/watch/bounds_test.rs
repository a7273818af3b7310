//! Launcher, watch: a session of a month has thousands of processes, and what is kept of them has a bound.
//! In: segments of processes that have ended, made here. Out: failing tests.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

use memguard_detect::{Finding, Kind, Pattern as Family};
use memguard_model::{SiteId, StackId};
use memguard_segment::{AtomicU64, BUCKET_OBJECTS, Capacities, HeaderWord, Layout, Segment, State};

use super::{REMARKABLE_MAX, UNREADABLE_MAX, UNREMARKABLE_MAX, Watch};
use crate::config::{Sources, load};

/// No process has a number above the kernel's limit.
const PID_NEVER: u64 = 1 << 23;

/// The segment of a process that was watched and is gone.
fn leave_segment(directory: &Path, number: u64) {
    let capacities = Capacities {
        live_buckets: 16,
        stacks: 64,
        frames: 256,
        modules: 8,
        ring_slots: 64,
        descriptors: 64,
        object_buckets: 16,
    };
    let layout = Layout::new(capacities).expect("a layout");
    let words: Vec<AtomicU64> = (0..layout.words).map(|_| AtomicU64::new(0)).collect();
    let segment = Segment::format(&words, &layout).expect("room");
    assert!(segment.claim());
    segment.set(HeaderWord::Pid, PID_NEVER + number);
    segment.set(HeaderWord::State, State::Active as u64);
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).collect();
    fs::write(directory.join(format!("{number}.segment")), bytes).expect("written");
}

fn watch(directory: &Path) -> Watch {
    Watch::prepare(directory, &load(&Sources::default()).expect("defaults")).expect("prepared")
}

fn finding(site: u32, confidence: f64) -> Finding {
    Finding {
        pattern: Family::Leaks,
        kind: Kind::HeapGrowth,
        site: SiteId(site),
        stack: StackId(1),
        size_bytes: 0.0,
        size_bytes_interval: (0.0, 0.0),
        count: 0.0,
        growth_bytes_per_hour: 0.0,
        growth_per_hour: 0.0,
        confidence,
        detail: String::new(),
        suggested_fix: String::new(),
        first_seen_ns: 0,
        last_seen_ns: 0,
        evidence: Vec::new(),
    }
}

/// Goal: short-lived processes leave no more behind than a number. Method: three times as many as are kept come and go.
#[test]
fn processes_that_come_and_go() {
    let directory = tempfile::tempdir().expect("a folder");
    let mut watch = watch(directory.path());
    let many = 3 * UNREMARKABLE_MAX as u64;
    for number in 0..many {
        leave_segment(directory.path(), number);
        // As a last look: nobody has said that a segment is made.
        watch.look_now(None, true);
    }
    assert!(watch.processes.len() <= UNREMARKABLE_MAX + 2, "{}", watch.processes.len());
    assert_eq!(watch.watched() as u64, many, "all are counted");
    assert!(watch.unopened.is_empty());
    let left = fs::read_dir(directory.path()).expect("a folder").count();
    assert_eq!(left, 2, "the control page and the first segment stay");
}

/// Goal: the same for processes with findings, of which the surest stay. Method: more than are kept, a few of them sure.
#[test]
fn processes_with_findings() {
    let directory = tempfile::tempdir().expect("a folder");
    let mut watch = watch(directory.path());
    let many = REMARKABLE_MAX as u64 + 50;
    // The reserved segment, which no process takes.
    watch.look_now(None, false);
    for number in 0..many {
        leave_segment(directory.path(), number);
        // As a last look: nobody has said that a segment is made.
        watch.look_now(None, true);
        let confidence = if number.is_multiple_of(25) { 0.9 } else { 0.6 };
        let last = watch.processes.last_mut().expect("opened");
        last.set_findings(vec![finding(u32::try_from(number).expect("few"), confidence)]);
    }
    watch.look_now(None, false);
    let over: Vec<_> = watch.processes.iter().filter(|p| p.is_over()).collect();
    assert_eq!(over.len(), REMARKABLE_MAX);
    let sure: HashSet<u32> =
        over.iter().flat_map(|p| p.findings()).filter(|f| f.confidence > 0.8).map(|f| f.site.0).collect();
    assert_eq!(sure.len() as u64, many.div_ceil(25), "no sure one was let go");
    assert!(watch.troubles().iter().any(|line| line.starts_with("50 more processes ended with findings")));
}

/// Goal: segments that cannot be read are told of, by the first of them. Method: many that are no segments.
#[test]
fn segments_that_cannot_be_read() {
    let directory = tempfile::tempdir().expect("a folder");
    let mut watch = watch(directory.path());
    for number in 0..3 * UNREADABLE_MAX {
        fs::write(directory.path().join(format!("{number}.segment")), "nonsense".repeat(100))
            .expect("written");
    }
    for _ in 0..=super::OPEN_TRIES_MAX {
        watch.look_now(None, false);
    }
    assert_eq!(watch.unreadable.len(), UNREADABLE_MAX);
    assert_eq!(watch.unreadable_more, 2 * UNREADABLE_MAX as u64);
    assert!(watch.unopened.is_empty());
}

/// Goal: there is room for as many live objects as are asked for, over the whole range that the setting allows. Method: its
/// ends and some in between.
#[test]
fn there_is_room_for_what_is_asked_for() {
    for live_objects in [1024, 49_152, 1_572_864, 60_000_000, 67_108_864] {
        let environment = vec![("MEMGUARD_LIVE_OBJECTS".into(), live_objects.to_string().into())];
        let sources = Sources { environment, ..Sources::default() };
        let buckets = super::capacities(&load(&sources).expect("allowed")).first.live_buckets;
        assert!(buckets * BUCKET_OBJECTS >= live_objects, "{live_objects}: {buckets} buckets");
    }
}
