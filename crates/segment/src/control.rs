//! Segment, the session's control page: what every process of a session needs to know before it has a segment,
//! and where it can leave a word if it never gets one.
//! In: written by the launcher when the session starts. Out: read by each interposer at start-up, which adds what that took.

use crate::Words;
use crate::layout::Capacities;
use crate::primitive::Ordering;

/// First word: `MGCONTRL`.
pub const MAGIC: u64 = u64::from_le_bytes(*b"MGCONTRL");
/// Words of the page.
pub const WORDS: usize = 512;
/// File name within the session directory.
pub const FILE_NAME: &str = "control";
/// File name of the segment that the launcher reserves for the session's first process.
pub const FIRST_SEGMENT_NAME: &str = "first.segment";
/// Ending of the file names of segments.
pub const SEGMENT_SUFFIX: &str = ".segment";

const VERSION: usize = 1;
const SAMPLE_INTERVAL: usize = 2;
const FIRST: usize = 3;
const OTHERS: usize = FIRST + Capacities::COUNT;
const FIRST_TAKEN: usize = OTHERS + Capacities::COUNT;
const MADE: usize = 23;
const REFUSED: usize = 24;
const STARTING_NS: usize = REFUSED + Refusal::ALL.len();

/// Bytes of segments that processes may make between two lists of the collector's. Where processes come and go faster than
/// their segments are read, or nobody reads them any more, the disk would fill up otherwise.
pub const UNREAD_BYTES_MAX: u64 = 6 << 30;

const _: () = assert!(FIRST_TAKEN < MADE && STARTING_NS < WORDS);

/// Why a process of the session has no segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Refusal {
    /// Its file could not be made (directory gone, read-only, no permission, no descriptor).
    CannotCreate,
    /// No space for it on the file system.
    NoSpace,
    /// It could not be mapped (address space or memory limit).
    CannotMap,
    /// The file size limit is below its size.
    FileSizeLimit,
    /// Another tool has replaced the allocator.
    Stranger,
    /// More processes have begun at once than the collector keeps up with.
    Crowd,
}

impl Refusal {
    /// Every cause with a description for reports.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::CannotCreate, "its file could not be created in the session directory"),
        (Self::NoSpace, "no space was left for its file"),
        (Self::CannotMap, "its memory could not be mapped"),
        (Self::FileSizeLimit, "the file size limit (ulimit -f) is too low for its file"),
        (Self::Stranger, "a sanitizer, Valgrind or another heap profiler is at work in it"),
        (Self::Crowd, "more had begun just before than the collector keeps up with"),
    ];
}

/// The session's settings for interposers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Mean bytes between samples; 0 records everything.
    pub sample_interval_bytes: u64,
    /// Capacities of the segment of the session's first process.
    pub first: Capacities,
    /// Capacities of the others' segments: there may be many of them.
    pub others: Capacities,
}

/// The control page over mapped words.
#[derive(Debug, Clone, Copy)]
pub struct Control<'a> {
    words: Words<'a>,
}

impl<'a> Control<'a> {
    /// Writes a fresh page; `None` if there are too few words.
    pub fn format(words: Words<'a>, settings: &Settings) -> Option<Self> {
        let control = Self { words: words.get(..WORDS)? };
        control.store(VERSION, crate::VERSION);
        control.store(SAMPLE_INTERVAL, settings.sample_interval_bytes);
        for (at, c) in [(FIRST, settings.first), (OTHERS, settings.others)] {
            for (i, n) in c.as_array().into_iter().enumerate() {
                control.store(at + i, n as u64);
            }
        }
        control.store(0, MAGIC);
        Some(control)
    }

    /// Recognises a control page of this version.
    pub fn open(words: Words<'a>) -> Option<Self> {
        let control = Self { words: words.get(..WORDS)? };
        (control.load(0) == MAGIC && control.load(VERSION) == crate::VERSION).then_some(control)
    }

    fn load(&self, word: usize) -> u64 {
        self.words.get(word).map_or(0, |w| w.load(Ordering::Acquire))
    }

    fn store(&self, word: usize, value: u64) {
        if let Some(w) = self.words.get(word) {
            w.store(value, Ordering::Release);
        }
    }

    /// The settings; `None` if the capacities make no sense.
    pub fn settings(&self) -> Option<Settings> {
        let capacities = |at: usize| {
            let n = |i: usize| usize::try_from(self.load(at + i)).unwrap_or(usize::MAX);
            let c = Capacities::from_array(core::array::from_fn(n));
            c.is_valid().then_some(c)
        };
        Some(Settings {
            sample_interval_bytes: self.load(SAMPLE_INTERVAL),
            first: capacities(FIRST)?,
            others: capacities(OTHERS)?,
        })
    }

    /// True for the first process that asks: the reserved segment is its own.
    pub fn take_first(&self) -> bool {
        self.words.get(FIRST_TAKEN).is_some_and(|w| w.swap(1, Ordering::AcqRel) == 0)
    }

    /// Whether some process has the reserved segment.
    pub fn first_is_taken(&self) -> bool {
        self.load(FIRST_TAKEN) != 0
    }

    /// Counts a segment of so many bytes that a process is about to make. False if there are too many that the collector has
    /// not seen yet.
    pub fn may_make(&self, segment_bytes: usize) -> bool {
        let before = self.words.get(MADE).map_or(u64::MAX, |w| w.fetch_add(1, Ordering::Relaxed));
        before.saturating_add(1).saturating_mul(segment_bytes as u64) <= UNREAD_BYTES_MAX
    }

    /// The collector is about to list the segments that there are. How many processes were about to make one since the last time;
    /// the last of them may not have done so yet.
    pub fn lists_segments(&self) -> u64 {
        self.words.get(MADE).map_or(0, |made| made.swap(0, Ordering::Relaxed))
    }

    /// Counts what our own start has taken in a process, in ns of CPU time.
    pub fn add_starting_ns(&self, took_ns: u64) {
        if let Some(w) = self.words.get(STARTING_NS) {
            w.fetch_add(took_ns, Ordering::Relaxed);
        }
    }

    /// CPU time that our own start has taken in all processes so far, in ns.
    pub fn starting_ns(&self) -> u64 {
        self.load(STARTING_NS)
    }

    /// Counts a process that goes unwatched.
    pub fn refuse(&self, refusal: Refusal) {
        if let Some(w) = self.words.get(REFUSED + refusal as usize) {
            w.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many processes go unwatched for this reason.
    pub fn refused(&self, refusal: Refusal) -> u64 {
        self.load(REFUSED + refusal as usize)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::AtomicU64;
    use std::vec::Vec;

    #[test]
    fn settings_come_back() {
        let w: Vec<AtomicU64> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
        assert!(Control::open(&w).is_none());
        let settings =
            Settings { sample_interval_bytes: 4096, first: Capacities::AUDIT, others: Capacities::GUARD };
        Control::format(&w, &settings).unwrap();
        let control = Control::open(&w).unwrap();
        assert_eq!(control.settings(), Some(settings));
        assert!(control.take_first());
        assert!(!control.take_first());
        control.refuse(Refusal::NoSpace);
        assert_eq!(control.refused(Refusal::NoSpace), 1);
        control.add_starting_ns(60_000);
        control.add_starting_ns(5);
        assert_eq!(control.starting_ns(), 60_005);
        let bytes = usize::try_from(UNREAD_BYTES_MAX / 3).unwrap();
        assert_eq!([(); 4].map(|()| control.may_make(bytes)), [true, true, true, false]);
        assert_eq!(control.lists_segments(), 4);
        assert_eq!(control.lists_segments(), 0);
        assert!(control.may_make(bytes) && control.refused(Refusal::Crowd) == 0);
    }
}
