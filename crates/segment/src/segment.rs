//! Segment: one process's shared memory as a whole. In: the words of a mapped file. Out: its parts.

use crate::descriptors::DescriptorTable;
use crate::fates::Fates;
use crate::layout::{Capacities, HEADER_WORDS, Layout, MAGIC, VERSION};
use crate::live_table::LiveTable;
use crate::losses::Losses;
use crate::modules::ModuleTable;
use crate::object::ObjectTable;
use crate::primitive::Ordering;
use crate::ring::Ring;
use crate::stacks::StackTable;
use crate::totals::TotalsTable;
use crate::writers::{self, Writers};
use crate::{Words, descriptors, fates, live_table, losses, modules, ring, stacks, text, totals};

/// The named words of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum HeaderWord {
    /// [`MAGIC`].
    Magic = 0,
    /// [`VERSION`].
    Version,
    /// See [`Capacities`].
    LiveBuckets,
    /// See [`Capacities`].
    Stacks,
    /// See [`Capacities`].
    Frames,
    /// See [`Capacities`].
    Modules,
    /// See [`Capacities`].
    RingSlots,
    /// See [`Capacities`].
    Descriptors,
    /// See [`Capacities`].
    ObjectBuckets,
    /// Life cycle, see [`State`].
    State,
    /// Process id as the process sees it.
    Pid,
    /// Its parent when the segment was attached.
    ParentPid,
    /// `CLOCK_MONOTONIC` at attachment, in ns: zero of the process clock.
    OriginMonotonicNs,
    /// `CLOCK_REALTIME` at attachment, in ns.
    OriginRealtimeNs,
    /// Mean bytes between samples; 0 records everything.
    SampleIntervalBytes,
    /// Threads that have been armed.
    Threads,
    /// Samples taken.
    Samples,
    /// Samples whose stack was walked to the thread's start.
    StacksComplete,
    /// Time spent in the sampling path of the heap, in ns.
    HookNs,
    /// Time spent in booking resources, in ns; estimated from a part of them.
    ResourceHookNs,
    /// First address of the interposer's private memory in the process.
    OwnMemory,
    /// Its length in bytes.
    OwnMemoryBytes,
    /// Calls that changed a block's size, estimated: the totals count each as a birth and a death.
    Resizes,
    /// What a hook of the heap adds to a call that it only passes on, in a loop of nothing else, in ps.
    PassingPs,
    /// Children that the process has made by copying itself.
    Forks,
    /// CPU time that attaching took, in ns.
    AttachNs,
}

/// The words that hold the capacities, in the order of [`Capacities::as_array`].
const CAPACITIES: [HeaderWord; Capacities::COUNT] = [
    HeaderWord::LiveBuckets,
    HeaderWord::Stacks,
    HeaderWord::Frames,
    HeaderWord::Modules,
    HeaderWord::RingSlots,
    HeaderWord::Descriptors,
    HeaderWord::ObjectBuckets,
];

/// Where the texts lie in the header: exe path, then command line.
const EXE: usize = 64;
const COMMAND: usize = 128;

/// Life cycle of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum State {
    /// Made, not yet in use.
    Reserved = 0,
    /// Taken by a process that is filling the header.
    Claimed = 1,
    /// In use.
    Active = 2,
    /// The process ended in order.
    Ended = 3,
}

/// Why words are not a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// Shorter than a header.
    TooShort,
    /// Zeroes where the magic is written last: it is being made, or whoever made it was killed before it was done.
    Unfinished,
    /// Not one of ours.
    Magic,
    /// Of another version, given here.
    Version(u64),
    /// Capacities that we never write.
    Capacities,
    /// Shorter than its capacities say.
    Truncated,
}

impl core::fmt::Display for Invalid {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TooShort => f.write_str("shorter than a segment's header"),
            Self::Unfinished => f.write_str("its process ended while making it"),
            Self::Magic => f.write_str("not a MemGuard segment"),
            Self::Version(v) => {
                write!(f, "written by another version of MemGuard (layout {v}, this is {VERSION})")
            }
            Self::Capacities => f.write_str("its header is damaged"),
            Self::Truncated => f.write_str("shorter than its header says"),
        }
    }
}

impl core::error::Error for Invalid {}

/// A segment over mapped words.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    words: Words<'a>,
    layout: Layout,
}

impl<'a> Segment<'a> {
    /// Makes a segment of fresh zeroed words; `None` if there are too few for the layout.
    pub fn format(words: Words<'a>, layout: &Layout) -> Option<Self> {
        let segment = Self { words: words.get(..layout.words)?, layout: *layout };
        for (word, n) in CAPACITIES.into_iter().zip(layout.capacities.as_array()) {
            segment.set(word, n as u64);
        }
        segment.set(HeaderWord::Version, VERSION);
        segment.ring().initialise();
        // Last: matched by the acquire load in `open`.
        segment.words.first()?.store(MAGIC, Ordering::Release);
        Some(segment)
    }

    /// Recognises a segment. Every word is checked before it is used.
    pub fn open(words: Words<'a>) -> Result<Self, Invalid> {
        let header = words.get(..HEADER_WORDS).ok_or(Invalid::TooShort)?;
        let word = |w: HeaderWord| header.get(w as usize).map_or(0, |w| w.load(Ordering::Acquire));
        match word(HeaderWord::Magic) {
            MAGIC => {}
            0 => return Err(Invalid::Unfinished),
            _ => return Err(Invalid::Magic),
        }
        if word(HeaderWord::Version) != VERSION {
            return Err(Invalid::Version(word(HeaderWord::Version)));
        }
        let size = |w: HeaderWord| usize::try_from(word(w)).unwrap_or(usize::MAX);
        let capacities = Capacities::from_array(CAPACITIES.map(size));
        let layout = Layout::new(capacities).ok_or(Invalid::Capacities)?;
        let words = words.get(..layout.words).ok_or(Invalid::Truncated)?;
        Ok(Self { words, layout })
    }

    /// The segment in words that [`Segment::open`] has checked against this layout before. Whatever its header says
    /// by now, no access leaves the words.
    pub fn with_layout(words: Words<'a>, layout: &Layout) -> Self {
        Self { words: words.get(..layout.words).unwrap_or(words), layout: *layout }
    }

    /// What it holds room for.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// A word of the header.
    pub fn get(&self, word: HeaderWord) -> u64 {
        self.words.get(word as usize).map_or(0, |w| w.load(Ordering::Acquire))
    }

    /// Sets a word of the header.
    pub fn set(&self, word: HeaderWord, value: u64) {
        if let Some(w) = self.words.get(word as usize) {
            w.store(value, Ordering::Release);
        }
    }

    /// Adds to a word of the header.
    pub fn add(&self, word: HeaderWord, amount: u64) {
        self.add_by(Writers::Many, word, amount);
    }

    /// The same, for a caller that knows who else writes.
    pub fn add_by(&self, writers: Writers, word: HeaderWord, amount: u64) {
        if let Some(w) = self.words.get(word as usize) {
            writers::add(w, amount, Ordering::Relaxed, writers);
        }
    }

    /// Takes a reserved segment for this process; false if another was first.
    pub fn claim(&self) -> bool {
        self.words.get(HeaderWord::State as usize).is_some_and(|w| {
            let (from, to) = (State::Reserved as u64, State::Claimed as u64);
            w.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        })
    }

    /// Life cycle; anything unknown counts as reserved.
    pub fn state(&self) -> State {
        match self.get(HeaderWord::State) {
            1 => State::Claimed,
            2 => State::Active,
            3 => State::Ended,
            _ => State::Reserved,
        }
    }

    fn part(&self, start: usize, words: usize) -> Words<'a> {
        self.words.get(start..start.saturating_add(words)).unwrap_or_default()
    }

    /// Stores the path of the program file.
    pub fn set_exe(&self, path: &[u8]) {
        text::store(self.part(EXE, COMMAND - EXE), path);
    }

    /// Copies the path of the program file out; returns its length in bytes.
    pub fn exe(&self, out: &mut [u8]) -> usize {
        text::load(self.part(EXE, COMMAND - EXE), out)
    }

    /// Stores the command line, arguments separated by NUL as in `/proc/PID/cmdline`.
    pub fn set_command(&self, command: &[u8]) {
        text::store(self.part(COMMAND, HEADER_WORDS - COMMAND), command);
    }

    /// Copies the command line out; returns its length in bytes.
    pub fn command(&self, out: &mut [u8]) -> usize {
        text::load(self.part(COMMAND, HEADER_WORDS - COMMAND), out)
    }

    /// Loss counters.
    pub fn losses(&self) -> Losses<'a> {
        Losses::new(self.part(self.layout.losses, losses::WORDS))
    }

    /// How children ended.
    pub fn fates(&self) -> Fates<'a> {
        Fates::new(self.part(self.layout.fates, fates::WORDS))
    }

    /// Modules.
    pub fn modules(&self) -> ModuleTable<'a> {
        ModuleTable::new(
            self.part(self.layout.modules, self.layout.capacities.modules * modules::MODULE_WORDS),
        )
    }

    /// Stacks; `None` never happens on a segment that was formatted or opened.
    pub fn stacks(&self) -> Option<StackTable<'a>> {
        let words = stacks::CONTROL_WORDS + self.layout.capacities.stacks * stacks::STACK_WORDS;
        StackTable::new(
            self.part(self.layout.stacks, words),
            self.part(self.layout.frames, self.layout.capacities.frames),
        )
    }

    /// Totals by stack.
    pub fn totals(&self) -> TotalsTable<'a> {
        TotalsTable::new(self.part(self.layout.totals, self.layout.capacities.stacks * totals::TOTALS_WORDS))
    }

    /// Live sampled objects.
    pub fn live(&self) -> LiveTable<'a> {
        let buckets = self.layout.capacities.live_buckets;
        LiveTable::new(
            self.part(self.layout.live_windows, live_table::window_words(buckets)),
            self.part(self.layout.live_buckets, buckets * live_table::BUCKET_WORDS),
        )
    }

    /// Open descriptors.
    pub fn descriptors(&self) -> DescriptorTable<'a> {
        let entries = self.layout.capacities.descriptors * descriptors::ENTRY_WORDS;
        DescriptorTable::new(self.part(self.layout.descriptors, descriptors::CONTROL_WORDS + entries))
    }

    /// Everything else that has a handle.
    pub fn objects(&self) -> ObjectTable<'a> {
        let buckets = self.layout.capacities.object_buckets;
        ObjectTable::new(
            self.part(self.layout.object_windows, live_table::window_words(buckets)),
            self.part(self.layout.object_buckets, buckets * live_table::BUCKET_WORDS),
        )
    }

    /// Events.
    pub fn ring(&self) -> Ring<'a> {
        Ring::new(
            self.part(self.layout.ring_control, ring::CONTROL_WORDS),
            self.part(self.layout.ring_slots, self.layout.capacities.ring_slots * ring::SLOT_WORDS),
        )
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::AtomicU64;
    use proptest::prelude::*;
    use std::vec::Vec;

    const SMALL: Capacities = Capacities {
        live_buckets: 2,
        stacks: 4,
        frames: 16,
        modules: 2,
        ring_slots: 4,
        descriptors: 4,
        object_buckets: 1,
    };

    fn words(n: usize) -> Vec<AtomicU64> {
        (0..n).map(|_| AtomicU64::new(0)).collect()
    }

    #[test]
    fn what_was_formatted_opens() {
        let layout = Layout::new(SMALL).unwrap();
        let w = words(layout.words);
        let segment = Segment::format(&w, &layout).unwrap();
        segment.set_exe(b"/bin/true");
        let opened = Segment::open(&w).unwrap();
        let mut path = [0u8; 64];
        let n = opened.exe(&mut path);
        assert_eq!(&path[..n], b"/bin/true");
        assert!(opened.claim());
        assert!(!opened.claim(), "a segment is claimed once");
    }

    #[test]
    fn each_damage_has_its_name() {
        let layout = Layout::new(SMALL).unwrap();
        let w = words(layout.words);
        assert_eq!(Segment::open(&w[..10]).unwrap_err(), Invalid::TooShort);
        assert_eq!(Segment::open(&w).unwrap_err(), Invalid::Unfinished);
        w[0].store(MAGIC + 1, Ordering::Relaxed);
        assert_eq!(Segment::open(&w).unwrap_err(), Invalid::Magic);
        let segment = Segment::format(&w, &layout).unwrap();
        assert_eq!(Segment::open(&w[..layout.words - 1]).unwrap_err(), Invalid::Truncated);
        segment.set(HeaderWord::Stacks, 3);
        assert_eq!(Segment::open(&w).unwrap_err(), Invalid::Capacities);
        segment.set(HeaderWord::Version, 99);
        assert_eq!(Segment::open(&w).unwrap_err(), Invalid::Version(99));
    }

    proptest! {
        /// Any damage to any words: every part can be read to its end without a panic.
        #[test]
        fn a_damaged_segment_is_readable(damage in prop::collection::vec((0usize..2000, any::<u64>()), 0..60)) {
            let layout = Layout::new(SMALL).unwrap();
            let w = words(layout.words);
            Segment::format(&w, &layout).unwrap();
            for (at, value) in damage {
                w[at % layout.words].store(value, Ordering::Relaxed);
            }
            if let Ok(s) = Segment::open(&w) {
                crate::segment::tests::read_everything(&s);
            }
        }
    }

    pub(crate) fn read_everything(s: &Segment<'_>) {
        s.live().for_each(|_| {});
        s.objects().for_each(|_| {});
        for number in 0..s.descriptors().extent() {
            let _ = s.descriptors().get(number);
        }
        let stacks = s.stacks().unwrap();
        for i in 0..stacks.capacity().min(1 << 12) {
            stacks.for_each_frame(i, |_| {});
            let _ = s.totals().get(i);
        }
        for i in 0..4 {
            let _ = s.modules().get(i);
        }
        for _ in 0..16 {
            if matches!(s.ring().pop(), crate::Next::Unfinished) {
                s.ring().abandon();
            }
        }
    }
}
