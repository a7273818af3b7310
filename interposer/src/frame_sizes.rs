//! Interposer: how large the frames of functions are that were walked through, so that the callers behind a return address can be
//! guessed before anything is walked. In: walks. Out: guesses, as good as the table is large.
//!
//! What calls `malloc` is often one of very few places (`operator new`, a program's own wrapper), all at the same depth: they are
//! told apart by who called them. Where a function has come to a certain call its frame has one size, but for `alloca`.
//!
//! What is known stays: who asks builds a key of it, which must not be another one from time to time. So the first address that
//! comes to a place has it until a module is closed.

use crate::hash::hash;
use crate::loader;
use core::sync::atomic::{AtomicU64, Ordering};

const ENTRIES: usize = 512;
/// Bits of a size, in words.
const SIZE_BITS: u32 = 16;
/// The size of what has several.
const VARIES: u64 = (1 << SIZE_BITS) - 1;

/// A return address, but for its highest bits, which are all the same, and the size of the frame behind it. Zero: nothing is known.
static SIZES: [AtomicU64; ENTRIES] = [const { AtomicU64::new(0) }; ENTRIES];
/// How many modules were closed when that was learnt.
static CLOSINGS: AtomicU64 = AtomicU64::new(0);

fn entry(address: u64) -> Option<&'static AtomicU64> {
    SIZES.get((hash(address) >> 32) as usize % ENTRIES)
}

/// Whether an entry is about this address.
fn is_of(known: u64, address: u64) -> bool {
    known != 0 && known >> SIZE_BITS == address << SIZE_BITS >> SIZE_BITS
}

/// Bytes from the stack pointer behind this return address to the next one; `None` if not known.
#[inline]
pub fn of(address: u64) -> Option<u32> {
    let known = entry(address)?.load(Ordering::Relaxed);
    let words = known & VARIES;
    (is_of(known, address) && words != VARIES).then_some(words as u32 * 8)
}

/// Learns one.
pub fn learn(address: u64, bytes: u64) {
    let closings = loader::closings();
    if CLOSINGS.swap(closings, Ordering::Relaxed) != closings {
        for entry in &SIZES {
            entry.store(0, Ordering::Relaxed);
        }
    }
    let words = if bytes.is_multiple_of(8) { (bytes / 8).min(VARIES) } else { VARIES };
    let Some(entry) = entry(address) else { return };
    let known = entry.load(Ordering::Relaxed);
    let learnt = match known & VARIES {
        _ if known == 0 => address << SIZE_BITS | words,
        before if before != words && is_of(known, address) => address << SIZE_BITS | VARIES,
        _ => return,
    };
    entry.store(learnt, Ordering::Relaxed);
}
