//! Leaks, other allocators: what C++ programs take from jemalloc, tcmalloc and mimalloc by operators that never call malloc, and
//! what jemalloc gives by functions of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use memguard_segment::Class;
use memguard_tests::process::{Ended, Process};
use memguard_tests::product::beside;
use memguard_tests::recording::{Names, Recording};
use memguard_tests::report::{Finding, SHOWN};
use memguard_tests::targets::target;
use memguard_tests::together::{ensure, together};
use memguard_tests::watched::{Place, plain, words};

use crate::case::Case;
use crate::family::live_by_function;

const OBJECTS: usize = 100;

/// How a program comes by its allocator: the program, and what the user preloads.
#[derive(Clone, Copy)]
struct Setting {
    program: &'static str,
    preloaded: Option<&'static str>,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {}", self.program, self.preloaded.unwrap_or("nothing else"))
    }
}

/// Linked, preloaded by the user, and two whose operators do call malloc: those must not count twice.
const SETTINGS: [Setting; 8] = [
    Setting { program: "operators_jemalloc", preloaded: None },
    Setting { program: "operators_tcmalloc", preloaded: None },
    Setting { program: "operators_mimalloc", preloaded: None },
    Setting { program: "operators_libc", preloaded: Some("libjemalloc.so.2") },
    Setting { program: "operators_libc", preloaded: Some("libtcmalloc.so.4") },
    Setting { program: "operators_libc", preloaded: Some("libmemguard_operators.so") },
    Setting { program: "operators_libc", preloaded: None },
    Setting { program: "operators_relaying", preloaded: None },
];

/// What a user writes into `LD_PRELOAD`: one of our own by its path, another's by its name.
fn preload(name: &str) -> PathBuf {
    if name.starts_with("libmemguard") { beside(name) } else { PathBuf::from(name) }
}

/// Runs it alone and under watch: it must say and answer the same. What it recorded is kept.
fn watch(
    place: &Place,
    options: &[&str],
    setting: Setting,
    arguments: &[&str],
) -> Result<Vec<Recording>, String> {
    let keeper = place.keeper();
    let (mut alone, mut run) =
        (plain(target(setting.program)), place.run(options, &words(&target(setting.program), arguments)));
    alone.args(arguments);
    if let Some(name) = setting.preloaded {
        alone.env("LD_PRELOAD", preload(name));
        run.env("LD_PRELOAD", preload(name));
    }
    let (alone, watched) = (Process::run(alone), Process::run(run));
    let said = |ended: &Ended| (ended.code, ended.stdout.clone());
    ensure(alone.code == 0 && said(&alone) == said(&watched), || {
        format!("{alone:?}, but watched {watched:?}")
    })?;
    Ok(keeper.recordings())
}

/// Births by the function that was called, as in `live_by_function`.
fn births_by_function(recording: &Recording) -> BTreeMap<String, u64> {
    let mut names = Names::default();
    let mut counts = BTreeMap::new();
    for (stack, births, _, class) in recording.stacks() {
        let frames = recording.frames(stack).into_iter();
        let by = frames.map(|frame| names.function(recording, frame)).find(|name| name.starts_with("by_"));
        if let Some(by) = by.filter(|_| class == Class::Heap) {
            *counts.entry(by).or_default() += births;
        }
    }
    counts
}

/// `by_new(unsigned long)` is `by_new`.
fn bare<T>(counts: BTreeMap<String, T>) -> BTreeMap<String, T> {
    let name = |name: String| name.split('(').next().unwrap_or_default().to_owned();
    counts.into_iter().map(|(full, count)| (name(full), count)).filter(|(name, _)| !name.is_empty()).collect()
}

fn operators() -> Vec<String> {
    Case::new("operators_libc", "operators.cpp").leaks().into_iter().map(|leak| leak.function).collect()
}

/// Goal: every operator is recorded once for each call, and every block that is given back is forgotten, whichever allocator
/// the operators come from and whichever way it came in. Method: births and the live table after a flat-out run in which
/// everything is recorded; each function forgets as many blocks as it gives back.
#[test]
fn every_operator_is_recorded_exactly() {
    let count = OBJECTS.to_string();
    together(2, &SETTINGS, |setting| {
        let arguments = ["--objects", &count, "--seconds", "0"];
        let recordings = watch(&Place::new(), &["--quiet", "--aggressive"], *setting, &arguments)?;
        ensure(recordings.len() == 1, || format!("{} recordings", recordings.len()))?;
        let (live, born) = (bare(live_by_function(&recordings[0])), bare(births_by_function(&recordings[0])));
        let expected: BTreeMap<String, usize> = operators().into_iter().map(|name| (name, OBJECTS)).collect();
        ensure(live == expected, || format!("alive are {live:?}"))?;
        let twice = born.len() == expected.len() && born.values().all(|births| *births == 2 * OBJECTS as u64);
        ensure(twice, || format!("born were {born:?}"))
    });
}

/// Goal: a program that gives everything back leaves nothing. Method: as above, with the healthy twins.
#[test]
fn nothing_is_left_of_a_healthy_program() {
    let count = OBJECTS.to_string();
    let programs =
        ["jemalloc", "tcmalloc", "mimalloc", "relaying"].map(|name| format!("operators_healthy_{name}"));
    together(2, &programs, |program| {
        let setting = Setting { program: program.clone().leak(), preloaded: None };
        let arguments = ["--objects", &count, "--seconds", "0"];
        let recordings = watch(&Place::new(), &["--quiet", "--aggressive"], setting, &arguments)?;
        let (live, born) = (bare(live_by_function(&recordings[0])), bare(births_by_function(&recordings[0])));
        ensure(live.is_empty(), || format!("alive are {live:?}"))?;
        let twice =
            born.len() == operators().len() && born.values().all(|births| *births == 2 * OBJECTS as u64);
        ensure(twice, || format!("born were {born:?}"))
    });
}

/// Goal: at default sampling bytes are counted down once. Method: the number of samples of a flat-out run whose bytes are known:
/// 16 blocks of 2,000 bytes a round, 10,000 rounds, one sample in 512 KiB. Off by six standard deviations is no accident.
#[test]
fn bytes_are_counted_once() {
    together(2, &SETTINGS, |setting| {
        let arguments = ["--objects", "10000", "--size", "2000", "--seconds", "0"];
        // The interval stays what it is, whatever it costs on a machine where pages are slow to come.
        let options = ["--quiet", "--overhead-budget", "none"];
        let recordings = watch(&Place::new(), &options, *setting, &arguments)?;
        let expected = 16.0 * 2000.0 * 10000.0 / f64::from(512 << 10);
        let off = (recordings[0].samples() as f64 - expected) / expected.sqrt();
        println!("{setting}: {} samples, {off:.1} standard deviations off", recordings[0].samples());
        ensure(off.abs() < 6.0, || format!("{} samples instead of {expected:.0}", recordings[0].samples()))
    });
}

/// Goal: jemalloc's own functions are recorded exactly. Method: as for the operators. `rallocx` and `xallocx` are a death and a
/// birth each, behind the malloc that they change.
#[test]
fn jemallocs_own_functions_are_recorded_exactly() {
    let count = OBJECTS.to_string();
    let setting = Setting { program: "allocx", preloaded: None };
    let arguments = ["--objects", &count, "--seconds", "0"];
    let recordings =
        watch(&Place::new(), &["--quiet", "--aggressive"], setting, &arguments).expect("it runs as alone");
    let live = bare(live_by_function(&recordings[0]));
    let functions = ["by_mallocx", "by_rallocx", "by_xallocx"];
    assert_eq!(live, functions.map(|name| (name.to_owned(), OBJECTS)).into());
    let born = bare(births_by_function(&recordings[0]));
    let expected = [2, 4, 4].map(|times| times * OBJECTS as u64);
    assert_eq!(born, functions.into_iter().map(str::to_owned).zip(expected).collect());
}

/// Goal: a leak of a C++ program is named by function and line with each allocator. Method: the one of `leak_cpp`, linked against
/// them; the verdict may need a second attempt on a busy machine.
#[test]
fn leaks_are_found_with_every_allocator() {
    let cases = ["leak_cpp_jemalloc", "leak_cpp_tcmalloc", "leak_cpp_mimalloc"]
        .map(|program| Case::new(program, "leak_cpp.cpp").with_slack(2));
    together(3, &cases, |case| {
        let mut attempt = 1;
        loop {
            let report = case.watch(&["--quiet", "--aggressive"], &[])?.report();
            let found = case.judge(&report)?;
            let least = found.iter().map(|f| f.map_or(0.0, Finding::confidence)).fold(1.0, f64::min);
            if least >= SHOWN {
                return Ok(());
            }
            ensure(attempt < 3, || format!("only {least:.2} after {attempt} attempts: {report}"))?;
            attempt += 1;
        }
    });
}

/// Goal: a plugin that a program in C loads for itself alone, with its own C++ library, keeps its own operators and their
/// exceptions; and no name can be found that would not be there without us. Method: what the host says alone and under watch,
/// with our libraries preloaded though there is no allocator for them, and with tcmalloc.
#[test]
fn a_plugin_keeps_its_own_operators() {
    let ours = [beside("libmemguard_operators.so"), beside("libmemguard_allocx.so")]
        .map(|p| p.display().to_string());
    let ours = ours.join(":");
    for (alone_with, watched_with) in
        [("", ours.as_str()), ("libtcmalloc_minimal.so.4", "libtcmalloc_minimal.so.4")]
    {
        let place = Place::new();
        let mut alone = plain(target("cpp_host"));
        alone.env("LD_PRELOAD", alone_with);
        let mut run = place.run(&["--quiet", "--aggressive"], &words(&target("cpp_host"), &[]));
        run.env("LD_PRELOAD", watched_with);
        let (alone, watched) = (Process::run(alone), Process::run(run));
        assert_eq!(
            (alone.code, alone.stdout.as_str()),
            (watched.code, watched.stdout.as_str()),
            "{watched:?}"
        );
        assert!(alone.stdout.contains("100 exceptions") && alone.stdout.contains("mallocx 0"), "{alone:?}");
    }
}

/// Goal: a report says that operators passed unseen, and the library that it names is the remedy. Method: a program behind a
/// shell, which says nothing of its allocator; then the same with that library preloaded by the user.
#[test]
fn unseen_operators_are_told() {
    let program = target("operators_jemalloc");
    let script = format!("'{}' --objects 10 --seconds 0; :", program.display());
    for (preloaded, unseen) in [(None, 1), (Some(beside("libmemguard_operators.so")), 0)] {
        let place = Place::new();
        let mut run = place.run(&["--quiet", "--aggressive"], &words(Path::new("sh"), &["-c", &script]));
        if let Some(path) = preloaded {
            run.env("LD_PRELOAD", path);
        }
        let watched = Process::run(run);
        assert_eq!(watched.code, 0, "{watched:?}");
        assert_eq!(place.report().lost("operators_unseen"), unseen);
    }
}
