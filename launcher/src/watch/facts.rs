//! Launcher, watch: the facts that a report is made of. In: a session under watch. Out: [`ReportInput`].

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use memguard_inspect::Stat;
use memguard_report::{
    ExplainedInput, FindingInput, MemoryInput, OverheadInput, ProcessInput, ReportInput, SessionInput,
    StackCounts,
};

use super::Watch;
use super::process::Watched;

/// Suspicions below this are not worth storing.
const CONFIDENCE_STORED_MIN: f64 = 0.05;
/// CPU times below this are too short to divide by, in ns.
const CPU_NS_MIN: u64 = 50_000_000;

impl Watch {
    /// The facts as they are now.
    pub fn facts(&mut self, session: SessionInput) -> ReportInput {
        let mut processes = Vec::new();
        let mut findings = Vec::new();
        for process in self.processes.iter_mut().filter(|process| process.is_active()) {
            let index = processes.len();
            processes.push(facts_of(process));
            for finding in process.findings().to_vec() {
                if finding.confidence >= CONFIDENCE_STORED_MIN {
                    let frames = process.frames(finding.stack);
                    findings.push(FindingInput {
                        stack: self.sites.resolve(&frames),
                        finding,
                        process: index,
                    });
                }
            }
        }
        ReportInput {
            created_at: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            usd_per_gb_hour: self.usd_per_gb_hour,
            session,
            processes,
            overhead: self.overhead(),
            memory: self.memory(),
            findings,
        }
    }

    fn overhead(&self) -> OverheadInput {
        let sum = |of: fn(&Watched) -> u64| self.processes.iter().map(of).sum::<u64>();
        let cpu_ns = sum(|process| process.cpu_ns);
        let percent = |ns: u64| (cpu_ns >= CPU_NS_MIN).then(|| 100.0 * ns as f64 / cpu_ns as f64);
        let own = Stat::of_self();
        let active = self.processes.iter().filter(|process| process.is_active());
        let intervals = active.map(|process| process.reader.sample_interval_bytes());
        OverheadInput {
            hook_cpu_percent: percent(sum(|process| process.reader.hook_ns())),
            collector_cpu_percent: own.and_then(|own| percent(own.cpu_ns)),
            memory_bytes: own.map(|own| own.rss_bytes + sum(|process| process.reader.segment_bytes())),
            sample_bytes: intervals.max().unwrap_or(self.sample_bytes).max(1),
        }
    }

    /// Growth of resident memory and the part of it that the heap accounts for. A negative rest means that the heap
    /// grew into memory that was resident before.
    fn memory(&self) -> MemoryInput {
        let growth = |p: &Watched| p.rss.last as f64 - p.rss.start as f64;
        let heap = |p: &Watched| p.heap.last - p.heap.start;
        let growth_bytes: f64 = self.processes.iter().map(growth).sum();
        let heap_bytes: f64 = self.processes.iter().map(heap).sum();
        let part = |what: &str, bytes| ExplainedInput { what: what.to_owned(), bytes };
        let explained = vec![part("heap", heap_bytes), part("unexplained", growth_bytes - heap_bytes)];
        MemoryInput { growth_bytes, explained }
    }
}

fn facts_of(process: &Watched) -> ProcessInput {
    let stacks = process.reader.stack_statistics();
    let mut lost: BTreeMap<String, u64> =
        process.reader.losses().into_iter().map(|(cause, count)| (cause.to_owned(), count)).collect();
    let model = process.model().losses();
    lost.insert("sites_without_room".to_owned(), model.stacks_without_room);
    ProcessInput {
        pid: process.pid(),
        ppid: process.reader.parent_pid().unsigned_abs(),
        exe: process.reader.exe(),
        started_at: process.reader.started_at(),
        ended_at: process.ended_at,
        rss_start_bytes: process.rss.start,
        rss_peak_bytes: process.rss.peak,
        rss_last_bytes: process.rss.last,
        exit: process.exit,
        lost,
        stacks: StackCounts {
            complete: stacks.complete,
            truncated: stacks.truncated + stacks.incomplete,
            lost: stacks.missing,
        },
    }
}
