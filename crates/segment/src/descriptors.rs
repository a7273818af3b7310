//! Segment: the descriptors that are open now, by number. Exact: every birth and death that comes through a hook.
//! In: the interposer (opened after the real call, closed before it, from any thread, also from signal handlers). Out:
//! the collector, which compares it with what the kernel lists.
//!
//! The kernel hands a number to one caller at a time, so the process itself orders birth and death of an entry. The
//! state word carries a generation that every birth raises: a reader that finds it unchanged read one life.

use crate::Words;
use crate::class::Class;
use crate::primitive::{Ordering, fence};

/// Words of an entry: state, birth, owner.
pub(crate) const ENTRY_WORDS: usize = 3;
/// Words before the table: how far it was ever used.
pub(crate) const CONTROL_WORDS: usize = 8;
const READ_TRIES: usize = 8;

const OPEN: u64 = 1;
const CLASS_SHIFT: u32 = 8;
const GENERATION_SHIFT: u32 = 16;
const GENERATION_MASK: u64 = 0xFFFF << GENERATION_SHIFT;
const STACK_SHIFT: u32 = 32;

/// One open descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// What it is; `None` only in what no interposer wrote.
    pub class: Option<Class>,
    /// Number of the stack that opened it.
    pub stack: u32,
    /// Birth on the process clock, in ns.
    pub born_ns: u64,
    /// Address of the `FILE` or `DIR` that owns it, or 0; of a timer, when it was last read, in ns on the process clock.
    pub owner: u64,
}

/// The number is beyond the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeyondTable;

/// The table. See the module's documentation.
#[derive(Debug, Clone, Copy)]
pub struct DescriptorTable<'a> {
    used: Option<&'a crate::AtomicU64>,
    entries: Words<'a>,
}

impl<'a> DescriptorTable<'a> {
    pub(crate) fn new(words: Words<'a>) -> Self {
        Self { used: words.first(), entries: words.get(CONTROL_WORDS..).unwrap_or_default() }
    }

    /// Numbers below it have an entry.
    pub fn capacity(&self) -> u32 {
        (self.entries.len() / ENTRY_WORDS) as u32
    }

    /// Numbers from here on were never used.
    pub fn extent(&self) -> u32 {
        let used = self.used.map_or(0, |used| used.load(Ordering::Relaxed));
        u32::try_from(used).unwrap_or(u32::MAX).min(self.capacity())
    }

    fn entry(&self, number: u32) -> Option<(&'a crate::AtomicU64, Words<'a>)> {
        let start = (number as usize).checked_mul(ENTRY_WORDS)?;
        let (state, rest) = self.entries.get(start..start.checked_add(ENTRY_WORDS)?)?.split_first()?;
        Some((state, rest))
    }

    /// Books a birth. What was open under the number before, by this table, comes back: it was closed unseen.
    pub fn open(&self, number: u32, descriptor: &Descriptor) -> Result<Option<Descriptor>, BeyondTable> {
        let (state, rest) = self.entry(number).ok_or(BeyondTable)?;
        let before = self.close(number);
        if let Some(used) = self.used
            && used.load(Ordering::Relaxed) <= u64::from(number)
        {
            used.fetch_max(u64::from(number) + 1, Ordering::Relaxed);
        }
        // Before the words below change: a reader of the former life sees another state. Matched by the fence in `get`.
        let generation = state.load(Ordering::Relaxed).wrapping_add(1 << GENERATION_SHIFT) & GENERATION_MASK;
        state.store(generation, Ordering::Relaxed);
        fence(Ordering::Release);
        for (to, from) in rest.iter().zip([descriptor.born_ns, descriptor.owner]) {
            to.store(from, Ordering::Relaxed);
        }
        let class = u64::from(descriptor.class.map_or(0, Class::code)) << CLASS_SHIFT;
        // Matched by the acquire loads in `get` and `close`.
        state
            .store(u64::from(descriptor.stack) << STACK_SHIFT | generation | class | OPEN, Ordering::Release);
        Ok(before)
    }

    /// Books a death; what was known of the descriptor, or `None` if it was not open here.
    pub fn close(&self, number: u32) -> Option<Descriptor> {
        let (state, rest) = self.entry(number)?;
        // Matched by the release store in `open`.
        let seen = state.load(Ordering::Acquire);
        if seen & OPEN == 0 {
            return None;
        }
        let descriptor = decode(seen, rest);
        // Fails only if the program closes the same number twice at the same time. Release: the words were read
        // before the entry can be used again.
        state.compare_exchange(seen, seen & GENERATION_MASK, Ordering::Release, Ordering::Relaxed).ok()?;
        Some(descriptor)
    }

    /// A stream or directory has taken the descriptor over: it is of that class from now on, born where it was.
    pub fn adopt(&self, number: u32, class: Class, owner: u64) {
        let Some((state, rest)) = self.entry(number) else { return };
        let seen = state.load(Ordering::Relaxed);
        if seen & OPEN == 0 {
            return;
        }
        if let Some(word) = rest.get(1) {
            word.store(owner, Ordering::Relaxed);
        }
        let adopted = seen & !(0xFF << CLASS_SHIFT) | u64::from(class.code()) << CLASS_SHIFT;
        // Lost if the descriptor was closed meanwhile; then there is nothing to adopt.
        let _ = state.compare_exchange(seen, adopted, Ordering::Release, Ordering::Relaxed);
    }

    /// A descriptor of this class, which has no owner, was used.
    pub fn used(&self, number: u32, class: Class, at_ns: u64) {
        let Some((state, rest)) = self.entry(number) else { return };
        let wanted = u64::from(class.code()) << CLASS_SHIFT | OPEN;
        if state.load(Ordering::Relaxed) & (0xFF << CLASS_SHIFT | OPEN) == wanted
            && let Some(word) = rest.get(1)
        {
            word.store(at_ns, Ordering::Relaxed);
        }
    }

    /// A copy of one entry; `None` if it is not open here (or changes all the time). Safe on any bytes.
    pub fn get(&self, number: u32) -> Option<Descriptor> {
        let (state, rest) = self.entry(number)?;
        for _ in 0..READ_TRIES {
            // Matched by the release store in `open`.
            let seen = state.load(Ordering::Acquire);
            if seen & OPEN == 0 {
                return None;
            }
            let descriptor = decode(seen, rest);
            fence(Ordering::Acquire);
            if state.load(Ordering::Relaxed) == seen {
                return Some(descriptor);
            }
        }
        None
    }
}

fn decode(state: u64, rest: Words<'_>) -> Descriptor {
    let word = |i: usize| rest.get(i).map_or(0, |w| w.load(Ordering::Relaxed));
    Descriptor {
        class: Class::from_code((state >> CLASS_SHIFT) as u8),
        stack: (state >> STACK_SHIFT) as u32,
        born_ns: word(0),
        owner: word(1),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::primitive::AtomicU64;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::vec::Vec;

    fn words(n: usize) -> Vec<AtomicU64> {
        (0..n).map(|_| AtomicU64::new(0)).collect()
    }

    fn descriptor(i: u64) -> Descriptor {
        Descriptor { class: Some(Class::Socket), stack: i as u32, born_ns: i ^ 3, owner: i ^ 5 }
    }

    #[test]
    fn numbers_beyond_the_table_are_refused() {
        let w = words(CONTROL_WORDS + 4 * ENTRY_WORDS);
        let table = DescriptorTable::new(&w);
        assert_eq!(table.capacity(), 4);
        assert_eq!(table.open(4, &descriptor(1)), Err(BeyondTable));
        assert_eq!(table.open(u32::MAX, &descriptor(1)), Err(BeyondTable));
        assert_eq!((table.close(4), table.get(u32::MAX)), (None, None));
        assert_eq!(table.extent(), 0);
    }

    #[test]
    fn a_stream_takes_a_descriptor_over() {
        let w = words(CONTROL_WORDS + 4 * ENTRY_WORDS);
        let table = DescriptorTable::new(&w);
        table.adopt(2, Class::Stream, 99);
        assert_eq!(table.get(2), None, "what is not open is not adopted");
        table.open(2, &descriptor(7)).unwrap();
        table.adopt(2, Class::Stream, 99);
        let adopted = Descriptor { class: Some(Class::Stream), owner: 99, ..descriptor(7) };
        assert_eq!(table.get(2), Some(adopted));
        assert_eq!(table.close(2), Some(adopted));
    }

    #[test]
    fn use_is_noted_of_its_class_alone() {
        let w = words(CONTROL_WORDS + 4 * ENTRY_WORDS);
        let table = DescriptorTable::new(&w);
        table.open(2, &descriptor(7)).unwrap();
        table.used(2, Class::Timerfd, 99);
        assert_eq!(table.get(2), Some(descriptor(7)));
        table.used(2, Class::Socket, 99);
        assert_eq!(table.get(2), Some(Descriptor { owner: 99, ..descriptor(7) }));
        table.used(3, Class::Socket, 99);
        table.used(4, Class::Socket, 99);
        assert_eq!(table.get(3), None);
    }

    proptest! {
        /// Any sequence of births and deaths gives what a hash map gives.
        #[test]
        fn behaves_as_a_map(ops in prop::collection::vec((any::<bool>(), 0u32..8), 0..300)) {
            let w = words(CONTROL_WORDS + 8 * ENTRY_WORDS);
            let table = DescriptorTable::new(&w);
            let mut map = HashMap::new();
            for (at, (open, number)) in ops.into_iter().enumerate() {
                if open {
                    let fresh = descriptor(at as u64);
                    prop_assert_eq!(table.open(number, &fresh), Ok(map.insert(number, fresh)));
                } else {
                    prop_assert_eq!(table.close(number), map.remove(&number));
                }
                for number in 0..8 {
                    prop_assert_eq!(table.get(number), map.get(&number).copied());
                }
                prop_assert!(map.keys().all(|number| *number < table.extent()));
            }
        }

        /// Arbitrary bytes: reading ends, and panics never.
        #[test]
        fn survives_any_bytes(bytes in prop::collection::vec(any::<u64>(), CONTROL_WORDS + 12), number: u32) {
            let w: Vec<AtomicU64> = bytes.iter().map(|w| AtomicU64::new(*w)).collect();
            let table = DescriptorTable::new(&w);
            for number in (0..table.extent()).chain([number]) {
                let _ = table.get(number);
                table.adopt(number, Class::File, 1);
                let _ = table.close(number);
                let _ = table.open(number, &descriptor(1));
            }
        }
    }
}
