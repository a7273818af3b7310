//! Weather, the session is gone: somebody cleaned up the state directory while a service runs.

use std::fs;

use memguard_tests::puppet::Puppet;
use memguard_tests::watched::Place;

use crate::said_by_memguard;

/// Goal: the program and its children go on, the exit code is the program's, and the loss is told. Method: the session's
/// directory, or the whole folder of sessions, is removed in the middle of the work.
#[test]
fn the_program_goes_on_without_its_session() {
    for options in [&["--sample-bytes", "4KiB"][..], &["--aggressive"]] {
        for whole_folder in [false, true] {
            let place = Place::new();
            let mut puppet = Puppet::watched(&place, options);
            puppet.tell("hold 1000 4000 4000", "held 1000 4000000");
            puppet.must_be_recorded(&place);
            let session = place.session();
            let doomed = if whole_folder { session.parent().expect("a folder") } else { &session };
            fs::remove_dir_all(doomed).expect("removed");

            puppet.tell("churn 100000 1000", "churned");
            puppet.tell("fork 3000000", "child 0");
            puppet.tell("run true", "ran 0");
            puppet.tell("drop", "dropped");
            let ended = puppet.exit(5);
            assert_eq!((ended.code, ended.stdout.as_str()), (5, ""));
            let said = said_by_memguard(&ended);
            let name = session.file_name().expect("named").to_string_lossy().into_owned();
            assert!(
                said.iter().any(|line| line.contains("No such file") && line.contains(&name)),
                "{said:#?}"
            );
            assert!(!session.exists(), "the session was made anew");
        }
    }
}
