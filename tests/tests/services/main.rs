//! Services: real programs under real load do under watch what they do without, are not suspected, and their stacks can be
//! followed to where their threads began.
//!
//! Method: `scripts/workloads/*.sh`, each once plainly and once under watch at default sampling. What a workload prints on
//! stdout is the same on every run.

use std::collections::BTreeMap;

use memguard_segment::{Class, Frame, StackEnd};
use memguard_tests::ability;
use memguard_tests::process::Process;
use memguard_tests::product::{launcher, root};
use memguard_tests::recording::{Names, Recording};
use memguard_tests::report::SHOWN;
use memguard_tests::watched::{Place, plain};

/// About how long each workload lasts.
const SECONDS: &str = "6";
/// Share of samples whose stack must be complete.
const COMPLETE_MIN: f64 = 0.99;
/// Where threads begin.
const BEGINNINGS: [&str; 5] = ["_start", "__clone", "__clone3", "clone3", "start_thread"];

/// `_start` is shorter than this.
const START_BYTES_MAX: u64 = 64;

/// Samples by how their stacks came out.
#[derive(Default)]
struct Shares {
    samples: u64,
    complete: u64,
    from_beginning: u64,
    /// Descriptors and everything else that is not memory, and those of them with a complete stack.
    others_made: u64,
    others_complete: u64,
    /// Outermost functions that are no beginning, with their samples.
    others: BTreeMap<String, u64>,
}

impl Shares {
    fn add(&mut self, recording: &Recording, names: &mut Names) {
        for (stack, samples, end, class) in recording.stacks() {
            let complete = if end == Some(StackEnd::Complete) { samples } else { 0 };
            if class != Class::Heap {
                self.others_made += samples;
                self.others_complete += complete;
                continue;
            }
            self.samples += samples;
            self.complete += complete;
            let outermost = recording.frames(stack).pop();
            let name = outermost.map_or_else(String::new, |frame| names.function(recording, frame));
            let is_entry = outermost.is_some_and(|frame| is_entry(recording, frame));
            if BEGINNINGS.contains(&name.as_str()) || is_entry {
                self.from_beginning += samples;
            } else {
                let file = recording.exe();
                let exe = file.file_name().unwrap_or_default().to_string_lossy();
                *self.others.entry(format!("{exe}: {name}")).or_default() += samples;
            }
        }
    }
}

/// Whether a frame lies at the entry point of a program, which has no name if the program is stripped.
fn is_entry(recording: &Recording, frame: Frame) -> bool {
    let module = recording.module(frame);
    let header = module.and_then(|module| std::fs::read(module.path).ok());
    let entry = header.and_then(|file| file.get(24..32)?.try_into().ok()).map(u64::from_le_bytes);
    entry.is_some_and(|entry| (entry..entry + START_BYTES_MAX).contains(&frame.address()))
}

/// One program: same output and status, no finding, complete stacks, at least so many samples.
fn check(workload: &str, tools: &[&str], samples_min: u64) {
    if !tools.iter().all(|tool| ability::tool(tool)) {
        return;
    }
    let script = root().join("scripts/workloads").join(format!("{workload}.sh"));
    let mut alone = plain("sh");
    alone.arg(&script).env("WORKLOAD_SECONDS", SECONDS);
    let place = Place::new();
    let keeper = place.keeper();
    let mut watched = place.command("sh");
    watched.arg(&script).env("WORKLOAD_SECONDS", SECONDS);
    watched.arg(launcher()).args(["run", "--quiet", "--"]);

    let alone = Process::run(alone);
    assert_eq!(alone.code, 0, "{workload} alone: {}", alone.stderr);
    let watched = Process::run(watched);
    assert_eq!(
        (watched.code, &watched.stdout),
        (alone.code, &alone.stdout),
        "{workload}: {}",
        watched.stderr
    );

    let report = place.report();
    let found = report.findings(SHOWN);
    assert!(found.is_empty(), "{workload} is healthy: {report}");
    let (mut shares, mut names) = (Shares::default(), Names::default());
    for recording in keeper.recordings() {
        shares.add(&recording, &mut names);
    }
    let share = |part: u64| part as f64 / shares.samples.max(1) as f64;
    println!(
        "{workload}: {} samples in {} processes, {:.2} % complete, {:.2} % from a thread's beginning {:?}; {} of {} stacks of \
         everything else complete; {report}",
        shares.samples,
        report.processes().len(),
        100.0 * share(shares.complete),
        100.0 * share(shares.from_beginning),
        shares.others,
        shares.others_complete,
        shares.others_made,
    );
    let others = shares.others_complete as f64 / shares.others_made.max(1) as f64;
    assert!(
        others >= COMPLETE_MIN,
        "{workload}: only {others:.3} of what is not memory has a complete stack"
    );
    assert!(shares.samples >= samples_min, "{workload}: only {} samples", shares.samples);
    let [complete, ..] = report.stacks();
    assert_eq!(complete, shares.complete, "{workload}: the report and the recordings differ");
    assert!(share(shares.complete) >= COMPLETE_MIN, "{workload}: {report}");
    assert!(share(shares.from_beginning) >= COMPLETE_MIN, "{workload}: {:?}", shares.others);
}

#[test]
fn redis() {
    check("redis", &["redis-server", "redis-benchmark", "redis-cli"], 500);
}

#[test]
fn nginx() {
    check("nginx", &["nginx", "wrk"], 500);
}

#[test]
fn sqlite() {
    check("sqlite", &["sqlite3"], 500);
}

#[test]
fn python() {
    check("python", &["python3"], 500);
}

#[test]
fn gxx() {
    check("gxx", &["g++"], 500);
}
