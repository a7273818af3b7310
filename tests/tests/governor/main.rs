//! Governor: a program that does nothing but allocate is sampled more rarely until that is cheap, each process of a tree for
//! itself, and as before when it is calm again; what is estimated stays right all the while.
//!
//! Method: a program that allocates madly or calmly, as it is told, and knows what it keeps. What the interval is stands in
//! its segment; every step waits until it is what it should become. Nothing depends on how long that takes.

use memguard_segment::{HeaderWord, Record};
use memguard_tests::events::wait_until;
use memguard_tests::process::Process;
use memguard_tests::targets;
use memguard_tests::watched::{Place, words};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What is configured.
const BASE_BYTES: u64 = 64 << 10;
const OPTIONS: [&str; 5] = ["--quiet", "--sample-bytes", "64KiB", "--poll-interval", "0.1s"];
/// The interval must have become longer by this.
const THINNED: u64 = 16;
/// What the program marks the blocks with that it keeps.
const KEPT_BYTES: u64 = 65_537;
/// An estimate is further from the truth than so many standard deviations about once in two million runs.
const SIGMAS: f64 = 5.0;

struct Bursts {
    place: Place,
    process: Process,
}

impl Bursts {
    fn start() -> Self {
        let place = Place::new();
        let program = words(&targets::program("bursts"), &["4"]);
        let process = Process::converse(place.run(&OPTIONS, &program));
        Self { place, process }
    }

    fn tell(&mut self, order: &str, answer: &str) -> String {
        self.process.say(order);
        let said = self.process.line();
        assert!(said.starts_with(answer), "after '{order}' it says '{said}'");
        said
    }

    /// The interval of each watched process, by process id.
    fn intervals(&self) -> Vec<(u64, u64)> {
        let of = |word| move |recording: &memguard_tests::recording::Recording| recording.segment().get(word);
        let all = self.place.recordings();
        all.iter().map(|r| (of(HeaderWord::Pid)(r), of(HeaderWord::SampleIntervalBytes)(r))).collect()
    }

    fn wait_for_interval(&self, pid: Option<u64>, good: impl Fn(u64) -> bool) {
        wait_until(|| {
            let all = if self.place.sessions().is_empty() { Vec::new() } else { self.intervals() };
            all.iter().any(|(of, interval)| pid.is_none_or(|pid| pid == *of) && good(*interval))
        });
    }
}

/// Sum over the kept blocks' samples of size over probability, and its standard deviation.
fn estimate(live: &[Record]) -> (f64, f64) {
    let kept = live.iter().filter(|record| record.size_bytes == KEPT_BYTES);
    let (mut sum, mut variance) = (0.0, 0.0);
    for record in kept {
        let (size, p) = (record.size_bytes as f64, f64::from(record.p));
        sum += size / p;
        variance += size * size * (1.0 - p) / (p * p);
    }
    (sum, variance.sqrt())
}

/// Goal: the interval rises while the program is mad and comes back when it is calm; blocks that were kept before, meanwhile
/// and afterwards are estimated rightly together; the report says that sampling was thinned, and why.
#[test]
fn thins_sampling_of_a_mad_program_and_comes_back() {
    let mut bursts = Bursts::start();
    bursts.wait_for_interval(None, |interval| interval == BASE_BYTES);
    bursts.tell("keep 1000", "kept");
    bursts.tell("mad", "mad");
    bursts.wait_for_interval(None, |interval| interval >= THINNED * BASE_BYTES);
    bursts.tell("keep 8000", "kept");
    bursts.tell("calm", "calm");
    bursts.wait_for_interval(None, |interval| interval == BASE_BYTES);
    bursts.tell("keep 1000", "kept");

    let said = bursts.tell("tell", "kept ");
    let truth: f64 = said.split(' ').nth(1).and_then(|bytes| bytes.parse().ok()).expect("bytes");
    let live = bursts.place.recordings().pop().expect("a recording").live();
    let heaviest = live.iter().filter(|r| r.size_bytes == KEPT_BYTES).map(|r| 1.0 / r.p).fold(0.0, f32::max);
    assert!(heaviest > 2.0, "nothing was kept while sampling was thinned");
    let (estimated, sigma) = estimate(&live);
    println!("estimated {estimated:.0} of {truth:.0}, standard deviation {sigma:.0}");
    assert!((estimated - truth).abs() < SIGMAS * sigma, "{estimated:.0} for {truth:.0}, sigma {sigma:.0}");

    let Bursts { place, process } = bursts;
    assert_eq!(process.finish().code, 0);
    let report = place.report();
    let overhead = &report.document["overhead"];
    println!("{overhead}");
    assert_eq!(overhead["sample_bytes_base"], BASE_BYTES, "{overhead}");
    assert!(overhead["sample_bytes_peak"].as_u64().expect("a number") >= THINNED * BASE_BYTES, "{overhead}");
    let text = Process::run(place.memguard(&["report"])).stdout;
    assert!(text.contains("thinned from one in 64"), "{text}");
}

/// Goal: each process is steered for itself, and what a collector that dies leaves behind stays. Method: a calm child beside a
/// mad parent; then SIGKILL for the launcher.
#[test]
fn steers_each_process_for_itself_and_leaves_things_as_they_are() {
    set_child_subreaper(true).expect("allowed");
    let mut bursts = Bursts::start();
    let child = bursts.tell("child", "child ");
    let child: u64 = child.split(' ').nth(1).and_then(|pid| pid.parse().ok()).expect("a number");
    bursts.wait_for_interval(Some(child), |interval| interval == BASE_BYTES);
    bursts.tell("mad", "mad");
    wait_until(|| {
        let all = bursts.intervals();
        all.iter().any(|(pid, interval)| *pid != child && *interval >= THINNED * BASE_BYTES)
    });
    let before = bursts.intervals();
    let of_child = before.iter().find(|(pid, _)| *pid == child).expect("still watched");
    assert_eq!(of_child.1, BASE_BYTES, "the child has done nothing: {before:?}");
    let parent = before.iter().find(|(pid, _)| *pid != child).expect("still watched").0;

    bursts.process.signal(Signal::SIGKILL);
    assert_eq!(bursts.process.wait(), 128 + 9);
    let left = bursts.intervals();
    bursts.tell("keep 1000", "kept");
    assert_eq!(bursts.intervals(), left, "nobody is there to change anything");
    assert!(
        left.iter().any(|(pid, interval)| *pid == parent && *interval >= THINNED * BASE_BYTES),
        "{left:?}"
    );
    for pid in [parent, child] {
        kill(Pid::from_raw(i32::try_from(pid).expect("a process id")), Signal::SIGKILL).expect("it runs on");
    }
}
