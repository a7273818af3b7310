//! Launcher, watch: one session under watch. In: the session's directory, the settings, time. Out: looks at every
//! process, findings, and the facts for a report.
//!
//! It bounds its own cost: a look that took long is followed by a rest in proportion.

mod base;
#[cfg(test)]
mod bounds_test;
mod costs;
mod facts;
mod governor;
mod limits;
mod outside;
mod process;
mod recorder;
mod report_file;
mod shown;
mod sites;
mod tracer;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use memguard_collect::{DeepLook, Kernel, OpenError, Pace, Redaction, ResourceReader, SessionFiles};
use memguard_detect::{DetectConfig, Verdicts};
use memguard_inspect::{children_cpu_ns, thread_cpu_ns, thread_cpu_since};
use memguard_patterns::Library;
use memguard_segment::control;
use memguard_segment::{BUCKET_OBJECTS, Capacities};

use crate::config::{Pattern, PatternSet, Settings};
use crate::spawn::ProgramExit;
use costs::Costs;
use governor::Governor;
use outside::Outside;
use process::{Readers, Strangers, Watched};
use recorder::RecordingPlan;
use sites::Sites;
use tracer::{TracePace, Tracer};

pub use facts::unix_time_s;
pub use report_file::{FILE_NAME, ReportFile};

/// A look in guard mode may take this part of the time, at most.
const GUARD_SHARE: u32 = 100;
/// In audit mode people wait for a verdict and cores are there to be used.
const AUDIT_SHARE: u32 = 4;

/// So many new processes between two looks are a crowd: no rest is taken, for each of them holds room on the disk until it
/// has been read.
const CROWD: usize = 16;

/// Ended processes without a finding that are kept for the report; older ones are only counted.
const UNREMARKABLE_MAX: usize = 100;

/// A collector that has taken over a session knows the past by its tables alone; after this time it judges better than the
/// one before did.
const JUDGES_AFTER_GUARD: Duration = Duration::from_mins(10);
/// The same where everything is recorded.
const JUDGES_AFTER_AUDIT: Duration = Duration::from_secs(10);

/// Ended processes with a finding that are kept; of more, those with the surest findings.
const REMARKABLE_MAX: usize = 200;

/// Segments that could not be read of which the reason is kept; further ones are only counted.
const UNREADABLE_MAX: usize = 16;

/// How many looks a segment may take until it can be read.
const OPEN_TRIES_MAX: u32 = 20;

/// What the supervisor of a program knows when it has ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Its process.
    pub pid: u32,
    /// How.
    pub exit: ProgramExit,
    /// CPU time in its whole life, in ns, if the kernel told.
    pub cpu_ns: Option<u64>,
}

/// One session under watch.
pub struct Watch {
    files: SessionFiles,
    kernel: Kernel,
    pace: Pace,
    redaction: Redaction,
    processes: Vec<Watched>,
    outside: Outside,
    sites: Sites,
    /// Why the user's own fingerprints are not in force.
    fingerprints_lost: Option<String>,
    config: DetectConfig,
    patterns: PatternSet,
    overhead_budget: Option<f64>,
    sample_bytes: u64,
    threshold_bytes: u64,
    usd_per_gb_hour: f64,
    share: u32,
    looked: Option<Instant>,
    cost: Duration,
    is_crowded: bool,
    /// Resident bytes of the segments that were in use when last any was.
    segments_bytes: u64,
    /// Segments that could not be opened yet, and how often that was tried.
    unopened: Vec<(PathBuf, u32)>,
    unreadable: Vec<String>,
    unreadable_more: u64,
    forgotten: u64,
    forgotten_remarkable: u64,
    forgotten_costs: Costs,
    /// CPU time of children that had ended before the session began, in ns: of what was executed here before us.
    children_before_ns: u64,
    /// CPU time of everything that was started, in ns, as far as the kernel tells.
    tree_ns: u64,
    /// CPU time that the library's start had taken before this collector came, in ns.
    starting_before_ns: u64,
    recording: Option<RecordingPlan>,
}

impl Watch {
    /// Makes everything that the watched processes will look for. All space is reserved here.
    ///
    /// # Errors
    /// If the directory cannot be written to or the disk is full.
    pub fn prepare(directory: &Path, settings: &Settings) -> io::Result<Self> {
        let control = capacities(settings);
        Ok(Self::over(memguard_collect::prepare(directory, &control)?, directory, settings))
    }

    /// Goes on with what another collector has prepared.
    pub fn resume(directory: &Path, settings: &Settings) -> Self {
        Self::over(SessionFiles::open(directory), directory, settings)
    }

    fn over(files: SessionFiles, directory: &Path, settings: &Settings) -> Self {
        // They were checked when the session was made. What has happened to them since costs names, no findings.
        let library = Library::with_folders(&settings.patterns_dir);
        let fingerprints_lost = library.as_ref().err().map(ToString::to_string);
        let starting_before_ns = files.starting_ns();
        let age_max_s = settings.handle_age_max.as_secs_f64();
        let config = DetectConfig::of(settings.aggressive, settings.sample_bytes, age_max_s);
        Self {
            files,
            kernel: Kernel::default(),
            pace: if settings.aggressive { Pace::AUDIT } else { Pace::GUARD }
                .for_ages_of(settings.handle_age_max),
            redaction: if settings.redact { Redaction::On } else { Redaction::Off },
            processes: Vec::new(),
            outside: Outside::default(),
            sites: Sites::new(library.unwrap_or_default()),
            fingerprints_lost,
            config,
            patterns: settings.patterns,
            overhead_budget: settings.overhead_budget,
            sample_bytes: settings.sample_bytes,
            threshold_bytes: settings.threshold_bytes,
            usd_per_gb_hour: settings.usd_per_gb_hour,
            share: if settings.aggressive { AUDIT_SHARE } else { GUARD_SHARE },
            looked: None,
            cost: Duration::ZERO,
            is_crowded: false,
            segments_bytes: 0,
            unopened: Vec::new(),
            unreadable: Vec::new(),
            unreadable_more: 0,
            forgotten: 0,
            forgotten_remarkable: 0,
            forgotten_costs: Costs::default(),
            children_before_ns: children_cpu_ns(),
            tree_ns: 0,
            starting_before_ns,
            recording: RecordingPlan::of(directory, settings),
        }
    }

    /// Watches this process, and those of its descendants that have no hooks, from outside.
    pub fn observe(&mut self, pid: i32) {
        self.outside.begin(pid);
    }

    /// Looks at every process, unless the last look was so expensive that a rest is due. True if it looked.
    pub fn look(&mut self) -> bool {
        let rest = self.cost * self.share;
        if !self.is_crowded && self.looked.is_some_and(|at| at.elapsed() < rest) {
            return false;
        }
        self.look_now(None, false);
        true
    }

    /// A look at once: the caller knows that this process has ended, and how. Others may just be beginning.
    pub fn look_after_end(&mut self, ended: &Ended) {
        self.look_now(Some(ended), false);
        if let Some(process) = self.processes.iter_mut().rev().find(|process| process.pid() == ended.pid) {
            process.ended_with(ended.exit);
        }
    }

    /// The last look: no process of the session lives.
    pub fn look_last(&mut self) {
        self.look_now(None, true);
    }

    fn look_now(&mut self, ended: Option<&Ended>, is_last: bool) {
        let started_ns = thread_cpu_ns();
        let fresh = self.files.new_segments(is_last);
        self.is_crowded = fresh.len() >= CROWD;
        self.unopened.extend(fresh.into_iter().map(|path| (path, 0)));
        for (path, tries) in std::mem::take(&mut self.unopened) {
            match Watched::open(&path, self.verdicts(), self.governor(), self.tracer(), self.readers()) {
                Ok(process) => self.processes.push(process.recorded(self.recording.clone())),
                // Its process is just making it, or was killed while it did.
                Err(_) if tries < OPEN_TRIES_MAX && !is_last => self.unopened.push((path, tries + 1)),
                Err(OpenError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
                // Nothing was recorded in it; its space is reserved all the same.
                Err(error) if error.is_unfinished() => drop(std::fs::remove_file(&path)),
                Err(error) if self.unreadable.len() < UNREADABLE_MAX => {
                    self.unreadable.push(error.to_string());
                }
                Err(_) => self.unreadable_more += 1,
            }
        }
        self.observe_fresh();
        let alive: Vec<bool> = self.processes.iter().map(|p| p.is_active() && !p.is_over()).collect();
        self.retire_replaced();
        let strangers = Strangers::new(memguard_inspect::strangers);
        // Looks through memory keep a pace of their own.
        let (mut looks, mut traced) = (Vec::with_capacity(self.processes.len()), Duration::ZERO);
        for process in &mut self.processes {
            let ended = ended.filter(|ended| ended.pid == process.pid());
            let began_ns = thread_cpu_ns();
            process.look(&mut self.sites, &mut self.kernel, &strangers, ended);
            let trace = process.take_trace_cost();
            traced += trace;
            looks.push(thread_cpu_since(began_ns).saturating_sub(trace));
        }
        self.allot(&looks, thread_cpu_since(started_ns).saturating_sub(traced));
        self.learn_fates();
        self.learn_base();
        let alive = self.processes.iter().zip(&alive).filter(|(_, alive)| **alive);
        let segments_bytes: u64 = alive.map(|(process, _)| process.costs().memory_bytes).sum();
        if segments_bytes != 0 {
            self.segments_bytes = segments_bytes;
        }
        self.forget_unremarkable();
        self.forget_remarkable();
        self.looked = Some(Instant::now());
        self.cost = thread_cpu_since(started_ns).saturating_sub(traced);
    }

    /// Tells each process what the look at it has taken, with its part of what all have in common.
    fn allot(&mut self, looks: &[Duration], all: Duration) {
        let alone: Duration = looks.iter().sum();
        if alone.is_zero() {
            return;
        }
        let with_its_part = all.as_secs_f64() / alone.as_secs_f64();
        for (process, took) in self.processes.iter_mut().zip(looks) {
            process.was_looked_at(took.mul_f64(with_its_part));
        }
    }

    /// Processes without hooks that were not watched before.
    fn observe_fresh(&mut self) {
        let alive = self.processes.iter().filter(|process| process.is_active() && !process.is_over());
        let hooked: BTreeSet<i32> = alive.map(|process| process.pid() as i32).collect();
        for reader in self.outside.fresh(&hooked) {
            let process = Watched::observe(reader, self.verdicts(), self.readers());
            self.processes.push(process.recorded(self.recording.clone()));
        }
    }

    /// Judges by the patterns that are switched on.
    fn verdicts(&self) -> Verdicts {
        let is_on = |name: &str| Pattern::named(name).is_some_and(|pattern| self.patterns.contains(pattern));
        Verdicts::chosen(self.config, &is_on)
    }

    /// What reads the kernel's view of one process.
    fn readers(&self) -> Readers {
        Readers {
            resources: ResourceReader::new(self.pace, self.redaction),
            deep: DeepLook::new(self.pace, self.threshold_bytes),
        }
    }

    /// Where everything is recorded there is nothing to govern.
    fn governor(&self) -> Option<Governor> {
        let budget = self.overhead_budget.filter(|_| self.sample_bytes != 0)?;
        Some(Governor::new(budget, self.sample_bytes))
    }

    fn tracer(&self) -> Tracer {
        Tracer::new(if self.sample_bytes == 0 { TracePace::AUDIT } else { TracePace::GUARD })
    }

    /// A process that has executed another program goes on under its number with another segment: what the old program
    /// held is gone, however alive the process is.
    fn retire_replaced(&mut self) {
        let mut newest = HashMap::new();
        for process in self.processes.iter().filter(|p| p.is_active() && !p.is_over()) {
            let since = newest.entry(process.pid()).or_insert(0);
            *since = process.origin_ns().max(*since);
        }
        for process in self.processes.iter_mut().filter(|p| p.is_active() && !p.is_over()) {
            if newest.get(&process.pid()).is_some_and(|since| process.origin_ns() < *since) {
                process.replaced(&mut self.sites);
            }
        }
    }

    /// How processes ended is known to the parents that have waited for them.
    fn learn_fates(&mut self) {
        for index in 0..self.processes.len() {
            let Some((parent, pid)) = self.processes.get(index).and_then(Watched::fate_wanted) else {
                continue;
            };
            let told = self.processes.iter().filter(|p| p.pid() == parent).find_map(|p| p.fate_of_child(pid));
            if let (Some(exit), Some(process)) = (told, self.processes.get_mut(index)) {
                process.set_exit(exit);
            }
        }
    }

    /// Bounds the memory of a session with many short-lived processes. The first process always stays.
    fn forget_unremarkable(&mut self) {
        let over = |p: &Watched| p.is_over() && p.findings().is_empty();
        let mut excess = self.processes.iter().filter(|p| over(p)).count().saturating_sub(UNREMARKABLE_MAX);
        let mut index = 0;
        self.processes.retain(|process| {
            index += 1;
            let goes = excess > 0 && index > 1 && over(process);
            if goes {
                excess -= 1;
                self.forgotten += 1;
                self.forgotten_costs.add(process.costs());
            }
            !goes
        });
    }

    /// The same for those with findings: thousands of workers that all leak alike are told of by the first hundreds.
    fn forget_remarkable(&mut self) {
        let over = |p: &Watched| p.is_over() && !p.findings().is_empty();
        while self.processes.iter().filter(|p| over(p)).count() > REMARKABLE_MAX {
            let surest = |p: &Watched| p.findings().iter().map(|f| f.confidence).fold(0.0, f64::max);
            let candidates = self.processes.iter().enumerate().skip(1).filter(|(_, p)| over(p));
            // Of several alike the youngest goes: the older ones have been told of.
            let weakest = candidates.rev().min_by(|a, b| surest(a.1).total_cmp(&surest(b.1)));
            let Some(index) = weakest.map(|(index, _)| index) else { return };
            let gone = self.processes.remove(index);
            self.forgotten_remarkable += 1;
            self.forgotten_costs.add(gone.costs());
        }
    }

    /// The session is over: removes what only watched processes and we needed.
    pub fn remove_files(&self) {
        self.files.remove();
    }

    /// The fingerprints in force.
    pub fn library(&self) -> &Library {
        self.sites.library()
    }

    /// How many watched processes live.
    pub fn living(&self) -> usize {
        self.processes.iter().filter(|process| process.is_active() && !process.is_over()).count()
    }

    /// How many processes have been watched.
    pub fn watched(&self) -> usize {
        self.processes.iter().filter(|process| process.is_active()).count()
            + (self.forgotten + self.forgotten_remarkable) as usize
    }

    /// What kept processes from being watched, in words; empty if nothing did.
    pub fn troubles(&self) -> Vec<String> {
        let refused = self.files.refused().into_iter();
        let refused = refused.map(|(count, why)| match count {
            1 => format!("one process was not watched: {why}"),
            _ => format!("{count} processes were not watched: {why}"),
        });
        let forgotten = (self.forgotten > 0).then(|| {
            format!("{} more processes ended without a finding; the report leaves them out", self.forgotten)
        });
        let remarkable = (self.forgotten_remarkable > 0).then(|| {
            format!(
                "{} more processes ended with findings; the report leaves out the least sure of them",
                self.forgotten_remarkable
            )
        });
        let recording = self.processes.iter().find_map(Watched::recording_trouble).map(str::to_owned);
        let unreadable = (self.unreadable_more > 0)
            .then(|| format!("{} more segments could not be read", self.unreadable_more));
        let fingerprints = self.fingerprints_lost.iter();
        let fingerprints = fingerprints.map(|why| format!("own fingerprints were left out: {why}"));
        refused
            .chain(fingerprints)
            .chain(forgotten)
            .chain(remarkable)
            .chain(recording)
            .chain(unreadable)
            .chain(self.unreadable.iter().map(|why| format!("a segment could not be read: {why}")))
            .collect()
    }

    /// Something that changes whenever the findings worth showing do.
    pub fn verdict(&self) -> Verdict {
        let process = |(index, process): (usize, &Watched)| {
            let findings = process.findings().iter();
            findings
                .filter(|f| f.confidence >= memguard_report::MIN_CONFIDENCE_DEFAULT)
                .map(|f| (index, f.site.0, (f.confidence * 20.0) as u8))
                .collect::<Vec<_>>()
        };
        Verdict(self.processes.iter().enumerate().flat_map(process).collect())
    }

    /// Whether this collector has watched for so long that its own judgement counts, not an earlier one's.
    pub fn judges_after(&self, watched: Duration) -> bool {
        watched >= if self.sample_bytes == 0 { JUDGES_AFTER_AUDIT } else { JUDGES_AFTER_GUARD }
    }
}

/// What is worth showing: process, site and confidence of each finding.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict(Vec<(usize, u32, u8)>);

/// As many live objects as asked for, in the first process; everything else by mode.
fn capacities(settings: &Settings) -> control::Settings {
    let (base, others) = if settings.aggressive {
        (Capacities::AUDIT, Capacities::AUDIT_OTHERS)
    } else {
        (Capacities::GUARD, Capacities::GUARD)
    };
    let objects = usize::try_from(settings.live_objects).unwrap_or(usize::MAX);
    let live_buckets = objects.div_ceil(BUCKET_OBJECTS).clamp(16, Capacities::MAX / 8).next_power_of_two();
    let smaller = live_buckets.min(others.live_buckets);
    control::Settings {
        sample_interval_bytes: settings.sample_bytes,
        first: Capacities { live_buckets, ..base },
        others: Capacities { live_buckets: smaller, ..others },
    }
}
