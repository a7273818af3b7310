//! Segment: distinct call stacks, each stored once. In: the interposer, a sample's frames. Out: a small
//! number that stands for the stack everywhere; the collector reads the frames back.
//!
//! Insert-only open addressing on a 64-bit hash. Whoever claims a slot writes the frames; others may use the
//! number at once, before the frames are there: nobody waits. Slot 0 is the unknown stack.

use crate::Words;
use crate::class::Class;
use crate::primitive::Ordering;

/// Number of the unknown stack.
pub const STACK_UNKNOWN: u32 = 0;
/// Module index of a frame that lies in no known module: the rest of the frame is an absolute address.
pub const FRAME_UNKNOWN_MODULE: u16 = 0xFFFF;
/// Words of a stack: hash and place.
pub(crate) const STACK_WORDS: usize = 2;
/// Words before the table: how much of the arena is used.
pub(crate) const CONTROL_WORDS: usize = 8;
const PROBES_MAX: usize = 64;

/// Fields of a stack's place, beside how the walk ended: class, number of frames, first word in the arena.
const CLASS_SHIFT: u32 = 8;
const COUNT_SHIFT: u32 = 16;
const START_SHIFT: u32 = 32;
/// The place is complete.
const WRITTEN: u64 = 1 << 63;
/// Makes one stack's hashes differ between classes; the heap's is the hash itself.
const CLASS_FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// How a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum StackEnd {
    /// At the function that starts the thread.
    Complete = 1,
    /// At the frame limit; the innermost frames are there.
    Truncated = 2,
    /// At something that could not be unwound.
    Incomplete = 3,
}

/// A return address, as module index and address within the module's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame(pub u64);

impl Frame {
    /// From a module index and an address in the file's own address space (48 bits are kept).
    pub const fn new(module: u16, address: u64) -> Self {
        Self((module as u64) << 48 | (address & 0xFFFF_FFFF_FFFF))
    }

    /// Index into the module table or [`FRAME_UNKNOWN_MODULE`].
    pub const fn module(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// Address in the module file's own address space; absolute if the module is unknown.
    pub const fn address(self) -> u64 {
        self.0 & 0xFFFF_FFFF_FFFF
    }
}

/// Length and end of a stored stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StackShape {
    /// Number of frames stored.
    pub frames: usize,
    /// How the walk ended; `None` if the frames are not there (yet, or the arena was full).
    pub end: Option<StackEnd>,
    /// What is made at the end of this stack; `None` if that is not written yet.
    pub class: Option<Class>,
}

/// The number was not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// What an insertion found or did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inserted {
    /// The stack's number.
    pub stack: u32,
    /// False if the arena had no room for the frames of this new stack.
    pub frames_stored: bool,
}

/// The table. See the module's documentation.
#[derive(Debug, Clone, Copy)]
pub struct StackTable<'a> {
    used: &'a crate::AtomicU64,
    slots: Words<'a>,
    arena: Words<'a>,
    /// Number of slots, a power of two; 0 where there is no memory for them.
    count: usize,
}

impl<'a> StackTable<'a> {
    pub(crate) fn new(table: Words<'a>, arena: Words<'a>) -> Option<Self> {
        let used = table.first()?;
        let slots = table.get(CONTROL_WORDS..)?;
        Some(Self { used, slots, arena, count: slots.len() / STACK_WORDS })
    }

    /// Number of slots; stack numbers are below it.
    pub fn capacity(&self) -> u32 {
        self.count as u32
    }

    /// Something that changes whenever a stack comes, to be asked before the table is looked through; `None` if the arena is full,
    /// then stacks come without it.
    pub fn fill(&self) -> Option<u64> {
        // Matched by the release in `store_frames`: the slots of all stacks that are counted are seen as taken.
        let used = self.used.load(Ordering::Acquire);
        (used < self.arena.len() as u64).then_some(used)
    }

    fn mask(&self) -> usize {
        self.count.saturating_sub(1)
    }

    fn slot(&self, index: usize) -> Option<(&'a crate::AtomicU64, &'a crate::AtomicU64)> {
        let start = (index & self.mask()) * STACK_WORDS;
        Some((self.slots.get(start)?, self.slots.get(start + 1)?))
    }

    /// Finds or makes the stack with this hash and class: what is made at one place by two doors has two stacks. `frames`
    /// is asked for each frame of a new one.
    pub fn insert(
        &self,
        hash: u64,
        class: Class,
        count: usize,
        end: StackEnd,
        frames: impl FnMut(usize) -> Frame,
    ) -> Result<Inserted, Full> {
        // 0 marks a free slot.
        let count = count.min(0xFFFF);
        let hash = (hash ^ u64::from(class.code()).wrapping_mul(CLASS_FACTOR)) | 1;
        let start = (hash >> 17) as usize;
        for probe in 0..PROBES_MAX {
            let index = (start + probe) & self.mask();
            if index == STACK_UNKNOWN as usize {
                continue;
            }
            let Some((slot, place)) = self.slot(index) else { return Err(Full) };
            let mut seen = slot.load(Ordering::Relaxed);
            if seen == 0 {
                match slot.compare_exchange(0, hash, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => {
                        let stored = self.store_frames(count, frames);
                        let (start, count, end) =
                            stored.map_or((0, 0, 0), |start| (start, count, end as u64));
                        let bits =
                            end | u64::from(class.code()) << CLASS_SHIFT | (count as u64) << COUNT_SHIFT;
                        // Matched by the acquire load in `place`.
                        place.store(bits | (start as u64) << START_SHIFT | WRITTEN, Ordering::Release);
                        let frames_stored = stored.is_some();
                        return Ok(Inserted { stack: index as u32, frames_stored });
                    }
                    Err(other) => seen = other,
                }
            }
            if seen == hash {
                return Ok(Inserted { stack: index as u32, frames_stored: true });
            }
        }
        Err(Full)
    }

    /// Stores the frames; where they begin in the arena, or `None` if it has no room.
    fn store_frames(&self, count: usize, mut frames: impl FnMut(usize) -> Frame) -> Option<usize> {
        // Looked at before it is raised and never lowered again: a writer that took its claim back could take back what
        // others have built on. So the counter ends a little beyond the arena, and cannot wrap in a lifetime.
        if self.used.load(Ordering::Relaxed) >= self.arena.len() as u64 {
            return None;
        }
        // A stack without frames counts, too. Matched by the acquire in `fill`.
        let start = self.used.fetch_add(count.max(1) as u64, Ordering::Release) as usize;
        let arena = start.checked_add(count).and_then(|stop| self.arena.get(start..stop))?;
        for (i, word) in arena.iter().enumerate() {
            word.store(frames(i).0, Ordering::Relaxed);
        }
        Some(start)
    }

    /// Whether a stack has this number.
    pub fn exists(&self, stack: u32) -> bool {
        (stack as usize) < self.count
            && self.slot(stack as usize).is_some_and(|(hash, _)| hash.load(Ordering::Relaxed) != 0)
    }

    fn place(&self, stack: u32) -> Option<(StackShape, usize)> {
        if stack as usize >= self.count {
            return None;
        }
        // Matched by the release store in `insert`.
        let place = self.slot(stack as usize)?.1.load(Ordering::Acquire);
        if place & WRITTEN == 0 {
            return Some((StackShape { frames: 0, end: None, class: None }, 0));
        }
        let end = match place & 0xFF {
            1 => Some(StackEnd::Complete),
            2 => Some(StackEnd::Truncated),
            3 => Some(StackEnd::Incomplete),
            _ => None,
        };
        let frames = if end.is_some() { (place >> COUNT_SHIFT & 0xFFFF) as usize } else { 0 };
        let class = Class::from_code((place >> CLASS_SHIFT) as u8);
        let start = (place & !WRITTEN) >> START_SHIFT;
        Some((StackShape { frames, end, class }, start as usize))
    }

    /// Length, end and class of a stack; `None` beyond the table.
    pub fn shape(&self, stack: u32) -> Option<StackShape> {
        self.place(stack).map(|(shape, _)| shape)
    }

    /// Calls `visit` with the stack's frames, innermost first. Safe on any bytes.
    pub fn for_each_frame(&self, stack: u32, visit: impl FnMut(Frame)) {
        let Some((shape, start)) = self.place(stack) else { return };
        let stop = start.saturating_add(shape.frames);
        let Some(words) = self.arena.get(start..stop) else { return };
        words.iter().map(|word| Frame(word.load(Ordering::Relaxed))).for_each(visit);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::primitive::AtomicU64;
    use std::vec::Vec;

    fn words(n: usize) -> Vec<AtomicU64> {
        (0..n).map(|_| AtomicU64::new(0)).collect()
    }

    #[test]
    fn one_stack_is_stored_once() {
        let (t, a) = (words(CONTROL_WORDS + 8 * STACK_WORDS), words(64));
        let table = StackTable::new(&t, &a).unwrap();
        let frame = |i: usize| Frame::new(2, 0x1000 + i as u64);
        let first = table.insert(0xABCD_EF01_2345, Class::Heap, 3, StackEnd::Complete, frame).unwrap();
        let again = table
            .insert(0xABCD_EF01_2345, Class::Heap, 3, StackEnd::Complete, |_| panic!("stored twice"))
            .unwrap();
        assert_eq!(first.stack, again.stack);
        assert_ne!(first.stack, STACK_UNKNOWN);
        let mut frames = Vec::new();
        table.for_each_frame(first.stack, |f| frames.push((f.module(), f.address())));
        assert_eq!(frames, [(2, 0x1000), (2, 0x1001), (2, 0x1002)]);
        assert_eq!(
            table.shape(first.stack),
            Some(StackShape { frames: 3, end: Some(StackEnd::Complete), class: Some(Class::Heap) })
        );
    }

    #[test]
    fn a_full_arena_still_gives_a_number() {
        let (t, a) = (words(CONTROL_WORDS + 8 * STACK_WORDS), words(4));
        let table = StackTable::new(&t, &a).unwrap();
        let one = table.insert(11 << 17, Class::Heap, 4, StackEnd::Complete, |_| Frame(1)).unwrap();
        let two = table.insert(12 << 17, Class::Heap, 4, StackEnd::Complete, |_| Frame(1)).unwrap();
        assert!(one.frames_stored && !two.frames_stored);
        assert_ne!(one.stack, two.stack);
        assert_eq!(table.shape(two.stack).unwrap().end, None);
    }

    #[test]
    fn a_stack_that_comes_can_be_told() {
        let (t, a) = (words(CONTROL_WORDS + 8 * STACK_WORDS), words(4));
        let table = StackTable::new(&t, &a).unwrap();
        let mut before = table.fill();
        for (hash, count) in [(11 << 17, 1), (12 << 17, 0)] {
            table.insert(hash, Class::Heap, count, StackEnd::Complete, |_| Frame(1)).unwrap();
            assert_ne!(table.fill(), before);
            before = table.fill();
            table.insert(hash, Class::Heap, count, StackEnd::Complete, |_| Frame(1)).unwrap();
            assert_eq!(table.fill(), before);
        }
        table.insert(13 << 17, Class::Heap, 2, StackEnd::Complete, |_| Frame(1)).unwrap();
        assert_eq!(table.fill(), None, "stacks come to a full arena unseen");
    }

    #[test]
    fn a_full_table_says_so() {
        let (t, a) = (words(CONTROL_WORDS + 4 * STACK_WORDS), words(64));
        let table = StackTable::new(&t, &a).unwrap();
        for i in 1..=3u64 {
            table.insert(i << 17, Class::Heap, 1, StackEnd::Complete, |_| Frame(1)).unwrap();
        }
        assert_eq!(table.insert(9 << 17, Class::Heap, 1, StackEnd::Complete, |_| Frame(1)), Err(Full));
    }

    #[test]
    fn without_memory_nothing_happens() {
        assert!(StackTable::new(&[], &[]).is_none());
        let t = words(CONTROL_WORDS);
        let table = StackTable::new(&t, &[]).unwrap();
        assert_eq!(table.insert(9 << 17, Class::Heap, 1, StackEnd::Complete, |_| Frame(1)), Err(Full));
        assert_eq!((table.capacity(), table.exists(0), table.shape(0)), (0, false, None));
    }

    #[test]
    fn any_place_word_is_survived() {
        for place in [u64::MAX, 1 | 0xFFFF << 8, 1 | 5 << 8 | u64::MAX << 24] {
            let (t, a) = (words(CONTROL_WORDS + 4 * STACK_WORDS), words(8));
            t[CONTROL_WORDS + STACK_WORDS + 1].store(place, Ordering::Relaxed);
            StackTable::new(&t, &a).unwrap().for_each_frame(1, |_| panic!("no such frames"));
        }
    }
}
