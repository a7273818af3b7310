//! Cost: how many instructions a hook adds to a call, so that a slow one cannot slip in.
//!
//! Method: callgrind counts a benchmark program with few and with many repetitions; the difference, for each repetition, is
//! free of start and end. The program is counted plain, under a preload that only forwards, and under `memguard run`.
//! Counts repeat to the digit but for the few samples, whose gaps are drawn at random; the limits leave room for those. How
//! the fast path ends in the shipped library is looked at in `shape`.
#![cfg(target_arch = "x86_64")]

use std::path::{Path, PathBuf};
use std::process::Command;

use memguard_tests::{ability, product};

/// Instructions per repetition.
struct Cost {
    plain: f64,
    forward: f64,
    guard: f64,
}

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    /// What is in `benches/programs`, compiled as the benchmarks compile it.
    fn compiled(&self, name: &str, options: &[&str]) -> PathBuf {
        let source = product::root().join("benches/programs").join(format!("{name}.c"));
        let path = self.folder.path().join(name);
        let mut compiler = Command::new("gcc");
        compiler.args(["-O2", "-pthread"]).args(options).arg(source).arg("-o").arg(&path);
        assert!(compiler.status().expect("gcc starts").success(), "{name} does not compile");
        path
    }

    /// Instructions of one run.
    fn count(&self, program: &Path, words: &[&str], preload: Option<&Path>, watched: bool) -> u64 {
        let mut command = Command::new(if watched { product::launcher() } else { Path::new("valgrind") });
        if watched {
            product::library();
            command.args(["run", "--quiet", "--dir"]).arg(self.folder.path().join("sessions"));
            command.args(["--", "valgrind"]);
        }
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program).args(words);
        // Where the product under test lies is said in variables that the launcher takes for its own.
        for name in ["MEMGUARD_BIN", "MEMGUARD_SO", "MEMGUARD_PORTABLE_SO", "MEMGUARD_REQUIRE_ALL"] {
            command.env_remove(name);
        }
        if let Some(preload) = preload {
            command.env("LD_PRELOAD", preload);
        }
        let output = command.output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}");
        let counts: Vec<u64> =
            said.lines().filter_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok()).collect();
        assert_eq!(counts.len(), 1, "one process is counted: {said}");
        counts.iter().sum()
    }

    fn cost(&self, program: &str, what: &[&str], few: u32, many: u32) -> Cost {
        let program = self.compiled(program, &[]);
        let forward = self.compiled("forward_only", &["-shared", "-fPIC", "-fvisibility=hidden"]);
        let each = |preload: Option<&Path>, watched: bool| {
            let count = |repetitions: u32| {
                let number = repetitions.to_string();
                self.count(&program, &[&[number.as_str()], what].concat(), preload, watched)
            };
            let (short, long) = (count(few), count(many));
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            let more = (long - short) as f64;
            more / f64::from(many - few)
        };
        let cost =
            Cost { plain: each(None, false), forward: each(Some(&forward), false), guard: each(None, true) };
        println!("plain {:.2}, forward {:.2}, guard {:.2}", cost.plain, cost.forward, cost.guard);
        cost
    }
}

/// At most so many instructions more than plain, for each repetition. Where nothing but malloc and free is done, the
/// comparison is with a preload that only forwards.
fn check(program: &str, what: &[&str], few: u32, many: u32, limit_over_forward: f64) {
    if !ability::tool("valgrind") {
        return;
    }
    let cost = Bench::new().cost(program, what, few, many);
    let more = cost.guard - cost.forward;
    assert!(cost.forward > cost.plain - 1.0, "a preload that forwards is not for nothing");
    assert!(more > 0.0, "MemGuard is not at work: {more:.2} instructions more than forwarding");
    assert!(more <= limit_over_forward, "{program} {what:?}: {more:.2} instructions more than forwarding");
}

// The measured values stand beside the limits: `cargo test -p memguard-tests --test cost -- --nocapture`.

#[test]
fn malloc_and_free() {
    check("lifo", &[], 20_000, 220_000, 5.0); // measured: 4.28
}

#[test]
fn random_replacement() {
    check("random_replacement", &[], 10_000, 110_000, 6.0); // measured: 5.07
}

#[test]
fn realloc_growth() {
    check("realloc_growth", &[], 1_000, 5_000, 1_400.0); // measured: 1_050, most of it samples: it moves many bytes
}

#[test]
fn open_and_close() {
    check("pairs", &["open"], 5_000, 25_000, 170.0); // measured: 163.00
}

#[test]
fn socket_and_close() {
    check("pairs", &["socket"], 5_000, 25_000, 165.0); // measured: 158.00
}
