//! Leaks, the malloc family: whichever function a block came from, it is recorded, once, and forgotten when it is freed.

use std::collections::BTreeMap;

use memguard_tests::recording::{Names, Recording};
use memguard_tests::targets::{Expectation, expectation, program, target};
use memguard_tests::watched::{Place, words};

use crate::case::Case;

const OBJECTS: usize = 100;

/// Live objects by the function of the family that made them; the rest of the program's under "".
pub fn live_by_function(recording: &Recording) -> BTreeMap<String, usize> {
    let mut names = Names::default();
    let mut counts = BTreeMap::new();
    for object in recording.live() {
        let frames = recording.frames(object.stack).into_iter();
        let by = frames.map(|frame| names.function(recording, frame)).find(|name| name.starts_with("by_"));
        *counts.entry(by.unwrap_or_default()).or_default() += 1;
    }
    counts
}

/// Goal: each of the thirteen functions leaks exactly what it leaks; the second block that each takes and gives back (by
/// `free_sized` where it exists) is not counted, nor is what realloc moved. Method: the live table after a flat-out run in
/// which everything is recorded, with both builds of the library.
#[test]
fn every_function_is_recorded_exactly() {
    let count = OBJECTS.to_string();
    let program = words(&target("malloc_family"), &["--objects", &count, "--seconds", "0"]);
    let leaks = Case::new("malloc_family", "malloc_family.c").leaks();
    let expected: BTreeMap<String, usize> = leaks.into_iter().map(|leak| (leak.function, OBJECTS)).collect();
    for place in [Place::new(), Place::new().portable()] {
        let keeper = place.keeper();
        let watched = place.watch(&["--quiet", "--aggressive"], &program);
        assert_eq!(watched.ended.code, 0);
        let recordings = keeper.recordings();
        assert_eq!(recordings.len(), 1);
        let mut counts = live_by_function(&recordings[0]);
        counts.remove("");
        assert_eq!(counts, expected);
    }
}

/// Goal: callers of one wrapper are told apart, also where the same one was right many times before. Method: the live table after
/// a run in which everything is recorded: ten turns of ten blocks each.
#[test]
fn callers_that_take_turns_are_told_apart() {
    let command = words(&program("callers"), &["10"]);
    let expected = ["by_one", "by_two", "by_three"].map(|name| (name.to_owned(), 100)).into();
    for place in [Place::new(), Place::new().portable()] {
        let keeper = place.keeper();
        let watched = place.watch(&["--quiet", "--aggressive"], &command);
        assert_eq!(watched.ended.code, 0);
        let mut counts = live_by_function(&keeper.recordings()[0]);
        counts.remove("");
        assert_eq!(counts, expected);
    }
}

/// Goal: an array that grows by realloc is booked at its size, once, where it grew last. Method: the live table after a run
/// in which everything is recorded: one block of all the bytes, of the function and at the line that the source marks.
#[test]
fn a_growing_array_is_booked_at_its_size() {
    let Expectation::Recorded(leaks) = expectation("leak_realloc.c", "leak_realloc.c") else {
        panic!("its source expects something else")
    };
    let place = Place::new();
    let keeper = place.keeper();
    let program = words(&target("leak_realloc"), &["--objects", "300", "--size", "4096", "--seconds", "0"]);
    let watched = place.watch(&["--quiet", "--aggressive"], &program);
    assert_eq!(watched.ended.code, 0);
    let recordings = keeper.recordings();
    let mut names = Names::default();
    let mut booked = Vec::new();
    for object in recordings[0].live() {
        let frames = recordings[0].frames(object.stack);
        let innermost = frames.first().and_then(|frame| names.place(&recordings[0], *frame));
        if innermost.as_ref().is_some_and(|place| place.function == leaks[0].function) {
            booked.push((object.size_bytes, innermost.and_then(|place| place.line).map(u64::from)));
        }
    }
    assert_eq!(booked, [(300 * 4096, Some(leaks[0].line))]);
}
