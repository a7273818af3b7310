//! Launcher, watch: keeps what the model of one process takes in, if that was asked for. In: readings, as they are absorbed.
//! Out: `record-PID.jsonl.gz` in the session's directory, for `memguard replay`.
//!
//! A recording that cannot be written is given up, with one line at the end; the watch goes on.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use memguard_collect::ProcessReader;
use memguard_detect::Finding;
use memguard_model::{Reading, ResourceReading, SiteId, StackId, Trace};
use memguard_recording::{BYTES_MAX, Header, VERSION, Writer};
use memguard_report::location;
use memguard_symbolize::location_index;

use super::facts::CONFIDENCE_STORED_MIN;
use super::sites::{ProcessSites, Sites};
use crate::config::{Pattern, Settings};

/// Recordings of one session; a shell script has thousands of processes.
const RECORDINGS_MAX: u32 = 64;
/// Processes with one number in a session: each program that one executes is another.
const NAMES_MAX: u32 = 1000;

/// What is to be recorded of every process of a session.
#[derive(Debug, Clone)]
pub struct RecordingPlan {
    directory: PathBuf,
    header: Header,
    /// Recordings that may still begin.
    left: Arc<AtomicU32>,
}

impl RecordingPlan {
    /// If it was asked for.
    pub fn of(directory: &std::path::Path, settings: &Settings) -> Option<Self> {
        let patterns = Pattern::all().filter(|pattern| settings.patterns.contains(*pattern));
        settings.record.then(|| Self {
            directory: directory.to_owned(),
            header: Header {
                memguard_recording: VERSION,
                pid: 0,
                exe: String::new(),
                started_at: 0.0,
                aggressive: settings.aggressive,
                sample_bytes: settings.sample_bytes,
                handles_max_age_s: settings.handle_age_max.as_secs_f64(),
                patterns: patterns.map(|pattern| pattern.name().to_owned()).collect(),
            },
            left: Arc::new(AtomicU32::new(RECORDINGS_MAX)),
        })
    }

    fn begin(&self, reader: &ProcessReader) -> io::Result<Option<Writer<File>>> {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if taken.is_err() {
            return Ok(None);
        }
        let pid = reader.pid().unsigned_abs();
        let header =
            Header { pid, exe: reader.exe(), started_at: reader.started_at(), ..self.header.clone() };
        Writer::begin(self.file(pid)?, &header, BYTES_MAX).map(Some)
    }

    /// A new file, for the user alone.
    fn file(&self, pid: u32) -> io::Result<File> {
        for number in 1..=NAMES_MAX {
            let suffix = if number == 1 { String::new() } else { format!("-{number}") };
            let path = self.directory.join(format!("record-{pid}{suffix}.jsonl.gz"));
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                opened => return opened,
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

/// The recording of one process, or none.
#[derive(Debug, Default)]
pub struct Recorder {
    /// Until the first reading.
    plan: Option<RecordingPlan>,
    writer: Option<Writer<File>>,
    /// Sites named with file and line.
    located: HashSet<SiteId>,
    trouble: Option<String>,
}

impl Recorder {
    /// Records from the first reading on.
    pub fn new(plan: Option<RecordingPlan>) -> Self {
        Self { plan, ..Self::default() }
    }

    /// What went wrong.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// The mean number of bytes between samples.
    pub fn sample_interval(&mut self, at_ns: u64, bytes: u64, reader: &ProcessReader) {
        self.begin(reader);
        if let Some(writer) = &mut self.writer {
            writer.sample_interval(at_ns, bytes);
        }
    }

    /// CPU time.
    pub fn cpu(&mut self, cpu_ns: u64) {
        if let Some(writer) = &mut self.writer {
            writer.cpu(cpu_ns);
        }
    }

    /// What a look through memory found.
    pub fn traces(&mut self, at_ns: u64, traces: &[(SiteId, Trace)]) {
        if let Some(writer) = &mut self.writer {
            writer.traces(at_ns, traces);
        }
    }

    /// A reading of the heap, of stacks whose sites are learned.
    pub fn heap(
        &mut self,
        reading: &Reading,
        reader: &ProcessReader,
        own: &mut ProcessSites,
        sites: &mut Sites,
    ) {
        self.begin(reader);
        let Some(writer) = &mut self.writer else { return };
        let fresh = writer.heap(reading, &|stack| own.of(stack));
        self.name(fresh, reader, own, sites);
    }

    /// A reading of everything else, likewise.
    pub fn resources(
        &mut self,
        reading: &ResourceReading,
        reader: &ProcessReader,
        own: &mut ProcessSites,
        sites: &mut Sites,
    ) {
        let Some(writer) = &mut self.writer else { return };
        let fresh = writer.resources(reading, &|stack| own.of(stack));
        self.name(fresh, reader, own, sites);
    }

    /// Everything taken in was judged, with these findings.
    pub fn look(
        &mut self,
        findings: &[Finding],
        reader: &ProcessReader,
        own: &mut ProcessSites,
        sites: &mut Sites,
    ) {
        let Some(writer) = &mut self.writer else { return };
        let mut written = Ok(());
        for finding in findings.iter().filter(|finding| finding.confidence >= CONFIDENCE_STORED_MIN) {
            if self.located.insert(finding.site) {
                let frames = sites.resolve(&own.frames(finding.stack, reader));
                let name = location(&frames, location_index(&frames));
                written = written.and_then(|()| writer.place(finding.site, &name));
            }
        }
        let written = written.and_then(|()| writer.look());
        self.check(written);
    }

    /// The process has ended.
    pub fn end(&mut self) {
        self.plan = None;
        let ended = self.writer.take().map_or(Ok(()), |writer| writer.end().map(drop));
        self.check(ended);
    }

    fn begin(&mut self, reader: &ProcessReader) {
        let Some(plan) = self.plan.take() else { return };
        match plan.begin(reader) {
            Ok(Some(writer)) => self.writer = Some(writer),
            Ok(None) => {
                self.trouble =
                    Some(format!("only the first {RECORDINGS_MAX} processes of a session are recorded"));
            }
            Err(error) => self.check(Err(error)),
        }
    }

    /// Names of places met for the first time: functions alone, which is cheap.
    fn name(
        &mut self,
        fresh: io::Result<Vec<StackId>>,
        reader: &ProcessReader,
        own: &mut ProcessSites,
        sites: &mut Sites,
    ) {
        let written = fresh.and_then(|stacks| {
            let Some(writer) = &mut self.writer else { return Ok(()) };
            for stack in stacks {
                let name = sites.name(&own.frames(stack, reader));
                writer.place(own.of(stack), &name)?;
            }
            Ok(())
        });
        self.check(written);
    }

    fn check(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.writer = None;
            let why = crate::config::reason(&error);
            self.trouble = Some(format!("a process was not recorded to its end: {why}"));
        }
    }
}
