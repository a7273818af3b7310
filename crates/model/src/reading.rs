//! Model, input side: what one look at one watched process yields.
//! In: filled by `collect` from the segment and the kernel, or by a simulation in virtual time.
//! Out: absorbed by [`crate::ProcessModel`].

/// Index of a distinct call stack within one process's stack table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackId(pub u32);

/// A place in the program's source: all stacks whose innermost application frame is the same.
/// Interned by the launcher, which knows symbols; one numbering per session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteId(pub u32);

/// A sampled allocation that has not been freed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiveSample {
    /// Address the program holds.
    pub address: u64,
    /// Size the program asked for.
    pub size_bytes: u64,
    /// Birth on the process clock (ns since the process was first watched).
    pub born_ns: u64,
    /// Probability with which an allocation of this size was sampled when it was (0 < p <= 1).
    pub inclusion_probability: f64,
    /// Where it was allocated.
    pub stack: StackId,
}

impl LiveSample {
    /// Unbiased estimate of the bytes that it stands for: of all objects, sampled or not, that were as likely to be drawn.
    pub fn estimated_bytes(&self) -> f64 {
        self.size_bytes as f64 / self.inclusion_probability.clamp(1e-12, 1.0)
    }
}

/// Number of buckets in a [`LifetimeHistogram`].
pub const LIFETIME_BUCKETS: usize = 16;

/// Completed lifetimes of sampled objects, counted in powers of four: bucket 0 holds lifetimes below
/// 4 us, bucket `i` those in `[4^i, 4^(i+1))` us, the last one everything longer (about 12 days and up).
pub type LifetimeHistogram = [u32; LIFETIME_BUCKETS];

/// Running totals of one stack since the process was first watched. Totals never decrease.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StackTotals {
    /// Which stack.
    pub stack: StackId,
    /// Sampled allocations.
    pub births: u64,
    /// Sampled allocations that were freed.
    pub deaths: u64,
    /// Unbiased estimate of all objects allocated here (sum of 1/p over births).
    pub born_count: f64,
    /// Unbiased estimate of all objects freed again (sum of 1/p over deaths).
    pub died_count: f64,
    /// Unbiased estimate of all bytes allocated here (sum of size/p over births).
    pub born_bytes: f64,
    /// Unbiased estimate of all bytes freed again (sum of size/p over deaths).
    pub died_bytes: f64,
    /// Lifetimes of the freed ones.
    pub lifetimes: LifetimeHistogram,
}

impl StackTotals {
    /// Of a stack at which nothing has happened yet.
    pub const fn none(stack: StackId) -> Self {
        Self {
            stack,
            births: 0,
            deaths: 0,
            born_count: 0.0,
            died_count: 0.0,
            born_bytes: 0.0,
            died_bytes: 0.0,
            lifetimes: [0; LIFETIME_BUCKETS],
        }
    }
}

/// One look at one process.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// Time of the look on the process clock, in ns.
    pub at_ns: u64,
    /// Totals of every stack that has allocated so far.
    pub totals: Vec<StackTotals>,
    /// Every sampled live object, or `None` if the live table was not scanned on this look.
    pub live: Option<Vec<LiveSample>>,
    /// Resident memory, if the kernel told.
    pub rss_bytes: Option<u64>,
}

impl Reading {
    /// What a look at an earlier time would have seen, as far as the tables of a process that has ended can tell: of what
    /// lives, the births are known; what has died is taken to have died evenly over the time. `None` without live samples.
    pub fn as_of(&self, at_ns: u64) -> Option<Self> {
        let share = (at_ns as f64 / self.at_ns.max(1) as f64).min(1.0);
        let part = |whole: u64| (whole as f64 * share) as u64;
        let live: Vec<LiveSample> =
            self.live.as_ref()?.iter().filter(|sample| sample.born_ns <= at_ns).copied().collect();
        let mut totals: Vec<StackTotals> = self
            .totals
            .iter()
            .map(|of| StackTotals {
                births: part(of.deaths),
                deaths: part(of.deaths),
                born_count: of.died_count * share,
                died_count: of.died_count * share,
                born_bytes: of.died_bytes * share,
                died_bytes: of.died_bytes * share,
                lifetimes: of.lifetimes.map(|n| part(u64::from(n)) as u32),
                ..*of
            })
            .collect();
        totals.sort_unstable_by_key(|totals| totals.stack);
        for sample in &live {
            let Ok(index) = totals.binary_search_by_key(&sample.stack, |totals| totals.stack) else {
                continue;
            };
            let of = &mut totals[index];
            of.births += 1;
            of.born_count += 1.0 / sample.inclusion_probability;
            of.born_bytes += sample.estimated_bytes();
        }
        totals.retain(|totals| totals.births != 0);
        Some(Self { at_ns, totals, live: Some(live), rss_bytes: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_look_knows_what_was_born_by_then() {
        let stack = StackId(3);
        let sample = |born_ns| LiveSample {
            address: born_ns,
            size_bytes: 10,
            born_ns,
            inclusion_probability: 0.5,
            stack,
        };
        let totals = StackTotals {
            stack,
            births: 14,
            deaths: 10,
            born_count: 28.0,
            died_count: 20.0,
            born_bytes: 280.0,
            died_bytes: 200.0,
            lifetimes: [10; LIFETIME_BUCKETS],
        };
        let live = [100, 200, 300, 400].map(sample).to_vec();
        let end = Reading { at_ns: 400, totals: vec![totals], live: Some(live), rss_bytes: Some(1) };
        let half = end.as_of(200).expect("there are live samples");
        assert_eq!(half.live.as_ref().map(Vec::len), Some(2));
        let of = half.totals[0];
        assert_eq!((of.births, of.deaths, of.lifetimes[0]), (7, 5, 5));
        assert!((of.born_count - 14.0).abs() < 1e-9 && (of.born_bytes - 140.0).abs() < 1e-9);
        assert_eq!(end.as_of(400).expect("the end itself").totals, end.totals);
        assert_eq!(Reading { live: None, ..end }.as_of(200), None);
    }
}
