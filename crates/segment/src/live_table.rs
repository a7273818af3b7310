//! Segment: the objects that are alive now. The truth about what the process holds. Two tables of this make: sampled
//! blocks ([`Record`], by address) and everything else that has a handle but no number ([`crate::Object`]).
//! In: the interposer (insert after the call that makes it, remove before the call that ends it, from any thread, also
//! from signal handlers). Out: the collector, which copies it while it changes.
//!
//! Lock-free open addressing in buckets of one cache line: a meta word and seven addresses. An object lives
//! in its home bucket or, if that was full, in one of the next, or of some elsewhere; the low half of a full bucket's meta word
//! counts the objects that passed over it, so a search ends at the first bucket nobody passed (the idea of
//! F14's overflow counts). Removal leaves no tombstone. The high half of the meta word is a version that
//! every insertion raises, by which a reader notices that a slot was reused under its eyes.
//!
//! An address is inserted by the thread that got it from malloc and removed by the thread that frees it;
//! the program itself orders the two. A double free of the program finds nothing the second time.

use crate::Words;
use crate::primitive::{Ordering, fence};
use crate::writers::{self, Writers};
use core::marker::PhantomData;

/// Objects in a bucket.
pub(crate) const BUCKET_OBJECTS: usize = 7;
/// Words of a bucket: the meta word and the addresses; one cache line.
pub(crate) const BUCKET_WORDS: usize = 1 + BUCKET_OBJECTS;
/// Words of what is known of an object beside its address.
pub const PAYLOAD_WORDS: usize = 3;
/// How many buckets an object may be away from home in a table that is too small for its entries' own reach.
const SMALL_BUCKETS: usize = 16;
/// How often a reader tries again to copy a slot that changes; then the object counts as in flux.
const READ_TRIES: usize = 8;

/// 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
/// A page of the program's memory has so many neighbouring buckets (a power of two, at most the window).
const PAGE_BUCKETS: u64 = 16;

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

    /// Neighbours in the program's memory are neighbours here: what is used together then shares pages, of which the
    /// processor remembers few. Which places a page's objects have within its buckets differs from page to page, as large
    /// blocks all begin at the same place of theirs.
    fn home_of(address: u64) -> u64 {
        let page = (address >> 12).wrapping_mul(GOLDEN) >> 32;
        let within = address >> (12 - PAGE_BUCKETS.ilog2());
        (page & !(PAGE_BUCKETS - 1)) | ((page ^ within) & (PAGE_BUCKETS - 1))
    }

    fn words(&self) -> [u64; PAYLOAD_WORDS] {
        [self.size_bytes, self.born_ns, u64::from(self.stack) << 32 | u64::from(self.p.to_bits())]
    }

    fn from_words(address: u64, [size_bytes, born_ns, packed]: [u64; PAYLOAD_WORDS]) -> Self {
        Self { address, size_bytes, born_ns, stack: (packed >> 32) as u32, p: f32::from_bits(packed as u32) }
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
    buckets: Words<'a>,
    payloads: Words<'a>,
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
    /// A table over `buckets` (a power of two of [`BUCKET_WORDS`]) and as many payloads.
    pub(crate) fn new(buckets: Words<'a>, payloads: Words<'a>) -> Self {
        Self {
            buckets,
            payloads,
            count: buckets.len() / BUCKET_WORDS,
            writers: Writers::Many,
            _entry: PhantomData,
        }
    }

    /// The same table, for a caller that knows who else writes.
    #[must_use]
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
    fn bucket(&self, index: usize) -> Option<Words<'a>> {
        let start = (index & self.mask()) * BUCKET_WORDS;
        self.buckets.get(start..start + BUCKET_WORDS)
    }

    #[inline]
    fn payload(&self, bucket: usize, slot: usize) -> Option<Words<'a>> {
        let start = ((bucket & self.mask()) * BUCKET_OBJECTS + slot) * PAYLOAD_WORDS;
        self.payloads.get(start..start + PAYLOAD_WORDS)
    }

    /// Asks the processor for the memory that a search for this key comes to first.
    #[inline]
    pub fn prefetch(&self, key: u64) {
        let home = self.home(key);
        for words in [self.bucket(home), self.payload(home, 0)] {
            if let Some(word) = words.and_then(<[_]>::first) {
                writers::prefetch(word);
            }
        }
    }

    /// Adds an object. Its address must not be in the table; a caller that cannot know removes it first.
    #[inline]
    pub fn insert(&self, entry: &E) -> Result<(), Full> {
        if self.put(self.home(entry.key()), entry) { Ok(()) } else { self.insert_beyond_home(entry) }
    }

    #[cold]
    fn insert_beyond_home(&self, entry: &E) -> Result<(), Full> {
        if self.path(entry.key()).skip(1).any(|bucket| self.put(bucket, entry)) {
            return Ok(());
        }
        self.unpass(entry.key(), usize::MAX);
        Err(Full)
    }

    /// Puts an object into this bucket. If it is full, leaves a mark that the object has passed over it.
    #[inline]
    fn put(&self, bucket: usize, entry: &E) -> bool {
        let Some((meta, slots)) = self.bucket(bucket).and_then(<[_]>::split_first) else { return false };
        for (i, slot) in slots.iter().enumerate() {
            let Some(payload) = self.payload(bucket, i) else { continue };
            // Acquire: the payload writes below must not move before the claim.
            if slot.load(Ordering::Relaxed) != EMPTY
                || !writers::exchange(slot, EMPTY, BUSY, Ordering::Acquire, self.writers)
            {
                continue;
            }
            // Matched by the first version load in `read_slot`: who sees this version sees the slot BUSY, and
            // not the object of the same address that was here before.
            writers::add(meta, VERSION_ONE, Ordering::Release, self.writers);
            // Raised before the payload changes: matched by the fence in `read_slot`.
            fence(Ordering::Release);
            store_payload(payload, entry.words());
            // Matched by the acquire loads in `take` and `read_slot`.
            slot.store(entry.key(), Ordering::Release);
            return true;
        }
        writers::add(meta, 1, Ordering::Relaxed, self.writers);
        false
    }

    /// Takes back the marks of an object that had passed over the first `count` buckets of its path.
    fn unpass(&self, key: u64, count: usize) {
        for bucket in self.path(key).take(count) {
            if let Some(meta) = self.bucket(bucket).and_then(<[_]>::first) {
                writers::add(meta, 1u64.wrapping_neg(), Ordering::Relaxed, self.writers);
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
            let (meta, slots) = self.bucket(bucket)?.split_first()?;
            // Matched by the release store in `put`.
            if let Some(i) = slots.iter().position(|slot| slot.load(Ordering::Acquire) == address) {
                return Some(E::from_words(address, load_payload(self.payload(bucket, i)?)));
            }
            if meta.load(Ordering::Relaxed) & OVERFLOW_MASK == 0 {
                return None;
            }
        }
        None
    }

    /// Removes the object at `address` and returns what was known of it, or `None` if it is not here.
    #[inline]
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
    fn remove_beyond_home(&self, address: u64) -> Option<E> {
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
        let Some((meta, slots)) = self.bucket(bucket).and_then(<[_]>::split_first) else {
            return Err(Passed(false));
        };
        for (i, slot) in slots.iter().enumerate() {
            if slot.load(Ordering::Relaxed) != address {
                continue;
            }
            let Some(payload) = self.payload(bucket, i) else { continue };
            // Fails only if somebody else takes the same object out at the same time (a double free). From here
            // on the slot is ours: what is read is of one life, even if the object was put back meanwhile. Acquire:
            // of that life, matched by the release store in `put`.
            if !writers::exchange(slot, address, BUSY, Ordering::Acquire, self.writers) {
                return Err(Passed(false));
            }
            let entry = E::from_words(address, load_payload(payload));
            // The payload was read before the slot can be claimed again: matched by the claim in `put`.
            slot.store(EMPTY, Ordering::Release);
            return Ok(entry);
        }
        Err(Passed(meta.load(Ordering::Relaxed) & OVERFLOW_MASK != 0))
    }

    /// Calls `visit` with a copy of every object. Objects that come or go meanwhile may be missed; no copy
    /// ever mixes two objects. Safe on any bytes.
    pub fn for_each(&self, mut visit: impl FnMut(E)) {
        for bucket in 0..self.count {
            for slot in 0..BUCKET_OBJECTS {
                if let Some(entry) = self.read_slot(bucket, slot) {
                    visit(entry);
                }
            }
        }
    }

    /// The same for the objects with this home alone. Only for entries that have no far buckets.
    pub(crate) fn for_each_from(&self, home: usize, mut visit: impl FnMut(E)) {
        for bucket in home..home + self.reach().0 {
            for slot in 0..BUCKET_OBJECTS {
                if let Some(entry) = self.read_slot(bucket, slot).filter(|e| self.home(e.key()) == home) {
                    visit(entry);
                }
            }
            let meta = self.bucket(bucket).and_then(<[_]>::first);
            if meta.is_none_or(|meta| meta.load(Ordering::Relaxed) & OVERFLOW_MASK == 0) {
                return;
            }
        }
    }

    fn read_slot(&self, bucket: usize, slot: usize) -> Option<E> {
        let (meta, slots) = self.bucket(bucket)?.split_first()?;
        let slot_word = slots.get(slot)?;
        for _ in 0..READ_TRIES {
            let before = meta.load(Ordering::Acquire) >> 32;
            // Matched by the release store in `put`.
            let address = slot_word.load(Ordering::Acquire);
            if address <= BUSY {
                return None;
            }
            let words = load_payload(self.payload(bucket, slot)?);
            // The loads above are done before the checks below.
            fence(Ordering::Acquire);
            if slot_word.load(Ordering::Relaxed) == address && meta.load(Ordering::Relaxed) >> 32 == before {
                return Some(E::from_words(address, words));
            }
        }
        None
    }
}

fn store_payload(payload: Words<'_>, words: [u64; PAYLOAD_WORDS]) {
    for (to, from) in payload.iter().zip(words) {
        to.store(from, Ordering::Relaxed);
    }
}

fn load_payload(payload: Words<'_>) -> [u64; PAYLOAD_WORDS] {
    core::array::from_fn(|i| payload.get(i).map_or(0, |w| w.load(Ordering::Relaxed)))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::primitive::AtomicU64;
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
        let (b, p) = (words(4 * BUCKET_WORDS), words(4 * BUCKET_OBJECTS * PAYLOAD_WORDS));
        let table = LiveTable::new(&b, &p);
        let addresses: Vec<u64> = (1..=28).map(|i| i * 16).collect();
        for a in &addresses {
            table.insert(&record(*a)).unwrap();
        }
        assert_eq!(table.insert(&record(4096)), Err(Full));
        for a in &addresses {
            assert_eq!(table.remove(*a), Some(record(*a)));
        }
        for meta in b.iter().step_by(BUCKET_WORDS) {
            assert_eq!(meta.load(Ordering::Relaxed) & OVERFLOW_MASK, 0, "no pass marks are left behind");
        }
    }

    #[test]
    fn absent_addresses_are_not_found() {
        let (b, p) = (words(2 * BUCKET_WORDS), words(2 * BUCKET_OBJECTS * PAYLOAD_WORDS));
        let table = LiveTable::new(&b, &p);
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

    /// Goal: the table takes what its size promises whatever the heap looks like. Method: blocks as an allocator packs them,
    /// from the smallest to large ones that all begin at the same place of their page; every one finds room until the table
    /// is half full.
    #[test]
    fn holds_half_of_its_size_of_any_heap() {
        const BUCKETS: usize = 1 << 12;
        for (start, distance) in
            [(16, 16), (16, 32), (32, 48), (16, 528), (16, 4096), (16, 135_168), (0, 1 << 21)]
        {
            let (b, p) = (words(BUCKETS * BUCKET_WORDS), words(BUCKETS * BUCKET_OBJECTS * PAYLOAD_WORDS));
            let table = LiveTable::new(&b, &p);
            let mut addresses = (1u64..).map(|i| 0x7F12_3456_0000 + start + i * distance);
            let taken = addresses.by_ref().take_while(|a| table.insert(&record(*a)).is_ok()).count();
            println!("{distance}: {:.3}", taken as f64 / table.capacity() as f64);
            assert!(2 * taken >= table.capacity(), "{taken} of {} at {distance}", table.capacity());
        }
    }

    proptest! {
        /// Any sequence of inserts and removes gives what a hash map gives.
        #[test]
        fn behaves_as_a_map(ops in prop::collection::vec((any::<bool>(), 1u64..60), 0..400)) {
            let (b, p) = (words(8 * BUCKET_WORDS), words(8 * BUCKET_OBJECTS * PAYLOAD_WORDS));
            let table = LiveTable::new(&b, &p);
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
        fn survives_any_bytes(bytes in prop::collection::vec(any::<u64>(), 16), addr: u64) {
            let b: Vec<AtomicU64> = bytes.iter().map(|w| AtomicU64::new(*w)).collect();
            let p = words(2 * BUCKET_OBJECTS * PAYLOAD_WORDS);
            let table = LiveTable::new(&b, &p);
            table.for_each(|_| {});
            let _ = table.remove(addr);
            let _ = table.insert(&record(addr | 16));
        }
    }
}
