//! Interposer: which memory may hold a sampled object. In: births and deaths. Out: one byte, asked by every free of the
//! program, and a second one, asked when the first is not zero.
//!
//! Pages: one byte per hashed page, the number of sampled objects (or bootstrap blocks) that start in such a page, held
//! at its maximum once it gets there. Zero means surely none, and the free goes straight on. Sixty-four neighbouring
//! pages share a cache line, so the part in use stays in the innermost cache. The hash is the low 32 bits of the address, which
//! cost the hooks nothing: only pages that are a multiple of 4 GiB apart share a byte.
//!
//! Blocks: the same by hashed address, so that the neighbours of a sampled object are let go without a look into the live
//! table, which is seldom in a cache. Only where objects are sampled: where everything is recorded there are no neighbours.

use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use memguard_annex::PAGES;
use memguard_segment::Writers;

const STICKY: u8 = u8::MAX;

/// The table itself, read by the assembly of the hooks; on whole cache lines.
#[repr(C, align(64))]
pub struct Filter([AtomicU8; PAGES]);

/// The one filter of the process.
pub static FILTER: Filter = Filter([const { AtomicU8::new(0) }; PAGES]);

/// Blocks are told apart by so many bytes.
const BLOCKS: usize = 1 << 15;
/// What a block's address is at least a multiple of, as a power of two.
const GRAIN_BITS: u32 = 4;

static BLOCK_FILTER: [AtomicU8; BLOCKS] = [const { AtomicU8::new(0) }; BLOCKS];

/// A table is cleared in parts of so many bytes, a page each.
const PART_BYTES: usize = 4096;
/// Which parts were ever written to. The others are not even looked at, so they take no memory.
#[unsafe(link_section = ".data")]
static PAGES_TOUCHED: [AtomicBool; PAGES / PART_BYTES] =
    [const { AtomicBool::new(false) }; PAGES / PART_BYTES];
#[unsafe(link_section = ".data")]
static BLOCKS_TOUCHED: [AtomicBool; BLOCKS / PART_BYTES] =
    [const { AtomicBool::new(false) }; BLOCKS / PART_BYTES];

/// One of the two tables, by the low bits of an address from some bit on.
struct Counts {
    cells: &'static [AtomicU8],
    touched: &'static [AtomicBool],
    from_bit: u32,
}

const PAGE_COUNTS: Counts = Counts { cells: &FILTER.0, touched: &PAGES_TOUCHED, from_bit: 12 };
const BLOCK_COUNTS: Counts = Counts { cells: &BLOCK_FILTER, touched: &BLOCKS_TOUCHED, from_bit: GRAIN_BITS };

impl Counts {
    fn index(&self, address: u64) -> usize {
        (address >> self.from_bit) as usize % self.cells.len()
    }

    fn cell(&self, address: u64) -> Option<&'static AtomicU8> {
        self.cells.get(self.index(address))
    }

    /// The same, to be written to.
    fn cell_to_write(&self, address: u64) -> Option<&'static AtomicU8> {
        let touched = self.touched.get(self.index(address) / PART_BYTES)?;
        // Written once only: others read the line all the time.
        if !touched.load(Ordering::Relaxed) {
            touched.store(true, Ordering::Relaxed);
        }
        self.cell(address)
    }

    #[inline]
    fn may_hold(&self, address: u64) -> bool {
        self.cell(address).is_none_or(|cell| cell.load(Ordering::Relaxed) != 0)
    }

    #[inline]
    fn add(&self, address: u64, writers: Writers) {
        if let Some(cell) = self.cell_to_write(address) {
            change(cell, writers, |n| (n != STICKY).then(|| n + 1));
        }
    }

    #[inline]
    fn remove(&self, address: u64, writers: Writers) {
        if let Some(cell) = self.cell(address) {
            change(cell, writers, |n| (n != STICKY && n != 0).then(|| n - 1));
        }
    }

    fn clear(&self) {
        for (touched, part) in self.touched.iter().zip(self.cells.chunks(PART_BYTES)) {
            if touched.swap(false, Ordering::Relaxed) {
                for cell in part {
                    cell.store(0, Ordering::Relaxed);
                }
            }
        }
    }
}

/// Its bytes, for the libraries beside this one.
pub const fn bytes() -> &'static [AtomicU8; PAGES] {
    &FILTER.0
}

/// Whether an object in the page of this address may be sampled.
#[cfg(any(feature = "portable", not(target_arch = "x86_64")))]
pub fn may_hold(address: u64) -> bool {
    PAGE_COUNTS.may_hold(address)
}

/// Whether the object at this very address may be sampled, where objects are.
#[inline]
pub fn may_be(address: u64) -> bool {
    BLOCK_COUNTS.may_hold(address)
}

/// An object at this address is recorded from now on; whether it is one of many that are not. Before the program gets the
/// pointer.
#[inline]
pub fn add(address: u64, is_sample: bool, writers: Writers) {
    if is_sample {
        BLOCK_COUNTS.add(address, writers);
    }
    PAGE_COUNTS.add(address, writers);
}

/// It is not any more.
#[inline]
pub fn remove(address: u64, is_sample: bool, writers: Writers) {
    PAGE_COUNTS.remove(address, writers);
    if is_sample {
        BLOCK_COUNTS.remove(address, writers);
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
        if let Some(cell) = PAGE_COUNTS.cell_to_write(page) {
            cell.store(STICKY, Ordering::Relaxed);
        }
        page = page.wrapping_add(4096);
    }
}

/// Forgets all objects (a fork child tracks none of its parent's).
pub fn clear() {
    PAGE_COUNTS.clear();
    BLOCK_COUNTS.clear();
}
