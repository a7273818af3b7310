//! Launcher, watch: looking through a process's memory for pointers to suspected objects. In: the objects that its verdicts
//! ask for. Out: which of them something points at, now and then.
//!
//! Costs a few tens of milliseconds per 100 MiB, on our side alone. So it is done only while something is suspected, more
//! and more rarely while the answers stay the same, and never more than its share of the time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use memguard_detect::Wanted;
use memguard_inspect::{
    FdDetail, Stat, Target, Unscanned, fd_info, posix_timers, references, thread_cpu_ns, thread_cpu_since,
};
use memguard_model::{Class, ProcessModel, SiteId, Trace};

/// How often, and how much.
#[derive(Debug, Clone, Copy)]
pub struct TracePace {
    /// Shortest time between two looks: what two agree on was not on its way meanwhile.
    gap: Duration,
    /// Longest, once the answers are known.
    gap_max: Duration,
    /// A look is followed by a rest so many times as long as it took.
    rest_times: u32,
}

impl TracePace {
    /// For production.
    pub const GUARD: Self =
        Self { gap: Duration::from_secs(3), gap_max: Duration::from_mins(10), rest_times: 200 };
    /// For tests, where people wait.
    pub const AUDIT: Self =
        Self { gap: Duration::from_millis(400), gap_max: Duration::from_secs(2), rest_times: 4 };
}

/// Looks of one set of suspects at the shortest gap; then it grows.
const SETTLED_AFTER: u32 = 4;
/// More than this is not read: a pass takes a second and more.
const READ_BYTES_MAX: u64 = 4 << 30;
/// Before it there is a rest, too, a quarter as long as one after it would be: what has grown since the last look takes longer now,
/// and the first one may come too early for a young process.
const REST_BEFORE: u32 = 4;
/// But never longer than this, or what grows fast would grow out of reach.
const REST_BEFORE_MAX: Duration = Duration::from_mins(1);
/// What a look takes for each resident byte, in ns, until one has told.
const BYTE_NS: f64 = 0.9;
/// Pause after a look that was refused for a reason that may pass.
const REFUSED_PAUSE: Duration = Duration::from_mins(10);

/// The looks of one process.
pub struct Tracer {
    pace: TracePace,
    gap: Duration,
    suspects: BTreeSet<SiteId>,
    looks: u32,
    next: Option<Instant>,
    /// When the last look was, or the process was first seen.
    last: Instant,
    byte_ns: f64,
    is_denied: bool,
    cost: Duration,
}

impl Tracer {
    pub fn new(pace: TracePace) -> Self {
        Self {
            pace,
            gap: pace.gap,
            suspects: BTreeSet::new(),
            looks: 0,
            next: None,
            last: Instant::now(),
            byte_ns: BYTE_NS,
            is_denied: false,
            cost: Duration::ZERO,
        }
    }

    /// Whether it is time for a look at so many resident bytes, should anything be wanted.
    pub fn is_due(&self, rss_bytes: u64) -> bool {
        let rest = self.expected(rss_bytes) * (self.pace.rest_times / REST_BEFORE);
        let is_rested = self.last.elapsed() >= rest.min(REST_BEFORE_MAX);
        is_rested && !self.is_denied && self.next.is_none_or(|next| Instant::now() >= next)
    }

    /// CPU time that looks have taken since this was last asked.
    pub fn take_cost(&mut self) -> Duration {
        std::mem::take(&mut self.cost)
    }

    /// Looks for the wanted objects; to be called when it is due. `is_ours` names files whose mappings are `MemGuard`'s own.
    pub fn look(
        &mut self,
        stat: &Stat,
        mut wanted: Vec<Wanted>,
        model: &ProcessModel,
        is_ours: &dyn Fn(&str) -> bool,
    ) -> Vec<(SiteId, Trace)> {
        if wanted.is_empty() {
            return Vec::new();
        }
        let started_ns = thread_cpu_ns();
        wanted.sort_unstable_by_key(|object| object.address);
        // Of two that overlap, one was missed when it was freed.
        wanted.dedup_by(|later, earlier| later.address < earlier.address + earlier.size_bytes.max(1));
        let targets: Vec<Target> =
            wanted.iter().map(|o| Target { start: o.address, bytes: o.size_bytes.max(1) }).collect();
        let pid = stat.identity.pid;
        let found = if stat.rss_bytes > READ_BYTES_MAX {
            Err(Unscanned::TooLarge)
        } else {
            references(pid, &targets, &kernel_roots(pid, model), READ_BYTES_MAX, is_ours)
        };
        let took = thread_cpu_since(started_ns);
        self.cost += took;
        self.last = Instant::now();
        if found.is_ok() {
            self.byte_ns = took.as_nanos() as f64 / stat.rss_bytes.max(1) as f64;
        }
        self.set_next(&wanted, took, found.as_ref().err());
        let found = found.map(|found| found.known).unwrap_or_default();
        let trace = |(object, is_referenced): (Wanted, bool)| {
            (object.site, Trace { born_ns: object.born_ns, address: object.address, is_referenced })
        };
        wanted.into_iter().zip(found).map(trace).collect()
    }

    /// How long a look at so many resident bytes takes.
    fn expected(&self, rss_bytes: u64) -> Duration {
        Duration::from_nanos((rss_bytes.min(READ_BYTES_MAX) as f64 * self.byte_ns) as u64)
    }

    fn set_next(&mut self, wanted: &[Wanted], took: Duration, refused: Option<&Unscanned>) {
        let suspected = wanted.iter().filter(|object| object.is_suspect);
        let suspects: BTreeSet<SiteId> = suspected.map(|object| object.site).collect();
        if suspects.is_subset(&self.suspects) {
            self.looks += 1;
        } else {
            (self.suspects, self.looks, self.gap) = (suspects, 1, self.pace.gap);
        }
        if self.looks > SETTLED_AFTER {
            self.gap = (self.gap * 2).min(self.pace.gap_max);
        }
        let pause = match refused {
            None => self.gap.max(took * self.pace.rest_times),
            Some(Unscanned::Denied) => {
                self.is_denied = true;
                return;
            }
            Some(_) => REFUSED_PAUSE,
        };
        self.next = Some(Instant::now() + pause);
    }
}

/// Pointers that the kernel keeps for the program: what it stored with epoll registrations and timers.
fn kernel_roots(pid: i32, model: &ProcessModel) -> Vec<u64> {
    let mut roots: Vec<u64> = posix_timers(pid).unwrap_or_default().iter().map(|timer| timer.value).collect();
    for place in model.resources().places().filter(|place| place.class() == Class::Epoll) {
        for instance in place.holdings() {
            let info = u32::try_from(instance.id).ok().and_then(|number| fd_info(pid, number));
            if let Some(FdDetail::Epoll { registrations }) = info.map(|info| info.detail) {
                roots.extend(registrations.iter().map(|registration| registration.data));
            }
        }
    }
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a look that would take long waits until it is a small part of the time. Method: a process that was just seen, with little
    /// memory and with much.
    #[test]
    fn what_takes_long_comes_later() {
        let tracer = Tracer::new(TracePace::GUARD);
        let expected = |bytes| tracer.expected(bytes);
        assert!(
            expected(1 << 20) < Duration::from_millis(1) && expected(1 << 30) > Duration::from_millis(100)
        );
        assert_eq!(expected(READ_BYTES_MAX), expected(READ_BYTES_MAX * 2));
        assert!(tracer.is_due(0) && !tracer.is_due(1 << 30));
    }
}
