//! A walk over fixed modules does not allocate: neither the first one, which evaluates unwind tables, nor later ones,
//! which find their rules in the cache. Counted by this binary's own allocator.

mod common;

use common::{NoLoader, pool, registers, sealed, stack_from};
use memguard_unwind::{Lease, ModuleSet, WalkEnd, walk};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's own arguments.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's own arguments.
        unsafe { System.dealloc(block, layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's own arguments.
        unsafe { System.realloc(block, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Walks `depth` calls deeper; the number of frames and of calls of the allocator meanwhile.
#[inline(never)]
fn walk_below(depth: usize, modules: &ModuleSet, scratch: &mut Lease<'_>) -> (usize, u64) {
    if depth > 0 {
        return black_box(walk_below(depth - 1, modules, scratch));
    }
    let registers = registers!();
    let mut stack = stack_from(registers.sp);
    let before = ALLOCATIONS.get();
    let walked = walk(registers, &mut stack, modules, &NoLoader, scratch);
    let during = ALLOCATIONS.get() - before;
    assert_eq!(walked.end, WalkEnd::Complete);
    (walked.frames, during)
}

#[test]
fn cold_and_warm_walks_do_not_allocate() {
    let (modules, pool) = (sealed(), pool(2));
    assert!(ALLOCATIONS.get() > 10, "the counter counts");
    for round in 0..3 {
        for depth in [0, 1, 10, 100] {
            for hint in [0, 1] {
                let mut scratch = pool.lease(hint).unwrap();
                let (frames, allocations) = walk_below(depth, &modules, &mut scratch);
                assert!(frames > depth);
                assert_eq!(allocations, 0, "round {round}, depth {depth}, working memory {hint}");
            }
        }
    }
}

/// Leasing working memories, and finding none free, allocates nothing either.
#[test]
fn leases_do_not_allocate() {
    let pool = pool(2);
    let before = ALLOCATIONS.get();
    for hint in 0..10 {
        let (one, other) = (pool.lease(hint), pool.lease(hint));
        assert!(one.is_some() && other.is_some());
        assert!(pool.lease(hint).is_none(), "both are taken");
        drop(one);
        assert!(pool.lease(hint).is_some());
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
}
