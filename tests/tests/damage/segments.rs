//! Damage, segments: the shared memory is not trusted by either side. The directory belongs to the user alone, but a program
//! may write anywhere in its own memory, and a disk may lie.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use memguard_tests::process::Ended;
use memguard_tests::puppet::Puppet;
use memguard_tests::watched::Place;

use crate::garbage;

fn first(place: &Place) -> PathBuf {
    place.session().join("first.segment")
}

/// Writes into the file as it is, from an offset on: all who have it mapped see it.
fn overwrite(path: &Path, offset: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(path).expect("there");
    file.seek(SeekFrom::Start(offset)).expect("inside");
    file.write_all(bytes).expect("written");
}

/// Works under watch, damages the session in the middle, and works on. The program must not notice; the collector must
/// end in order.
fn survive(options: &[&str], damage: impl Fn(&Place)) -> Ended {
    let place = Place::new();
    let mut puppet = Puppet::watched(&place, options);
    assert!(puppet.ask("hold 2000 100 9000").starts_with("held 2000 "));
    puppet.must_be_recorded(&place);
    damage(&place);
    puppet.tell("churn 50000 1000", "churned");
    puppet.tell("hold 1000 4000 4000", "held 1000 4000000");
    puppet.tell("fork 3000000", "child 0");
    puppet.tell("drop", "dropped");
    puppet.tell("churn 50000 1000", "churned");
    let ended = puppet.exit(5);
    assert_eq!((ended.code, ended.stdout.as_str()), (5, ""), "{ended:?}");
    assert!(ended.stderr.lines().all(|line| line.starts_with("memguard: ")), "{}", ended.stderr);
    let report = place.report();
    assert_eq!(report.document["session"]["exit"]["code"], 5);
    ended
}

/// With a collector that looks often enough to look in the middle of it.
const MODES: [&[&str]; 2] =
    [&["--poll-interval", "10ms", "--sample-bytes", "4KiB"], &["--poll-interval", "10ms", "--aggressive"]];

#[test]
fn the_first_segment_is_replaced_by_garbage() {
    for options in MODES {
        survive(options, |place| {
            let draft = place.path().join("draft");
            fs::write(&draft, garbage(1 << 20, 4)).expect("written");
            fs::rename(&draft, first(place)).expect("replaced");
        });
    }
}

/// Goal: no value in any part of a living segment hangs or ends program or collector. Method: garbage over each part of it in
/// turn, header and all, while both work with it.
#[test]
fn a_living_segment_is_overwritten() {
    for options in MODES {
        for (seed, part) in (0..8).zip([0, 0, 1, 2, 3, 5, 6, 7]) {
            survive(options, |place| {
                let path = first(place);
                let eighth = fs::metadata(&path).expect("there").len() / 8;
                overwrite(&path, part * eighth, &garbage(usize::try_from(eighth).expect("small"), seed));
            });
        }
    }
}

/// The same with values that are likely to be taken for lengths and positions.
#[test]
fn a_living_segment_is_overwritten_with_extremes() {
    for byte in [0x00, 0xff, 0x01, 0x7f] {
        survive(MODES[0], |place| {
            let path = first(place);
            let bytes = usize::try_from(fs::metadata(&path).expect("there").len()).expect("small");
            overwrite(&path, 0, &vec![byte; bytes]);
        });
    }
}

/// Goal: a process that was killed while it made its segment is no news, as nothing was recorded in it, and the space is given
/// back. Method: zeroes under the name of a segment.
#[test]
fn a_segment_that_was_never_finished() {
    let place = Place::new();
    let mut puppet = Puppet::watched(&place, MODES[0]);
    let unfinished = place.session().join("1-1.segment");
    fs::write(&unfinished, vec![0; 100_000]).expect("written");
    while unfinished.exists() {
        puppet.tell("churn 1000 1000", "churned");
    }
    let ended = puppet.exit(5);
    assert!(!ended.stderr.contains("could not be read"), "{}", ended.stderr);
}

/// Goal: files that are no segments are told and left alone. Method: garbage, emptiness and a folder under names of
/// segments.
#[test]
fn strangers_among_the_segments() {
    let ended = survive(MODES[0], |place| {
        let session = place.session();
        fs::write(session.join("1-1.segment"), garbage(100_000, 9)).expect("written");
        fs::write(session.join("2-2.segment"), "").expect("written");
        fs::create_dir(session.join("3-3.segment")).expect("made");
        std::os::unix::fs::symlink("/dev/zero", session.join("4-4.segment")).expect("made");
    });
    let told = ended.stderr.lines().filter(|line| line.contains("could not be read")).count();
    assert!(told >= 1, "{}", ended.stderr);
}

/// Goal: children of a session whose control page is damaged run, watched or not. Method: garbage over the page.
#[test]
fn the_control_page_is_overwritten() {
    for (offset, bytes) in [(0, 4096), (8, 4088), (16, 200)] {
        survive(MODES[0], |place| {
            overwrite(&place.session().join("control"), offset, &garbage(bytes, offset + 11));
        });
    }
}
