//! Weather, neighbours: a library that was preloaded before us stays, and does its work.

use std::process::Command;

use memguard_tests::process::Process;
use memguard_tests::puppet::Puppet;
use memguard_tests::targets;
use memguard_tests::watched::{Place, plain};

/// Calls that the start of one more library costs at most: the loader's own, and names that are asked for.
const START_MAX: i64 = 32;

/// What the counting library has seen of a puppet under this command: mallocs and frees.
fn counts(command: Command) -> [i64; 2] {
    let mut puppet = Puppet::start(command);
    puppet.tell("preloaded", "preloaded yes");
    puppet.tell("churn 10000 100", "churned");
    puppet.tell("hold 1000 4000 4000", "held 1000 4000000");
    let ended = puppet.exit(5);
    assert_eq!((ended.code, ended.stdout.as_str()), (5, ""));
    let said = ended.stderr.strip_prefix("counting: ").unwrap_or_else(|| panic!("{ended:?}"));
    let mut numbers = said.split_whitespace().filter_map(|word| word.parse().ok());
    [numbers.next().expect("mallocs"), numbers.next().expect("frees")]
}

/// Goal: another library that stands before malloc sees every call of the program's, each once. Method: one that counts
/// calls; the program runs with it alone, and under watch in every mode.
#[test]
fn a_preloaded_malloc_sees_the_same_calls() {
    let counting = targets::program("counting.so");
    let mut command = plain(Puppet::program());
    command.env("LD_PRELOAD", &counting);
    let alone = counts(command);
    assert!(alone[0] >= 11_000 && alone[1] >= 10_000, "{alone:?}");
    for options in [&["--quiet"][..], &["--quiet", "--sample-bytes", "4KiB"], &["--quiet", "--aggressive"]] {
        let place = Place::new();
        let mut command = place.run(options, &[Puppet::program()]);
        // The launcher is a program, too: it would be counted and say so.
        command.env("COUNTING_ONLY", "puppet").env("LD_PRELOAD", &counting);
        let watched = counts(command);
        let more = [watched[0] - alone[0], watched[1] - alone[1]];
        assert!(
            more.iter().all(|more| (0..=START_MAX).contains(more)),
            "{options:?}: {watched:?}, alone {alone:?}"
        );
        assert_eq!(place.report().processes().len(), 1);
    }
}

/// Goal: the library that was there is still there, for children as well. Method: what a shell's child finds in its
/// environment and its address space.
#[test]
fn a_preloaded_library_stays_for_children() {
    let counting = targets::program("counting.so");
    let place = Place::new();
    let script = "cat /proc/self/maps; :";
    let mut run = place.run(&["--quiet"], &["sh", "-c", script]);
    run.env("LD_PRELOAD", &counting).env("COUNTING_ONLY", "nobody");
    let ended = Process::run(run);
    assert_eq!(ended.code, 0);
    for library in ["counting.so", "libmemguard.so"] {
        assert!(ended.stdout.contains(library), "{library} is not in {}", ended.stdout);
    }
}
