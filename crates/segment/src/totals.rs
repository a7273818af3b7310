//! Segment: running totals of every stack. They never lose an event, whatever happens to the ring.
//! In: the interposer on each sampled birth and death. Out: the collector.

use crate::Words;
use crate::primitive::Ordering;

/// Buckets of the histogram of lifetimes.
pub const LIFETIME_BUCKETS: usize = 16;

const BIRTHS: usize = 0;
const DEATHS: usize = 1;
const BORN_COUNT: usize = 2;
const DIED_COUNT: usize = 3;
const BORN_BYTES: usize = 4;
const DIED_BYTES: usize = 5;
const LIFETIMES: usize = 6;
/// Words of one stack's totals.
pub(crate) const TOTALS_WORDS: usize = LIFETIMES + LIFETIME_BUCKETS;
/// Estimated counts are kept in 1/1024 objects.
const COUNT_SCALE: f64 = 1024.0;

/// Bucket of a lifetime in ns: bucket 0 below 4 us, bucket `i` is `[4^i, 4^(i+1))` us, the last open.
pub const fn lifetime_bucket(lifetime_ns: u64) -> usize {
    let us = lifetime_ns / 1000;
    if us < 4 {
        return 0;
    }
    let bucket = (us.ilog2() / 2) as usize;
    if bucket < LIFETIME_BUCKETS { bucket } else { LIFETIME_BUCKETS - 1 }
}

/// The reader's copy of one stack's totals.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    /// Sampled allocations.
    pub births: u64,
    /// Sampled allocations that were freed.
    pub deaths: u64,
    /// Sum of 1/p over births.
    pub born_count: f64,
    /// Sum of 1/p over deaths.
    pub died_count: f64,
    /// Sum of size/p over births.
    pub born_bytes: f64,
    /// Sum of size/p over deaths.
    pub died_bytes: f64,
    /// Lifetimes of the freed ones, see [`lifetime_bucket`].
    pub lifetimes: [u64; LIFETIME_BUCKETS],
}

/// Totals of all stacks, indexed by stack number.
#[derive(Debug, Clone, Copy)]
pub struct TotalsTable<'a> {
    words: Words<'a>,
}

impl<'a> TotalsTable<'a> {
    pub(crate) fn new(words: Words<'a>) -> Self {
        Self { words }
    }

    fn entry(&self, stack: u32) -> Option<Words<'a>> {
        let start = (stack as usize).checked_mul(TOTALS_WORDS)?;
        self.words.get(start..start.checked_add(TOTALS_WORDS)?)
    }

    fn add(entry: Words<'_>, word: usize, amount: u64) {
        if let Some(word) = entry.get(word) {
            word.fetch_add(amount, Ordering::Relaxed);
        }
    }

    /// Books a birth of `size_bytes` that was sampled with probability `p`.
    pub fn birth(&self, stack: u32, size_bytes: u64, p: f64) {
        let Some(entry) = self.entry(stack) else { return };
        Self::add(entry, BIRTHS, 1);
        Self::add(entry, BORN_COUNT, (COUNT_SCALE / p) as u64);
        Self::add(entry, BORN_BYTES, (size_bytes as f64 / p) as u64);
    }

    /// Books a death of what [`TotalsTable::birth`] booked.
    pub fn death(&self, stack: u32, size_bytes: u64, p: f64, lifetime_ns: u64) {
        let Some(entry) = self.entry(stack) else { return };
        Self::add(entry, DEATHS, 1);
        Self::add(entry, DIED_COUNT, (COUNT_SCALE / p) as u64);
        Self::add(entry, DIED_BYTES, (size_bytes as f64 / p) as u64);
        Self::add(entry, LIFETIMES + lifetime_bucket(lifetime_ns), 1);
    }

    /// Copies one stack's totals, or `None` beyond the table.
    pub fn get(&self, stack: u32) -> Option<Totals> {
        let entry = self.entry(stack)?;
        let word = |i: usize| entry[i].load(Ordering::Relaxed);
        let mut totals = Totals {
            // Deaths before births: each is a subset of births, so a reader never sees more deaths.
            deaths: word(DEATHS),
            births: word(BIRTHS),
            died_count: word(DIED_COUNT) as f64 / COUNT_SCALE,
            born_count: word(BORN_COUNT) as f64 / COUNT_SCALE,
            died_bytes: word(DIED_BYTES) as f64,
            born_bytes: word(BORN_BYTES) as f64,
            lifetimes: [0; LIFETIME_BUCKETS],
        };
        for (i, bucket) in totals.lifetimes.iter_mut().enumerate() {
            *bucket = word(LIFETIMES + i);
        }
        Some(totals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_fall_into_powers_of_four() {
        assert_eq!(lifetime_bucket(0), 0);
        assert_eq!(lifetime_bucket(3_999), 0);
        assert_eq!(lifetime_bucket(4_000), 1);
        assert_eq!(lifetime_bucket(15_999), 1);
        assert_eq!(lifetime_bucket(16_000), 2);
        assert_eq!(lifetime_bucket(u64::MAX), 15);
    }
}
