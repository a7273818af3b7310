//! Unwind: reading the stack without ever faulting. In: what is known of the thread's stack. Out: words.

use core::mem::MaybeUninit;

const PAGE: u64 = 4096;
/// How many pages outside the known stack one walk may look at.
const COPIES_MAX: u32 = 64;

/// The words of one page.
pub type Page = [u64; PAGE as usize / 8];

/// A view of the stack during one walk.
///
/// Addresses within the known range are loaded directly: the caller promises that it is mapped as long as
/// this thread runs. Others (coroutine stacks, signal stacks, wild frame pointers, what lies behind the end of a small
/// stack) may be unmapped by another thread between any look and a load: their pages are copied by a call that cannot
/// fault, a bounded number of them per walk.
#[derive(Debug)]
pub struct StackMemory {
    known_start: u64,
    known_end: u64,
    copy: fn(u64, &mut MaybeUninit<Page>) -> bool,
    copied_page: u64,
    copies_left: u32,
    page: MaybeUninit<Page>,
}

impl StackMemory {
    /// A view of the stack of the calling thread.
    ///
    /// # Safety
    /// `known_start..known_end` (may be empty) must be mapped readable for the lifetime of the value, and
    /// `copy(address, page)` must return true only if it has written the whole page that begins there.
    pub const unsafe fn new(
        known_start: u64,
        known_end: u64,
        copy: fn(u64, &mut MaybeUninit<Page>) -> bool,
    ) -> Self {
        let page = MaybeUninit::uninit();
        Self { known_start, known_end, copy, copied_page: u64::MAX, copies_left: COPIES_MAX, page }
    }

    /// Loads the aligned word at `address`.
    #[allow(clippy::result_unit_err)] // framehop's signature
    pub fn read(&mut self, address: u64) -> Result<u64, ()> {
        if address & 7 != 0 {
            return Err(());
        }
        if address < self.known_start || address >= self.known_end {
            return self.read_copy(address);
        }
        // SAFETY: aligned, hence within one page; that page is mapped by the promise given to `new`. The
        // word may change under our eyes (another frame of this thread's signal handlers): volatile.
        Ok(unsafe { core::ptr::read_volatile(core::ptr::with_exposed_provenance(address as usize)) })
    }

    #[cold]
    fn read_copy(&mut self, address: u64) -> Result<u64, ()> {
        let page = address & !(PAGE - 1);
        if page != self.copied_page {
            if page == 0 || self.copies_left == 0 {
                return Err(());
            }
            self.copies_left -= 1;
            self.copied_page = u64::MAX;
            if !(self.copy)(page, &mut self.page) {
                return Err(());
            }
            self.copied_page = page;
        }
        // SAFETY: `copied_page` is that of a copy that was made, whole by the promise given to `new`.
        let words = unsafe { self.page.assume_init_ref() };
        words.get((address - page) as usize / 8).copied().ok_or(())
    }
}
