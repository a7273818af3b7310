//! Recording, what was met in life: every recording in `tests/recordings` is judged as it should be.
//! Method: each `NAME.jsonl.gz` is replayed against `NAME.json` beside it.

use memguard_recording::{End, Replay};
use serde::Deserialize;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Confidence from which a finding is shown.
const SHOWN: f64 = 0.5;

/// What must come out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    /// What the program does, and how it was recorded: for people.
    #[allow(dead_code)]
    what: String,
    /// Everything that is shown at the end.
    at_end: Vec<Expected>,
    /// Confidence that nothing ever reaches.
    never: Option<f64>,
}

/// One finding.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// It must have one of these.
    kinds: Vec<String>,
    location: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings")
}

fn check(path: &Path) {
    let name = path.file_name().expect("a name").to_string_lossy().replace(".jsonl.gz", "");
    let text = fs::read(folder().join(format!("{name}.json")))
        .unwrap_or_else(|error| panic!("{name}.json, which says what must come out: {error}"));
    let expected: Expectation =
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{name}.json: {error}"));
    let mut replay =
        Replay::open(File::open(path).expect("readable")).unwrap_or_else(|error| panic!("{name}: {error}"));
    while replay.look().unwrap_or_else(|error| panic!("{name}: {error}")).is_some() {}
    assert_eq!(replay.end(), Some(End::Process), "{name} is whole");
    let shown: Vec<(String, String)> = replay
        .findings()
        .iter()
        .filter(|finding| finding.confidence >= SHOWN)
        .map(|finding| {
            let kind = serde_json::to_value(finding.kind).expect("a name");
            (kind.as_str().expect("a word").to_owned(), replay.place(finding.site))
        })
        .collect();
    let is_expected = |(kind, location): &(String, String)| {
        expected.at_end.iter().any(|of| of.kinds.contains(kind) && of.location == *location)
    };
    assert!(shown.len() == expected.at_end.len() && shown.iter().all(is_expected), "{name}: {shown:?}");
    if let Some(never) = expected.never {
        assert!(replay.ever() < never, "{name}: {} at some moment", replay.ever());
    }
}

/// Goal: no verdict that was once put right goes wrong again. Method: all recordings.
#[test]
fn every_recording_is_judged_as_it_should_be() {
    let files =
        fs::read_dir(folder()).expect("tests/recordings").map(|entry| entry.expect("readable").path());
    let recordings: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "gz")).collect();
    assert!(recordings.len() >= 2, "{recordings:?}");
    for path in &recordings {
        check(path);
    }
}
