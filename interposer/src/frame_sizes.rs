//! Interposer: how large the frames of functions are that were walked through, so that the callers behind a return address can be
//! guessed before anything is walked. In: walks. Out: guesses, as good as the table is large.
//!
//! What calls `malloc` is often one of very few places (`operator new`, a program's own wrapper), all at the same depth: they are
//! told apart by who called them. Where a function has come to a certain call its frame has one size, but for `alloca`.

use core::sync::atomic::{AtomicU64, Ordering};

const ENTRIES: usize = 256;
/// Bits of a size, in words.
const SIZE_BITS: u32 = 16;

/// A return address, but for its highest bits, which are all the same, and the size of the frame behind it. Zero: nothing is known.
static SIZES: [AtomicU64; ENTRIES] = [const { AtomicU64::new(0) }; ENTRIES];

fn entry(address: u64) -> Option<&'static AtomicU64> {
    let hash = address.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    SIZES.get(hash as usize % ENTRIES)
}

/// Bytes from the stack pointer behind this return address to the next one; `None` if not known.
#[inline]
pub fn of(address: u64) -> Option<u32> {
    let known = entry(address)?.load(Ordering::Relaxed);
    let is_it = known != 0 && known >> SIZE_BITS == address << SIZE_BITS >> SIZE_BITS;
    is_it.then_some(u32::from(known as u16) * 8)
}

/// Learns one; what is too large is forgotten.
pub fn learn(address: u64, bytes: u64) {
    let words = bytes / 8;
    let known =
        if words >> SIZE_BITS == 0 && bytes.is_multiple_of(8) { address << SIZE_BITS | words } else { 0 };
    if let Some(entry) = entry(address)
        && entry.load(Ordering::Relaxed) != known
    {
        entry.store(known, Ordering::Relaxed);
    }
}
