//! Collect, deep looks: when to ask the kernel for every mapping of a process, and the asking. In: a process, its resident
//! memory as counted cheaply. Out: a [`MemoryReading`] now and then.
//!
//! The first look is the state that growth is measured from. After it one is due as soon as resident memory has grown by the
//! threshold; at a slow pace when it has moved at all; and rarely in any case. It rests for many times as long as a look
//! took, whatever happens.

use crate::objects;
use crate::process::ProcessReader;
use crate::residence::{Known, Mapped, residence};
use crate::resources::Pace;
use memguard_inspect::{self as inspect, Pagemap, Stat};
use memguard_model::{Class, MemoryReading, StackId};
use memguard_segment::{HeaderWord, Loss};
use std::collections::{BTreeSet, HashMap};

/// Resident memory that has not moved by this much is taken for unmoved.
const MOVED_BYTES: u64 = 256 << 10;
/// Even if nothing has moved, the kernel is asked after so many times the slow pace.
const IDLE_PACES: u64 = 15;
/// Pages whose state is asked for in one look: those of 4 GiB.
const PAGES_MAX: u64 = 1 << 20;

/// Looks at the mappings of one process, again and again.
#[derive(Debug)]
pub struct DeepLook {
    pace: Pace,
    threshold_bytes: u64,
    last: Option<Last>,
    /// Mappings that the program made and in which blocks have been seen: they stay an allocator's.
    allocators: BTreeSet<u64>,
    /// Of stacks that made mappings: whether an allocator was among the callers.
    by_allocator: HashMap<StackId, bool>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    reading: MemoryReading,
    /// Resident memory as the cheap count had it then.
    rss_bytes: u64,
    /// When the kernel was asked.
    asked_ns: u64,
    cost_ns: u64,
}

/// What is to be done at a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Nothing,
    /// Nothing has moved: what was seen holds.
    Same,
    Deep,
}

impl DeepLook {
    /// For a process of which nothing is known yet.
    pub fn new(pace: Pace, threshold_bytes: u64) -> Self {
        Self { pace, threshold_bytes, last: None, allocators: BTreeSet::new(), by_allocator: HashMap::new() }
    }

    /// Lets go of everything that was known: the process has ended.
    pub fn forget(&mut self) {
        *self = Self::new(self.pace, self.threshold_bytes);
    }

    /// One look at a living process, after [`ProcessReader::read`]. Beside it what is known at no cost: the kernel's counts,
    /// and the estimate of live bytes. `is_allocator` knows the files of allocators by name.
    pub fn look(
        &mut self,
        process: &ProcessReader,
        stat: &Stat,
        heap_bytes: f64,
        is_allocator: &dyn Fn(&str) -> bool,
    ) -> Option<MemoryReading> {
        let at_ns = inspect::monotonic_ns().saturating_sub(process.origin_ns());
        match self.due(at_ns, stat.rss_bytes) {
            Due::Nothing => None,
            Due::Same => {
                let last = self.last.as_mut()?;
                last.reading = still(last.reading, at_ns, heap_bytes);
                Some(last.reading)
            }
            Due::Deep => {
                let started_ns = inspect::thread_cpu_ns();
                let read = self.read(process, stat, is_allocator);
                let cost_ns = inspect::thread_cpu_ns().saturating_sub(started_ns);
                let reading = MemoryReading { at_ns, ..read? };
                self.last = Some(Last { reading, rss_bytes: stat.rss_bytes, asked_ns: at_ns, cost_ns });
                Some(reading)
            }
        }
    }

    fn due(&self, at_ns: u64, rss_bytes: u64) -> Due {
        let Some(last) = &self.last else { return Due::Deep };
        let since_ns = at_ns.saturating_sub(last.asked_ns);
        if since_ns < last.cost_ns.saturating_mul(self.pace.rest_share) {
            return Due::Nothing;
        }
        if rss_bytes >= last.rss_bytes.saturating_add(self.threshold_bytes) {
            return Due::Deep;
        }
        // A tenth of slack: polls are never exactly on time.
        let slow_ns = self.pace.slow_ns - self.pace.slow_ns / 10;
        let has_moved = rss_bytes.abs_diff(last.rss_bytes) >= MOVED_BYTES.min(self.threshold_bytes);
        if since_ns >= slow_ns && (has_moved || since_ns >= IDLE_PACES * slow_ns) {
            Due::Deep
        } else if at_ns.saturating_sub(last.reading.at_ns) >= slow_ns && !has_moved {
            Due::Same
        } else {
            Due::Nothing
        }
    }

    fn read(
        &mut self,
        process: &ProcessReader,
        stat: &Stat,
        is_allocator: &dyn Fn(&str) -> bool,
    ) -> Option<MemoryReading> {
        let pid = stat.identity.pid;
        let segment = process.segment();
        // What is booked now was there when the kernel lists what is.
        let booked = objects::View::copy(&segment.objects());
        let areas = inspect::areas(pid)?;
        let of = |class| booked.iter().filter(move |object| object.class == Some(class));
        let by_allocator = &mut self.by_allocator;
        let mut is_by_allocator = |stack: StackId| {
            *by_allocator.entry(stack).or_insert_with(|| process.passes_through(stack, is_allocator))
        };
        let allocators = &self.allocators;
        let mapped = |object: &memguard_segment::Object| Mapped {
            start: object.handle,
            end: object.handle.saturating_add(object.detail),
            by_allocator: allocators.contains(&object.handle) || is_by_allocator(StackId(object.stack)),
        };
        let live = process.live_samples();
        let own = segment.get(HeaderWord::OwnMemory);
        let known = Known {
            mappings: of(Class::Mapping).map(mapped).collect(),
            live: &live,
            threads: of(Class::Thread).map(|thread| thread.handle).collect(),
            session: process.session(),
            own: (own != 0).then(|| (own, own.saturating_add(segment.get(HeaderWord::OwnMemoryBytes)))),
            is_hooked: !process.is_outside(),
            is_allocator: Some(is_allocator),
        };
        let pagemap = Pagemap::of(pid);
        let mut pages_left = PAGES_MAX;
        let mut held = |start: u64, end: u64| {
            let pagemap = pagemap.as_ref()?;
            pages_left = pages_left.checked_sub(pagemap.pages(start, end))?;
            pagemap.held_bytes(start, end)
        };
        let (reading, allocators) = residence(&areas, &known, &mut held);
        let booked_starts: BTreeSet<u64> = known.mappings.iter().map(|mapped| mapped.start).collect();
        self.allocators = allocators.intersection(&booked_starts).copied().collect();
        let losses = [Loss::LiveTableFull, Loss::OperatorsUnseen].map(|loss| segment.losses().get(loss));
        let unrecorded = losses.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
        Some(MemoryReading { threads: stat.threads, unrecorded, ..reading })
    }
}

/// The same resident memory later: what has become of live blocks since has come and gone within the allocator's areas.
fn still(reading: MemoryReading, at_ns: u64, heap_bytes: f64) -> MemoryReading {
    let live_bytes = (reading.live_bytes + heap_bytes - reading.heap_bytes).max(0.0);
    let share = if reading.live_bytes > 0.0 { live_bytes / reading.live_bytes } else { 0.0 };
    let overhead_bytes = if share > 0.0 { reading.overhead_bytes * share } else { reading.overhead_bytes };
    MemoryReading { at_ns, heap_bytes, live_bytes, overhead_bytes, ..reading }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const SECOND: u64 = 1_000_000_000;

    /// After one look at 100 MiB at time zero that took this long.
    fn after(cost_ns: u64) -> DeepLook {
        let mut deep = DeepLook::new(Pace::GUARD, 64 * MIB);
        assert_eq!(deep.due(0, 100 * MIB), Due::Deep, "the first look is where growth begins");
        let reading = MemoryReading::default();
        deep.last = Some(Last { reading, rss_bytes: 100 * MIB, asked_ns: 0, cost_ns });
        deep
    }

    /// Goal: the threshold asks at once, smaller moves at the slow pace, and stillness now and then.
    #[test]
    fn growth_by_the_threshold_is_looked_at_at_once() {
        let deep = after(1000);
        assert_eq!(deep.due(SECOND / 2, 163 * MIB), Due::Nothing);
        assert_eq!(deep.due(SECOND / 2, 164 * MIB), Due::Deep);
        assert_eq!(deep.due(2 * SECOND, 101 * MIB), Due::Deep);
        assert_eq!(deep.due(2 * SECOND, 50 * MIB), Due::Deep, "what shrinks has moved too");
        assert_eq!(deep.due(2 * SECOND, 100 * MIB), Due::Same);
        assert_eq!(deep.due(30 * SECOND, 100 * MIB), Due::Deep);
    }

    /// Goal: cost is bounded, whatever grows. Method: a look that took 100 ms is followed by ten seconds of rest.
    #[test]
    fn a_dear_look_is_followed_by_rest() {
        let deep = after(SECOND / 10);
        assert_eq!(deep.due(9 * SECOND, 1000 * MIB), Due::Nothing);
        assert_eq!(deep.due(11 * SECOND, 1000 * MIB), Due::Deep);
    }

    /// Goal: blocks that come and go while resident memory stands still are not taken for held ones. Method: a wave.
    #[test]
    fn a_wave_within_what_is_held_is_followed() {
        let deep = MemoryReading {
            heap_bytes: 150.0,
            live_bytes: 100.0,
            overhead_bytes: 10.0,
            allocator_bytes: 300,
            is_hooked: true,
            ..MemoryReading::default()
        };
        let up = still(deep, 5, 200.0);
        assert_eq!((up.at_ns, up.live_bytes, up.overhead_bytes, up.free_bytes()), (5, 150.0, 15.0, 135.0));
        let down = still(up, 6, 10.0);
        assert_eq!((down.live_bytes, down.heap_bytes), (0.0, 10.0));
    }

    /// Goal: a process of this kind is looked at. Method: this one, from outside.
    #[test]
    fn this_process_is_decomposed() {
        let memory = vec![1_u8; 24 << 20];
        let stat = Stat::of_self().expect("own entry");
        let identity = stat.identity;
        let outsider = crate::Outsider { identity, parent_pid: 1, exe: std::path::Path::new("") };
        let reader = outsider.reader().expect("empty tables");
        let mut deep = DeepLook::new(Pace::AUDIT, MIB);
        let reading = deep.look(&reader, &stat, 0.0, &|_| false).expect("the first look");
        let anonymous = reading.parts().get(memguard_model::MemoryPart::Anonymous);
        assert!(anonymous >= memory.len() as f64, "{reading:?}");
        assert!((reading.parts().sum() - reading.rss_bytes as f64).abs() < 1.0);
        drop(std::hint::black_box(memory));
    }
}
