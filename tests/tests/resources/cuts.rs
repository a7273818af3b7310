//! Resources, cuts: memory may be given back in parts. After each phase the program says what it holds, and the table must
//! hold the same.

use std::collections::BTreeMap;

use memguard_segment::Class;
use memguard_tests::process::Process;
use memguard_tests::targets::target;
use memguard_tests::watched::Place;

/// Goal: what is left of a mapping is known by its place and size, and what is gone is gone. Method: thousands of cuts at
/// random. Table sizes of both modes, both builds.
#[test]
fn the_table_is_what_is_left_of_mappings() {
    for (place, options) in [
        (Place::new(), &["--quiet"][..]),
        (Place::new(), &["--quiet", "--aggressive"]),
        (Place::new().portable(), &["--quiet"]),
    ] {
        let command = [target("cut_mappings").into_os_string(), "--hold".into()];
        let mut process = Process::converse(place.run(options, &command));
        let mut phases = 0;
        while let Some(line) = process.line_or_end() {
            let Some(said) = line.strip_prefix("phase ") else { continue };
            let (_, count) = said.rsplit_once(' ').expect("a phase and a number");
            let lines = (0..count.parse().expect("a number")).map(|_| process.line());
            let held: BTreeMap<u64, u64> = lines
                .map(|line| {
                    let (start, bytes) = line.split_once(' ').expect("a place and a size");
                    (start.parse().expect("a place"), bytes.parse().expect("a size"))
                })
                .collect();
            let own = place.recordings().into_iter().next_back().expect("it is watched");
            let booked: BTreeMap<u64, u64> = own
                .objects()
                .into_iter()
                .filter(|object| object.class == Some(Class::Mapping))
                .map(|object| (object.handle, object.detail))
                .collect();
            assert!(held.len() > 100, "only {} are held", held.len());
            assert_eq!(booked, held, "{options:?}, portable {}, phase {said}", place.is_portable());
            phases += 1;
            process.say("on");
        }
        assert!(phases > 3, "it has {phases} phases");
        let ended = process.finish();
        assert_eq!(ended.code, 0, "{}", ended.stderr);
    }
}
