//! Segment: read-modify-write on shared words. In: a word, and whether other threads may write to it now. Out: the same
//! change, with or without the processor's lock.
//!
//! A locked instruction costs as much as ten others, and a booking has fifteen of them. While a process has one thread, its
//! only rival is a signal handler on that thread, and no handler runs in the middle of an instruction: the same instruction
//! without the lock prefix is enough. The collector, in another process, only loads the words that are changed so; what it
//! writes to is the ring's stamps, and those are always changed with the lock.

use crate::primitive::{AtomicU64, Ordering};

/// How many threads of the process may write at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Writers {
    /// The calling thread and its signal handlers.
    One,
    /// Any number.
    #[default]
    Many,
}

/// Adds to a word, wrapping.
#[inline]
pub(crate) fn add(word: &AtomicU64, amount: u64, order: Ordering, writers: Writers) {
    match writers {
        #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
        Writers::One => alone::add(word, amount),
        _ => {
            word.fetch_add(amount, order);
        }
    }
}

/// Changes a word from one value to another; whether it had the first.
#[inline]
pub(crate) fn exchange(word: &AtomicU64, from: u64, to: u64, order: Ordering, writers: Writers) -> bool {
    match writers {
        #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
        Writers::One => alone::exchange(word, from, to),
        _ => word.compare_exchange(from, to, order, Ordering::Relaxed).is_ok(),
    }
}

/// Asks the processor to have a word at hand soon. A hint, without any effect that can be seen.
#[inline]
pub(crate) fn prefetch(word: &AtomicU64) {
    #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
    alone::prefetch(word);
    #[cfg(not(all(target_arch = "x86_64", not(loom), not(miri))))]
    let _ = word;
}

/// On x86 each of these loads with acquire and stores with release, as every plain access does; the compiler moves no access
/// to memory across them, as they may touch any.
#[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
#[allow(unsafe_code)]
mod alone {
    use super::AtomicU64;
    use core::arch::asm;

    #[inline]
    pub fn add(word: &AtomicU64, amount: u64) {
        // SAFETY: an aligned word that may be changed through a shared reference. One instruction, so a signal handler sees it
        // done or not begun; nobody else writes here (`Writers::One`).
        unsafe {
            asm!("add qword ptr [{word}], {amount}", word = in(reg) word.as_ptr(), amount = in(reg) amount,
                options(nostack));
        }
    }

    #[inline]
    pub fn prefetch(word: &AtomicU64) {
        // SAFETY: changes nothing and never faults.
        unsafe {
            asm!("prefetcht0 byte ptr [{word}]", word = in(reg) word.as_ptr(), options(nostack, preserves_flags, readonly));
        }
    }

    #[inline]
    pub fn exchange(word: &AtomicU64, from: u64, to: u64) -> bool {
        let seen: u64;
        // SAFETY: as in `add`.
        unsafe {
            asm!("cmpxchg qword ptr [{word}], {to}", word = in(reg) word.as_ptr(), to = in(reg) to,
                inout("rax") from => seen, options(nostack));
        }
        seen == from
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn one_and_many_do_the_same() {
        for writers in [Writers::One, Writers::Many] {
            let word = AtomicU64::new(u64::MAX);
            add(&word, 3, Ordering::Relaxed, writers);
            assert_eq!(word.load(Ordering::Relaxed), 2, "{writers:?}");
            assert!(!exchange(&word, 1, 9, Ordering::Acquire, writers));
            assert_eq!(word.load(Ordering::Relaxed), 2, "{writers:?}");
            assert!(exchange(&word, 2, 9, Ordering::Acquire, writers));
            assert_eq!(word.load(Ordering::Relaxed), 9, "{writers:?}");
        }
    }
}
