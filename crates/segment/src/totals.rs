//! Segment: running totals of every stack. They never lose an event, whatever happens to the ring.
//! In: the interposer on each sampled birth and death. Out: the collector.

use crate::Words;
use crate::primitive::Ordering;
use crate::writers::{self, Writers};

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
const COUNT_SCALE: u64 = 1024;

/// What stands for how much, sampled with this probability. Where everything is recorded there is nothing to divide.
#[inline]
fn stands_for(amount: u64, p: f64) -> u64 {
    if p < 1.0 { (amount as f64 / p) as u64 } else { amount }
}

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
    writers: Writers,
}

impl<'a> TotalsTable<'a> {
    pub(crate) fn new(words: Words<'a>) -> Self {
        Self { words, writers: Writers::Many }
    }

    /// The same table, for a caller that knows who else writes.
    #[must_use]
    #[inline]
    pub fn written_by(self, writers: Writers) -> Self {
        Self { writers, ..self }
    }

    #[inline]
    fn entry(&self, stack: u32) -> Option<Words<'a>> {
        let start = (stack as usize).checked_mul(TOTALS_WORDS)?;
        self.words.get(start..start.checked_add(TOTALS_WORDS)?)
    }

    #[inline]
    fn add(&self, entry: Words<'_>, word: usize, amount: u64, order: Ordering) {
        if let Some(word) = entry.get(word) {
            writers::add(word, amount, order, self.writers);
        }
    }

    /// Books a birth of `size_bytes` that was sampled with probability `p`.
    #[inline]
    pub fn birth(&self, stack: u32, size_bytes: u64, p: f64) {
        let Some(entry) = self.entry(stack) else { return };
        let add = |word, amount| self.add(entry, word, amount, Ordering::Relaxed);
        add(BIRTHS, 1);
        add(BORN_COUNT, stands_for(COUNT_SCALE, p));
        add(BORN_BYTES, stands_for(size_bytes, p));
    }

    /// Books a death of what [`TotalsTable::birth`] booked.
    #[inline]
    pub fn death(&self, stack: u32, size_bytes: u64, p: f64, lifetime_ns: u64) {
        let Some(entry) = self.entry(stack) else { return };
        // Release: the birth was booked before. Matched by the acquire loads in `get`.
        let add = |word, amount| self.add(entry, word, amount, Ordering::Release);
        add(DEATHS, 1);
        add(DIED_COUNT, stands_for(COUNT_SCALE, p));
        add(DIED_BYTES, stands_for(size_bytes, p));
        add(LIFETIMES + lifetime_bucket(lifetime_ns), 1);
    }

    /// Counts a birth of something that is not sampled: its sums stand in the counts alone.
    pub fn count_birth(&self, stack: u32) {
        let Some(entry) = self.entry(stack) else { return };
        self.add(entry, BIRTHS, 1, Ordering::Relaxed);
    }

    /// Counts the death of what [`TotalsTable::count_birth`] counted.
    pub fn count_death(&self, stack: u32, lifetime_ns: u64) {
        let Some(entry) = self.entry(stack) else { return };
        // Release: as in `death`.
        self.add(entry, DEATHS, 1, Ordering::Release);
        self.add(entry, LIFETIMES + lifetime_bucket(lifetime_ns), 1, Ordering::Release);
    }

    /// Copies one stack's totals, or `None` beyond the table.
    pub fn get(&self, stack: u32) -> Option<Totals> {
        let entry = self.entry(stack)?;
        let word = |i: usize, order| entry.get(i).map_or(0, |word| word.load(order));
        // All of the deaths before any of the births: who sees a death sees its birth (matched by the release in
        // `death`), so a reader never finds more dead than born.
        let died = |i| word(i, Ordering::Acquire);
        let (deaths, died_count, died_bytes) = (died(DEATHS), died(DIED_COUNT), died(DIED_BYTES));
        let lifetimes = core::array::from_fn(|i| died(LIFETIMES + i));
        let born = |i| word(i, Ordering::Relaxed);
        Some(Totals {
            births: born(BIRTHS),
            deaths,
            born_count: born(BORN_COUNT) as f64 / COUNT_SCALE as f64,
            died_count: died_count as f64 / COUNT_SCALE as f64,
            born_bytes: born(BORN_BYTES) as f64,
            died_bytes: died_bytes as f64,
            lifetimes,
        })
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
