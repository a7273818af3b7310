//! Interposer: the private heap behind Rust's `alloc`, for the unwinder's tables and working memory. One mapping,
//! made at attachment; blocks of powers of two, freed ones kept in lists by size.
//!
//! Allocation happens in three places only: at attachment, when a dynamic module is admitted, and when further working
//! memories are made; the first is done by one thread before others look, the others under `ModuleSet`'s try-flag. So there is
//! never contention, and if a bug makes one, the loser gets null. [`has_room`] is asked before: null is never seen there.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, Ordering};

/// Bytes of the mapping; pages cost memory only when touched.
pub const BYTES: usize = 4 << 20;
const CLASSES: usize = 24;

struct State {
    next: usize,
    end: usize,
    free: [usize; CLASSES],
}

struct Heap {
    busy: AtomicBool,
    state: UnsafeCell<State>,
}

// SAFETY: `state` is touched only by whoever set `busy`.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap {
    busy: AtomicBool::new(false),
    state: UnsafeCell::new(State { next: 0, end: 0, free: [0; CLASSES] }),
};

impl Heap {
    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> Option<T> {
        if self.busy.swap(true, Ordering::Acquire) {
            return None;
        }
        // SAFETY: `busy` was false and is ours now.
        let result = f(unsafe { &mut *self.state.get() });
        self.busy.store(false, Ordering::Release);
        Some(result)
    }
}

fn class(layout: Layout) -> Option<usize> {
    let bytes = layout.size().max(layout.align()).max(16).checked_next_power_of_two()?;
    let class = bytes.trailing_zeros() as usize;
    (class < CLASSES).then_some(class)
}

/// Maps the heap and gives its first address; `None` if the kernel refuses.
pub fn start() -> Option<usize> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    HEAP.with(|state| {
        if state.end == 0 {
            let start = crate::sys::map(BYTES, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)?;
            state.next = start as usize;
            state.end = state.next + BYTES;
        }
        Some(state.end - BYTES)
    })?
}

/// Whether there is room for so many bytes.
pub fn has_room(bytes: usize) -> bool {
    HEAP.with(|state| state.end.saturating_sub(state.next) >= bytes).unwrap_or(false)
}

/// A fork child's only thread was not allocating: attachment blocks signals, admission forks nowhere.
pub fn reset() {
    HEAP.busy.store(false, Ordering::Relaxed);
}

// SAFETY: blocks are disjoint parts of one mapping, sized and aligned to a power of two that covers the layout (the
// mapping itself is page aligned and larger alignments are refused), and handed out again only after `dealloc`.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class(layout).filter(|_| layout.align() <= 4096) else {
            return core::ptr::null_mut();
        };
        let address = self.with(|state| {
            let head = state.free.get(class).copied().unwrap_or(0);
            if head != 0 {
                let link: *const usize = core::ptr::with_exposed_provenance(head);
                // SAFETY: a block on a free list begins with the address of the next.
                let next = unsafe { link.read() };
                if let Some(list) = state.free.get_mut(class) {
                    *list = next;
                }
                return head;
            }
            let bytes = 1usize << class;
            let start = state.next.next_multiple_of(bytes.min(4096));
            if state.end.saturating_sub(start) < bytes {
                return 0;
            }
            state.next = start + bytes;
            start
        });
        core::ptr::with_exposed_provenance_mut(address.unwrap_or(0))
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(class) = class(layout) else { return };
        self.with(|state| {
            if let Some(list) = state.free.get_mut(class) {
                // SAFETY: the block is ours, at least 16 bytes long and aligned to its size.
                unsafe { block.cast::<c_void>().cast::<usize>().write(*list) };
                *list = block as usize;
            }
        });
    }
}
