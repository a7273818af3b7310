//! Cost: how many instructions a hook adds to a call, so that a slow one cannot slip in, and that a report states what it took.
//!
//! Method: callgrind counts a benchmark program with few and with many repetitions; the difference, for each repetition, is
//! free of start and end. The program is counted plain, under a preload that only forwards, and under `memguard run`, which
//! samples or records everything.
//! Counts repeat to the digit but for the few samples, whose gaps are drawn at random; the limits leave room for those. How
//! the fast path ends in the shipped library is looked at in `shape`.
#![cfg(target_arch = "x86_64")]

use std::path::{Path, PathBuf};
use std::process::Command;

use memguard_tests::watched::Place;
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

    /// What is in `benches/programs`, or a test program, compiled as the benchmarks compile it.
    fn compiled(&self, name: &str, options: &[&str]) -> PathBuf {
        let folders = ["benches/programs", "tests/tests/programs"];
        let sources = folders.map(|folder| product::root().join(folder).join(format!("{name}.c")));
        let source = sources.iter().find(|source| source.exists()).expect("a program of ours");
        let path = self.folder.path().join(name);
        let mut compiler = Command::new("gcc");
        compiler.args(["-O2", "-pthread"]).args(options).arg(source).arg("-o").arg(&path);
        assert!(compiler.status().expect("gcc starts").success(), "{name} does not compile");
        path
    }

    /// Instructions of one run.
    fn count(&self, program: &Path, words: &[&str], way: Way<'_>) -> u64 {
        let watched = matches!(way, Way::Guard | Way::Audit);
        let mut command = Command::new(if watched { product::launcher() } else { Path::new("valgrind") });
        if watched {
            product::library();
            command.args(["run", "--quiet", "--dir"]).arg(self.folder.path().join("sessions"));
            command.args(matches!(way, Way::Audit).then_some("--aggressive"));
            command.args(["--", "valgrind"]);
        }
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program).args(words);
        // Where the product under test lies is said in variables that the launcher takes for its own.
        for name in ["MEMGUARD_BIN", "MEMGUARD_SO", "MEMGUARD_PORTABLE_SO", "MEMGUARD_REQUIRE_ALL"] {
            command.env_remove(name);
        }
        if let Way::Preload(preload) = way {
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

    /// Instructions of one repetition.
    fn each(&self, program: &Path, what: &[&str], few: u32, many: u32, way: Way<'_>) -> f64 {
        let count = |repetitions: u32| {
            let number = repetitions.to_string();
            self.count(program, &[&[number.as_str()], what].concat(), way)
        };
        let (short, long) = (count(few), count(many));
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let more = (long - short) as f64;
        more / f64::from(many - few)
    }

    fn cost(&self, program: &str, what: &[&str], few: u32, many: u32) -> Cost {
        let program = self.compiled(program, &[]);
        let forward = self.compiled("forward_only", &["-shared", "-fPIC", "-fvisibility=hidden"]);
        let each = |way| self.each(&program, what, few, many, way);
        let cost =
            Cost { plain: each(Way::Plain), forward: each(Way::Preload(&forward)), guard: each(Way::Guard) };
        println!("plain {:.2}, forward {:.2}, guard {:.2}", cost.plain, cost.forward, cost.guard);
        cost
    }
}

/// With what a program is run.
#[derive(Clone, Copy)]
enum Way<'a> {
    Plain,
    Preload(&'a Path),
    Guard,
    Audit,
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
    check("lifo", &[], 20_000, 220_000, 3.5); // measured: 2.07
}

#[test]
fn random_replacement() {
    check("random_replacement", &[], 10_000, 110_000, 4.0); // measured: 2.27
}

#[test]
fn realloc_growth() {
    check("realloc_growth", &[], 1_000, 5_000, 800.0); // measured: 366, most of it samples: it moves many bytes
}

#[test]
fn open_and_close() {
    check("pairs", &["open"], 5_000, 25_000, 150.0); // measured: 143.00
}

#[test]
fn socket_and_close() {
    check("pairs", &["socket"], 5_000, 25_000, 145.0); // measured: 138.00
}

/// Where every allocation is recorded: at most so many instructions more than plain, for each repetition.
fn check_audit(program: &str, few: u32, many: u32, limit: f64) {
    if !ability::tool("valgrind") {
        return;
    }
    let bench = Bench::new();
    let program = bench.compiled(program, &[]);
    let [plain, audit] = [Way::Plain, Way::Audit].map(|way| bench.each(&program, &[], few, many, way));
    println!("plain {plain:.2}, audit {audit:.2}");
    assert!(audit - plain > 100.0, "not everything is recorded: {plain:.2} plain, {audit:.2} in audit mode");
    assert!(audit - plain <= limit, "{:.2} instructions more than plain", audit - plain);
}

#[test]
fn malloc_and_free_recorded() {
    check_audit("lifo", 20_000, 60_000, 950.0); // measured: 860
}

/// A hundred allocations a round, whose stacks have the innermost address and the stack pointer in common: each is recognised all
/// the same. Walking them takes three times as much.
#[test]
fn callers_of_a_wrapper_recorded() {
    check_audit("wrapped", 200, 600, 115_000.0); // measured: 100_350
}

/// Goal: what watching costs is stated of a program, too, that is over before it was looked at twice, its CPU time included.
/// Method: a quarter of a second of nothing but malloc and free.
#[test]
fn a_short_life_is_told_its_cost() {
    let bench = Bench::new();
    let program = bench.compiled("lifo", &[]);
    let watched = Place::new().watch(&["--quiet"], &[program.to_str().expect("a path"), "30000000"]);
    assert_eq!(watched.ended.code, 0, "{}", watched.ended.stderr);
    let report = watched.report();
    let overhead = &report.document["overhead"];
    let said = |name: &str| overhead[name].as_f64().unwrap_or_else(|| panic!("no {name}: {overhead}"));
    assert!(said("passing_cpu_percent") > 0.0, "{overhead}");
    assert!(said("hook_cpu_percent") > said("passing_cpu_percent"), "{overhead}");
    assert!(said("collector_cpu_percent") > 0.0, "{overhead}");
}

/// Goal: what processes take more to start is stated, although none of them lives long enough to be watched. Method: a parent whose
/// children are all loaded anew and none a copy of it, and one whose children are all copies and execute nothing; were they not
/// counted, the parent's own start would remain, which is less than a tenth of the limit; less than half of what such programs do is ours.
#[test]
fn starting_is_told_of_what_is_not_watched() {
    let spawns = "import os\nfor _ in range(150):\n    os.waitpid(os.posix_spawn('/bin/true', ['true'], os.environ), 0)";
    let copies = "i=0; while [ $i -lt 1500 ]; do (:); i=$((i+1)); done";
    for words in [["python3", "-c", spawns], ["sh", "-c", copies]] {
        let watched = Place::new().watch(&["--quiet"], &words);
        assert_eq!(watched.ended.code, 0, "{}", watched.ended.stderr);
        let overhead = &watched.report().document["overhead"];
        let starting = overhead["starting_cpu_percent"].as_f64().expect("enough CPU time to compare with");
        assert!((1.0..50.0).contains(&starting), "{words:?}: {overhead}");
    }
}
