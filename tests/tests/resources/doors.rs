//! Resources, doors: a descriptor may come and go by many functions. After each phase the program says what it holds, and the
//! table must hold the same.

use std::collections::BTreeMap;

use memguard_tests::process::Process;
use memguard_tests::targets::target;
use memguard_tests::watched::Place;

/// Goal: the table is exact, in number and class, for every door that can be seen. Method: the programs stop after each
/// phase; doors that cannot be seen are marked with a dash and must not be in the table. Both builds.
#[test]
fn the_table_is_what_the_program_holds() {
    for program in ["fd_doors", "fd_vfork"] {
        for place in [Place::new(), Place::new().portable()] {
            // A child of vfork is told from its parent by the assembly entry.
            let is_portable = place.is_portable();
            if program == "fd_vfork" && is_portable {
                continue;
            }
            let command = [target(program).into_os_string(), "--hold".into()];
            let mut process = Process::converse(place.run(&["--quiet"], &command));
            let mut phases = 0;
            while let Some(line) = process.line_or_end() {
                let Some(said) = line.strip_prefix("phase ") else { continue };
                let (name, count) = said.rsplit_once(' ').expect("a name and a number");
                let lines = (0..count.parse().expect("a number")).map(|_| process.line());
                let holds: BTreeMap<u32, String> = lines
                    .map(|line| {
                        let (number, class) = line.split_once(' ').expect("a number and a class");
                        (number.parse().expect("a number"), class.to_owned())
                    })
                    .filter(|(_, class)| class != "-")
                    .collect();
                // What it starts may be recorded, too.
                let mut own = place.recordings();
                own.retain(|recording| recording.exe() == target(program));
                let own = own.into_iter().next_back().expect("it is watched");
                let booked: BTreeMap<u32, String> = own
                    .descriptors()
                    .into_iter()
                    .map(|(number, booked)| (number, booked.class.map_or("?", |c| c.word()).to_owned()))
                    .collect();
                assert_eq!(booked, holds, "{program}, portable {is_portable}, after {name}");
                phases += 1;
                process.say("on");
            }
            assert!(phases > 3, "{program} has {phases} phases");
            let ended = process.finish();
            assert_eq!(ended.code, 0, "{}", ended.stderr);
        }
    }
}
