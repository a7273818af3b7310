//! Launcher, watch: one session under watch. In: the session's directory, the settings, time. Out: looks at every
//! process, findings, and the facts for a report.
//!
//! It bounds its own cost: a look that took long is followed by a rest in proportion.

mod facts;
mod process;
mod report_file;
mod sites;

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use memguard_collect::SessionFiles;
use memguard_detect::DetectConfig;
use memguard_segment::Capacities;
use memguard_segment::control;

use crate::config::Settings;
use crate::spawn::ProgramExit;
use process::Watched;
use sites::Sites;

pub use report_file::{FILE_NAME, ReportFile};

/// A look in guard mode may take this part of the time, at most.
const GUARD_SHARE: u32 = 100;
/// In audit mode people wait for a verdict and cores are there to be used.
const AUDIT_SHARE: u32 = 4;

/// One session under watch.
pub struct Watch {
    files: SessionFiles,
    processes: Vec<Watched>,
    sites: Sites,
    config: DetectConfig,
    sample_bytes: u64,
    usd_per_gb_hour: f64,
    share: u32,
    looked: Option<Instant>,
    cost: Duration,
    unreadable: Vec<String>,
}

impl Watch {
    /// Makes everything that the watched processes will look for. All space is reserved here.
    ///
    /// # Errors
    /// If the directory cannot be written to or the disk is full.
    pub fn prepare(directory: &Path, settings: &Settings) -> io::Result<Self> {
        let control =
            control::Settings { sample_interval_bytes: settings.sample_bytes, capacities: capacities(settings) };
        let files = memguard_collect::prepare(directory, &control)?;
        let mut config = if settings.aggressive { DetectConfig::aggressive() } else { DetectConfig::guard() };
        config.sample_interval_bytes = settings.sample_bytes as f64;
        Ok(Self {
            files,
            processes: Vec::new(),
            sites: Sites::new(),
            config,
            sample_bytes: settings.sample_bytes,
            usd_per_gb_hour: settings.usd_per_gb_hour,
            share: if settings.aggressive { AUDIT_SHARE } else { GUARD_SHARE },
            looked: None,
            cost: Duration::ZERO,
            unreadable: Vec::new(),
        })
    }

    /// Looks at every process, unless the last look was so expensive that a rest is due. True if it looked.
    pub fn look(&mut self) -> bool {
        let rest = self.cost * self.share;
        if self.looked.is_some_and(|at| at.elapsed() < rest) {
            return false;
        }
        self.look_now(None);
        true
    }

    /// The last look: the program has ended, everything is read to its end.
    pub fn finish(&mut self, pid: u32, exit: ProgramExit) {
        self.look_now(Some((pid, exit)));
    }

    fn look_now(&mut self, ended: Option<(u32, ProgramExit)>) {
        let started = Instant::now();
        for path in self.files.new_segments() {
            match Watched::open(&path, self.config) {
                Ok(process) => self.processes.push(process),
                Err(error) => self.unreadable.push(error.to_string()),
            }
        }
        for process in &mut self.processes {
            let exit = ended.filter(|(pid, _)| *pid == process.pid()).map(|(_, exit)| exit);
            process.look(&mut self.sites, exit);
        }
        self.looked = Some(Instant::now());
        self.cost = started.elapsed();
    }

    /// How many processes have been watched.
    pub fn watched(&self) -> usize {
        self.processes.iter().filter(|process| process.is_active()).count()
    }

    /// What kept processes from being watched, in words; empty if nothing did.
    pub fn troubles(&self) -> Vec<String> {
        let refused = self.files.refused().into_iter();
        let refused = refused.map(|(count, why)| match count {
            1 => format!("one process was not watched: {why}"),
            _ => format!("{count} processes were not watched: {why}"),
        });
        refused.chain(self.unreadable.iter().map(|why| format!("a segment could not be read: {why}"))).collect()
    }

    /// Something that changes whenever the findings worth showing do.
    pub fn verdict(&self) -> Vec<(usize, u32, u8)> {
        let process = |(index, process): (usize, &Watched)| {
            let findings = process.findings().iter();
            findings
                .filter(|f| f.confidence >= memguard_report::MIN_CONFIDENCE_DEFAULT)
                .map(|f| (index, f.site.0, (f.confidence * 20.0) as u8))
                .collect::<Vec<_>>()
        };
        self.processes.iter().enumerate().flat_map(process).collect()
    }
}

/// As many live objects as asked for; everything else by mode.
fn capacities(settings: &Settings) -> Capacities {
    let base = if settings.aggressive { Capacities::AUDIT } else { Capacities::GUARD };
    let objects = usize::try_from(settings.live_objects).unwrap_or(usize::MAX);
    let buckets = objects.div_ceil(7).clamp(16, Capacities::MAX / 16).next_power_of_two();
    Capacities { live_buckets: buckets, ..base }
}
