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
