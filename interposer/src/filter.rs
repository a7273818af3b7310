//! Interposer: which memory pages may hold a sampled object. In: births and deaths. Out: one byte, asked by every
//! free of the program.
//!
//! One byte per hashed page: the number of sampled objects (or bootstrap blocks) that start in such a page, held at
//! its maximum once it gets there. Zero means surely none, and the free goes straight on. Sixty-four neighbouring
//! pages share a cache line, so the part in use stays in the innermost cache. The hash is the low 32 bits of the address, which
//! cost the hooks nothing: only pages that are a multiple of 4 GiB apart share a byte.

use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use memguard_annex::PAGES;
use memguard_segment::Writers;

const STICKY: u8 = u8::MAX;

/// The table itself, read by the assembly of the hooks; on whole cache lines.
#[repr(C, align(64))]
pub struct Filter([AtomicU8; PAGES]);

/// The one filter of the process.
pub static FILTER: Filter = Filter([const { AtomicU8::new(0) }; PAGES]);

/// The table is cleared in parts of so many bytes, a page each.
const PART_BYTES: usize = 4096;
/// Which parts were ever written to. The others are not even looked at, so they take no memory.
#[unsafe(link_section = ".data")]
static TOUCHED: [AtomicBool; PAGES / PART_BYTES] = [const { AtomicBool::new(false) }; PAGES / PART_BYTES];

/// Its bytes, for the libraries beside this one.
pub const fn bytes() -> &'static [AtomicU8; PAGES] {
    &FILTER.0
}

fn index(address: u64) -> usize {
    (address >> 12) as usize & (PAGES - 1)
}

fn cell(address: u64) -> Option<&'static AtomicU8> {
    FILTER.0.get(index(address))
}

/// The same, to be written to.
fn cell_to_write(address: u64) -> Option<&'static AtomicU8> {
    let touched = TOUCHED.get(index(address) / PART_BYTES)?;
    // Written once only: others read the line all the time.
    if !touched.load(Ordering::Relaxed) {
        touched.store(true, Ordering::Relaxed);
    }
    cell(address)
}

/// Whether an object at this address may be sampled.
#[cfg(any(feature = "portable", not(target_arch = "x86_64")))]
pub fn may_hold(address: u64) -> bool {
    cell(address).is_none_or(|c| c.load(Ordering::Relaxed) != 0)
}

/// An object at this address is sampled from now on. Before the program gets the pointer.
pub fn add(address: u64, writers: Writers) {
    if let Some(cell) = cell_to_write(address) {
        change(cell, writers, |n| (n != STICKY).then(|| n + 1));
    }
}

/// It is not any more.
pub fn remove(address: u64, writers: Writers) {
    if let Some(cell) = cell(address) {
        change(cell, writers, |n| (n != STICKY && n != 0).then(|| n - 1));
    }
}

#[inline]
fn change(cell: &AtomicU8, writers: Writers, step: impl Fn(u8) -> Option<u8>) {
    let mut seen = cell.load(Ordering::Relaxed);
    while let Some(next) = step(seen) {
        match exchange(cell, seen, next, writers) {
            Ok(_) => return,
            Err(now) => seen = now,
        }
    }
}

/// A compare-and-swap, without the processor's lock where only a signal handler could come in between: it does not come
/// into the middle of an instruction.
#[inline]
fn exchange(cell: &AtomicU8, from: u8, to: u8, writers: Writers) -> Result<u8, u8> {
    #[cfg(target_arch = "x86_64")]
    if writers == Writers::One {
        let seen: u8;
        // SAFETY: a byte that may be changed through a shared reference, and nobody else writes to it.
        unsafe {
            core::arch::asm!("cmpxchg byte ptr [{cell}], {to}", cell = in(reg) cell.as_ptr(), to = in(reg_byte) to,
                inout("al") from => seen, options(nostack));
        }
        return if seen == from { Ok(seen) } else { Err(seen) };
    }
    cell.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
}

/// Every address in this range is to be looked at, for ever.
pub fn mark(start: u64, bytes: u64) {
    let mut page = start & !4095;
    while page < start.wrapping_add(bytes) {
        if let Some(cell) = cell_to_write(page) {
            cell.store(STICKY, Ordering::Relaxed);
        }
        page = page.wrapping_add(4096);
    }
}

/// Forgets all objects (a fork child tracks none of its parent's).
pub fn clear() {
    for (touched, part) in TOUCHED.iter().zip(FILTER.0.chunks(PART_BYTES)) {
        if touched.swap(false, Ordering::Relaxed) {
            for cell in part {
                cell.store(0, Ordering::Relaxed);
            }
        }
    }
}
