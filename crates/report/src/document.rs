//! Report, the document: `memguard.report/1` as it is stored and read again.
//! In: built by `assemble`, or read from a file. Out: given to the renderers. The order of the fields is the
//! order in the file; `docs/report.schema.json` says the same in the schema language.
//!
//! Units: times are seconds since 1970 (UTC), `mb` are mebibytes (2^20 bytes), `gb` are 2^30 bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Name and version of the format.
pub const SCHEMA: &str = "memguard.report/1";

/// Everything a session found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// When this report was made, in seconds since 1970.
    pub created_at: f64,
    /// 16 hex digits that change when the findings, their places or their confidence change.
    pub stamp: String,
    /// Sum over the findings, in US dollars a month of 30 days.
    pub total_estimated_cost_usd_per_month: f64,
    /// What was watched.
    pub session: Session,
    /// Every process of the session, in the order in which they were first watched.
    pub processes: Vec<Process>,
    /// What watching cost.
    pub overhead: Overhead,
    /// Where the growth of all processes together went.
    pub memory: Memory,
    /// The findings, the costliest first.
    pub findings: Vec<ReportFinding>,
    /// What the findings cost in the next 30 days if nothing is done, in US dollars.
    #[serde(default)]
    pub total_estimated_cost_usd_next_30_days: f64,
    /// What is left out because somebody decided so.
    #[serde(default)]
    pub suppressed: Suppressed,
    /// Findings that were shown and do not hold any more, newest first.
    #[serde(default)]
    pub withdrawn: Vec<Withdrawn>,
}

/// The run that the report is about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Identifier, unique on its host.
    pub id: String,
    /// Name given by the user, or derived from the command.
    pub name: String,
    /// Command line.
    pub command: Vec<String>,
    /// Host name.
    pub host: String,
    /// Start, in seconds since 1970.
    pub started_at: f64,
    /// End, in seconds since 1970; `null` while it runs.
    pub ended_at: Option<f64>,
    /// How the command ended; `null` while it runs.
    pub exit: Option<Exit>,
}

/// How a process ended: exactly one of the two is set when it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Exit code, if it exited.
    pub code: Option<i32>,
    /// Signal number, if a signal ended it.
    pub signal: Option<i32>,
}

/// One watched process.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Process id, as the collector sees it.
    pub pid: u32,
    /// Its parent's.
    pub ppid: u32,
    /// Executable file.
    pub exe: String,
    /// Command line, cut if it is long; empty if it is not known or left out.
    #[serde(default)]
    pub command: Vec<String>,
    /// Whether it was watched from outside alone: no hooks, so no stacks and no heap.
    #[serde(default)]
    pub observed: bool,
    /// When it was first watched, in seconds since 1970.
    pub started_at: f64,
    /// When it ended, in seconds since 1970; `null` while it runs.
    pub ended_at: Option<f64>,
    /// Resident memory.
    pub rss_mb: RssMb,
    /// Where its growth went.
    #[serde(default)]
    pub memory: Memory,
    /// Open descriptors.
    #[serde(default)]
    pub descriptors: Counted,
    /// Threads.
    #[serde(default)]
    pub threads: Counted,
    /// Whether it still runs.
    #[serde(default)]
    pub fate: Fate,
    /// How it ended; `null` while it runs or when nobody could tell.
    pub exit: Option<Exit>,
    /// Events that were not recorded, by cause. Causes that did not occur may be missing.
    pub lost: BTreeMap<String, u64>,
    /// How well its call stacks could be taken.
    pub stacks: StackCounts,
    /// What it runs out of at the rate at which all its findings grow together, soonest first.
    #[serde(default)]
    pub forecast: Vec<Forecast>,
}

/// When a process runs out of something. Rates and amounts alone decide, not how sure anybody is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// What becomes scarce.
    pub resource: Resource,
    /// The limit that is reached first, as `cgroup memory limit 512 MiB`.
    pub limit: String,
    /// The limit in MiB, or in things.
    pub limit_amount: f64,
    /// What is held of it, in MiB, or in things.
    pub held_amount: f64,
    /// Growth an hour, in MiB, or in things.
    pub growth_per_hour: f64,
    /// From the last look, in seconds.
    pub time_to_limit_s: f64,
}

/// What can become scarce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resource {
    /// Memory, in MiB.
    Memory,
    /// Descriptors.
    Descriptors,
    /// Threads and processes.
    Tasks,
}

/// What became of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It runs.
    #[default]
    Running,
    /// It has ended.
    Ended,
    /// It executed another program, which goes on under its number.
    Replaced,
}

/// Resident memory of a process in MiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RssMb {
    /// When it was first watched.
    pub start: f64,
    /// Highest seen.
    pub peak: f64,
    /// Last seen.
    pub last: f64,
}

/// How many of something a process had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Highest number seen.
    pub peak: u64,
    /// Last number seen.
    pub last: u64,
    /// How many it may have; `null` where there is no limit or nobody asked.
    pub limit: Option<u64>,
}

/// Samples by how far their call stacks could be followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackCounts {
    /// Followed down to the start of the program or thread.
    pub complete: u64,
    /// Broken off on the way.
    pub truncated: u64,
    /// Not taken at all.
    pub lost: u64,
}

/// What watching cost. `null` where it was not measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Overhead {
    /// Time in hooks, in percent of the programs' own CPU time.
    pub hook_cpu_percent: Option<f64>,
    /// What processes take more to start, in percent of the programs' own CPU time: the library is loaded into each, watched ones
    /// are attached, and what belongs to it is copied by a fork.
    #[serde(default)]
    pub starting_cpu_percent: Option<f64>,
    /// CPU time of the collector, in percent of the programs' own.
    pub collector_cpu_percent: Option<f64>,
    /// Memory of collector and segments, in MiB.
    pub memory_mb: Option<f64>,
    /// Mean bytes between heap samples at the end; 1 when every allocation is recorded, 0 when none is.
    pub sample_bytes: u64,
    /// The most that this has been: more than what was configured where sampling had to be thinned.
    #[serde(default)]
    pub sample_bytes_peak: u64,
    /// What was configured; 1 when every allocation is recorded.
    #[serde(default)]
    pub sample_bytes_base: u64,
    /// Of the time in hooks, that of hooks of resources, in percent of the programs' own CPU time.
    #[serde(default)]
    pub resource_hook_cpu_percent: Option<f64>,
    /// Of the time in hooks, that of calls that were only passed on, in percent likewise: estimated from their number.
    #[serde(default)]
    pub passing_cpu_percent: Option<f64>,
    /// Share of CPU time above which sampling is thinned, in percent.
    #[serde(default)]
    pub budget_percent: Option<f64>,
}

impl Overhead {
    /// CPU time in the programs themselves, hooks and starting, in percent of all of it.
    pub fn program_cpu_percent(&self) -> Option<f64> {
        Some(self.hook_cpu_percent? + self.starting_cpu_percent.unwrap_or(0.0))
    }
}

/// Growth of resident memory, decomposed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Growth since it was first watched, in MiB.
    pub growth_mb: f64,
    /// Its parts, largest first; together they are the growth.
    pub explained: Vec<Explained>,
}

/// One part of the growth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// What it is.
    pub what: String,
    /// Its share in MiB; negative where something shrank.
    pub mb: f64,
}

/// One leak.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportFinding {
    /// 16 hex digits, stable across runs, hosts and rebuilds that move lines.
    pub id: String,
    /// Family, as in configuration.
    pub pattern: String,
    /// Kind within the family.
    pub kind: String,
    /// The application's innermost frame.
    pub location: String,
    /// Estimate of what is leaked now, in MiB.
    pub size_mb: f64,
    /// 95 % interval of `size_mb`.
    pub size_mb_interval: [f64; 2],
    /// Estimate of the objects leaked now.
    pub count: f64,
    /// One sentence: what is seen.
    pub detail: String,
    /// Probability that this is a leak, 0 to 1.
    pub confidence: f64,
    /// What to do about it.
    pub suggested_fix: String,
    /// The well-known leak that this is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// Growth in MiB an hour.
    pub growth_mb_per_hour: f64,
    /// Growth in objects an hour.
    pub growth_per_hour: f64,
    /// First look at which it was suspected, in seconds since 1970.
    pub first_seen: f64,
    /// Last look at which it held, in seconds since 1970.
    pub last_seen: f64,
    /// Process id; of several processes, the one in which it weighs most.
    pub process: u32,
    /// Every process in which it was found, `process` first. Sizes, counts and growth are of all together.
    #[serde(default)]
    pub processes: Vec<u32>,
    /// Size x confidence x price x 24 x 30, in US dollars.
    pub cost_usd_per_month: f64,
    /// The call stack with the largest share, innermost function first.
    pub stack: Vec<StackFrame>,
    /// The facts that the verdict rests on.
    pub evidence: Vec<Evidence>,
    /// What prevention did.
    pub cleanup: Cleanup,
    /// Whether the baseline knows it, and it has not become clearly worse since.
    #[serde(default)]
    pub known: bool,
    /// The suppression that is about it. Documents for people and programs leave such findings out, see [`Suppressed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed_by: Option<Suppression>,
    /// The highest confidence that it ever had in a report of this session.
    #[serde(default)]
    pub confidence_max: f64,
    /// What it costs in the next 30 days if nothing is done, in US dollars (docs/cost.md).
    #[serde(default)]
    pub cost_usd_next_30_days: f64,
    /// From the last look until its growth alone reaches `limit`, in seconds; `null` if it does not grow or nothing limits it.
    #[serde(default)]
    pub time_to_limit_s: Option<f64>,
    /// The limit that it reaches first.
    #[serde(default)]
    pub limit: Option<String>,
}

/// Findings that are left out because of suppressions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Suppressed {
    /// How many.
    pub findings: u64,
    /// The suppressions that were of use, by what they suppress.
    pub by: Vec<SuppressedBy>,
    /// Those that no finding matched, however unsure.
    pub unused: Vec<Suppression>,
    /// Those whose last day has passed.
    pub expired: Vec<ExpiredSuppression>,
}

/// A suppression.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// Its name.
    pub name: String,
    /// `file:line`.
    pub source: String,
    /// Why, where its format has a place for it.
    pub reason: Option<String>,
}

/// What a suppression has suppressed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SuppressedBy {
    /// Its name.
    pub name: String,
    /// `file:line`.
    pub source: String,
    /// Why, where its format has a place for it.
    pub reason: Option<String>,
    /// Findings.
    pub findings: u64,
    /// What they hold, in MiB.
    pub size_mb: f64,
    /// Objects that they hold.
    pub count: f64,
    /// Their ids.
    pub ids: Vec<String>,
}

/// A suppression that no longer applies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiredSuppression {
    /// Its name.
    pub name: String,
    /// `file:line`.
    pub source: String,
    /// Its last day.
    pub expires: String,
}

/// A finding that was shown and does not hold any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Withdrawn {
    /// Its id.
    pub id: String,
    /// Family.
    pub pattern: String,
    /// Kind within the family.
    pub kind: String,
    /// The application's innermost frame.
    pub location: String,
    /// The highest confidence that a report has shown.
    pub confidence_max: f64,
    /// First look at which it was suspected, in seconds since 1970.
    pub first_seen: f64,
    /// The first report that did not show it any more, in seconds since 1970.
    pub withdrawn_at: f64,
    /// Why, if it is known.
    pub why: Option<String>,
}

/// The well-known leak that a finding is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Its stable name, such as `openssl-ssl-new`.
    pub name: String,
    /// A few words.
    pub title: String,
    /// What goes wrong.
    pub explanation: String,
    /// How often it is met, and who says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prevalence: Option<Prevalence>,
}

/// How often a leak is met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prevalence {
    /// In words.
    pub text: String,
    /// Who says so.
    pub source: String,
}

/// One function on a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackFrame {
    /// Function, or `module+0x1234`.
    pub function: String,
    /// Source file as the compiler recorded it.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Base name of the module.
    pub module: String,
    /// Inlined into the next frame.
    pub inlined: bool,
    /// Whose code it is.
    pub role: FrameRole,
}

/// Whose code a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FrameRole {
    /// Hands out memory.
    Allocator,
    /// C library or language runtime, or a library that the finding's fingerprint knows.
    Runtime,
    /// The application's own.
    Application,
}

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was observed.
    pub what: String,
    /// Its value with unit.
    pub value: String,
}

/// What prevention did about a finding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleanup {
    /// Whether it is switched on for this pattern.
    pub enabled: bool,
    /// Objects given back.
    pub done: u64,
    /// Of those, restored because the program still wanted them.
    pub reverted: u64,
}
