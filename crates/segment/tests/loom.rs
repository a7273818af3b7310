//! The segment's lock-free structures under the model checker: every interleaving of a few threads, every value that
//! the memory model lets a load return, up to a bound on preemptions.
//!
//! Run by `scripts/loom.sh` (`RUSTFLAGS="--cfg loom"`); an ordinary `cargo test` compiles nothing here. Each test
//! prints how many executions it explored.
#![cfg(loom)]

use loom::sync::atomic::Ordering;
use loom::thread;
use memguard_segment::control::{self, Control, Refusal, Settings};
use memguard_segment::{
    AtomicU64, Capacities, Class, Descriptor, Dropped, Event, EventKind, Frame, LIFETIME_BUCKETS, LiveTable,
    Loss, ModuleInfo, Next, Object, ObjectTable, Record, Ring, SLOT_WORDS, StackEnd, StackTable, model,
};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Explores `execution` with at most this many preemptions (`LOOM_MAX_PREEMPTIONS` overrides).
///
/// Loom's reduction of schedules is not complete. Two things make it meet more of them, and [`assert_reached`] sees to
/// it that those a test is about are among them: a bound, however large (loom then tries more points of preemption
/// than without one), and a thread for every role, so that the first thread only waits.
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

fn count(outcome: &AtomicUsize, happened: bool) {
    outcome.fetch_add(usize::from(happened), std::sync::atomic::Ordering::Relaxed);
}

/// The exploration met the situations that the test is about.
fn assert_reached<const N: usize>(outcomes: [&AtomicUsize; N]) {
    for (i, outcome) in outcomes.into_iter().enumerate() {
        assert_ne!(outcome.load(std::sync::atomic::Ordering::Relaxed), 0, "outcome {i} was never met");
    }
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
    Event {
        kind: EventKind::Birth,
        stack,
        address: i << 4,
        size_bytes: i + 100,
        born_ns: i + 200,
        at_ns: i + 300,
        p: 0.5,
    }
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
    static FULL: AtomicUsize = AtomicUsize::new(0);
    static ALL: AtomicUsize = AtomicUsize::new(0);
    explore("ring, two writers", 4, || {
        let memory = RingMemory::new(2);
        // One slot is in use, so that the second event of the three finds the ring full unless the reader is quick.
        memory.ring().push(&event(1)).unwrap();
        let writers = [2, 3].map(|i| {
            let memory = Arc::clone(&memory);
            thread::spawn(move || memory.ring().push(&event(i)))
        });
        let reader = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                let (mut received, mut damaged) = (Vec::new(), 0);
                for _ in 0..2 {
                    take(&memory.ring(), true, &mut received, &mut damaged);
                }
                assert_eq!(damaged, 0, "nobody was abandoned");
                received
            })
        };
        let mut sent = vec![event(1)];
        for (i, writer) in [2, 3].into_iter().zip(writers) {
            match writer.join().unwrap() {
                Ok(()) => sent.push(event(i)),
                Err(dropped) => assert_eq!(dropped, Dropped::Full),
            }
        }
        count(&FULL, sent.len() < 3);
        count(&ALL, sent.len() == 3);
        let mut received = reader.join().unwrap();
        drain(&memory.ring(), &mut received);
        received.sort_unstable_by_key(|e| e.address);
        assert_eq!(received, sent);
    });
    assert_reached([&FULL, &ALL]);
}

fn take(ring: &Ring<'_>, patient: bool, received: &mut Vec<Event>, damaged: &mut usize) {
    match ring.pop() {
        Next::Event(event) => received.push(event),
        Next::Corrupt => *damaged += 1,
        Next::Unfinished if !patient => ring.abandon(),
        Next::Unfinished | Next::Empty => {}
    }
}

/// A writer that is slower than the reader's patience, while another uses the slot's next life: what was accepted is
/// delivered once, what was refused never, and an event that the late writer scribbled over is seen to be damaged.
#[test]
fn ring_takes_a_slot_from_a_slow_writer() {
    static DAMAGED: AtomicUsize = AtomicUsize::new(0);
    static REFUSED: AtomicUsize = AtomicUsize::new(0);
    explore("ring, slow writer", 3, || {
        let memory = RingMemory::new(1);
        let slow = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || memory.ring().push(&event(1)))
        };
        let reader = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                let (mut received, mut damaged) = (Vec::new(), 0);
                take(&memory.ring(), false, &mut received, &mut damaged);
                let second = memory.ring().push(&event(2));
                take(&memory.ring(), true, &mut received, &mut damaged);
                (received, damaged, second)
            })
        };
        let first = slow.join().unwrap();
        let (mut received, mut damaged, second) = reader.join().unwrap();
        take(&memory.ring(), true, &mut received, &mut damaged);
        take(&memory.ring(), true, &mut received, &mut damaged);
        let results = [first, second];
        assert_eq!(memory.ring().pop(), Next::Empty);
        let refused = results.contains(&Err(Dropped::Abandoned));
        assert!(damaged == 0 || damaged == 1 && refused);
        for (i, result) in [1, 2].into_iter().zip(results) {
            let times = received.iter().filter(|e| **e == event(i)).count();
            assert!(
                times == usize::from(result.is_ok()) || result.is_ok() && damaged == 1,
                "{i}: {result:?} {times}"
            );
        }
        assert!(received.iter().all(|e| *e == event(1) || *e == event(2)), "{received:?}");
        count(&DAMAGED, damaged == 1);
        count(&REFUSED, refused);
    });
    assert_reached([&DAMAGED, &REFUSED]);
}

struct LiveMemory {
    windows: Vec<AtomicU64>,
    buckets: Vec<AtomicU64>,
}

impl LiveMemory {
    fn new(buckets: usize) -> Arc<Self> {
        Arc::new(Self {
            windows: words(model::window_words(buckets)),
            buckets: words(buckets * model::BUCKET_WORDS),
        })
    }

    fn table(&self) -> LiveTable<'_> {
        model::live_table(&self.windows, &self.buckets)
    }
}

/// `N` addresses that are looked for in bucket 0 first.
fn at_home_in_bucket_0<const N: usize>(table: &LiveTable<'_>) -> [u64; N] {
    let mut found = (1u64..).map(|i| i * 16).filter(|a| model::live_home(table, *a) == 0);
    std::array::from_fn(|_| found.next().unwrap())
}

fn object(address: u64, i: u64) -> Record {
    Record { address, size_bytes: i, born_ns: i, stack: i as u32, p: 0.5 }
}

fn assert_no_marks(memory: &LiveMemory) {
    for meta in memory.buckets.iter().step_by(model::BUCKET_WORDS) {
        assert_eq!(
            meta.load(Ordering::Relaxed) as u32,
            0,
            "a mark of an object that passed over is left behind"
        );
    }
}

fn contents(table: &LiveTable<'_>) -> Vec<Record> {
    let mut all = Vec::new();
    table.for_each(|record| all.push(record));
    all.sort_unstable_by_key(|r| r.address);
    all
}

/// Two threads come for the last slot of a bucket and go again: each finds its own object, wherever it ended up.
#[test]
fn live_table_two_threads_want_the_last_slot() {
    static PASSED: AtomicUsize = AtomicUsize::new(0);
    explore("live table, last slot", 4, || {
        let memory = LiveMemory::new(2);
        let addresses: [u64; 4] = at_home_in_bucket_0(&memory.table());
        for address in &addresses[..2] {
            memory.table().insert(&object(*address, 9)).unwrap();
        }
        let threads = [addresses[2], addresses[3]].map(|address| {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                memory.table().insert(&object(address, 1)).unwrap();
                count(&PASSED, memory.buckets[model::BUCKET_WORDS + 1].load(Ordering::Relaxed) == address);
                assert_eq!(memory.table().remove(address), Some(object(address, 1)));
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert_no_marks(&memory);
        assert_eq!(
            contents(&memory.table()),
            addresses[..2].iter().map(|a| object(*a, 9)).collect::<Vec<_>>()
        );
    });
    assert_reached([&PASSED]);
}

/// An object passes over a full bucket just when a slot there comes free; the thread that is handed the object finds
/// it in either case.
#[test]
fn live_table_finds_an_object_that_passed_over() {
    static HANDED_OVER: AtomicUsize = AtomicUsize::new(0);
    explore("live table, passed over", 8, || {
        let memory = LiveMemory::new(2);
        let addresses: [u64; 4] = at_home_in_bucket_0(&memory.table());
        for address in &addresses[..3] {
            memory.table().insert(&object(*address, 9)).unwrap();
        }
        let handed_over = Arc::new(AtomicU64::new(0));
        let inserter = {
            let (memory, handed_over) = (Arc::clone(&memory), Arc::clone(&handed_over));
            thread::spawn(move || {
                memory.table().insert(&object(addresses[3], 1)).unwrap();
                handed_over.store(1, Ordering::Release);
            })
        };
        let remover = {
            let (memory, handed_over) = (Arc::clone(&memory), Arc::clone(&handed_over));
            thread::spawn(move || {
                assert!(memory.table().remove(addresses[0]).is_some());
                let early = handed_over.load(Ordering::Acquire) == 1;
                if early {
                    assert_eq!(memory.table().remove(addresses[3]), Some(object(addresses[3], 1)));
                }
                early
            })
        };
        inserter.join().unwrap();
        let early = remover.join().unwrap();
        if !early {
            assert_eq!(memory.table().remove(addresses[3]), Some(object(addresses[3], 1)));
        }
        assert_no_marks(&memory);
        count(&HANDED_OVER, early);
    });
    assert_reached([&HANDED_OVER]);
}

/// A program that hands an object over without any order of its own: its free finds the whole record or none.
#[test]
fn live_table_removes_whole_records_from_careless_programs() {
    static FOUND: AtomicUsize = AtomicUsize::new(0);
    explore("live table, careless", 8, || {
        let memory = LiveMemory::new(1);
        let inserter = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || memory.table().insert(&object(16, 1)).unwrap())
        };
        let remover = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || memory.table().remove(16))
        };
        inserter.join().unwrap();
        let removed = remover.join().unwrap();
        assert!(removed.is_none() || removed == Some(object(16, 1)), "{removed:?}");
        count(&FOUND, removed.is_some());
    });
    assert_reached([&FOUND]);
}

/// A full table refuses, or finds the slot that just came free; either way no mark stays.
#[test]
fn live_table_full_takes_back_its_marks() {
    static FULL: AtomicUsize = AtomicUsize::new(0);
    static FOUND: AtomicUsize = AtomicUsize::new(0);
    explore("live table, full", 8, || {
        let memory = LiveMemory::new(1);
        let addresses: [u64; 4] = at_home_in_bucket_0(&memory.table());
        for address in &addresses[..3] {
            memory.table().insert(&object(*address, 9)).unwrap();
        }
        let inserter = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || memory.table().insert(&object(addresses[3], 1)))
        };
        let remover = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                for address in [addresses[0], addresses[2]] {
                    assert!(memory.table().remove(address).is_some());
                }
            })
        };
        let inserted = inserter.join().unwrap().is_ok();
        remover.join().unwrap();
        assert_eq!(memory.table().remove(addresses[3]).is_some(), inserted);
        assert_no_marks(&memory);
        count(&FULL, !inserted);
        count(&FOUND, inserted);
    });
    assert_reached([&FULL, &FOUND]);
}

/// Two threads free the same object at the same time (the program's double free): one of them gets it.
#[test]
fn live_table_gives_an_object_to_one_of_two_removers() {
    explore("live table, double free", 8, || {
        let memory = LiveMemory::new(1);
        memory.table().insert(&object(16, 1)).unwrap();
        let removers = [(); 2].map(|()| {
            let memory = Arc::clone(&memory);
            thread::spawn(move || memory.table().remove(16).is_some())
        });
        let [one, other] = removers.map(|remover| remover.join().unwrap());
        assert!(one != other);
        assert_no_marks(&memory);
    });
}

/// An object is freed and its address given out again, twice, while the reader copies the slot: the copy is of one of
/// them. An object that just stays is seen.
#[test]
fn live_table_reader_never_mixes_two_objects_of_one_address() {
    static SEEN: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];
    explore("live table, reuse", 2, || {
        let memory = LiveMemory::new(1);
        memory.table().insert(&object(16, 1)).unwrap();
        memory.table().insert(&object(32, 9)).unwrap();
        let writer = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                for i in 1..3 {
                    assert_eq!(memory.table().remove(16), Some(object(16, i)));
                    memory.table().insert(&object(16, i + 1)).unwrap();
                }
            })
        };
        let reader = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                let (mut seen, mut stays) = (0, 0);
                memory.table().for_each(|record| {
                    if record.address == 16 {
                        assert!((1..4).any(|i| record == object(16, i)), "{record:?}");
                        seen = record.size_bytes as usize;
                    } else {
                        assert_eq!(record, object(32, 9));
                        stays += 1;
                    }
                });
                assert_eq!(stays, 1);
                seen
            })
        };
        writer.join().unwrap();
        count(&SEEN[reader.join().unwrap()], true);
        assert_eq!(contents(&memory.table()), [object(16, 3), object(32, 9)]);
    });
    assert_reached(SEEN.each_ref());
}

/// As before, with another thread whose objects come and go in the same bucket, so that the version counts for both.
#[test]
fn live_table_reader_is_not_misled_by_a_neighbour() {
    explore("live table, neighbour", 1, || {
        let memory = LiveMemory::new(1);
        memory.table().insert(&object(16, 1)).unwrap();
        let writer = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                memory.table().remove(16).unwrap();
                memory.table().insert(&object(16, 2)).unwrap();
            })
        };
        let neighbour = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || memory.table().insert(&object(32, 9)).unwrap())
        };
        let reader = {
            let memory = Arc::clone(&memory);
            let whole = [object(16, 1), object(16, 2), object(32, 9)];
            thread::spawn(move || {
                memory.table().for_each(|record| assert!(whole.contains(&record), "{record:?}"));
            })
        };
        for thread in [writer, neighbour, reader] {
            thread.join().unwrap();
        }
        assert_no_marks(&memory);
        assert_eq!(contents(&memory.table()), [object(16, 2), object(32, 9)]);
    });
}

struct StackMemory {
    table: Vec<AtomicU64>,
    arena: Vec<AtomicU64>,
}

impl StackMemory {
    fn new(stacks: usize, frames: usize) -> Arc<Self> {
        let table = words(model::STACK_CONTROL_WORDS + stacks * model::STACK_WORDS);
        Arc::new(Self { table, arena: words(frames) })
    }

    fn table(&self) -> StackTable<'_> {
        model::stack_table(&self.table, &self.arena).unwrap()
    }

    /// The frames of a stack; `None` if they are not there yet.
    fn frames(&self, stack: u32) -> Option<Vec<Frame>> {
        let shape = self.table().shape(stack).unwrap();
        let mut frames = Vec::new();
        self.table().for_each_frame(stack, |frame| frames.push(frame));
        shape.end.map(|_| frames)
    }
}

/// Hashes that are looked for at the same place first.
fn hash(i: u64) -> u64 {
    1 << 17 | i << 40
}

fn stack_of(i: u64, count: usize) -> Vec<Frame> {
    (0..count).map(|frame| Frame(i << 8 | frame as u64)).collect()
}

/// Two threads store the same stack: they get the same number, and whoever sees frames sees all of them.
#[test]
fn stacks_same_stack_same_number() {
    static EARLY: AtomicUsize = AtomicUsize::new(0);
    explore("stacks, same stack", 3, || {
        let memory = StackMemory::new(4, 4);
        let insert = |memory: &StackMemory| {
            let frames = stack_of(1, 2);
            let inserted =
                memory.table().insert(hash(1), Class::Heap, 2, StackEnd::Complete, |i| frames[i]).unwrap();
            // The number may be had before the frames are there, but never half of them.
            let seen = memory.frames(inserted.stack);
            assert!(seen.is_none() || seen == Some(frames), "{seen:?}");
            count(&EARLY, seen.is_none());
            inserted.stack
        };
        let threads = [(); 3].map(|()| {
            let memory = Arc::clone(&memory);
            thread::spawn(move || insert(&memory))
        });
        let [one, other, third] = threads.map(|thread| thread.join().unwrap());
        assert!(one == other && other == third);
        assert_eq!(memory.frames(one), Some(stack_of(1, 2)));
    });
    assert_reached([&EARLY]);
}

/// Two threads store different stacks in the same place: two numbers, nobody's frames are touched.
#[test]
fn stacks_different_stacks_different_numbers() {
    explore("stacks, different stacks", 8, || {
        let memory = StackMemory::new(4, 4);
        let insert = |memory: &StackMemory, i: u64| {
            let frames = stack_of(i, 2);
            memory.table().insert(hash(i), Class::Heap, 2, StackEnd::Complete, |i| frames[i]).unwrap().stack
        };
        let threads = [1, 2].map(|i| {
            let memory = Arc::clone(&memory);
            thread::spawn(move || insert(&memory, i))
        });
        let [one, other] = threads.map(|thread| thread.join().unwrap());
        assert_ne!(one, other);
        assert_eq!(memory.frames(one), Some(stack_of(1, 2)));
        assert_eq!(memory.frames(other), Some(stack_of(2, 2)));
    });
}

/// Stacks that find no room, among others that do: what is said to be stored stays whole.
#[test]
fn stacks_a_full_arena_never_gives_the_same_room_twice() {
    static REFUSED: AtomicUsize = AtomicUsize::new(0);
    explore("stacks, full arena", 3, || {
        let memory = StackMemory::new(8, 4);
        let insert = |memory: &StackMemory, i: u64, frames: usize| {
            let inserted = memory
                .table()
                .insert(hash(i), Class::Heap, frames, StackEnd::Complete, |f| stack_of(i, frames)[f])
                .unwrap();
            count(&REFUSED, !inserted.frames_stored);
            (inserted.frames_stored, inserted.stack, stack_of(i, frames))
        };
        let threads = [&[(1, 5)][..], &[(2, 1)], &[(3, 2), (4, 2)]].map(|stacks| {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                stacks.iter().map(|(i, frames)| insert(&memory, *i, *frames)).collect::<Vec<_>>()
            })
        });
        let all = threads.map(|thread| thread.join().unwrap()).concat();
        for (stored, stack, frames) in all {
            assert_eq!(memory.frames(stack), stored.then_some(frames));
        }
    });
    assert_reached([&REFUSED]);
}

/// The totals are read while an object is born and dies: never more deaths than births.
#[test]
fn totals_never_show_more_deaths_than_births() {
    static BETWEEN: AtomicUsize = AtomicUsize::new(0);
    explore("totals", 5, || {
        let memory = Arc::new(words(model::TOTALS_WORDS));
        let writer = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                let totals = model::totals_table(&memory);
                totals.birth(0, 10, 0.5);
                totals.death(0, 10, 0.5, 5_000);
            })
        };
        let reader = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                let seen = model::totals_table(&memory).get(0).unwrap();
                assert!(seen.deaths <= seen.births, "{seen:?}");
                assert!(seen.died_count <= seen.born_count, "{seen:?}");
                assert!(seen.died_bytes <= seen.born_bytes, "{seen:?}");
                assert!(seen.lifetimes.iter().sum::<u64>() <= seen.births, "{seen:?}");
                count(&BETWEEN, seen.births != 0 && seen.deaths == 0);
            })
        };
        writer.join().unwrap();
        reader.join().unwrap();
        let after = model::totals_table(&memory).get(0).unwrap();
        assert_eq!((after.births, after.deaths, after.lifetimes.iter().sum::<u64>()), (1, 1, 1));
        assert_eq!(after.lifetimes.len(), LIFETIME_BUCKETS);
    });
    assert_reached([&BETWEEN]);
}

/// Two modules are recorded at the same time, the reader looks on: each has its own index, and is there whole or not
/// at all.
#[test]
fn modules_are_there_whole_or_not_at_all() {
    static EARLY: AtomicUsize = AtomicUsize::new(0);
    explore("modules", 3, || {
        let memory = Arc::new(words(2 * model::MODULE_WORDS));
        let info = |i: u64| ModuleInfo {
            bias: i,
            start: i + 1,
            end: i + 2,
            build_id: b"\x01\x02",
            path: b"/lib/a.so",
        };
        let writers = [1, 2].map(|i| {
            let memory = Arc::clone(&memory);
            thread::spawn(move || model::module_table(&memory).add(&info(i)))
        });
        let check = |memory: &[AtomicU64], index: u16| {
            let seen = model::module_table(memory).get(index);
            if let Some(module) = &seen {
                assert_eq!((module.start, module.end), (module.bias + 1, module.bias + 2));
                assert_eq!((module.build_id(), module.path()), (&b"\x01\x02"[..], &b"/lib/a.so"[..]));
            }
            seen.map(|module| module.bias)
        };
        let reader = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || check(&memory, 0).is_some())
        };
        count(&EARLY, reader.join().unwrap());
        let indices = writers.map(|writer| writer.join().unwrap().unwrap());
        assert_ne!(indices[0], indices[1]);
        assert_eq!(indices.map(|i| check(&memory, i)), [Some(1), Some(2)]);
    });
    assert_reached([&EARLY]);
}

fn descriptor(i: u64) -> Descriptor {
    Descriptor { class: Some(Class::Socket), stack: i as u32, born_ns: i, owner: i }
}

/// A descriptor is closed and its number given out again, twice, while the reader copies the entry: the copy is of one
/// life. The number is known to have been used.
#[test]
fn descriptor_table_reader_never_mixes_two_lives() {
    static SEEN: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];
    explore("descriptor table, reuse", 3, || {
        let memory: Arc<Vec<AtomicU64>> =
            Arc::new(words(model::DESCRIPTOR_CONTROL_WORDS + 2 * model::DESCRIPTOR_WORDS));
        model::descriptor_table(&memory).open(1, &descriptor(1)).unwrap();
        let writer = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                let table = model::descriptor_table(&memory);
                for i in 1..3 {
                    assert_eq!(table.close(1), Some(descriptor(i)));
                    assert_eq!(table.open(1, &descriptor(i + 1)), Ok(None));
                }
            })
        };
        let reader = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                let table = model::descriptor_table(&memory);
                let seen = table.get(1);
                assert_eq!(table.extent(), 2);
                assert!(seen.is_none() || (1..=3).any(|i| seen == Some(descriptor(i))), "{seen:?}");
                seen.map_or(0, |seen| seen.born_ns as usize)
            })
        };
        writer.join().unwrap();
        count(&SEEN[reader.join().unwrap()], true);
        assert_eq!(model::descriptor_table(&memory).get(1), Some(descriptor(3)));
    });
    assert_reached(SEEN.each_ref());
}

/// Two threads close the same number at the same time (the program's mistake): one of them books it.
#[test]
fn descriptor_table_gives_a_death_to_one_of_two_closers() {
    explore("descriptor table, double close", 8, || {
        let memory: Arc<Vec<AtomicU64>> =
            Arc::new(words(model::DESCRIPTOR_CONTROL_WORDS + model::DESCRIPTOR_WORDS));
        model::descriptor_table(&memory).open(0, &descriptor(1)).unwrap();
        let closers = [(); 2].map(|()| {
            let memory = Arc::clone(&memory);
            thread::spawn(move || model::descriptor_table(&memory).close(0).is_some())
        });
        let [one, other] = closers.map(|closer| closer.join().unwrap());
        assert!(one != other);
    });
}

/// Two processes of a session ask for the reserved segment at the same time, and others are refused one: one gets it, and
/// no refusal goes uncounted.
#[test]
fn control_page_gives_the_first_segment_to_one_of_two() {
    explore("control page, first segment", 8, || {
        let memory = Arc::new(words(control::WORDS));
        Control::format(&memory, &settings()).unwrap();
        let processes = [(); 2].map(|()| {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                let control = Control::open(&memory).unwrap();
                let is_first = control.take_first();
                assert!(control.first_is_taken());
                if !is_first {
                    control.refuse(Refusal::NoSpace);
                }
                control.refuse(Refusal::CannotMap);
                is_first
            })
        });
        let [one, other] = processes.map(|process| process.join().unwrap());
        assert!(one != other);
        let control = Control::open(&memory).unwrap();
        assert_eq!((control.refused(Refusal::NoSpace), control.refused(Refusal::CannotMap)), (1, 2));
    });
}

/// A page is read while it is written for the first time: it is not there, or its settings are whole.
#[test]
fn control_page_is_there_whole_or_not_at_all() {
    static SEEN: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
    explore("control page, first write", 2, || {
        let memory = Arc::new(words(control::WORDS));
        let writer = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                Control::format(&memory, &settings()).unwrap();
            })
        };
        let reader = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                let control = Control::open(&memory);
                if let Some(control) = control {
                    assert_eq!(control.settings(), Some(settings()));
                }
                control.is_some()
            })
        };
        writer.join().unwrap();
        count(&SEEN[usize::from(reader.join().unwrap())], true);
    });
    assert_reached(SEEN.each_ref());
}

fn settings() -> Settings {
    Settings { sample_interval_bytes: 4096, first: Capacities::AUDIT, others: Capacities::GUARD }
}

/// Two threads lose something for the same cause, a third for another, while the collector looks: each is counted, and what
/// was seen is never more than there was.
#[test]
fn losses_are_all_counted() {
    static BETWEEN: AtomicUsize = AtomicUsize::new(0);
    explore("losses", 8, || {
        let memory = Arc::new(words(model::LOSS_WORDS));
        let writers = [Loss::RingFull, Loss::RingFull, Loss::CloseMissed].map(|loss| {
            let memory = Arc::clone(&memory);
            thread::spawn(move || model::losses(&memory).count(loss))
        });
        let seen = model::losses(&memory).get(Loss::RingFull);
        assert!(seen <= 2);
        count(&BETWEEN, seen == 1);
        for writer in writers {
            writer.join().unwrap();
        }
        let losses = model::losses(&memory);
        let counted = [Loss::RingFull, Loss::CloseMissed, Loss::Reentered].map(|loss| losses.get(loss));
        assert_eq!(counted, [2, 1, 0]);
    });
    assert_reached([&BETWEEN]);
}

/// Objects of a class: what is called its number stands in every word of it, so that a mixture shows.
fn thing(class: Class, handle: u64, i: u64) -> Object {
    Object { class: Some(class), handle, detail: i, born_ns: i, stack: i as u32, extra: i as u32 }
}

struct ObjectMemory(LiveMemory);

impl ObjectMemory {
    fn new() -> Arc<Self> {
        Arc::new(Self(Arc::into_inner(LiveMemory::new(1)).expect("the only one")))
    }

    fn table(&self) -> ObjectTable<'_> {
        model::object_table(&self.0.windows, &self.0.buckets)
    }
}

/// The same handle in two classes, ended and made again in one of them: the other is not touched, and the reader never takes
/// one for the other.
#[test]
fn object_table_tells_classes_apart() {
    explore("object table, classes", 2, || {
        let memory = ObjectMemory::new();
        memory.table().insert(&thing(Class::Child, 9, 1)).unwrap();
        memory.table().insert(&thing(Class::Mapping, 9, 2)).unwrap();
        let writer = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                let child = Object::key_of(Class::Child, 9);
                assert_eq!(memory.table().remove(child), Some(thing(Class::Child, 9, 1)));
                memory.table().insert(&thing(Class::Child, 9, 3)).unwrap();
            })
        };
        let reader = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                let mut mappings = 0;
                memory.table().for_each(|seen| match seen.class {
                    Some(Class::Mapping) => {
                        assert_eq!(seen, thing(Class::Mapping, 9, 2));
                        mappings += 1;
                    }
                    _ => assert!([1, 3].map(|i| thing(Class::Child, 9, i)).contains(&seen), "{seen:?}"),
                });
                assert_eq!(mappings, 1);
            })
        };
        for thread in [writer, reader] {
            thread.join().unwrap();
        }
        assert_eq!(memory.table().find(Object::key_of(Class::Child, 9)), Some(thing(Class::Child, 9, 3)));
    });
}

/// A stream takes a descriptor over while the collector looks, and is then closed: it is one or the other, and it dies once.
#[test]
fn descriptor_table_is_adopted_under_the_readers_eyes() {
    static SEEN: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];
    explore("descriptor table, adoption", 4, || {
        let memory: Arc<Vec<AtomicU64>> =
            Arc::new(words(model::DESCRIPTOR_CONTROL_WORDS + model::DESCRIPTOR_WORDS));
        model::descriptor_table(&memory).open(0, &descriptor(1)).unwrap();
        let writer = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                let table = model::descriptor_table(&memory);
                table.adopt(0, Class::Stream, 99);
                let adopted = Descriptor { class: Some(Class::Stream), owner: 99, ..descriptor(1) };
                assert_eq!(table.close(0), Some(adopted));
            })
        };
        let reader = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || match model::descriptor_table(&memory).get(0) {
                None => 0,
                Some(seen) if seen.class == Some(Class::Socket) => 1,
                Some(seen) => {
                    // The owner is there before the class says that there is one.
                    assert_eq!((seen.class, seen.owner, seen.born_ns), (Some(Class::Stream), 99, 1));
                    2
                }
            })
        };
        writer.join().unwrap();
        count(&SEEN[reader.join().unwrap()], true);
        assert_eq!(model::descriptor_table(&memory).get(0), None);
    });
    assert_reached(SEEN.each_ref());
}
/// A thread is joined by one thread while another detaches it, by removing it and putting it back changed; the collector
/// looks on. Whoever finds it, finds the whole of it; a joiner that came in between finds nothing.
#[test]
fn object_table_change_and_end_of_one_object() {
    static ENDED: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
    explore("object table, change and end", 3, || {
        let memory = ObjectMemory::new();
        let key = Object::key_of(Class::Thread, 7);
        memory.table().insert(&thing(Class::Thread, 7, 1)).unwrap();
        let changer = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                let found = memory.table().remove(key);
                if let Some(found) = found {
                    assert_eq!(found, thing(Class::Thread, 7, 1));
                    memory.table().insert(&thing(Class::Thread, 7, 2)).unwrap();
                }
                found.is_some()
            })
        };
        let ender = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || memory.table().remove(key))
        };
        let reader = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                memory.table().for_each(|seen| {
                    assert!((1..3).any(|i| seen == thing(Class::Thread, 7, i)), "{seen:?}");
                });
            })
        };
        let changed = changer.join().unwrap();
        let ended = ender.join().unwrap();
        reader.join().unwrap();
        assert!(ended.is_none_or(|found| (1..3).any(|i| found == thing(Class::Thread, 7, i))), "{ended:?}");
        let left = memory.table().find(key);
        assert!(changed || ended.is_some(), "somebody found it");
        assert_eq!(left.is_some(), ended.is_none(), "{left:?}");
        count(&ENDED[usize::from(ended.is_some())], true);
    });
    assert_reached(ENDED.each_ref());
}
