//! Launcher, watch: one process. In: its segment and the kernel. Out: a model, verdicts, and what the report says of it.

use std::path::Path;

use memguard_collect::{OpenError, ProcessReader};
use memguard_detect::{DetectConfig, Finding, Verdicts};
use memguard_inspect::{Identity, Stat};
use memguard_model::{ProcessModel, StackId};
use memguard_report::Exit;
use memguard_symbolize::ModuleRef;
use nix::time::{ClockId, clock_gettime};

use super::sites::{ProcessSites, Sites};
use crate::spawn::ProgramExit;

/// One watched process.
pub struct Watched {
    pub reader: ProcessReader,
    model: ProcessModel,
    verdicts: Verdicts,
    findings: Vec<Finding>,
    sites: ProcessSites,
    identity: Option<Identity>,
    known: bool,
    pub rss: Rss,
    pub cpu_ns: u64,
    pub heap: Heap,
    pub ended_at: Option<f64>,
    pub exit: Option<Exit>,
}

/// Resident memory in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rss {
    pub start: u64,
    pub peak: u64,
    pub last: u64,
}

/// Estimated live heap in bytes, at the first look and the last.
#[derive(Debug, Clone, Copy, Default)]
pub struct Heap {
    pub start: f64,
    pub last: f64,
}

impl Watched {
    pub fn open(path: &Path, config: DetectConfig) -> Result<Self, OpenError> {
        Ok(Self {
            reader: ProcessReader::open(path)?,
            model: ProcessModel::new(),
            verdicts: Verdicts::new(config),
            findings: Vec::new(),
            sites: ProcessSites::default(),
            identity: None,
            known: false,
            rss: Rss::default(),
            cpu_ns: 0,
            heap: Heap::default(),
            ended_at: None,
            exit: None,
        })
    }

    pub fn pid(&self) -> u32 {
        self.reader.pid().unsigned_abs()
    }

    pub fn is_active(&self) -> bool {
        self.reader.is_active()
    }

    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The frames of a stack with the modules they lie in.
    pub fn frames(&mut self, stack: StackId) -> Vec<(ModuleRef, u64)> {
        self.sites.frames(stack, &self.reader)
    }

    pub fn model(&self) -> &ProcessModel {
        &self.model
    }

    /// Looks at the process. `exit` tells that it has ended and how.
    pub fn look(&mut self, sites: &mut Sites, exit: Option<ProgramExit>) {
        if self.ended_at.is_some() || !self.is_active() {
            return;
        }
        let stat = self.stat().filter(|_| exit.is_none());
        let is_over = stat.is_none();
        if let Some(stat) = stat {
            self.account(&stat);
        } else {
            self.ended_at = Some(clock_ns(ClockId::CLOCK_REALTIME) as f64 / 1e9);
            self.exit = exit.map(|exit| match exit {
                ProgramExit::Code(code) => Exit { code: Some(code.into()), signal: None },
                ProgramExit::Signal(signal) => Exit { code: None, signal: Some(signal) },
            });
        }
        let mut reading = self.reader.read(clock_ns(ClockId::CLOCK_MONOTONIC), is_over);
        reading.rss_bytes = stat.map(|stat| stat.rss_bytes);
        let stacks = reading.totals.iter().map(|totals| totals.stack);
        self.sites.learn(stacks.chain(reading.live.iter().flatten().map(|s| s.stack)), &self.reader, sites);
        if self.cpu_ns != 0 {
            self.model.absorb_cpu(self.cpu_ns);
        }
        self.model.absorb(&reading, &|stack: StackId| self.sites.of(stack));
        self.findings = self.verdicts.look(&self.model);
        self.heap.last = reading.totals.iter().map(|t| t.born_bytes - t.died_bytes).sum();
        if !self.known {
            self.heap.start = self.heap.last;
            self.known = true;
        }
    }

    /// The kernel's view, of the same process each time.
    fn stat(&mut self) -> Option<Stat> {
        match self.identity {
            Some(identity) => Stat::again(identity),
            None if self.known => None,
            None => {
                let stat = Stat::of(self.reader.pid()).filter(|stat| !stat.is_zombie)?;
                self.identity = Some(stat.identity);
                Some(stat)
            }
        }
    }

    fn account(&mut self, stat: &Stat) {
        if self.rss.start == 0 {
            self.rss.start = stat.rss_bytes;
        }
        self.rss.last = stat.rss_bytes;
        self.rss.peak = self.rss.peak.max(stat.rss_bytes);
        self.cpu_ns = stat.cpu_ns;
    }
}

fn clock_ns(clock: ClockId) -> u64 {
    clock_gettime(clock).map_or(0, |t| (t.tv_sec() as u64) * 1_000_000_000 + t.tv_nsec() as u64)
}
