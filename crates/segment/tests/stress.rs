//! The segment's structures under threads of this machine: far more steps than the model checker can take, far fewer
//! orders of them. Small capacities, so that everything is full, contended and used again all the time.
#![cfg(not(loom))]

use memguard_segment::{
    AtomicU64, Capacities, Class, Dropped, Event, EventKind, Frame, Layout, Next, Record, Segment, StackEnd,
};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const WRITERS: u64 = 3;
const ROUNDS: u64 = 20_000;
const SMALL: Capacities = Capacities {
    live_buckets: 2,
    stacks: 64,
    frames: 256,
    modules: 1,
    ring_slots: 8,
    descriptors: 8,
    object_buckets: 1,
};

fn words() -> Vec<AtomicU64> {
    (0..Layout::new(SMALL).unwrap().words).map(|_| AtomicU64::new(0)).collect()
}

fn segment(words: &[AtomicU64]) -> Segment<'_> {
    Segment::format(words, &Layout::new(SMALL).unwrap()).unwrap()
}

/// Counts a writer off, also one that failed.
struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// Runs a writer on each of some threads and the reader, again and again until all writers are done, on this one.
fn run<T: Send>(writer: impl Fn(u64) -> T + Sync, mut reader: impl FnMut()) -> Vec<T> {
    let left = AtomicUsize::new(WRITERS as usize);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..WRITERS)
            .map(|id| {
                let (writer, left) = (&writer, &left);
                scope.spawn(move || {
                    let _done = Done(left);
                    writer(id)
                })
            })
            .collect();
        while left.load(Ordering::Acquire) > 0 {
            reader();
        }
        reader();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn event(writer: u64, i: u64) -> Event {
    let (address, born_ns) = (writer << 32 | i << 4, i.wrapping_mul(0x9E37_79B9));
    let (kind, stack) =
        (if i.is_multiple_of(2) { EventKind::Birth } else { EventKind::Death }, writer as u32);
    Event { kind, stack, address, size_bytes: i ^ born_ns, born_ns, at_ns: !i, p: 0.5 }
}

/// Each event comes out once and whole, in its writer's order, unless the writer was told that it was not stored.
#[test]
fn ring() {
    let words = words();
    let segment = segment(&words);
    let mut received: Vec<Vec<Event>> = vec![Vec::new(); WRITERS as usize];
    let sent = run(
        |writer| {
            let store = |i: &u64| match segment.ring().push(&event(writer, *i)) {
                Ok(()) => true,
                Err(dropped) => {
                    assert_eq!(dropped, Dropped::Full, "nobody is abandoned here");
                    std::thread::yield_now();
                    false
                }
            };
            (0..ROUNDS).filter(store).collect::<Vec<_>>()
        },
        || {
            for _ in 0..64 {
                match segment.ring().pop() {
                    Next::Event(event) => received[event.stack as usize].push(event),
                    Next::Empty => break,
                    Next::Unfinished => std::thread::yield_now(),
                    Next::Corrupt => panic!("damaged"),
                }
            }
        },
    );
    for (writer, (sent, received)) in sent.into_iter().zip(received).enumerate() {
        let expected: Vec<_> = sent.into_iter().map(|i| event(writer as u64, i)).collect();
        assert!(!expected.is_empty() && received == expected, "writer {writer}: {} events", received.len());
    }
}

/// With a reader that has no patience: what it delivers is whole, in order, and at most once; what is neither delivered
/// nor refused was damaged by a late writer, and seen to be.
#[test]
fn ring_with_an_impatient_reader() {
    let words = words();
    let segment = segment(&words);
    let (mut received, mut damaged): (HashMap<u64, usize>, usize) = Default::default();
    let sent = run(
        |writer| {
            let store = |i: &u64| {
                let result = segment.ring().push(&event(writer, *i));
                if result == Err(Dropped::Full) {
                    std::thread::yield_now();
                }
                result.is_ok()
            };
            (0..ROUNDS).filter(store).map(|i| event(writer, i).address).collect::<Vec<_>>()
        },
        || {
            for _ in 0..64 {
                match segment.ring().pop() {
                    Next::Event(e) => {
                        assert_eq!(e, event(u64::from(e.stack), (e.address & 0xFFFF_FFFF) >> 4));
                        *received.entry(e.address).or_default() += 1;
                    }
                    Next::Empty => break,
                    Next::Unfinished => segment.ring().abandon(),
                    Next::Corrupt => damaged += 1,
                }
            }
        },
    );
    let sent: HashSet<u64> = sent.concat().into_iter().collect();
    assert!(received.values().all(|times| *times == 1));
    let missing = sent.iter().filter(|address| !received.contains_key(address)).count();
    println!("{damaged} of {} events were damaged", sent.len());
    assert!(missing <= damaged, "{missing} of {} events are missing, {damaged} were damaged", sent.len());
    assert!(received.keys().all(|address| sent.contains(address)), "what was refused is not delivered");
}

fn object(address: u64, life: u64) -> Record {
    let size_bytes = address ^ life;
    Record { address, size_bytes, born_ns: life, stack: (address + life) as u32, p: 0.5 }
}

/// Threads fill a table of fourteen places with objects of their own, far too many, and remove them again; the reader
/// sees whole objects only, and one that stays is there in every scan.
#[test]
fn live_table() {
    let words = words();
    let segment = segment(&words);
    let live = segment.live();
    let resident = object(0x7777_0000, 1);
    live.insert(&resident).unwrap();
    let mut scans = 0u64;
    run(
        |writer| {
            let mut held: Vec<Record> = Vec::new();
            for life in 0..ROUNDS {
                let record = object(((writer + 1) << 16) + 16 * (life % 5), life);
                if let Some(at) = held.iter().position(|held| held.address == record.address) {
                    let held = held.swap_remove(at);
                    assert_eq!(live.remove(held.address), Some(held));
                }
                if live.insert(&record).is_ok() {
                    held.push(record);
                }
            }
            for record in held {
                assert_eq!(live.remove(record.address), Some(record));
            }
        },
        || {
            let mut residents = 0;
            live.for_each(|seen| {
                assert_eq!(seen, object(seen.address, seen.born_ns), "a mixture");
                residents += u32::from(seen == resident);
            });
            assert!(residents <= 1);
            scans += 1;
        },
    );
    let mut left = Vec::new();
    live.for_each(|record| left.push(record));
    assert_eq!(left, [resident], "after {scans} scans");
    // No mark of an object that passed over is left: the table fills to its last place and empties again.
    let all: Vec<_> = (1..live.capacity() as u64).map(|i| object(16 * i, i)).collect();
    for record in &all {
        live.insert(record).unwrap();
    }
    assert!(all.iter().all(|record| live.remove(record.address) == Some(*record)));
}

/// Threads store stacks until table and arena are full: the same stack has one number, and frames that are there are
/// those of their stack.
#[test]
fn stacks() {
    for round in 0..200u64 {
        let words = words();
        let segment = segment(&words);
        let stacks = segment.stacks().unwrap();
        let over = AtomicBool::new(false);
        let frames_of = |hash: u64| (0..=hash % 7).map(move |i| Frame(hash << 8 | i));
        let numbers = run(
            |writer| {
                let mut numbers: HashMap<u64, u32> = HashMap::new();
                for i in 0..200 {
                    // Each thread comes from another side.
                    let hash = ((i * (writer + 1) + round) % 100) << 17 | 1;
                    let frames: Vec<_> = frames_of(hash).collect();
                    let Ok(inserted) =
                        stacks.insert(hash, Class::Heap, frames.len(), StackEnd::Complete, |i| frames[i])
                    else {
                        over.store(true, Ordering::Relaxed);
                        continue;
                    };
                    assert_eq!(*numbers.entry(hash).or_insert(inserted.stack), inserted.stack);
                }
                numbers
            },
            || {},
        );
        let mut hashes: HashMap<u32, u64> = HashMap::new();
        for (hash, number) in numbers.into_iter().flatten() {
            assert_eq!(*hashes.entry(number).or_insert(hash), hash, "two stacks with one number");
            let mut frames = Vec::new();
            stacks.for_each_frame(number, |frame| frames.push(frame));
            let stored = stacks.shape(number).unwrap().end.is_some();
            assert!(if stored { frames.into_iter().eq(frames_of(hash)) } else { frames.is_empty() });
        }
        assert!(over.into_inner(), "a hundred stacks do not fit");
        assert_eq!(hashes.len(), 63, "every number but the unknown stack's");
    }
}
