//! Simulate, programs: the objects a program allocates, and what else it holds, in virtual time.
//! In: births with lifetimes. Out: a [`Program`] to be watched.

use crate::draws::{FOREVER, exponential};
use crate::world::World;
use memguard_sampling::{Rng, inclusion_probability, next_gap_bytes};

/// One object.
#[derive(Debug, Clone, Copy)]
pub struct Birth {
    /// Birth, in seconds.
    pub at_s: f64,
    /// End, in seconds.
    pub dies_s: f64,
    /// Size asked for.
    pub size_bytes: u64,
    /// Place.
    pub site: u32,
    /// Whether the program still refers to it: a lost object is never found again, a growing container is.
    pub referenced: bool,
}

/// A sampled birth with the probability it was drawn with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drawn {
    pub birth: Birth,
    pub p: f64,
}

/// A program: its objects, what else it holds, and the share of a processor it uses, if told.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// Objects.
    pub births: Vec<Birth>,
    /// Whether `births` are all allocations, from which the countdown draws samples. Otherwise every birth is itself a
    /// sample at the configured interval, and is left out by chance while that is raised.
    pub thin: bool,
    /// What it holds beside memory.
    pub world: World,
    /// Share of one processor.
    pub cpu_share: Option<f64>,
    /// From when on the interval is so many times what is configured, in order of time.
    pub thinned: Vec<(f64, u64)>,
    /// Resident memory at some times, linear in between; unknown if there are none.
    pub resident_bytes: Vec<(f64, f64)>,
    /// When the process ends, if that is before the run does.
    pub ends_s: Option<f64>,
    /// Whether nothing leaks here, whatever its fellow processes do.
    pub innocent: bool,
    /// Further processes of the same service, each with a clock of its own.
    pub fellows: Vec<Program>,
}

impl From<World> for Program {
    fn from(world: World) -> Self {
        Self { world, ..Self::default() }
    }
}

impl Program {
    /// One object that the program refers to while it lives.
    pub fn add(&mut self, site: u32, at_s: f64, life_s: f64, size_bytes: u64) {
        self.births.push(Birth { at_s, dies_s: at_s + life_s, size_bytes, site, referenced: true });
    }

    /// Everything at a site that is never freed is lost: the program does not refer to it any more.
    #[must_use]
    pub fn lose(mut self, site: u32) -> Self {
        for birth in self.births.iter_mut().filter(|birth| birth.site == site && birth.dies_s == FOREVER) {
            birth.referenced = false;
        }
        self
    }

    /// Poisson births with a rate that may vary (by thinning), each with a lifetime.
    #[allow(clippy::too_many_arguments)] // One line per stream reads better than a builder here.
    pub fn poisson(
        &mut self,
        rng: &mut Rng,
        site: u32,
        size_bytes: u64,
        span_s: (f64, f64),
        rate_max: f64,
        rate: impl Fn(f64) -> f64,
        mut life: impl FnMut(&mut Rng, f64) -> f64,
    ) {
        let mut at = span_s.0;
        loop {
            at += exponential(rng, 1.0 / rate_max);
            if at >= span_s.1 {
                return;
            }
            if rng.next_unit() * rate_max <= rate(at) {
                let life_s = life(rng, at);
                self.add(site, at, life_s, size_bytes);
            }
        }
    }

    /// How many times the configured interval is in force at a time.
    pub(crate) fn thinned_at(&self, at_s: f64) -> u64 {
        self.thinned.iter().rev().find(|(from_s, _)| *from_s <= at_s).map_or(1, |(_, times)| *times)
    }

    /// Resident memory at a time.
    pub(crate) fn resident_at(&self, at_s: f64) -> Option<u64> {
        let after = self.resident_bytes.partition_point(|(time, _)| *time < at_s);
        let last = *self.resident_bytes.last()?;
        let to = self.resident_bytes.get(after).copied().unwrap_or(last);
        let from = after.checked_sub(1).map_or(to, |before| self.resident_bytes[before]);
        let share = if to.0 > from.0 { ((at_s - from.0) / (to.0 - from.0)).min(1.0) } else { 1.0 };
        Some((from.1 + share * (to.1 - from.1)) as u64)
    }

    /// The sampled births, in order of time.
    pub(crate) fn draw(&self, rng: &mut Rng, interval: u64) -> Vec<Drawn> {
        let mut births = self.births.clone();
        births.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        let mut gap = next_gap_bytes(rng, interval);
        // Of the interval with which the gap was drawn, as in the interposer.
        let mut drawn = interval;
        let mut samples = Vec::new();
        for birth in births {
            let now = interval * self.thinned_at(birth.at_s);
            if self.thin && gap > birth.size_bytes {
                gap -= birth.size_bytes;
                continue;
            }
            let mut p = inclusion_probability(birth.size_bytes, now);
            if self.thin {
                p = inclusion_probability(birth.size_bytes, drawn);
                (gap, drawn) = (next_gap_bytes(rng, now), now);
            } else if now > interval
                && rng.next_unit() > p / inclusion_probability(birth.size_bytes, interval)
            {
                continue;
            }
            samples.push(Drawn { birth, p });
        }
        samples
    }
}

/// Evicts as a FIFO of `capacity` does: each birth dies when `capacity` later ones have come. A share of
/// `forgotten` entries is dropped from the queue without being freed.
pub fn fifo(births: &mut [Birth], capacity: usize, forgotten: f64, rng: &mut Rng) {
    let times: Vec<f64> = births.iter().map(|birth| birth.at_s).collect();
    for (index, birth) in births.iter_mut().enumerate() {
        let evicted = times.get(index + capacity).copied().unwrap_or(FOREVER);
        let is_forgotten = rng.next_unit() < forgotten;
        birth.dies_s = if is_forgotten { FOREVER } else { evicted };
        birth.referenced = !is_forgotten;
    }
}

/// Evicts at random: each birth beyond `capacity` ends a random one.
pub fn random_replacement(births: &mut [Birth], capacity: usize, rng: &mut Rng) {
    let mut held: Vec<usize> = Vec::new();
    for index in 0..births.len() {
        if held.len() >= capacity {
            let victim = held.swap_remove((rng.next_u64() % held.len() as u64) as usize);
            births[victim].dies_s = births[index].at_s;
        }
        births[index].dies_s = FOREVER;
        held.push(index);
    }
}
