//! Weather, limits: what a system administrator may impose.

use memguard_tests::process::{Ended, Process};
use memguard_tests::puppet::Puppet;
use memguard_tests::watched::{Place, plain};

use crate::said_by_memguard;

/// A command prefix that sets a limit.
fn limited(limit: &str) -> [String; 4] {
    ["sh".to_owned(), "-c".to_owned(), format!("{limit} && exec \"$@\""), "sh".to_owned()]
}

/// Some work, and how the puppet ended.
fn work(mut puppet: Puppet) -> Ended {
    puppet.tell("grow", "grown");
    puppet.tell("hold 1000 4000 4000", "held 1000 4000000");
    puppet.tell("churn 10000 1000", "churned");
    puppet.tell("drop", "dropped");
    puppet.exit(5)
}

/// Runs the puppet with a limit on it alone: a shell under watch sets it.
fn inside(place: &Place, options: &[&str], limit: &str) -> Ended {
    let mut program = limited(limit).to_vec();
    program.push(Puppet::program().display().to_string());
    work(Puppet::start(place.run(options, &program)))
}

/// Goal: sixteen descriptors are enough for everybody. Method: the limit on the launcher, and so on all.
#[test]
fn few_descriptors() {
    for options in [&["--quiet", "--sample-bytes", "4KiB"][..], &["--quiet", "--aggressive"]] {
        let place = Place::new();
        let run = place.run(options, &[Puppet::program()]);
        let ended = work(Puppet::start(place.led_by(&limited("ulimit -n 16"), &run)));
        assert_eq!((ended.code, ended.stderr.as_str()), (5, ""));
        assert_eq!(place.report().processes().len(), 1);
    }
}

/// Goal: with fewer descriptors than a start takes, one line says so and nothing is started. Method: the limit lowered
/// until it fails; whatever the number, the answer is a watched program or that line.
#[test]
fn too_few_descriptors_are_told() {
    let mut refused = 0;
    for limit in 4..10 {
        let place = Place::new();
        let run = place.run(&["--quiet"], &["echo", "started"]);
        let ended = Process::run(place.led_by(&limited(&format!("ulimit -n {limit}")), &run));
        if ended.code == 125 {
            assert_eq!(said_by_memguard(&ended).len(), 1);
            assert!(ended.stderr.contains("Too many open files"), "{}", ended.stderr);
            assert_eq!(ended.stdout, "");
            assert!(place.sessions().is_empty(), "a session was left behind");
            refused += 1;
        } else {
            assert_eq!((ended.code, ended.stdout.as_str()), (0, "started\n"), "{ended:?}");
        }
    }
    assert!(refused > 0, "no limit was too low: the test is of no use");
}

/// Goal: a service with a limit on its address space, 64 MiB above what it needs, is watched like others. Method: its peak
/// when it runs alone, and a limit from there.
#[test]
fn a_limited_address_space() {
    let mut alone = Puppet::start(plain(Puppet::program()));
    alone.tell("hold 1000 4000 4000", "held 1000 4000000");
    let peak: u64 =
        alone.ask("peak").strip_prefix("peak ").and_then(|kib| kib.parse().ok()).expect("a number");
    alone.exit(0);
    for options in [&["--quiet"][..], &["--quiet", "--sample-bytes", "4KiB"]] {
        let place = Place::new();
        let ended = inside(&place, options, &format!("ulimit -v {}", peak + (64 << 10)));
        assert_eq!((ended.code, ended.stderr.as_str()), (5, ""));
        let report = place.report();
        let exes = report.processes().iter().filter_map(|process| process["exe"].as_str());
        assert!(exes.clone().any(|exe| exe.ends_with("/puppet")), "watched: {:?}", exes.collect::<Vec<_>>());
    }
}

/// Goal: where an address space has no room to spare, the program runs unwatched, with all of the room for itself, and that
/// is told. Method: limits from just above what it needs alone.
#[test]
fn an_address_space_without_room_to_spare() {
    for limit in [10_000, 12_000, 17_000, 20_000] {
        let place = Place::new();
        let ended = inside(&place, &["--sample-bytes", "4KiB"], &format!("ulimit -v {limit}"));
        assert_eq!(ended.code, 5, "{limit}: {ended:?}");
        let said = said_by_memguard(&ended);
        assert!(said.iter().any(|line| line.contains("not watched")), "{limit}: {said:#?}");
    }
}

/// Goal: a limit that is too low for the launcher itself is one line, and nothing is started. Method: the limit on both.
#[test]
fn too_little_address_space_for_the_launcher_is_told() {
    for options in [&[][..], &["--aggressive"]] {
        let place = Place::new();
        let run = place.run(options, &["echo", "started"]);
        let ended = Process::run(place.led_by(&limited("ulimit -v 60000"), &run));
        assert_eq!((ended.code, ended.stdout.as_str()), (125, ""), "{ended:?}");
        assert_eq!(said_by_memguard(&ended).len(), 1);
        assert!(ended.stderr.contains("address space"), "{}", ended.stderr);
        assert!(place.sessions().is_empty(), "a session was left behind");
    }
}

/// Goal: a limit on the size of files, which the kernel enforces with a deadly signal, neither kills the program nor the
/// launcher. Method: a limit below any segment, on the program alone and on both.
#[test]
fn small_files() {
    let place = Place::new();
    let ended = inside(&place, &["--sample-bytes", "4KiB"], "ulimit -f 100");
    assert_eq!(ended.code, 5, "{ended:?}");
    let said = said_by_memguard(&ended);
    assert!(said.iter().any(|line| line.contains("not watched")), "{said:#?}");

    let place = Place::new();
    let run = place.run(&["--quiet"], &["echo", "started"]);
    let ended = Process::run(place.led_by(&limited("ulimit -f 100"), &run));
    assert_eq!((ended.code, ended.stdout.as_str()), (125, ""), "{ended:?}");
    assert_eq!(said_by_memguard(&ended).len(), 1);
    assert!(place.sessions().is_empty(), "a session was left behind");
}
