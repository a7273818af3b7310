//! Weather, full disks: no room at the start, for a child, for the report. Each test has a small file system of its own.

use std::fs;
use std::process::Command;

use memguard_tests::ability;
use memguard_tests::process::Process;
use memguard_tests::puppet::Puppet;
use memguard_tests::report::Report;
use memguard_tests::watched::Place;

use crate::said_by_memguard;

/// A place whose sessions are on a file system of that size, and the command that leads there: a shell script prepares
/// it, the puppet is watched, and in the end the file `left` outside of it says what is there, `report` what was reported.
fn on_small_disk(size: &str, prepare: &str, options: &[&str]) -> (Place, Command) {
    let place = Place::new();
    let disk = place.path().join("disk");
    fs::create_dir(&disk).expect("made");
    let place = place.with_sessions_in(&disk.join("sessions"));
    let look = "find . >../left; cat sessions/*/report.json >../report 2>/dev/null";
    let run = place.run(options, &[Puppet::program()]);
    let command = place.led_by(&ability::with_small_disk(&disk, size, prepare, look), &run);
    (place, command)
}

/// Goal: a disk without room for a session is one line, exit 125, and nothing is left behind. Method: twelve MiB, eleven of
/// them taken.
#[test]
fn no_room_for_a_session_is_told_at_the_start() {
    if !ability::private_mounts() {
        return;
    }
    for options in [&[][..], &["--aggressive"]] {
        let (place, run) = on_small_disk("12m", "head -c 11m /dev/zero >taken", options);
        let ended = Process::run(run);
        assert_eq!((ended.code, ended.stdout.as_str()), (125, ""), "{ended:?}");
        assert_eq!(said_by_memguard(&ended).len(), 1, "{ended:?}");
        assert!(ended.stderr.contains("No space left") && ended.stderr.contains("--dir"), "{}", ended.stderr);
        let left = fs::read_to_string(place.path().join("left")).expect("looked");
        assert_eq!(left, ".\n./sessions\n./taken\n");
    }
}

/// Goal: a child for whose segment there is no room goes unwatched; program and child end as before. Method: eighteen MiB
/// have room for one segment and not for two.
#[test]
fn no_room_for_a_child_is_told_at_the_end() {
    if !ability::private_mounts() {
        return;
    }
    let (place, run) = on_small_disk("18m", "true", &["--sample-bytes", "4KiB"]);
    let mut puppet = Puppet::start(run);
    puppet.tell("hold 1000 4000 4000", "held 1000 4000000");
    puppet.tell("fork 3000000", "child 0");
    puppet.tell("fork 3000000", "child 0");
    puppet.tell("drop", "dropped");
    let ended = puppet.exit(5);
    assert_eq!(ended.code, 5);
    let said = said_by_memguard(&ended);
    let told =
        said.iter().any(|line| line.contains("2 processes were not watched") && line.contains("space"));
    assert!(told, "{said:#?}");
    assert_eq!(Report::read(&place.path().join("report")).processes().len(), 1);
}

/// Goal: a disk that fills up while the program runs does not touch it: the blocks of its segment are reserved. Method: the
/// puppet fills the disk by a command of its own. When the segment is given back in the end, there is room for the report;
/// unless somebody has another name for it, and then that is told.
#[test]
fn a_disk_that_fills_up_later_costs_the_report_at_most() {
    if !ability::private_mounts() {
        return;
    }
    for keep_segment in [false, true] {
        let (place, run) = on_small_disk("12m", "true", &["--sample-bytes", "4KiB"]);
        let mut puppet = Puppet::start(run);
        puppet.tell("hold 1000 4000 4000", "held 1000 4000000");
        if keep_segment {
            puppet.tell("run ln disk/sessions/*/first.segment disk/kept", "ran 0");
        }
        let filled = puppet.ask("run cat /dev/zero >disk/taken 2>/dev/null");
        assert_ne!(filled, "ran 0", "it ends when the disk is full");
        puppet.tell("churn 200000 1000", "churned");
        puppet.tell("hold 2000 4000 4000", "held 2000 8000000");
        puppet.tell("drop", "dropped");
        let ended = puppet.exit(5);
        assert_eq!(ended.code, 5);
        let told = said_by_memguard(&ended).iter().any(|line| line.contains("No space left"));
        assert_eq!(told, keep_segment, "{}", ended.stderr);
        if !keep_segment {
            let report = Report::read(&place.path().join("report"));
            assert!(report.stacks()[0] > 1000, "{report}");
        }
    }
}
