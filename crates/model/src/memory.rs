//! Model, memory: where the resident memory of a process lies, as a deep look at its mappings shows it, and how that grew.
//! In: [`MemoryReading`]s, the estimate of live bytes at every look. Out: the parts of growth, a bounded history.
//!
//! What an allocator holds is compared with the most that the program ever needed at one time, not with what it needs now:
//! a program that has freed its start-up data keeps the room for it, and that is neither a leak nor fragmentation.

use crate::history::{History, Point};

/// Where resident memory lies. All sizes are bytes in memory or swapped out, except where it says otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MemoryReading {
    /// Time of the look on the process clock, in ns.
    pub at_ns: u64,
    /// Resident memory.
    pub rss_bytes: u64,
    /// Swapped out, of all parts below.
    pub swap_bytes: u64,
    /// Resident memory that no file stands behind.
    pub anonymous_bytes: u64,
    /// In the areas from which the allocator serves blocks.
    pub allocator_bytes: u64,
    /// Of these, in the areas that it made for threads (arenas).
    pub arena_bytes: u64,
    /// How many such areas there are.
    pub arenas: u64,
    /// Of the allocator's, such as the kernel may take back at any time.
    pub lazy_free_bytes: u64,
    /// Estimate of all live blocks, touched or not.
    pub heap_bytes: f64,
    /// Estimate of the live blocks in the allocator's areas.
    pub live_bytes: f64,
    /// Estimate of what the allocator adds to them: headers, rounding.
    pub overhead_bytes: f64,
    /// Variance of `live_bytes`, in bytes squared; 0 where every allocation is recorded.
    pub live_variance: f64,
    /// Anonymous memory of which no hook knows: blocks that have a mapping of their own, and what is nobody's.
    pub unbooked_bytes: u64,
    /// Estimate of the live blocks there, as far as they were touched.
    pub large_live_bytes: f64,
    /// Variance of `large_live_bytes`.
    pub large_live_variance: f64,
    /// In anonymous mappings that the program made itself.
    pub mapping_bytes: u64,
    /// In stacks of threads.
    pub stack_bytes: u64,
    /// In the program and its libraries, their data included.
    pub module_bytes: u64,
    /// In other files that are mapped.
    pub file_bytes: u64,
    /// In memory shared with others.
    pub shared_bytes: u64,
    /// `MemGuard`'s own.
    pub own_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Whether the process has hooks, so that live bytes are known.
    pub is_hooked: bool,
    /// Allocations so far that could not be recorded: with any, live bytes are too few.
    pub unrecorded: u64,
}

/// Deviations within which anonymous memory of nobody is taken for the blocks that are estimated there.
const DEVIATIONS_SAME: f64 = 2.0;

impl MemoryReading {
    /// Held by the allocator for blocks that were freed.
    pub fn free_bytes(&self) -> f64 {
        if !self.is_hooked {
            return 0.0;
        }
        (self.allocator_bytes as f64 - self.needed_bytes()).max(0.0)
    }

    /// Of the allocator's areas, what live blocks need.
    pub fn needed_bytes(&self) -> f64 {
        self.live_bytes + self.overhead_bytes
    }

    /// Of the unbooked memory, what is blocks with a mapping of their own.
    pub fn large_blocks_bytes(&self) -> f64 {
        let unbooked = self.unbooked_bytes as f64;
        let noise = DEVIATIONS_SAME * self.large_live_variance.max(0.0).sqrt();
        if self.large_live_bytes + noise >= unbooked { unbooked } else { self.large_live_bytes }
    }

    /// Its parts, in bytes; together they are [`Self::rss_bytes`].
    pub fn parts(&self) -> MemoryParts {
        let free = self.free_bytes();
        let used = self.allocator_bytes as f64 - free;
        let overhead = match self.needed_bytes() {
            needed if needed > 0.0 => used * self.overhead_bytes / needed,
            _ => 0.0,
        };
        let large = self.large_blocks_bytes();
        let known = self.allocator_bytes
            + self.unbooked_bytes
            + self.mapping_bytes
            + self.stack_bytes
            + self.module_bytes
            + self.file_bytes
            + self.shared_bytes
            + self.own_bytes;
        let unseen = (self.rss_bytes + self.swap_bytes) as f64 - known as f64;
        let mut parts = MemoryParts::default();
        let mut set = |part: MemoryPart, bytes: f64| parts.0[part as usize] = bytes;
        if self.is_hooked {
            set(MemoryPart::Heap, used - overhead + large);
            set(MemoryPart::AllocatorOverhead, overhead);
            set(MemoryPart::AllocatorFree, free);
            set(MemoryPart::Unexplained, self.unbooked_bytes as f64 - large + unseen);
        } else {
            set(MemoryPart::Anonymous, (self.allocator_bytes + self.unbooked_bytes) as f64);
            set(MemoryPart::Unexplained, unseen);
        }
        set(MemoryPart::Mappings, self.mapping_bytes as f64);
        set(MemoryPart::Stacks, self.stack_bytes as f64);
        set(MemoryPart::Modules, self.module_bytes as f64);
        set(MemoryPart::Files, self.file_bytes as f64);
        set(MemoryPart::Shared, self.shared_bytes as f64);
        set(MemoryPart::Own, self.own_bytes as f64);
        set(MemoryPart::Swapped, -(self.swap_bytes as f64));
        parts
    }
}

macro_rules! parts {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What resident memory is made of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum MemoryPart {
            $($(#[$doc])* $name,)*
        }

        impl MemoryPart {
            /// Every part.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name in reports.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

parts! {
    /// Live blocks.
    Heap = "heap",
    /// Headers and rounding of live blocks.
    AllocatorOverhead = "allocator's headers and rounding",
    /// Kept by the allocator after blocks were freed.
    AllocatorFree = "allocator-held free memory",
    /// Heap and mappings of a process without hooks.
    Anonymous = "anonymous memory (heap and mappings)",
    /// Anonymous mappings of the program's own.
    Mappings = "mappings",
    /// Stacks of threads.
    Stacks = "thread stacks",
    /// The program and its libraries.
    Modules = "program and libraries",
    /// Other files.
    Files = "mapped files",
    /// Shared memory.
    Shared = "shared memory",
    /// The library that watches, and its tables.
    Own = "MemGuard's own",
    /// What does not count as resident any more (negative).
    Swapped = "swapped out",
    /// What came after the last deep look.
    Later = "not looked into yet",
    /// The rest.
    Unexplained = "unexplained",
}

/// Bytes of each [`MemoryPart`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MemoryParts([f64; MemoryPart::ALL.len()]);

impl MemoryParts {
    /// One part.
    pub fn get(&self, part: MemoryPart) -> f64 {
        self.0[part as usize]
    }

    /// Adds to one part.
    pub fn add(&mut self, part: MemoryPart, bytes: f64) {
        self.0[part as usize] += bytes;
    }

    /// What came on top of an earlier state.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut grown = *self;
        for (now, before) in grown.0.iter_mut().zip(earlier.0) {
            *now -= before;
        }
        grown
    }

    /// Every part that is not nothing.
    pub fn iter(&self) -> impl Iterator<Item = (MemoryPart, f64)> {
        MemoryPart::ALL.iter().map(|part| (*part, self.get(*part))).filter(|(_, bytes)| *bytes != 0.0)
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        self.0.iter().sum()
    }
}

/// A deep look, and the most that was needed since the one before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MemoryPoint {
    /// What was read.
    pub reading: MemoryReading,
    /// The most that live blocks in the allocator's areas needed since the point before, this one included.
    pub need_peak_bytes: f64,
    /// The same since the process was first watched, points that history has let go included.
    pub need_most_bytes: f64,
    /// Estimate of all bytes allocated until then, as far as hooks saw it.
    pub born_bytes: f64,
}

impl MemoryPoint {
    /// What the allocator holds and the kernel cannot take back by itself.
    pub fn held_bytes(&self) -> f64 {
        self.reading.allocator_bytes.saturating_sub(self.reading.lazy_free_bytes) as f64
    }
}

/// Part of what allocators have taken from the kernel that must have been asked of them through hooks.
const ALLOCATED_SHARE_MIN: f64 = 0.5;

impl MemoryPoint {
    /// Whether what allocators have taken since an earlier look was asked of them through hooks. A program with an allocator of
    /// its own inside takes memory in the same way, and nobody knows what of it is live.
    pub fn is_allocated_since(&self, earlier: &Self) -> bool {
        let taken = self.reading.allocator_bytes as f64 - earlier.reading.allocator_bytes as f64;
        self.born_bytes - earlier.born_bytes >= ALLOCATED_SHARE_MIN * taken
    }
}

impl Point for MemoryPoint {
    fn at_ns(&self) -> u64 {
        self.reading.at_ns
    }
    fn same_as(&self, other: &Self) -> bool {
        let same = MemoryReading { at_ns: other.reading.at_ns, ..self.reading };
        same == other.reading && self.need_peak_bytes.to_bits() == other.need_peak_bytes.to_bits()
    }
}

/// Where the memory of one process lies, over time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    history: History<MemoryPoint>,
    /// The most live bytes of the whole heap at any look since the last deep one.
    live_peak_bytes: f64,
    live_bytes: f64,
    need_most_bytes: f64,
    born_bytes: f64,
}

impl Memory {
    /// Estimates of all bytes allocated and freed so far, at a look.
    pub(crate) fn note(&mut self, born_bytes: f64, died_bytes: f64) {
        self.born_bytes = born_bytes;
        self.live_bytes = born_bytes - died_bytes;
        self.live_peak_bytes = self.live_peak_bytes.max(self.live_bytes);
    }

    pub(crate) fn absorb(&mut self, reading: &MemoryReading) {
        // Of the same moment as the reading: totals of a look are a little later than its list of live blocks.
        let above = (self.live_peak_bytes - reading.heap_bytes).max(0.0);
        let need_peak_bytes = reading.needed_bytes() + above;
        self.need_most_bytes = self.need_most_bytes.max(need_peak_bytes);
        let need_most_bytes = self.need_most_bytes;
        let born_bytes = self.born_bytes;
        self.history.push(MemoryPoint { reading: *reading, need_peak_bytes, need_most_bytes, born_bytes });
        self.live_peak_bytes = self.live_bytes;
    }

    /// The deep looks, oldest first; the first and the last are always kept.
    pub fn history(&self) -> &History<MemoryPoint> {
        &self.history
    }

    /// Parts of the growth of resident memory between the first deep look and the last.
    pub fn growth(&self) -> Option<MemoryParts> {
        let (first, last) = (self.history.points().first()?, self.history.points().last()?);
        let mut grown = last.reading.parts().since(&first.reading.parts());
        let free = grown.get(MemoryPart::AllocatorFree);
        if free > 0.0 && !last.is_allocated_since(first) {
            grown.add(MemoryPart::AllocatorFree, -free);
            grown.add(MemoryPart::Unexplained, free);
        }
        Some(grown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading() -> MemoryReading {
        MemoryReading {
            rss_bytes: 1000,
            swap_bytes: 10,
            allocator_bytes: 500,
            heap_bytes: 100.0,
            live_bytes: 200.0,
            overhead_bytes: 50.0,
            unbooked_bytes: 100,
            large_live_bytes: 60.0,
            mapping_bytes: 90,
            stack_bytes: 80,
            module_bytes: 70,
            file_bytes: 60,
            shared_bytes: 50,
            own_bytes: 40,
            is_hooked: true,
            ..MemoryReading::default()
        }
    }

    /// Goal: nothing is lost and nothing counted twice. Method: the sum, with hooks and without, with too much live.
    #[test]
    fn parts_are_the_whole() {
        let hooked = reading();
        let parts = hooked.parts();
        assert!((parts.sum() - 1000.0).abs() < 1e-9, "{parts:?}");
        assert!((parts.get(MemoryPart::AllocatorFree) - 250.0).abs() < 1e-9);
        assert!((parts.get(MemoryPart::Heap) - 260.0).abs() < 1e-9);
        assert!((parts.get(MemoryPart::Unexplained) - 60.0).abs() < 1e-9);
        for other in [
            MemoryReading { is_hooked: false, ..hooked },
            MemoryReading { live_bytes: 9000.0, large_live_bytes: 9000.0, ..hooked },
            MemoryReading { live_bytes: 0.0, overhead_bytes: 0.0, ..hooked },
        ] {
            assert!((other.parts().sum() - 1000.0).abs() < 1e-9, "{other:?}");
        }
        let noisy = MemoryReading { large_live_variance: 400.0, ..hooked };
        assert!((noisy.parts().get(MemoryPart::Heap) - 300.0).abs() < 1e-9, "two deviations are the same");
    }

    /// Goal: a peak between two deep looks counts as need. Method: live bytes rise and fall between them.
    #[test]
    fn a_peak_between_looks_is_remembered() {
        let mut memory = Memory::default();
        memory.note(100.0, 0.0);
        memory.absorb(&reading());
        memory.note(900.0, 0.0);
        memory.note(900.0, 800.0);
        memory.absorb(&MemoryReading { at_ns: 1, ..reading() });
        memory.absorb(&MemoryReading { at_ns: 2, ..reading() });
        let peaks: Vec<(f64, f64)> = memory
            .history()
            .points()
            .iter()
            .map(|point| (point.need_peak_bytes, point.need_most_bytes))
            .collect();
        assert_eq!(peaks, [(250.0, 250.0), (1050.0, 1050.0), (250.0, 1050.0)]);
    }

    /// Goal: what nobody asked hooks for is not called free. Method: an area grows, with and without allocations.
    #[test]
    fn an_allocator_that_no_hook_sees_is_unexplained() {
        let growth = |born_bytes: f64| {
            let mut memory = Memory::default();
            memory.absorb(&reading());
            memory.note(born_bytes, born_bytes);
            memory.absorb(&MemoryReading { at_ns: 1, allocator_bytes: 900, rss_bytes: 1400, ..reading() });
            memory.growth().expect("two looks")
        };
        let of = |parts: MemoryParts| {
            [MemoryPart::AllocatorFree, MemoryPart::Unexplained].map(|part| parts.get(part) as i64)
        };
        assert_eq!(of(growth(100.0)), [0, 400]);
        assert_eq!(of(growth(500.0)), [400, 0]);
    }
}
