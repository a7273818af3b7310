//! Inspect: which pages of a range are in memory or swapped out, from `/proc/PID/pagemap`.
//! In: a process id, ranges. Out: bytes held.
//!
//! Read here: the `procfs` crate makes a value of every page, and a range has millions.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Bytes that the kernel writes for a page.
const ENTRY_BYTES: u64 = 8;
/// Entries read at a time: 8 MiB of a process.
const CHUNK_ENTRIES: u64 = 2048;
/// Bits of a page in memory, and of one in swap.
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;

/// What of a range is in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Residence {
    /// Stretches of pages in memory, ascending.
    pub runs: Vec<(u64, u64)>,
    /// Whether another page is in the swap.
    pub is_swapped: bool,
}

/// The pages of one process.
#[derive(Debug)]
pub struct Pagemap {
    file: File,
    page_bytes: u64,
}

impl Pagemap {
    /// Opens it; `None` if the process has ended or may not be traced by us.
    pub fn of(pid: i32) -> Option<Self> {
        let file = File::open(format!("/proc/{pid}/pagemap")).ok()?;
        Some(Self { file, page_bytes: procfs::page_size().max(1) })
    }

    /// How many pages a range touches: what asking costs.
    pub fn pages(&self, start: u64, end: u64) -> u64 {
        end.div_ceil(self.page_bytes).saturating_sub(start / self.page_bytes)
    }

    /// Bytes of the range that lie in pages which take memory or swap; `None` if the kernel does not tell.
    pub fn held_bytes(&self, start: u64, end: u64) -> Option<u64> {
        let mut held = 0;
        self.each(start, end, |from, to, entry| {
            if entry & (PRESENT | SWAPPED) != 0 {
                held += to - from;
            }
        })?;
        Some(held)
    }

    /// Which of a range's pages are in memory; `None` if the kernel does not tell.
    pub(crate) fn residence(&self, start: u64, end: u64) -> Option<Residence> {
        let mut residence = Residence::default();
        self.each(start, end, |from, to, entry| {
            residence.is_swapped |= entry & SWAPPED != 0;
            match residence.runs.last_mut() {
                _ if entry & PRESENT == 0 => {}
                Some(last) if last.1 == from => last.1 = to,
                _ => residence.runs.push((from, to)),
            }
        })?;
        Some(residence)
    }

    /// Hands over the part of the range that each page holds, and the page's entry.
    fn each(&self, start: u64, end: u64, mut see: impl FnMut(u64, u64, u64)) -> Option<()> {
        let mut buffer = [0_u8; (CHUNK_ENTRIES * ENTRY_BYTES) as usize];
        let (mut page, last) = (start / self.page_bytes, end.div_ceil(self.page_bytes));
        while page < last {
            let many = (last - page).min(CHUNK_ENTRIES);
            let wanted = buffer.get_mut(..(many * ENTRY_BYTES) as usize)?;
            let n = self.file.read_at(wanted, page.checked_mul(ENTRY_BYTES)?).ok()?;
            let (entries, _) = wanted.get(..n)?.as_chunks::<{ ENTRY_BYTES as usize }>();
            if entries.is_empty() {
                return None;
            }
            for entry in entries {
                let from = (page * self.page_bytes).max(start);
                let to = ((page + 1) * self.page_bytes).min(end);
                see(from, to, u64::from_ne_bytes(*entry));
                page += 1;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_touched_is_held() {
        let pagemap = Pagemap::of(std::process::id().cast_signed()).expect("own pages");
        // Large enough for a mapping of its own, of which only the first half is ever written.
        let mut memory: Vec<u8> = Vec::with_capacity(32 << 20);
        memory.resize(16 << 20, 1);
        let start = memory.as_ptr() as u64;
        let half = pagemap.held_bytes(start, start + (16 << 20)).expect("told");
        assert_eq!(half, 16 << 20);
        let whole = pagemap.held_bytes(start, start + (32 << 20)).expect("told");
        assert!(whole < 20 << 20, "{whole}");
        let runs = pagemap.residence(start & !4095, (start & !4095) + (32 << 20)).expect("told").runs;
        assert!(runs[0].0 <= start && runs[0].1 >= start + (16 << 20), "{runs:?}");
        assert_eq!(pagemap.held_bytes(start + 5, start + 5), Some(0));
        assert_eq!(pagemap.held_bytes(start + 5, start + 12), Some(7));
        assert!(Pagemap::of(-1).is_none());
        drop(std::hint::black_box(memory));
    }
}
