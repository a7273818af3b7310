//! Weather, the collector is gone: the program goes on as if nobody had ever watched.

use memguard_tests::process::Process;
use memguard_tests::puppet::Puppet;
use memguard_tests::watched::Place;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};

/// Goal: with nobody to read the ring, hooks go on without waiting, children attach, and the exit code is the program's
/// own. Method: SIGKILL for the launcher in the middle of the work; this process inherits the orphan and sees its end.
#[test]
fn the_program_goes_on_without_its_collector() {
    set_child_subreaper(true).expect("allowed");
    for options in [&["--quiet"][..], &["--quiet", "--sample-bytes", "4KiB"], &["--quiet", "--aggressive"]] {
        let place = Place::new();
        let mut puppet = Puppet::watched(&place, options);
        puppet.tell("hold 1000 4000 4000", "held 1000 4000000");
        puppet.must_be_recorded(&place);
        puppet.process.signal(Signal::SIGKILL);
        assert_eq!(puppet.process.wait(), 128 + 9);

        puppet.tell("churn 200000 1000", "churned");
        puppet.tell("hold 1000 4000 4000", "held 1000 4000000");
        puppet.tell("fork 3000000", "child 0");
        puppet.tell("run true", "ran 0");
        puppet.tell("drop", "dropped");
        puppet.process.say("exit 5");
        let pid = puppet.pid;
        let said = puppet.process.rest(0);
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("", ""), "{options:?}");
        assert_eq!(waitpid(pid, None), Ok(WaitStatus::Exited(pid, 5)), "{options:?}");

        // What is left is a session that was cut off, which is said.
        let list = Process::run(place.memguard(&["list"]));
        assert!(list.code == 0 && list.stdout.contains("cut off"), "{list:?}");
        let report = Process::run(place.memguard(&["report"]));
        assert!(report.code == 0 || report.code == 2 && report.stderr.lines().count() == 1, "{report:?}");
    }
}
