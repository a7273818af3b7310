//! Segment: what was lost, one counter per cause. Loss is data: every counter is shown in the report.
//! In: the interposer, whenever it gives up on something. Out: the collector.

use crate::Words;
use crate::primitive::Ordering;
use crate::writers::{self, Writers};

/// Words reserved for the counters.
pub(crate) const WORDS: usize = 32;

/// Why something was not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Loss {
    /// The ring was full: an event was dropped; the tables still hold the truth.
    RingFull,
    /// The live table had no room: a sampled object is not tracked.
    LiveTableFull,
    /// No room for another distinct stack: the sample is booked on the unknown stack.
    StackTableFull,
    /// No room for another stack's frames: the stack is known by number only.
    FrameArenaFull,
    /// No room for another module: its frames are absolute addresses.
    ModuleTableFull,
    /// All unwinders were in use: the sample is booked on the unknown stack.
    UnwinderBusy,
    /// The stack could not be walked to its end; what was walked is kept.
    StackIncomplete,
    /// The stack was deeper than the frame limit; the innermost frames are kept.
    StackTruncated,
    /// An object's address was given out again though no free was seen (a free that bypassed the hooks).
    FreeMissed,
    /// An allocation within our own slow path or a signal handler that interrupted it was not sampled.
    Reentered,
    /// An event's slot was taken away by the collector because its writer did not finish.
    EventAbandoned,
    /// A descriptor's number is beyond the table: the kernel knows of it, its stack is not kept.
    DescriptorTableFull,
    /// The object table had no room: a timer, thread, child, mapping or registration is not tracked.
    ObjectTableFull,
    /// A descriptor's number or an object's handle was given out again though no end was seen.
    CloseMissed,
    /// The operators new and delete are the allocator's own and nobody stands before them; counted once.
    OperatorsUnseen,
}

impl Loss {
    /// Every cause with its name in reports.
    pub const ALL: [(Self, &'static str); 15] = [
        (Self::RingFull, "ring_full"),
        (Self::LiveTableFull, "live_table_full"),
        (Self::StackTableFull, "stack_table_full"),
        (Self::FrameArenaFull, "frame_arena_full"),
        (Self::ModuleTableFull, "module_table_full"),
        (Self::UnwinderBusy, "unwinder_busy"),
        (Self::StackIncomplete, "stack_incomplete"),
        (Self::StackTruncated, "stack_truncated"),
        (Self::FreeMissed, "free_missed"),
        (Self::Reentered, "reentered"),
        (Self::EventAbandoned, "event_abandoned"),
        (Self::DescriptorTableFull, "descriptor_table_full"),
        (Self::ObjectTableFull, "object_table_full"),
        (Self::CloseMissed, "close_missed"),
        (Self::OperatorsUnseen, "operators_unseen"),
    ];
}

const _: () = assert!(Loss::ALL.len() <= WORDS);

/// No count is so high unless its word was damaged; sums of several stay far from overflow.
const COUNT_MAX: u64 = 1 << 48;

/// The counters.
#[derive(Debug, Clone, Copy)]
pub struct Losses<'a> {
    words: Words<'a>,
    writers: Writers,
}

impl<'a> Losses<'a> {
    pub(crate) fn new(words: Words<'a>) -> Self {
        Self { words, writers: Writers::Many }
    }

    /// The same counters, for a caller that knows who else writes.
    #[must_use]
    #[inline]
    pub fn written_by(self, writers: Writers) -> Self {
        Self { writers, ..self }
    }

    /// Counts one more.
    pub fn count(&self, loss: Loss) {
        if let Some(word) = self.words.get(loss as usize) {
            writers::add(word, 1, Ordering::Relaxed, self.writers);
        }
    }

    /// How many so far.
    pub fn get(&self, loss: Loss) -> u64 {
        self.words.get(loss as usize).map_or(0, |word| word.load(Ordering::Relaxed).min(COUNT_MAX))
    }
}
