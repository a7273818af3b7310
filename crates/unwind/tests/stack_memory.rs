//! Reading the stack: directly where it is known, copied page by page elsewhere, and only so often.

use memguard_unwind::{Page, StackMemory};
use std::cell::RefCell;
use std::mem::MaybeUninit;

const PAGE: u64 = 4096;
/// How many pages one walk may ask about; pinned here, for it bounds what a walk on a foreign stack can cost.
const PROBES_MAX: usize = 64;

thread_local! {
    /// The pages asked about, and the one range that is said to be readable.
    static ASKED: RefCell<(Vec<u64>, std::ops::Range<u64>)> = const { RefCell::new((Vec::new(), 0..0)) };
}

fn copy(page: u64, to: &mut MaybeUninit<Page>) -> bool {
    ASKED.with_borrow_mut(|(asked, readable)| {
        asked.push(page);
        let is_there = readable.contains(&page);
        if is_there {
            to.write(std::array::from_fn(|i| page + 8 * i as u64));
        }
        is_there
    })
}

fn asked() -> Vec<u64> {
    ASKED.with_borrow(|(asked, _)| asked.clone())
}

/// `pages` pages of memory, each word with its own address in it.
fn memory(pages: u64) -> (u64, u64) {
    let bytes = (pages * PAGE) as usize;
    let words: &'static mut [u64] = Box::leak(vec![0u64; bytes / 8 + 512].into_boxed_slice());
    let start = (words.as_ptr().expose_provenance() as u64).next_multiple_of(PAGE);
    let skip = (start as usize - words.as_ptr() as usize) / 8;
    for (i, word) in words[skip..].iter_mut().enumerate() {
        *word = start + 8 * i as u64;
    }
    (start, start + pages * PAGE)
}

fn over(known: std::ops::Range<u64>, readable: std::ops::Range<u64>) -> StackMemory {
    ASKED.with_borrow_mut(|state| *state = (Vec::new(), readable));
    // SAFETY: both ranges are leaked memory.
    unsafe { StackMemory::new(known.start, known.end, copy) }
}

#[test]
fn the_known_range_is_read_without_asking() {
    let (start, end) = memory(4);
    let mut stack = over(start + 16..end - 16, 0..0);
    for address in (start + 16..end - 16).step_by(8) {
        assert_eq!(stack.read(address), Ok(address));
    }
    assert!(asked().is_empty());
    assert_eq!(stack.read(start + 8), Err(()), "one word below");
    assert_eq!(stack.read(end - 16), Err(()), "one word above");
    assert_eq!(asked(), [start, end - PAGE]);
}

#[test]
fn odd_addresses_are_refused() {
    let (start, end) = memory(1);
    let mut stack = over(start..end, start..end);
    for odd in 1..8 {
        assert_eq!(stack.read(start + odd), Err(()));
    }
    assert!(asked().is_empty());
}

#[test]
fn a_page_is_asked_about_once_as_long_as_the_walk_stays_there() {
    let (start, end) = memory(2);
    let mut stack = over(0..0, start..end);
    for address in (start..end).step_by(8) {
        assert_eq!(stack.read(address), Ok(address));
    }
    assert_eq!(asked(), [start, start + PAGE]);
}

#[test]
fn a_walk_asks_about_so_many_pages_and_no_more() {
    let (start, end) = memory(2 * PROBES_MAX as u64);
    let mut stack = over(0..0, start..end);
    let read = (start..end).step_by(PAGE as usize).filter(|page| stack.read(*page).is_ok()).count();
    assert_eq!((read, asked().len()), (PROBES_MAX, PROBES_MAX));
    // The last page stays usable, and the known range of another walk was never limited.
    assert!(stack.read(start + (PROBES_MAX as u64 - 1) * PAGE + 8).is_ok());
}

#[test]
fn refusals_count_too() {
    let mut stack = over(0..0, 0..0);
    for page in 1..200u64 {
        assert_eq!(stack.read(page * PAGE), Err(()));
    }
    assert_eq!(asked().len(), PROBES_MAX);
}

#[test]
fn wild_addresses_are_asked_about_and_null_is_not() {
    let mut stack = over(0..0, 0..0);
    for wild in [0, 8, PAGE - 8] {
        assert_eq!(stack.read(wild), Err(()));
    }
    assert!(asked().is_empty(), "the page at 0 is never a stack");
    for wild in [u64::MAX - 7, 1 << 63, 0x7FFF_FFFF_FFF8, 0x8000_0000_0000] {
        assert_eq!(stack.read(wild), Err(()));
    }
    assert_eq!(asked(), [u64::MAX - PAGE + 1, 1 << 63, 0x7FFF_FFFF_F000, 0x8000_0000_0000]);
}
