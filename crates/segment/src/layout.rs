//! Segment: where everything lies. In: capacities. Out: word offsets, checked against overflow.

use crate::{descriptors, fates, live_table, losses, modules, ring, stacks, totals};

/// First word of every segment: `MEMGUARD` in ASCII, little endian.
pub const MAGIC: u64 = u64::from_le_bytes(*b"MEMGUARD");
/// Layout version. Any change of any layout in this crate raises it.
pub const VERSION: u64 = 7;
/// Words of the header (see [`crate::HeaderWord`]), texts included.
pub const HEADER_WORDS: usize = 256;

const PAGE_WORDS: usize = 512;

/// Where so many buckets may begin after a place: with a page, so that those of one window share a page.
const fn buckets_after(place: usize, buckets: usize) -> usize {
    let words = buckets * live_table::BUCKET_WORDS;
    place.next_multiple_of(if words < PAGE_WORDS { words } else { PAGE_WORDS })
}

/// How much of everything a segment holds. Fixed when the segment is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacities {
    /// Buckets of the live table, three objects each.
    pub live_buckets: usize,
    /// Distinct call stacks.
    pub stacks: usize,
    /// Words of the arena in which the stacks' frames lie.
    pub frames: usize,
    /// Loaded modules (program, libraries), closed ones included.
    pub modules: usize,
    /// Events in the ring.
    pub ring_slots: usize,
    /// Descriptor numbers that have an entry.
    pub descriptors: usize,
    /// Buckets of the object table, three objects each.
    pub object_buckets: usize,
}

impl Capacities {
    /// Guard mode: 49,152 sampled objects (24 GiB of heap at one sample in 512 KiB), 16,384 stacks, 65,536 descriptors,
    /// 24,576 other objects.
    pub const GUARD: Self = Self {
        live_buckets: 1 << 14,
        stacks: 1 << 14,
        frames: 1 << 18,
        modules: 512,
        ring_slots: 1 << 12,
        descriptors: 1 << 16,
        object_buckets: 1 << 13,
    };
    /// Audit mode: 1.6 million live objects, 65,536 stacks.
    pub const AUDIT: Self = Self {
        live_buckets: 1 << 19,
        stacks: 1 << 16,
        frames: 1 << 20,
        modules: 512,
        ring_slots: 1 << 16,
        descriptors: 1 << 18,
        object_buckets: 1 << 15,
    };
    /// Audit mode, the processes that the first one starts: 393,216 live objects, 16,384 stacks.
    pub const AUDIT_OTHERS: Self = Self { live_buckets: 1 << 17, ring_slots: 1 << 13, ..Self::GUARD };
    /// Largest value any capacity may have; keeps all offset arithmetic far from overflow.
    pub const MAX: usize = 1 << 28;

    /// How many capacities there are.
    pub const COUNT: usize = 7;

    /// All of them, in the order in which they are stored.
    pub const fn as_array(&self) -> [usize; Self::COUNT] {
        [
            self.live_buckets,
            self.stacks,
            self.frames,
            self.modules,
            self.ring_slots,
            self.descriptors,
            self.object_buckets,
        ]
    }

    /// The other way round.
    pub const fn from_array(stored: [usize; Self::COUNT]) -> Self {
        let [live_buckets, stacks, frames, modules, ring_slots, descriptors, object_buckets] = stored;
        Self { live_buckets, stacks, frames, modules, ring_slots, descriptors, object_buckets }
    }

    /// Whether every capacity is a power of two in range (`modules` any number up to 65,534).
    pub const fn is_valid(&self) -> bool {
        const fn ok(n: usize) -> bool {
            n.is_power_of_two() && n <= Capacities::MAX
        }
        ok(self.live_buckets)
            && ok(self.stacks)
            && ok(self.frames)
            && ok(self.ring_slots)
            && ok(self.descriptors)
            && ok(self.object_buckets)
            && self.modules > 0
            && self.modules < 0xFFFF
    }
}

/// Word offsets of the parts. A function of the capacities and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// What it was computed from.
    pub capacities: Capacities,
    pub(crate) losses: usize,
    pub(crate) fates: usize,
    pub(crate) ring_control: usize,
    pub(crate) modules: usize,
    pub(crate) stacks: usize,
    pub(crate) frames: usize,
    pub(crate) totals: usize,
    pub(crate) live_windows: usize,
    pub(crate) live_buckets: usize,
    pub(crate) ring_slots: usize,
    pub(crate) descriptors: usize,
    pub(crate) object_windows: usize,
    pub(crate) object_buckets: usize,
    /// Words of the whole segment.
    pub words: usize,
}

impl Layout {
    /// The layout for these capacities; `None` if they are not valid.
    pub const fn new(capacities: Capacities) -> Option<Self> {
        if !capacities.is_valid() {
            return None;
        }
        let c = capacities;
        let losses = HEADER_WORDS;
        let fates = losses + losses::WORDS;
        let ring_control = (fates + fates::WORDS).next_multiple_of(8);
        let modules = ring_control + ring::CONTROL_WORDS;
        let stacks = modules + c.modules * modules::MODULE_WORDS;
        let frames = stacks + stacks::CONTROL_WORDS + c.stacks * stacks::STACK_WORDS;
        let totals = frames + c.frames;
        let live_windows = totals + c.stacks * totals::TOTALS_WORDS;
        let live_buckets =
            buckets_after(live_windows + live_table::window_words(c.live_buckets), c.live_buckets);
        let ring_slots = live_buckets + c.live_buckets * live_table::BUCKET_WORDS;
        let descriptors = ring_slots + c.ring_slots * ring::SLOT_WORDS;
        let object_windows =
            descriptors + descriptors::CONTROL_WORDS + c.descriptors * descriptors::ENTRY_WORDS;
        let object_buckets =
            buckets_after(object_windows + live_table::window_words(c.object_buckets), c.object_buckets);
        let words =
            (object_buckets + c.object_buckets * live_table::BUCKET_WORDS).next_multiple_of(PAGE_WORDS);
        Some(Self {
            capacities,
            losses,
            fates,
            ring_control,
            modules,
            stacks,
            frames,
            totals,
            live_windows,
            live_buckets,
            ring_slots,
            descriptors,
            object_windows,
            object_buckets,
            words,
        })
    }

    /// Size of the segment's file in bytes.
    pub const fn bytes(&self) -> usize {
        self.words * 8
    }
}

// The budgets that docs/segment.md states. If one of these fails, the documents and VERSION change too.
const _: () = {
    assert!(HEADER_WORDS == 256);
    assert!(matches!(Layout::new(Capacities::GUARD), Some(l) if l.bytes() <= 11 << 20));
    assert!(matches!(Layout::new(Capacities::AUDIT), Some(l) if l.bytes() <= 128 << 20));
    assert!(matches!(Layout::new(Capacities::AUDIT_OTHERS), Some(l) if l.bytes() <= 26 << 20));
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn layout_of_guard_mode_is_pinned() {
        let l = Layout::new(Capacities::GUARD).unwrap();
        assert_eq!(l.bytes(), 10_498_048, "a changed layout needs a new VERSION and new figures in the docs");
    }

    #[test]
    fn odd_capacities_are_refused() {
        let mut c = Capacities::GUARD;
        c.stacks = 1000;
        assert!(Layout::new(c).is_none());
        c = Capacities::GUARD;
        c.modules = 0;
        assert!(Layout::new(c).is_none());
        c = Capacities::GUARD;
        c.frames = 1 << 40;
        assert!(Layout::new(c).is_none());
    }

    proptest! {
        /// The parts follow each other without overlap for every legal choice of capacities.
        #[test]
        fn parts_do_not_overlap(b in 0u32..20, s in 0u32..18, f in 0u32..22, m in 1usize..600, r in 0u32..18, d in 0u32..18, o in 0u32..16) {
            let c = Capacities::from_array([1 << b, 1 << s, 1 << f, m, 1 << r, 1 << d, 1 << o]);
            prop_assert_eq!(Capacities::from_array(c.as_array()), c);
            let l = Layout::new(c).unwrap();
            let ends = [
                (HEADER_WORDS, l.losses),
                (l.losses + losses::WORDS, l.fates),
                (l.fates + fates::WORDS, l.ring_control),
                (l.ring_control + ring::CONTROL_WORDS, l.modules),
                (l.modules + m * modules::MODULE_WORDS, l.stacks),
                (l.stacks + stacks::CONTROL_WORDS + c.stacks * stacks::STACK_WORDS, l.frames),
                (l.frames + c.frames, l.totals),
                (l.totals + c.stacks * totals::TOTALS_WORDS, l.live_windows),
                (l.live_windows + live_table::window_words(c.live_buckets), l.live_buckets),
                (l.live_buckets + c.live_buckets * live_table::BUCKET_WORDS, l.ring_slots),
                (l.ring_slots + c.ring_slots * ring::SLOT_WORDS, l.descriptors),
                (l.descriptors + descriptors::CONTROL_WORDS + c.descriptors * descriptors::ENTRY_WORDS, l.object_windows),
                (l.object_windows + live_table::window_words(c.object_buckets), l.object_buckets),
                (l.object_buckets + c.object_buckets * live_table::BUCKET_WORDS, l.words),
            ];
            for (end, start) in ends {
                prop_assert!(end <= start);
            }
            for (start, buckets) in [(l.live_buckets, c.live_buckets), (l.object_buckets, c.object_buckets)] {
                prop_assert_eq!(start % live_table::BUCKET_WORDS, 0, "a bucket is two cache lines that go together");
                prop_assert!(start % PAGE_WORDS == 0 || buckets * live_table::BUCKET_WORDS < PAGE_WORDS);
            }
            prop_assert_eq!(l.bytes() % 4096, 0);
        }
    }
}
