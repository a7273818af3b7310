//! Launcher, watch: one process. In: its segment, if it has hooks, and the kernel. Out: a model, verdicts, and what the report says of it.
//!
//! While it lives its segment is mapped. When it has ended and everything was read, the segment is given back, its
//! file removed, and only what the report needs is kept.

use std::cell::LazyCell;
use std::collections::{BTreeMap, HashMap};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use memguard_collect::{DeepLook, Kernel, OpenError, ProcessReader, ResourceReader};
use memguard_detect::{DetectConfig, Finding, Pattern, Verdicts};
use memguard_inspect::{Identity, Stat, monotonic_ns, processor_wait_ns};
use memguard_model::{MemoryPart, ProcessModel, Reading, ResourceReading, StackId};
use memguard_report::{Exit, ExplainedInput, Fate, ProcessInput, StackCounts};
use memguard_symbolize::{ModuleRef, is_allocator_module};

use super::Ended;
use super::costs::{Costs, CpuTime, Spent};
use super::facts::unix_time_s;
use super::governor::{Governor, Look};
use super::limits::limits;
use super::recorder::{Recorder, RecordingPlan};
use super::shown::Shown;
use super::sites::{ProcessSites, Sites};
use super::tracer::Tracer;
use crate::spawn::ProgramExit;

/// How many looks a process is judged by that was over before the first.
const REPLAYED_LOOKS: u64 = 12;

/// Limits are read again after this part of a process's age, within these bounds in ns.
const LIMITS_SHARE: u64 = 50;
const LIMITS_PAUSE_NS_MIN: u64 = 1_000_000_000;
const LIMITS_PAUSE_NS_MAX: u64 = 10_000_000_000;

/// Frames with the modules they lie in, innermost first.
pub type Frames = Vec<(ModuleRef, u64)>;

/// Processes of other PID namespaces, asked for once in a look at most: hundreds may end between two.
pub type Strangers = LazyCell<Vec<i32>>;

/// One watched process.
pub struct Watched {
    /// Its segment's file; none if it has no hooks.
    path: Option<PathBuf>,
    reader: Option<ProcessReader>,
    model: ProcessModel,
    resources: ResourceReader,
    deep: DeepLook,
    verdicts: Verdicts,
    findings: Vec<Finding>,
    sites: ProcessSites,
    /// Frames of the findings' stacks, once the segment is gone.
    kept_frames: HashMap<StackId, Frames>,
    /// How its children ended, once the segment is gone.
    kept_fates: HashMap<u32, Exit>,
    identity: Option<Identity>,
    known: bool,
    facts: ProcessInput,
    costs: Costs,
    governor: Option<Governor>,
    tracer: Option<Tracer>,
    /// Time that it waited for a processor, in ns.
    wait_ns: u64,
    /// CPU time of our looks at it, in ns, but for the first, which reads what later ones know. None before that.
    looks_ns: Option<u64>,
    /// What was shown lately.
    shown: Shown,
    recorder: Recorder,
    limits_read_ns: Option<u64>,
}

/// What reads the kernel's view of one process.
pub struct Readers {
    /// What it holds beside memory.
    pub resources: ResourceReader,
    /// Where its memory lies.
    pub deep: DeepLook,
}

impl Watched {
    pub fn open(
        path: &Path,
        verdicts: Verdicts,
        governor: Option<Governor>,
        tracer: Tracer,
        readers: Readers,
    ) -> Result<Self, OpenError> {
        let reader = ProcessReader::open(path)?;
        let tracer = Some(tracer);
        Ok(Self { path: Some(path.to_owned()), governor, tracer, ..Self::observe(reader, verdicts, readers) })
    }

    /// A process without hooks.
    pub fn observe(reader: ProcessReader, verdicts: Verdicts, readers: Readers) -> Self {
        let observed = reader.is_outside();
        Self {
            resources: readers.resources,
            deep: readers.deep,
            path: None,
            reader: Some(reader),
            model: ProcessModel::new(),
            verdicts,
            findings: Vec::new(),
            sites: ProcessSites::default(),
            kept_frames: HashMap::new(),
            kept_fates: HashMap::new(),
            identity: None,
            known: false,
            facts: ProcessInput { observed, ..ProcessInput::default() },
            costs: Costs::default(),
            governor: None,
            tracer: None,
            wait_ns: 0,
            looks_ns: None,
            shown: Shown::default(),
            recorder: Recorder::default(),
            limits_read_ns: None,
        }
    }

    /// Keeps what is taken in from now on, if there is a plan.
    #[must_use]
    pub fn recorded(self, plan: Option<RecordingPlan>) -> Self {
        Self { recorder: Recorder::new(plan), ..self }
    }

    /// What went wrong with its recording.
    pub fn recording_trouble(&self) -> Option<&str> {
        self.recorder.trouble()
    }

    /// Its number as we see it, which in another PID namespace is not the one that it knows.
    pub fn pid(&self) -> u32 {
        if let Some(identity) = self.identity {
            return identity.pid.unsigned_abs();
        }
        self.reader.as_ref().map_or(self.facts.pid, |reader| reader.pid().unsigned_abs())
    }

    /// Whether the segment was ever taken by a process.
    pub fn is_active(&self) -> bool {
        self.reader.as_ref().is_none_or(ProcessReader::is_active)
    }

    /// When it attached, on `CLOCK_MONOTONIC` in ns; 0 when it is over.
    pub fn origin_ns(&self) -> u64 {
        self.reader.as_ref().map_or(0, ProcessReader::origin_ns)
    }

    /// Whether everything is known of it.
    pub fn is_over(&self) -> bool {
        self.reader.is_none()
    }

    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    #[cfg(test)]
    pub fn set_findings(&mut self, findings: Vec<Finding>) {
        self.findings = findings;
    }

    /// What the report says of it, as of the last look.
    pub fn facts(&self) -> &ProcessInput {
        &self.facts
    }

    pub fn costs(&self) -> &Costs {
        &self.costs
    }

    /// The frames of a finding's stack.
    pub fn frames(&mut self, stack: StackId) -> Frames {
        match &self.reader {
            Some(reader) => self.sites.frames(stack, reader),
            None => self.kept_frames.get(&stack).cloned().unwrap_or_default(),
        }
    }

    /// Looks at the process. `ended`: its supervisor knows.
    pub fn look(
        &mut self,
        sites: &mut Sites,
        kernel: &mut Kernel,
        strangers: &Strangers,
        ended: Option<&Ended>,
    ) {
        if self.is_over() || !self.is_active() {
            return;
        }
        let stat = self.stat(strangers).filter(|_| ended.is_none());
        self.look_at(sites, Some(kernel), stat, ended.and_then(|ended| ended.cpu_ns));
    }

    /// The process has executed another program: reads what the old one left, for the last time.
    pub fn replaced(&mut self, sites: &mut Sites) {
        self.look_at(sites, None, None, None);
        self.facts.fate = Fate::Replaced;
        // The process goes on, and the kernel counts on.
        self.costs.cpu = CpuTime::default();
    }

    /// `cpu_ns`: CPU time in its whole life, of one that has ended.
    fn look_at(
        &mut self,
        sites: &mut Sites,
        kernel: Option<&mut Kernel>,
        stat: Option<Stat>,
        cpu_ns: Option<u64>,
    ) {
        let Some(reader) = &mut self.reader else { return };
        let is_over = stat.is_none();
        // Next to when the kernel was asked for its CPU time: reading a table, and symbols at the first look, takes long.
        let spent = Spent::of(reader);
        let mut reading = reader.read(monotonic_ns(), is_over);
        reading.rss_bytes = stat.filter(|stat| !stat.is_ending).map(|stat| stat.rss_bytes);
        let stacks = reading.totals.iter().map(|totals| totals.stack);
        self.sites.learn(stacks.chain(reading.live.iter().flatten().map(|s| s.stack)), reader, sites);
        if let Some(stat) = stat {
            account(&mut self.facts, &stat);
            // Who does not run waits for no processor, save for the time that a list of what runs is no finer than.
            if stat.cpu_ns != self.costs.cpu.own_ns || stat.state == 'R' {
                self.wait_ns = processor_wait_ns(stat.identity.pid).unwrap_or(self.wait_ns);
            }
            let interval = reader.sample_interval_bytes();
            self.model.absorb_sample_interval(reading.at_ns, interval);
            self.recorder.sample_interval(reading.at_ns, interval, reader);
            self.costs.sample_bytes_peak = self.costs.sample_bytes_peak.max(interval);
            if stat.cpu_ns != 0 {
                self.model.absorb_cpu(stat.cpu_ns + self.wait_ns);
                self.recorder.cpu(stat.cpu_ns + self.wait_ns);
            }
            if !self.known && self.facts.observed && is_older_than_us(&stat) {
                self.costs.before = CpuTime::from(&stat);
            }
            self.costs.take(CpuTime::from(&stat), &spent, &reading);
            if let Some(governor) = &mut self.governor {
                let besides_ns = self.costs.taken.hooks.passing_ns + self.looks_ns.unwrap_or(0);
                let look = Look { at_ns: reading.at_ns, cpu_ns: stat.cpu_ns, hooks: spent.hooks, besides_ns };
                let next = governor.steer(look, interval);
                if next != interval {
                    reader.set_sample_interval_bytes(next);
                }
            }
        } else if let Some(own_ns) = cpu_ns.or_else(|| zombie_cpu_ns(self.identity?)) {
            self.costs.take(CpuTime { own_ns, ..self.costs.cpu }, &spent, &reading);
        } else {
            self.costs.take_last(&spent, &reading);
        }
        if is_over && !self.known {
            self.replay(&reading, sites);
        }
        self.absorb(&reading, sites);
        self.costs.heap_last_bytes = reading.totals.iter().map(|t| t.born_bytes - t.died_bytes).sum();
        if let (Some(stat), Some(kernel)) = (stat.filter(|stat| !stat.is_ending), kernel) {
            self.look_at_memory(&stat);
            self.look_at_resources(sites, kernel, &stat);
        }
        self.judge(sites);
        if is_over {
            self.findings.extend(self.shown.given_back_at_end(&self.findings, &self.model));
        } else {
            self.shown.add(reading.at_ns, &self.findings);
        }
        if let Some(stat) = stat {
            self.trace(&stat, reading.at_ns);
            self.look_at_limits(&stat, reading.at_ns);
        }
        self.facts.memory = self.growth();
        if !self.known {
            self.costs.heap_start_bytes = self.costs.heap_last_bytes;
            self.known = true;
        }
        if is_over {
            self.retire();
        }
    }

    /// Looks for pointers to what is suspected, if it is time. The next look judges by what was found.
    fn trace(&mut self, stat: &Stat, at_ns: u64) {
        let Some(tracer) = self.tracer.as_mut().filter(|tracer| tracer.is_due(stat.rss_bytes)) else {
            return;
        };
        let session = self.path.as_deref().and_then(Path::parent).unwrap_or(Path::new("/"));
        let is_ours = |path: &str| path.contains("/libmemguard") || Path::new(path).starts_with(session);
        let wanted = self.verdicts.to_trace(&self.model);
        let traces = tracer.look(stat, wanted, &self.model, &is_ours);
        if !traces.is_empty() {
            self.recorder.traces(at_ns, &traces);
            self.model.absorb_traces(at_ns, traces);
        }
    }

    /// A look has taken so much CPU time for it. While it has not begun, there is nothing to look at.
    pub fn was_looked_at(&mut self, took: Duration) {
        if !self.is_active() {
            return;
        }
        self.looks_ns = Some(self.looks_ns.map_or(0, |ns| ns.saturating_add(took.as_nanos() as u64)));
    }

    /// CPU time that looks through its memory have taken since it was last asked.
    pub fn take_trace_cost(&mut self) -> Duration {
        self.tracer.as_mut().map(Tracer::take_cost).unwrap_or_default()
    }

    /// The process was over before anybody looked: the looks that should have been are made up from its tables.
    fn replay(&mut self, end: &Reading, sites: &mut Sites) {
        for look in 1..REPLAYED_LOOKS {
            let Some(past) = end.as_of(end.at_ns / REPLAYED_LOOKS * look) else { return };
            self.absorb(&past, sites);
            self.judge(sites);
        }
    }

    fn absorb(&mut self, reading: &Reading, sites: &mut Sites) {
        if let Some(reader) = &self.reader {
            self.recorder.heap(reading, reader, &mut self.sites, sites);
        }
        self.model.absorb(reading, &|stack: StackId| self.sites.of(stack));
    }

    fn judge(&mut self, sites: &mut Sites) {
        self.findings = self.verdicts.look(&self.model);
        if let Some(reader) = &self.reader {
            self.recorder.look(&self.findings, reader, &mut self.sites, sites);
        }
    }

    /// Where its memory lies, if it is time to ask.
    fn look_at_memory(&mut self, stat: &Stat) {
        let Some(reader) = &self.reader else { return };
        let read = self.deep.look(reader, stat, self.costs.heap_last_bytes, &is_allocator_module);
        let Some(reading) = read.filter(|_| is_whole(stat)) else { return };
        // The cheap count was read a moment before; growth and its parts are to be of one moment.
        if self.model.memory().history().points().is_empty() {
            self.facts.rss_start_bytes = reading.rss_bytes;
        }
        self.facts.rss_last_bytes = reading.rss_bytes;
        self.facts.rss_peak_bytes = self.facts.rss_peak_bytes.max(reading.rss_bytes);
        self.model.absorb_memory(&reading);
    }

    /// What it holds beside memory. One that has ended holds nothing: the kernel has taken it all back.
    fn look_at_resources(&mut self, sites: &mut Sites, kernel: &mut Kernel, stat: &Stat) {
        let Some(reader) = &self.reader else { return };
        // A stopped program reads no timer and closes nothing: that says nothing about it.
        if matches!(stat.state, 'T' | 't') {
            return;
        }
        let own = &mut self.sites;
        let mut start_of = |address| own.function_at(address, reader, sites);
        let read = self.resources.read(reader, stat, kernel, &mut start_of);
        let whole = |reading: &ResourceReading| reading.holdings.is_none() || is_whole(stat);
        let Some(reading) = read.filter(whole) else { return };
        let stacks = reading.totals.iter().map(|totals| totals.stack);
        let held = reading.holdings.iter().flatten().map(|holding| holding.stack);
        self.sites.learn(stacks.chain(held).filter(|stack| stack.0 != 0), reader, sites);
        self.facts.descriptors_last = reading.descriptors;
        self.facts.descriptors_peak = self.facts.descriptors_peak.max(reading.descriptors);
        self.facts.descriptors_limit = reading.descriptors_max.or(self.facts.descriptors_limit);
        self.facts.threads_last = reading.threads;
        self.facts.threads_peak = self.facts.threads_peak.max(reading.threads);
        self.recorder.resources(&reading, reader, &mut self.sites, sites);
        self.model.absorb_resources(&reading, &|stack: StackId| self.sites.of(stack));
    }

    /// What it will run into, if something in it grows. A young process changes fast, an old one need not be asked so often.
    fn look_at_limits(&mut self, stat: &Stat, now_ns: u64) {
        let pause_ns = (now_ns / LIMITS_SHARE).clamp(LIMITS_PAUSE_NS_MIN, LIMITS_PAUSE_NS_MAX);
        let is_fresh = self.limits_read_ns.is_some_and(|at| now_ns.saturating_sub(at) < pause_ns);
        let grows = |finding: &Finding| finding.growth_bytes_per_hour > 0.0 || finding.growth_per_hour > 0.0;
        if is_fresh || !self.findings.iter().any(grows) {
            return;
        }
        self.limits_read_ns = Some(now_ns);
        let takes_tasks =
            |finding: &Finding| matches!(finding.pattern, Pattern::Threads | Pattern::Processes);
        let with_tasks = self.findings.iter().any(takes_tasks);
        self.facts.limits = limits(stat.identity.pid, stat.rss_bytes, with_tasks);
    }

    /// Brings the facts up to date with the segment.
    pub fn refresh(&mut self) {
        let Some(reader) = &self.reader else { return };
        let stacks = reader.stack_statistics();
        let without_room =
            self.model.losses().stacks_without_room + self.model.resources().places_without_room();
        let ours = [("sites_without_room", without_room), ("close_disputed", self.resources.disputed())];
        // What did not occur is left out: hundreds of processes that have ended are kept.
        let occurred = reader.losses().into_iter().chain(ours).filter(|(_, count)| *count != 0);
        let lost: BTreeMap<String, u64> = occurred.map(|(cause, count)| (cause.to_owned(), count)).collect();
        self.facts.pid = self.identity.map_or(reader.pid(), |identity| identity.pid).unsigned_abs();
        self.facts.ppid = reader.parent_pid().unsigned_abs();
        // A program that executes another goes on in another segment.
        if self.facts.exe.is_empty() {
            self.facts.exe = reader.exe();
        }
        if self.facts.command.is_empty() && !self.resources.redacts() {
            self.facts.command = reader.command();
        }
        self.facts.started_at = reader.started_at();
        self.facts.lost = lost;
        self.facts.stacks = StackCounts {
            complete: stacks.complete,
            truncated: stacks.truncated + stacks.incomplete,
            lost: stacks.missing,
        };
        self.costs.sample_bytes = reader.sample_interval_bytes();
        self.costs.memory_bytes = reader.resident_bytes();
    }

    /// Parts of the growth of resident memory, as of the last deep look; where none could be made, the heap alone.
    fn growth(&self) -> Vec<ExplainedInput> {
        let grown = self.facts.rss_last_bytes as f64 - self.facts.rss_start_bytes as f64;
        let mut parts = self.model.memory().growth().unwrap_or_default();
        if self.model.memory().history().points().is_empty() {
            let heap = self.costs.heap_last_bytes - self.costs.heap_start_bytes;
            parts.add(MemoryPart::Heap, if self.known && !self.facts.observed { heap } else { 0.0 });
            parts.add(MemoryPart::Unexplained, grown - parts.sum());
        } else {
            parts.add(MemoryPart::Later, grown - parts.sum());
        }
        parts.iter().map(|(part, bytes)| ExplainedInput { what: part.word().to_owned(), bytes }).collect()
    }

    /// Keeps what the report needs and gives the segment back.
    fn retire(&mut self) {
        self.refresh();
        self.facts.ended_at = Some(unix_time_s());
        self.facts.fate = Fate::Ended;
        if let Some(reader) = &self.reader {
            self.kept_fates = reader.fates().map(|(pid, status)| (pid, exit_of_status(status))).collect();
        }
        for stack in self.findings.iter().map(|finding| finding.stack).collect::<Vec<_>>() {
            let frames = self.frames(stack);
            self.kept_frames.insert(stack, frames);
        }
        self.reader = None;
        self.recorder.end();
        // Nothing of it is looked at again; many processes may end in a session.
        self.model = ProcessModel::new();
        self.verdicts = Verdicts::with_detectors(DetectConfig::default(), Vec::new());
        self.resources.forget();
        self.deep.forget();
        self.sites = ProcessSites::default();
        self.governor = None;
        self.tracer = None;
        self.shown = Shown::default();
        if let Some(path) = &self.path {
            // The directory may be gone; then so is the file.
            let _ = std::fs::remove_file(path);
        }
    }

    /// Parent and own number of a process that has ended without anybody knowing how.
    pub fn fate_wanted(&self) -> Option<(u32, u32)> {
        let is_wanted = self.is_over() && self.facts.exit.is_none() && self.facts.fate == Fate::Ended;
        is_wanted.then_some((self.facts.ppid, self.facts.pid))
    }

    /// How a child of this process ended, if it has waited for it.
    pub fn fate_of_child(&self, pid: u32) -> Option<Exit> {
        match &self.reader {
            Some(reader) => reader.fate(pid).map(exit_of_status),
            None => self.kept_fates.get(&pid).copied(),
        }
    }

    /// Notes how it ended.
    pub fn set_exit(&mut self, exit: Exit) {
        self.facts.exit = Some(exit);
    }

    /// The same as its supervisor tells it.
    pub fn ended_with(&mut self, exit: ProgramExit) {
        if self.is_over() && self.facts.exit.is_none() && self.facts.fate == Fate::Ended {
            self.set_exit(exit_of(exit));
        }
    }

    /// The number, in our PID namespace, of the process that has the segment mapped. None if it is gone, whoever has its
    /// number by now.
    fn holder(&self, strangers: &Strangers) -> Option<i32> {
        let reader = self.reader.as_ref()?;
        let claimed = reader.pid();
        if reader.is_outside() {
            return Some(claimed);
        }
        match memguard_inspect::executable(claimed) {
            Ok(exe) if exe.to_string_lossy() == reader.exe() => Some(claimed),
            // It does not let itself be looked into (an unreadable program file, other rights): taken at its word.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Some(claimed),
            _ => memguard_inspect::process_mapping(self.path.as_deref()?, claimed, strangers),
        }
    }

    /// The kernel's view, of the same process each time.
    fn stat(&mut self, strangers: &Strangers) -> Option<Stat> {
        match self.identity {
            Some(identity) => Stat::again(identity),
            None if self.known => None,
            None => {
                let pid = self.holder(strangers)?;
                let stat = Stat::of(pid).filter(|stat| !stat.is_zombie)?;
                self.identity = Some(stat.identity);
                Some(stat)
            }
        }
    }
}

/// An end in words of the report.
fn exit_of(exit: ProgramExit) -> Exit {
    let (code, signal) = exit.code_and_signal();
    Exit { code, signal }
}

/// The same of a wait status.
fn exit_of_status(status: u32) -> Exit {
    exit_of(ProgramExit::from(ExitStatus::from_raw(status.cast_signed())))
}

/// Whether a process ran before this launcher did.
fn is_older_than_us(stat: &Stat) -> bool {
    Stat::of_self().is_some_and(|own| stat.identity.start_ticks < own.identity.start_ticks)
}

/// CPU time of this very process in its whole life, in ns, if it has ended and waits to be reaped.
fn zombie_cpu_ns(identity: Identity) -> Option<u64> {
    Stat::of_zombie(identity.pid).filter(|stat| stat.identity == identity).map(|stat| stat.cpu_ns)
}

/// Whether the process still stood when what has just been read of it was read: what the kernel takes from one that ends, it
/// has not given back.
fn is_whole(stat: &Stat) -> bool {
    Stat::again(stat.identity).is_some_and(|now| !now.is_ending)
}

fn account(facts: &mut ProcessInput, stat: &Stat) {
    if stat.is_ending {
        return;
    }
    if facts.rss_start_bytes == 0 {
        facts.rss_start_bytes = stat.rss_bytes;
    }
    facts.rss_last_bytes = stat.rss_bytes;
    facts.rss_peak_bytes = facts.rss_peak_bytes.max(stat.rss_bytes);
}
