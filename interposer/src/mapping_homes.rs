//! Interposer: where in the object table mappings may be. In: the ledger, after it put a mapping there. Out: the places that
//! an `munmap` of a part has to look at.
//!
//! A program that gives memory back in parts does so often, and the table is large; its mappings are few. One bit stands for
//! one home bucket: set means that a mapping may be found from there. A bit is taken back when nothing was found; who puts a
//! mapping there at the same time sees that, or is seen (both sides write, fence, and read).

use core::sync::atomic::{AtomicU64, Ordering, fence};
use memguard_segment::Capacities;

const BITS: usize = u64::BITS as usize;
/// Homes told apart: as many as the largest table has. Those of a still larger one share marks.
const HOMES: usize = Capacities::AUDIT.object_buckets;
const WORDS: usize = HOMES / BITS;

static MARKS: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];

/// A mapping with this home was put into the table.
pub fn mark(home: usize) {
    let Some(word) = MARKS.get(home % HOMES / BITS) else { return };
    let bit = 1 << (home % BITS);
    fence(Ordering::SeqCst);
    if word.load(Ordering::Relaxed) & bit == 0 {
        word.fetch_or(bit, Ordering::Relaxed);
    }
}

/// Calls `visit` with every marked home of a table with so many buckets. It answers whether a mapping with that home is
/// there.
pub fn for_each(buckets: usize, mut visit: impl FnMut(usize) -> bool) {
    let mut visit =
        |first: usize| (first..buckets).step_by(HOMES).fold(false, |found, home| visit(home) | found);
    for (index, word) in MARKS.iter().enumerate() {
        let mut left = word.load(Ordering::Relaxed);
        while left != 0 {
            let bit = left & left.wrapping_neg();
            let home = index * BITS + left.trailing_zeros() as usize;
            left ^= bit;
            if visit(home) {
                continue;
            }
            word.fetch_and(!bit, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            if visit(home) {
                word.fetch_or(bit, Ordering::Relaxed);
            }
        }
    }
}
