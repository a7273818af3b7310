//! Segment: the objects that are alive now. The truth about what the process holds. Two tables of this make: sampled
//! blocks ([`Record`], by address) and everything else that has a handle but no number ([`crate::Object`]).
//! In: the interposer (insert after the call that makes it, remove before the call that ends it, from any thread, also
//! from signal handlers). Out: the collector, which copies it while it changes.
//!
//! Lock-free open addressing in buckets of two neighbouring cache lines: a meta word and three objects, the first of which lies
//! in the first line altogether, so that most are found with one line of memory. An object lives in its home bucket or, if
//! that was full, in one of the next, or of some elsewhere; the low half of a full bucket's meta word counts the objects that
//! passed over it, so a search ends at the first bucket nobody passed (the idea of F14's overflow counts). Removal leaves no tombstone. The high half of the meta word is a version that
//! every insertion raises, by which a reader notices that a slot was reused under its eyes.
//!
//! An address is inserted by the thread that got it from malloc and removed by the thread that frees it;
//! the program itself orders the two. A double free of the program finds nothing the second time.

use crate::Words;
use crate::primitive::{AtomicU64, Ordering, fence};
use crate::writers::{self, Writers};
use core::marker::PhantomData;

/// Objects in a bucket.
pub const BUCKET_OBJECTS: usize = 3;
/// Words of a bucket: the meta word, the addresses, and everything else; two cache lines.
pub(crate) const BUCKET_WORDS: usize = 16;
/// Words of what is known of an object beside its address.
pub const PAYLOAD_WORDS: usize = 3;
/// How many buckets an object may be away from home in a table that is too small for its entries' own reach.
const SMALL_BUCKETS: usize = 16;
/// How often a reader tries again to copy a slot that changes; then the object counts as in flux.
const READ_TRIES: usize = 8;

/// 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
/// A page of the program's memory has so many neighbouring buckets, its window; a power of two.
const PAGE_BUCKETS: usize = 32;

/// Pages whose windows follow each other, as a power of two.
const REGION_PAGES_BITS: u32 = 9;

/// Words in which a table of so many buckets notes where it was written to.
pub(crate) const fn window_words(buckets: usize) -> usize {
    buckets.div_ceil(PAGE_BUCKETS * u64::BITS as usize)
}

const EMPTY: u64 = 0;
/// A slot that is being filled or emptied. No address: allocators align to eight bytes and more.
const BUSY: u64 = 1;
const OVERFLOW_MASK: u64 = 0xFFFF_FFFF;
const VERSION_ONE: u64 = 1 << 32;

/// What a table holds: a key and three words.
pub trait Entry: Sized {
    /// The key. Never 0 or 1; its low four bits carry nothing.
    fn key(&self) -> u64;
    /// Buckets from home on in which an object may be; at least 1.
    const NEAR: usize;
    /// Buckets elsewhere in which it may be if those are full, each at a place of its own. For entries whose homes are not
    /// evenly used.
    const FAR: usize;
    /// Where it lives: the lower bits number the bucket, wrapped to the table.
    fn home_of(key: u64) -> u64 {
        // Fibonacci hashing; the low four bits carry nothing.
        (key >> 4).wrapping_mul(GOLDEN) >> 32
    }
    /// Everything else.
    fn words(&self) -> [u64; PAYLOAD_WORDS];
    /// The other way round, for any words.
    fn from_words(key: u64, words: [u64; PAYLOAD_WORDS]) -> Self;
}

/// A sampled live object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record {
    /// Address the program holds; never 0 or 1.
    pub address: u64,
    /// Size the program asked for, in bytes.
    pub size_bytes: u64,
    /// Birth on the process clock, in ns.
    pub born_ns: u64,
    /// Number of the stack that allocated it.
    pub stack: u32,
    /// Probability with which it was sampled.
    pub p: f32,
}

impl Entry for Record {
    const NEAR: usize = 4;
    const FAR: usize = 16;

    fn key(&self) -> u64 {
        self.address
    }

    /// Neighbours in the program's memory are neighbours here: what is used together then shares pages and lines of the
    /// kernel's page tables, of which the processor remembers few. Only which part of the table a region of 2 MiB goes to is
    /// left to chance. Which places a page's objects have within its buckets differs from page to page, as large blocks all
    /// begin at the same place of theirs.
    fn home_of(address: u64) -> u64 {
        let places = PAGE_BUCKETS as u64;
        let page = address >> 12;
        let region = (page >> REGION_PAGES_BITS).wrapping_mul(GOLDEN) >> 32;
        let within = address >> (12 - places.ilog2());
        page.wrapping_add(region) * places + (page ^ within) % places
    }

    fn words(&self) -> [u64; PAYLOAD_WORDS] {
        [self.size_bytes, self.born_ns, u64::from(self.stack) << 32 | u64::from(self.p.to_bits())]
    }

    fn from_words(address: u64, [size_bytes, born_ns, packed]: [u64; PAYLOAD_WORDS]) -> Self {
        Self { address, size_bytes, born_ns, stack: (packed >> 32) as u32, p: f32::from_bits(packed as u32) }
    }
}

/// A bucket: meta word, keys, what is known of the first object, an unused word, what is known of the others, two unused words.
#[derive(Clone, Copy)]
struct Bucket<'a>(&'a [AtomicU64; BUCKET_WORDS]);

impl<'a> Bucket<'a> {
    /// Version and number of passes.
    #[inline]
    fn meta(self) -> &'a AtomicU64 {
        let [meta, ..] = self.0;
        meta
    }

    #[inline]
    fn keys(self) -> &'a [AtomicU64; BUCKET_OBJECTS] {
        let [_, keys @ .., _, _, _, _, _, _, _, _, _, _, _, _] = self.0;
        keys
    }

    /// What is known of an object, by its place.
    #[inline]
    fn payload(self, place: usize) -> Words<'a> {
        let start = 1 + BUCKET_OBJECTS + place * PAYLOAD_WORDS + usize::from(place != 0);
        self.0.get(start..start + PAYLOAD_WORDS).unwrap_or_default()
    }

    /// Whether an object may have passed over it.
    #[inline]
    fn was_passed(self) -> bool {
        self.meta().load(Ordering::Relaxed) & OVERFLOW_MASK != 0
    }
}

/// An object is not in a bucket; whether one may have passed over it, so that the search goes on.
struct Passed(bool);

/// No bucket within reach has room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// The table. See the module's documentation.
#[derive(Debug)]
pub struct Table<'a, E> {
    /// A bit for each window of [`PAGE_BUCKETS`] that was ever written to: the others need not be read.
    windows: Words<'a>,
    buckets: Words<'a>,
    /// Number of buckets, a power of two; 0 where there is no memory for them.
    count: usize,
    writers: Writers,
    _entry: PhantomData<fn() -> E>,
}

/// Sampled blocks.
pub type LiveTable<'a> = Table<'a, Record>;

impl<E> Clone for Table<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Table<'_, E> {}

impl<'a, E: Entry> Table<'a, E> {
    /// A table over `buckets` (a power of two of [`BUCKET_WORDS`]), and [`window_words`] beside them.
    pub(crate) fn new(windows: Words<'a>, buckets: Words<'a>) -> Self {
        Self {
            windows,
            buckets,
            count: buckets.len() / BUCKET_WORDS,
            writers: Writers::Many,
            _entry: PhantomData,
        }
    }

    /// The same table, for a caller that knows who else writes.
    #[must_use]
    #[inline]
    pub fn written_by(self, writers: Writers) -> Self {
        Self { writers, ..self }
    }

    /// Number of objects there is room for.
    pub fn capacity(&self) -> usize {
        self.count * BUCKET_OBJECTS
    }

    /// Number of buckets: homes lie below it.
    pub fn buckets(&self) -> usize {
        self.count
    }

    fn mask(&self) -> usize {
        self.count.saturating_sub(1)
    }

    /// The bucket in which a search for a key begins.
    pub fn home(&self, address: u64) -> usize {
        E::home_of(address) as usize & self.mask()
    }

    /// How many buckets a search goes through from home on, and how many elsewhere.
    fn reach(&self) -> (usize, usize) {
        if self.count < E::NEAR + E::FAR { (self.count.min(SMALL_BUCKETS), 0) } else { (E::NEAR, E::FAR) }
    }

    /// The buckets in which a key may be, in the order of the search; none twice.
    fn path(&self, key: u64) -> impl Iterator<Item = usize> + Clone + use<E> {
        let (home, (near, far)) = (self.home(key), self.reach());
        // Everything that is not near, in as many parts as there are far buckets: one in each.
        let part = self.count.saturating_sub(near).checked_div(far).unwrap_or(0);
        let hash = key.wrapping_mul(GOLDEN);
        let hash = (hash ^ hash >> 32).wrapping_mul(GOLDEN);
        let elsewhere = (0..far).map(move |i| {
            let within = u64::from(hash.rotate_right(i as u32) as u32).wrapping_mul(part as u64) >> 32;
            home + near + i * part + within as usize
        });
        (home..home + near).chain(elsewhere)
    }

    #[inline]
    fn bucket(&self, index: usize) -> Option<Bucket<'a>> {
        let start = (index & self.mask()) * BUCKET_WORDS;
        self.buckets.get(start..)?.first_chunk().map(Bucket)
    }

    /// Asks the processor for the memory that a search for this key comes to first.
    #[inline]
    pub fn prefetch(&self, key: u64) {
        if let Some(bucket) = self.bucket(self.home(key)) {
            writers::prefetch(bucket.meta());
        }
    }

    /// Adds an object. Its address must not be in the table; a caller that cannot know removes it first.
    #[allow(clippy::inline_always)] // who writes is known where it is called, and then asked no more
    #[inline(always)]
    pub fn insert(&self, entry: &E) -> Result<(), Full> {
        if self.put(self.home(entry.key()), entry) { Ok(()) } else { self.insert_beyond_home(entry) }
    }

    #[cold]
    #[inline(never)]
    fn insert_beyond_home(self, entry: &E) -> Result<(), Full> {
        if self.path(entry.key()).skip(1).any(|bucket| self.put(bucket, entry)) {
            return Ok(());
        }
        self.unpass(entry.key(), usize::MAX);
        Err(Full)
    }

    /// Notes that a bucket's window is in use, before anything is written there.
    #[inline]
    fn note(&self, bucket: usize) {
        let window = (bucket & self.mask()) / PAGE_BUCKETS;
        let Some(word) = self.windows.get(window / u64::BITS as usize) else { return };
        let bit = 1 << (window % u64::BITS as usize);
        if word.load(Ordering::Relaxed) & bit == 0 {
            set(word, bit);
        }
    }

    /// The buckets of all windows in use.
    fn used(&self) -> impl Iterator<Item = Bucket<'a>> {
        let bits = u64::BITS as usize;
        let is_used = move |window: &usize| {
            let word = self.windows.get(window / bits);
            word.is_some_and(|word| word.load(Ordering::Relaxed) >> (window % bits) & 1 != 0)
        };
        let windows = (0..self.count.div_ceil(PAGE_BUCKETS)).filter(is_used);
        let buckets = windows.flat_map(|window| window * PAGE_BUCKETS..(window + 1) * PAGE_BUCKETS);
        buckets.take_while(|bucket| *bucket < self.count).filter_map(|bucket| self.bucket(bucket))
    }

    /// Puts an object into this bucket. If it is full, leaves a mark that the object has passed over it.
    #[allow(clippy::inline_always)] // as `insert`
    #[inline(always)]
    fn put(&self, index: usize, entry: &E) -> bool {
        let Some(bucket) = self.bucket(index) else { return false };
        self.note(index);
        for (place, key) in bucket.keys().iter().enumerate() {
            // Acquire: the payload writes below must not move before the claim.
            if key.load(Ordering::Relaxed) != EMPTY
                || !writers::exchange(key, EMPTY, BUSY, Ordering::Acquire, self.writers)
            {
                continue;
            }
            // Matched by the first version load in `read`: who sees this version sees the slot BUSY, and
            // not the object of the same address that was here before.
            writers::add(bucket.meta(), VERSION_ONE, Ordering::Release, self.writers);
            // Raised before the payload changes: matched by the fence in `read`.
            fence(Ordering::Release);
            store(bucket.payload(place), entry.words());
            // Matched by the acquire loads in `take` and `read`.
            key.store(entry.key(), Ordering::Release);
            return true;
        }
        writers::add(bucket.meta(), 1, Ordering::Relaxed, self.writers);
        false
    }

    /// Takes back the marks of an object that had passed over the first `count` buckets of its path.
    fn unpass(&self, key: u64, count: usize) {
        for bucket in self.path(key).take(count) {
            if let Some(bucket) = self.bucket(bucket) {
                writers::add(bucket.meta(), 1u64.wrapping_neg(), Ordering::Relaxed, self.writers);
            }
        }
    }

    /// A copy of the object at `address`, or `None` if it is not here. By the thread that may remove it, so that it does
    /// not change meanwhile.
    pub fn find(&self, address: u64) -> Option<E> {
        if address <= BUSY {
            return None;
        }
        for bucket in self.path(address) {
            let bucket = self.bucket(bucket)?;
            // Matched by the release store in `put`.
            let place = bucket.keys().iter().position(|key| key.load(Ordering::Acquire) == address);
            if let Some(place) = place {
                return Some(E::from_words(address, load(bucket.payload(place))));
            }
            if !bucket.was_passed() {
                return None;
            }
        }
        None
    }

    /// Removes the object at `address` and returns what was known of it, or `None` if it is not here.
    #[allow(clippy::inline_always)] // as `insert`
    #[inline(always)]
    pub fn remove(&self, address: u64) -> Option<E> {
        if address <= BUSY {
            return None;
        }
        match self.take(self.home(address), address) {
            Ok(entry) => Some(entry),
            Err(Passed(true)) => self.remove_beyond_home(address),
            Err(Passed(false)) => None,
        }
    }

    #[cold]
    #[inline(never)]
    fn remove_beyond_home(self, address: u64) -> Option<E> {
        for (distance, bucket) in self.path(address).enumerate().skip(1) {
            match self.take(bucket, address) {
                Ok(entry) => {
                    self.unpass(address, distance);
                    return Some(entry);
                }
                Err(Passed(true)) => {}
                Err(Passed(false)) => return None,
            }
        }
        None
    }

    /// Takes an object out of this bucket. If it is not there, says whether one may have passed over it.
    #[allow(clippy::inline_always)] // what it returns is larger than what it does
    #[inline(always)]
    fn take(&self, bucket: usize, address: u64) -> Result<E, Passed> {
        let Some(bucket) = self.bucket(bucket) else { return Err(Passed(false)) };
        for (place, key) in bucket.keys().iter().enumerate() {
            if key.load(Ordering::Relaxed) != address {
                continue;
            }
            // Fails only if somebody else takes the same object out at the same time (a double free). From here
            // on the slot is ours: what is read is of one life, even if the object was put back meanwhile. Acquire:
            // of that life, matched by the release store in `put`.
            if !writers::exchange(key, address, BUSY, Ordering::Acquire, self.writers) {
                return Err(Passed(false));
            }
            let entry = E::from_words(address, load(bucket.payload(place)));
            // The payload was read before the slot can be claimed again: matched by the claim in `put`.
            key.store(EMPTY, Ordering::Release);
            return Ok(entry);
        }
        Err(Passed(bucket.was_passed()))
    }

    /// Calls `visit` with a copy of every object. Objects that come or go meanwhile may be missed; no copy
    /// ever mixes two objects. Safe on any bytes.
    pub fn for_each(&self, mut visit: impl FnMut(E)) {
        for bucket in self.used() {
            (0..BUCKET_OBJECTS).filter_map(|place| read(bucket, place)).for_each(&mut visit);
        }
    }

    /// The same for the objects with this home alone. Only for entries that have no far buckets.
    pub(crate) fn for_each_from(&self, home: usize, mut visit: impl FnMut(E)) {
        for bucket in (home..home + self.reach().0).filter_map(|index| self.bucket(index)) {
            let entries = (0..BUCKET_OBJECTS).filter_map(|place| read(bucket, place));
            entries.filter(|entry: &E| self.home(entry.key()) == home).for_each(&mut visit);
            if !bucket.was_passed() {
                return;
            }
        }
    }
}

/// A copy of the object at a place, which may come or go meanwhile.
fn read<E: Entry>(bucket: Bucket<'_>, place: usize) -> Option<E> {
    let (meta, key) = (bucket.meta(), bucket.keys().get(place)?);
    for _ in 0..READ_TRIES {
        let before = meta.load(Ordering::Acquire) >> 32;
        // Matched by the release store in `put`.
        let address = key.load(Ordering::Acquire);
        if address <= BUSY {
            return None;
        }
        let words = load(bucket.payload(place));
        // The loads above are done before the checks below.
        fence(Ordering::Acquire);
        if key.load(Ordering::Relaxed) == address && meta.load(Ordering::Relaxed) >> 32 == before {
            return Some(E::from_words(address, words));
        }
    }
    None
}

#[cold]
#[inline(never)]
fn set(word: &AtomicU64, bit: u64) {
    word.fetch_or(bit, Ordering::Relaxed);
}

#[inline]
fn store(payload: Words<'_>, words: [u64; PAYLOAD_WORDS]) {
    for (to, from) in payload.iter().zip(words) {
        to.store(from, Ordering::Relaxed);
    }
}

#[inline]
fn load(payload: Words<'_>) -> [u64; PAYLOAD_WORDS] {
    core::array::from_fn(|i| payload.get(i).map_or(0, |word| word.load(Ordering::Relaxed)))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::println;
    use std::vec::Vec;

    fn words(n: usize) -> Vec<AtomicU64> {
        (0..n).map(|_| AtomicU64::new(0)).collect()
    }

    fn record(address: u64) -> Record {
        Record { address, size_bytes: address ^ 3, born_ns: address ^ 7, stack: address as u32, p: 0.25 }
    }

    #[test]
    fn holds_to_its_last_slot_and_recovers() {
        let (n, w) = (words(1), words(4 * BUCKET_WORDS));
        let table = LiveTable::new(&n, &w);
        let addresses: Vec<u64> = (1..=4 * BUCKET_OBJECTS as u64).map(|i| i * 16).collect();
        for a in &addresses {
            table.insert(&record(*a)).unwrap();
        }
        assert_eq!(table.insert(&record(4096)), Err(Full));
        for a in &addresses {
            assert_eq!(table.remove(*a), Some(record(*a)));
        }
        for meta in w.iter().step_by(BUCKET_WORDS) {
            assert_eq!(meta.load(Ordering::Relaxed) & OVERFLOW_MASK, 0, "no pass marks are left behind");
        }
    }

    #[test]
    fn absent_addresses_are_not_found() {
        let (n, w) = (words(1), words(2 * BUCKET_WORDS));
        let table = LiveTable::new(&n, &w);
        assert_eq!(table.remove(0), None);
        assert_eq!(table.remove(BUSY), None);
        assert_eq!(table.remove(64), None);
        table.insert(&record(64)).unwrap();
        assert_eq!(table.remove(80), None);
        assert!(table.remove(64).is_some());
        assert_eq!(table.remove(64), None, "a double free finds nothing");
    }

    #[test]
    fn without_memory_nothing_happens() {
        let table = LiveTable::new(&[], &[]);
        assert_eq!(table.capacity(), 0);
        assert_eq!(table.insert(&record(16)), Err(Full));
        assert_eq!(table.remove(16), None);
        table.for_each(|r| panic!("{r:?}"));
    }

    /// Goal: tables of all sizes take what their size promises whatever the heap looks like. Method: blocks as an allocator packs
    /// them, from the smallest to large ones that all begin at the same place of their page; every one finds room until the table
    /// is half full.
    #[test]
    fn holds_half_of_its_size_of_any_heap() {
        let heaps = [
            (16, 16),
            (16, 32),
            (32, 48),
            (16, 64),
            (16, 80),
            (16, 528),
            (16, 4096),
            (16, 32_768),
            (16, 135_168),
            (0, 1 << 21),
        ];
        for buckets in [1 << 12, 1 << 14, 1 << 17] {
            for (start, distance) in heaps {
                let (n, w) = (words(window_words(buckets)), words(buckets * BUCKET_WORDS));
                let table = LiveTable::new(&n, &w);
                let mut addresses = (1u64..).map(|i| 0x7F12_3456_0000 + start + i * distance);
                let taken = addresses.by_ref().take_while(|a| table.insert(&record(*a)).is_ok()).count();
                println!("{buckets} {distance}: {:.3}", taken as f64 / table.capacity() as f64);
                assert!(2 * taken >= table.capacity(), "{taken} of {} at {distance}", table.capacity());
            }
        }
    }

    proptest! {
        /// Any sequence of inserts and removes gives what a hash map gives.
        #[test]
        fn behaves_as_a_map(ops in prop::collection::vec((any::<bool>(), 1u64..60), 0..400)) {
            let (n, w) = (words(1), words(8 * BUCKET_WORDS));
            let table = LiveTable::new(&n, &w);
            let mut map = HashMap::new();
            for (insert, key) in ops {
                let address = key * 16;
                if insert && !map.contains_key(&address) {
                    if table.insert(&record(address)).is_ok() {
                        map.insert(address, record(address));
                    }
                } else {
                    prop_assert_eq!(table.find(address), map.get(&address).copied());
                    prop_assert_eq!(table.remove(address), map.remove(&address));
                }
            }
            let mut seen = HashMap::new();
            table.for_each(|r| { seen.insert(r.address, r); });
            prop_assert_eq!(&seen, &map);
            let mut by_home = Vec::new();
            for home in 0..8 {
                table.for_each_from(home, |r| by_home.push((r.address, r)));
            }
            prop_assert_eq!(by_home.len(), map.len(), "each is found from one home");
            prop_assert_eq!(by_home.into_iter().collect::<HashMap<_, _>>(), map);
        }

        /// Arbitrary bytes: reading ends, and panics never.
        #[test]
        fn survives_any_bytes(bytes in prop::collection::vec(any::<u64>(), 2 * BUCKET_WORDS), used: u64, addr: u64) {
            let w: Vec<AtomicU64> = bytes.iter().map(|w| AtomicU64::new(*w)).collect();
            let n = [AtomicU64::new(used)];
            let table = LiveTable::new(&n, &w);
            table.for_each(|_| {});
            let _ = table.remove(addr);
            let _ = table.insert(&record(addr | 16));
        }
    }
}
