//! Segment, fates: how children of the process ended, as its own waits were told. In: wait statuses. Out: the status of
//! a child, for whoever asks before [`FATES`] others have ended.
//!
//! One word for each: process id, a mark, wait status. Nobody else can know how a process ended that was not their child.

use crate::Words;
use crate::primitive::Ordering;

/// How many are kept.
pub const FATES: usize = 255;
/// Words in a segment: the count of all, then the newest.
pub(crate) const WORDS: usize = FATES + 1;

const WRITTEN: u64 = 1 << 31;
const STATUS: u64 = 0xFFFF;

/// The fates over mapped words.
#[derive(Debug, Clone, Copy)]
pub struct Fates<'a> {
    words: Words<'a>,
}

impl<'a> Fates<'a> {
    pub(crate) fn new(words: Words<'a>) -> Self {
        Self { words }
    }

    /// A wait said that this child ended with this status.
    pub fn add(&self, pid: u32, status: u32) {
        let Some((count, slots)) = self.words.split_first() else { return };
        let number = count.fetch_add(1, Ordering::Relaxed);
        if let Some(slot) = slots.get((number % FATES as u64) as usize) {
            slot.store(u64::from(pid) << 32 | WRITTEN | u64::from(status) & STATUS, Ordering::Release);
        }
    }

    /// The wait status of the child that had this number last.
    pub fn of(&self, pid: u32) -> Option<u32> {
        self.all().filter(|(child, _)| *child == pid).last().map(|(_, status)| status)
    }

    /// All that are kept, process id and wait status, the newest last.
    pub fn all(&self) -> impl Iterator<Item = (u32, u32)> + use<'a> {
        let (count, slots) = self
            .words
            .split_first()
            .map_or((0, &[][..]), |(count, slots)| (count.load(Ordering::Acquire), slots));
        let kept = count.saturating_sub(FATES as u64)..count;
        let words = kept.filter_map(move |at| slots.get((at % FATES as u64) as usize));
        let words = words.map(|word| word.load(Ordering::Acquire)).filter(|word| word & WRITTEN != 0);
        words.map(|word| ((word >> 32) as u32, (word & STATUS) as u32))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::AtomicU64;
    use std::vec::Vec;

    #[test]
    fn the_newest_are_known() {
        let words: Vec<AtomicU64> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
        let fates = Fates::new(&words);
        assert_eq!(fates.of(0), None);
        fates.add(7, 9);
        fates.add(7, 0x300);
        assert_eq!((fates.of(7), fates.of(8)), (Some(0x300), None), "a number used again");
        for pid in 1000..1000 + FATES as u32 {
            fates.add(pid, 0);
        }
        assert_eq!((fates.of(7), fates.of(1000), fates.of(1254)), (None, Some(0), Some(0)));
        for word in &words {
            word.store(u64::MAX, Ordering::Relaxed);
        }
        assert_eq!(fates.of(7), None, "whatever the words hold");
    }
}
