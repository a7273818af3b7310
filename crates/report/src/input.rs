//! Report, input side: the facts a report is made of.
//! In: filled by the launcher. Out: turned into a document by `assemble`. Sizes are bytes, times seconds
//! since 1970, so that every conversion happens in one place.

use std::collections::BTreeMap;

use memguard_detect::Finding;
use memguard_symbolize::Frame;

use crate::document::{Exit, Fate, Resource, StackCounts};

/// Price of memory when none is configured, in US dollars for one GiB and hour.
pub const USD_PER_GB_HOUR_DEFAULT: f64 = 0.10;

/// All of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReportInput {
    /// Now, in seconds since 1970.
    pub created_at: f64,
    /// Price of memory, in US dollars for one GiB and hour (see [`USD_PER_GB_HOUR_DEFAULT`]).
    pub usd_per_gb_hour: f64,
    /// The session.
    pub session: SessionInput,
    /// Its processes, in the order in which they were first watched.
    pub processes: Vec<ProcessInput>,
    /// What watching cost.
    pub overhead: OverheadInput,
    /// The findings in any order.
    pub findings: Vec<FindingInput>,
}

/// The session is stored as it is given.
pub type SessionInput = crate::document::Session;

/// One watched process.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProcessInput {
    /// Process id.
    pub pid: u32,
    /// Its parent's.
    pub ppid: u32,
    /// Executable file.
    pub exe: String,
    /// Command line.
    pub command: Vec<String>,
    /// Whether it had no hooks and was watched from outside alone.
    pub observed: bool,
    /// Zero of the process clock, in seconds since 1970.
    pub started_at: f64,
    /// When it ended, in seconds since 1970.
    pub ended_at: Option<f64>,
    /// Resident bytes when first watched.
    pub rss_start_bytes: u64,
    /// Highest resident bytes seen.
    pub rss_peak_bytes: u64,
    /// Last resident bytes seen.
    pub rss_last_bytes: u64,
    /// Parts of the growth of resident memory in any order; together they are the growth.
    pub memory: Vec<ExplainedInput>,
    /// Highest number of open descriptors seen.
    pub descriptors_peak: u64,
    /// Last number of open descriptors seen.
    pub descriptors_last: u64,
    /// Soft limit of descriptors.
    pub descriptors_limit: Option<u64>,
    /// Highest number of threads seen.
    pub threads_peak: u64,
    /// Last number of threads seen.
    pub threads_last: u64,
    /// Whether it still runs.
    pub fate: Fate,
    /// How it ended.
    pub exit: Option<Exit>,
    /// Lost events by cause (`memguard_segment::Loss` gives the names).
    pub lost: BTreeMap<String, u64>,
    /// Samples by how far their call stacks could be followed.
    pub stacks: StackCounts,
    /// What limits its growth, in any order.
    pub limits: Vec<LimitInput>,
}

/// One limit of a process.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitInput {
    /// Which.
    pub kind: LimitKind,
    /// The limit, in bytes or things.
    pub limit: f64,
    /// What is held of it by all whom it bounds, in bytes or things.
    pub held: f64,
    /// The same for all processes that share the limit; `None` if it is the process's own.
    pub shared: Option<String>,
}

/// What a limit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// Memory of a control group.
    CgroupMemory,
    /// Address space of a process.
    AddressSpace,
    /// Private writable memory of a process.
    Data,
    /// Memory of the machine.
    HostMemory,
    /// Descriptors of a process.
    Descriptors,
    /// Threads of all processes of a user.
    UserTasks,
    /// Threads of a control group.
    CgroupTasks,
}

impl LimitKind {
    /// What becomes scarce.
    pub const fn resource(self) -> Resource {
        match self {
            Self::CgroupMemory | Self::AddressSpace | Self::Data | Self::HostMemory => Resource::Memory,
            Self::Descriptors => Resource::Descriptors,
            Self::UserTasks | Self::CgroupTasks => Resource::Tasks,
        }
    }
}

/// What watching cost. `None`: not measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct OverheadInput {
    /// Time in hooks, in percent of the programs' own CPU time.
    pub hook_cpu_percent: Option<f64>,
    /// What processes take more to start, in percent of the programs' own CPU time: the library is loaded into each, watched ones
    /// are attached, and what belongs to it is copied by a fork.
    pub starting_cpu_percent: Option<f64>,
    /// CPU time of the collector, in percent of the programs' own.
    pub collector_cpu_percent: Option<f64>,
    /// Bytes of collector and segments.
    pub memory_bytes: Option<u64>,
    /// Mean bytes between heap samples.
    pub sample_bytes: u64,
    /// The most that this has been: more than what was configured where sampling had to be thinned.
    pub sample_bytes_peak: u64,
    /// What was configured.
    pub sample_bytes_base: u64,
    /// Of the time in hooks, that of hooks of resources, in percent of the programs' own CPU time.
    pub resource_hook_cpu_percent: Option<f64>,
    /// Of the time in hooks, that of calls that were only passed on, estimated from their number.
    pub passing_cpu_percent: Option<f64>,
    /// Share of CPU time for which sampling is thinned, in percent; `None`: it never is.
    pub budget_percent: Option<f64>,
}

/// One part of the growth.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExplainedInput {
    /// What it is, in words: `heap`, `allocator-held free memory`.
    pub what: String,
    /// Its share in bytes.
    pub bytes: f64,
}

/// A verdict with its stack.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingInput {
    /// The verdict.
    pub finding: Finding,
    /// `finding.stack`, resolved, innermost function first.
    pub stack: Vec<Frame>,
    /// Index of its process in [`ReportInput::processes`].
    pub process: usize,
}
