//! Unwind: reading the stack without ever faulting. In: what is known of the thread's stack. Out: words.

const PAGE: u64 = 4096;
/// How many pages outside the known stack one walk may look at.
const PROBES_MAX: u32 = 64;

/// A view of the stack during one walk.
///
/// Addresses within the known range are loaded directly: the caller promises that it is mapped as long as
/// this thread runs. Others (coroutine stacks, signal stacks, wild frame pointers) are loaded only after
/// `probe` said that their page is readable, a page at a time, a bounded number of pages per walk.
#[derive(Debug)]
pub struct StackMemory {
    known_start: u64,
    known_end: u64,
    probe: fn(u64) -> bool,
    readable_page: u64,
    probes_left: u32,
}

impl StackMemory {
    /// A view of the stack of the calling thread.
    ///
    /// # Safety
    /// `known_start..known_end` (may be empty) must be mapped readable for the lifetime of the value, and
    /// `probe(page)` must return true only for pages that stay readable that long.
    pub const unsafe fn new(known_start: u64, known_end: u64, probe: fn(u64) -> bool) -> Self {
        Self { known_start, known_end, probe, readable_page: u64::MAX, probes_left: PROBES_MAX }
    }

    /// Loads the aligned word at `address`.
    #[allow(clippy::result_unit_err)] // framehop's signature
    pub fn read(&mut self, address: u64) -> Result<u64, ()> {
        if address & 7 != 0 {
            return Err(());
        }
        if address < self.known_start || address >= self.known_end {
            let page = address & !(PAGE - 1);
            if page != self.readable_page {
                if page == 0 || self.probes_left == 0 {
                    return Err(());
                }
                self.probes_left -= 1;
                if !(self.probe)(page) {
                    return Err(());
                }
                self.readable_page = page;
            }
        }
        // SAFETY: aligned, hence within one page; that page is mapped by the promise given to `new`. The
        // word may change under our eyes (another frame of this thread's signal handlers): volatile.
        Ok(unsafe { core::ptr::read_volatile(core::ptr::with_exposed_provenance(address as usize)) })
    }
}
