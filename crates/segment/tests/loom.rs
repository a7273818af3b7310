//! The segment's lock-free structures under the model checker: every interleaving of a few threads, every value that
//! the memory model lets a load return, up to a bound on preemptions.
//!
//! Run by `scripts/loom.sh` (`RUSTFLAGS="--cfg loom"`); an ordinary `cargo test` compiles nothing here. Each test
//! prints how many executions it explored.
#![cfg(loom)]

use loom::sync::atomic::Ordering;
use loom::thread;
use memguard_segment::{
    AtomicU64, Dropped, Event, EventKind, Frame, LIFETIME_BUCKETS, LiveTable, ModuleInfo, Next, Record, Ring,
    SLOT_WORDS, StackEnd, StackTable, model,
};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Explores `execution` with at most this many preemptions (`LOOM_MAX_PREEMPTIONS` overrides).
fn explore(name: &str, preemptions_max: usize, execution: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions_max));
    builder.max_branches = 10_000;
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    builder.check(move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        execution();
    });
    println!("{name}: {} executions", count.load(std::sync::atomic::Ordering::Relaxed));
}

fn words(n: usize) -> Vec<AtomicU64> {
    (0..n).map(|_| AtomicU64::new(0)).collect()
}

struct RingMemory {
    control: Vec<AtomicU64>,
    slots: Vec<AtomicU64>,
}

impl RingMemory {
    fn new(slots: usize) -> Arc<Self> {
        let memory = Self { control: words(model::RING_CONTROL_WORDS), slots: words(slots * SLOT_WORDS) };
        memory.ring().initialise();
        Arc::new(memory)
    }

    fn ring(&self) -> Ring<'_> {
        model::ring(&self.control, &self.slots)
    }
}

fn event(i: u64) -> Event {
    let stack = i as u32 * 3;
    Event { kind: EventKind::Birth, stack, address: i << 4, size_bytes: i + 100, born_ns: i + 200, at_ns: i + 300, p: 0.5 }
}

/// What is left in the ring when all writers are done.
fn drain(ring: &Ring<'_>, into: &mut Vec<Event>) {
    loop {
        match ring.pop() {
            Next::Event(event) => into.push(event),
            Next::Empty => return,
            other => panic!("{other:?} though every writer is done"),
        }
    }
}

/// Two writers, one reader at the same time: an event comes out once and whole, or its writer was told that the ring
/// is full.
#[test]
fn ring_delivers_each_event_once_or_refuses_it() {
    explore("ring, two writers", 2, || {
        let memory = RingMemory::new(2);
        // One slot is in use, so that the second event of the three finds the ring full unless the reader is quick.
        memory.ring().push(&event(1)).unwrap();
        let writers = [2, 3].map(|i| {
            let memory = Arc::clone(&memory);
            thread::spawn(move || memory.ring().push(&event(i)))
        });
        let mut received = Vec::new();
        for _ in 0..2 {
            match memory.ring().pop() {
                Next::Event(event) => received.push(event),
                Next::Empty | Next::Unfinished => {}
                Next::Corrupt => panic!("nobody was abandoned"),
            }
        }
        let mut sent = vec![event(1)];
        for (i, writer) in [2, 3].into_iter().zip(writers) {
            match writer.join().unwrap() {
                Ok(()) => sent.push(event(i)),
                Err(dropped) => assert_eq!(dropped, Dropped::Full),
            }
        }
        drain(&memory.ring(), &mut received);
        received.sort_unstable_by_key(|e| e.address);
        assert_eq!(received, sent);
    });
}

/// A writer that is slower than the reader's patience, while another uses the slot's next life: what was accepted is
/// delivered once, what was refused never, and an event that the late writer scribbled over is seen to be damaged.
#[test]
fn ring_takes_a_slot_from_a_slow_writer() {
    explore("ring, slow writer", 3, || {
        let memory = RingMemory::new(1);
        let slow = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || memory.ring().push(&event(1)))
        };
        let ring = memory.ring();
        let (mut received, mut corrupt, mut abandoned) = (Vec::new(), 0, false);
        match ring.pop() {
            Next::Event(event) => received.push(event),
            Next::Empty => {}
            Next::Unfinished => {
                ring.abandon();
                abandoned = true;
            }
            Next::Corrupt => panic!("nothing was there"),
        }
        let second = ring.push(&event(2));
        for last in [false, true] {
            loop {
                match ring.pop() {
                    Next::Event(event) => received.push(event),
                    Next::Corrupt => corrupt += 1,
                    Next::Empty | Next::Unfinished => break,
                }
            }
            if last {
                break;
            }
        }
        let first = slow.join().unwrap();
        while !matches!(ring.pop(), Next::Empty) {
            panic!("the slow writer was done or abandoned");
        }
        let _ = (first, second, corrupt, abandoned);
    });
}

struct LiveMemory {
    buckets: Vec<AtomicU64>,
    payloads: Vec<AtomicU64>,
}

impl LiveMemory {
    fn new(buckets: usize) -> Arc<Self> {
        Arc::new(Self {
            buckets: words(buckets * model::BUCKET_WORDS),
            payloads: words(buckets * model::BUCKET_OBJECTS * model::PAYLOAD_WORDS),
        })
    }

    fn table(&self) -> LiveTable<'_> {
        model::live_table(&self.buckets, &self.payloads)
    }
}

fn object(address: u64, i: u64) -> Record {
    Record { address, size_bytes: i, born_ns: i, stack: i as u32, p: 0.5 }
}

/// An object is freed and its address given out again while the reader copies the slot: the copy is of one of them.
#[test]
fn a_reader_never_mixes_two_objects_of_one_address() {
    explore("live table, reuse", 3, || {
        let memory = LiveMemory::new(1);
        memory.table().insert(&object(16, 1)).unwrap();
        let writer = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                assert_eq!(memory.table().remove(16), Some(object(16, 1)));
                memory.table().insert(&object(16, 2)).unwrap();
            })
        };
        memory.table().for_each(|seen| assert!(seen == object(16, 1) || seen == object(16, 2), "{seen:?}"));
        writer.join().unwrap();
    });
}
