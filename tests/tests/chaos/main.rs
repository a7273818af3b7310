//! Chaos: a program that does at random, in many threads and children, whatever a program may do. Watched or not, it comes to
//! its end and finds everything in order; of what it gives back nothing is shown, and what it leaks is named.
//!
//! In: `tests/targets/chaos.c`. The choices are the seed's, their order among threads is the system's. `make chaos` does the
//! same for longer.

use std::fmt;

use memguard_tests::process::Process;
use memguard_tests::report::{Finding, Report, SHOWN};
use memguard_tests::targets::{Expectation, expectation, target};
use memguard_tests::together::{ensure, together};
use memguard_tests::watched::{Place, plain, words};

/// One run.
struct Run {
    mode: &'static [&'static str],
    is_portable: bool,
    seed: u32,
    seconds: u32,
    plants: bool,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let build = if self.is_portable { "portable" } else { "assembly" };
        write!(f, "chaos {:?} {:?}, {build}", self.arguments(), self.mode)
    }
}

impl Run {
    const fn new(mode: &'static [&'static str], seed: u32, seconds: u32) -> Self {
        Self { mode, is_portable: false, seed, seconds, plants: false }
    }

    const fn planting(self) -> Self {
        Self { plants: true, ..self }
    }

    const fn portable(self) -> Self {
        Self { is_portable: true, ..self }
    }

    fn arguments(&self) -> Vec<String> {
        let words = ["--seed".into(), self.seed.to_string(), "--seconds".into(), self.seconds.to_string()];
        words.into_iter().chain(self.plants.then(|| "--plant".into())).collect()
    }

    /// Runs it under watch; it must say what it says alone.
    fn watch(&self) -> Result<Report, String> {
        let arguments = self.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let place = if self.is_portable { Place::new().portable() } else { Place::new() };
        let options = [&["--quiet"], self.mode].concat();
        let watched = place.watch(&options, &words(&target("chaos"), &arguments));
        let ended = &watched.ended;
        ensure(ended.code == 0 && ended.stdout == format!("ok {}\n", self.seed), || format!("{ended:?}"))?;
        let ours = ended.stderr.lines().find(|line| line.contains("memguard") || line.contains("ld.so"));
        ensure(ours.is_none(), || format!("somebody said {ours:?}"))?;
        let report = watched.report();
        ensure(!report.processes().is_empty(), || "it was not watched".to_owned())?;
        Ok(report)
    }
}

/// The functions that `--plant` leaks in.
fn planted() -> Vec<String> {
    let Expectation::Leak(leaks) = expectation("chaos.c", "chaos.c") else { panic!("chaos.c plants leaks") };
    leaks.into_iter().map(|leak| leak.function).collect()
}

fn is_in(finding: Finding<'_>, functions: &[String]) -> bool {
    finding.place().is_some_and(|place| functions.iter().any(|function| place.is_in(function)))
}

/// Goal: the program itself is in order. Method: alone.
#[test]
fn alone_it_finds_everything_in_order() {
    let mut command = plain(target("chaos"));
    command.args(Run::new(&[], 1, 3).planting().arguments());
    let alone = Process::run(command);
    assert_eq!((alone.code, alone.stdout.as_str()), (0, "ok 1\n"), "{}", alone.stderr);
}

/// Goal: nothing that is given back is shown, in either mode and with both builds.
#[test]
fn what_is_given_back_is_not_shown() {
    let runs = [
        Run::new(&[], 1, 10),
        Run::new(&["--aggressive"], 2, 10),
        Run::new(&["--sample-bytes", "4KiB"], 3, 8),
        Run::new(&["--aggressive"], 4, 8).portable(),
    ];
    together(2, &runs, |run| {
        let report = run.watch()?;
        println!("{run}: {report}");
        let shown = report.findings(SHOWN);
        // That its allocator takes more than it needs, with an area for each of so many threads, is true.
        ensure(shown.iter().all(|finding| finding.pattern() == "fragmentation"), || report.to_string())
    });
}

/// Goal: what is planted is named by its function amid all this, and nothing else is shown. Method: aggressive mode; in guard
/// mode a program that keeps a processor busy is not judged before it is some minutes old (`make chaos` takes that long). A
/// run that a busy machine disturbed may try again.
#[test]
fn what_is_planted_is_found() {
    let functions = planted();
    let runs = [Run::new(&["--aggressive"], 5, 12).planting()];
    together(1, &runs, |run| {
        let mut attempt = 1;
        loop {
            let report = run.watch()?;
            println!("{run}, attempt {attempt}: {report}");
            let shown = report.findings(SHOWN);
            let mut others = shown.iter().filter(|finding| finding.pattern() != "fragmentation");
            let stranger = others.find(|finding| !is_in(**finding, &functions));
            ensure(stranger.is_none(), || {
                format!("[{}] was not planted: {report}", stranger.expect("some"))
            })?;
            let is_found =
                |function: &&String| shown.iter().any(|found| is_in(*found, &[(*function).clone()]));
            let missed: Vec<_> = functions.iter().filter(|function| !is_found(function)).collect();
            if missed.is_empty() {
                return Ok(());
            }
            ensure(attempt < 3, || format!("{missed:?} not found in {attempt} attempts: {report}"))?;
            attempt += 1;
        }
    });
}
