//! The protocol by which threads use a module's slot while others empty and fill it, under the model checker.
//!
//! Run by `scripts/loom.sh` (`RUSTFLAGS="--cfg loom"`); an ordinary `cargo test` compiles nothing here. The protocol's
//! file is compiled once more, over loom's atomics.
#![cfg(loom)]

mod primitive {
    pub use loom::sync::atomic::{AtomicU64, Ordering};
}
#[allow(clippy::duplicate_mod)]
#[path = "../src/occupancy.rs"]
mod occupancy;

use loom::cell::UnsafeCell;
use loom::thread;
use occupancy::Occupancy;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A slot whose content loom watches: a write that meets a read, or another write, fails the test.
struct Slot {
    occupancy: Occupancy,
    life: UnsafeCell<u64>,
}

impl Slot {
    fn new() -> Arc<Self> {
        let occupancy = Occupancy::new(primitive::AtomicU64::new(0));
        Arc::new(Self { occupancy, life: UnsafeCell::new(0) })
    }

    /// Fills the slot if nobody has it; false if somebody has.
    fn fill(&self, life: u64) -> bool {
        let mine = self.occupancy.begin();
        if mine {
            // SAFETY: between `begin` and `publish` the slot is this thread's; loom checks it.
            self.life.with_mut(|content| unsafe { *content = life });
            self.occupancy.publish();
        }
        mine
    }

    /// Reads the slot as a user; `None` if it is not live.
    fn read(&self) -> Option<u64> {
        self.occupancy.enter().then(|| {
            // SAFETY: a user; loom checks it.
            let life = self.life.with(|content| unsafe { *content });
            self.occupancy.leave();
            life
        })
    }
}

fn explore(name: &str, preemptions_max: usize, execution: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions_max));
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    builder.check(move || {
        counted.fetch_add(1, Relaxed);
        execution();
    });
    println!("{name}: {} executions", count.load(Relaxed));
}

/// A live slot is retired and filled again under two users' eyes: they see one life or the other, never the change,
/// and afterwards the slot is in order: usable, retirable, fillable.
#[test]
fn a_slot_changes_hands_under_its_users() {
    static SEEN: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];
    static REFILLED: AtomicUsize = AtomicUsize::new(0);
    explore("slot, changes hands", 3, || {
        let slot = Slot::new();
        assert!(slot.fill(1));
        let users = [(); 2].map(|()| {
            let slot = Arc::clone(&slot);
            thread::spawn(move || slot.read())
        });
        let owner = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || {
                slot.occupancy.retire();
                slot.fill(2)
            })
        };
        for user in users {
            SEEN[user.join().unwrap().unwrap_or(0) as usize].fetch_add(1, Relaxed);
        }
        let refilled = owner.join().unwrap();
        REFILLED.fetch_add(usize::from(refilled), Relaxed);
        assert_eq!(slot.read(), refilled.then_some(2));
        slot.occupancy.retire();
        assert_eq!(slot.read(), None);
        assert!(slot.fill(3), "no count is left behind");
        assert_eq!(slot.read(), Some(3));
    });
    assert!(SEEN.iter().chain([&REFILLED]).all(|n| n.load(Relaxed) != 0), "every outcome was met");
}

/// Filling fails, and is tried again, while a thread that saw the slot's former life comes to use it.
#[test]
fn a_slot_that_could_not_be_filled_is_empty() {
    explore("slot, given up", 4, || {
        let slot = Slot::new();
        let late = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || slot.read())
        };
        let owner = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || {
                if slot.occupancy.begin() {
                    slot.occupancy.give_up();
                }
                slot.fill(1)
            })
        };
        assert_ne!(late.join().unwrap(), Some(0));
        let filled = owner.join().unwrap();
        assert!(filled || slot.fill(2), "no count is left behind");
        assert!(slot.occupancy.is_live());
    });
}

/// Two threads want the same free slot: at most one gets it, and it stays whole.
#[test]
fn a_slot_is_filled_by_one_at_a_time() {
    explore("slot, two owners", 4, || {
        let slot = Slot::new();
        assert!(slot.fill(1));
        let owners = [2, 3].map(|life| {
            let slot = Arc::clone(&slot);
            thread::spawn(move || {
                slot.occupancy.retire();
                slot.fill(life)
            })
        });
        let filled = owners.map(|owner| owner.join().unwrap());
        assert!(filled[0] || filled[1]);
        if let Some(life) = slot.read() {
            assert!(life == 2 && filled[0] || life == 3 && filled[1]);
        }
    });
}
