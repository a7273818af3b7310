//! Launcher, tests: what a session leaves on disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::fixture::{Fixture, stdout};

#[test]
fn the_record_tells_how_it_ended() {
    let fixture = Fixture::new();
    fixture.output(&["run", "--quiet", "--name", "nightly", "--", "sh", "-c", "exit 3"]);
    let record = fixture.record();
    assert_eq!(record["state"], "ended");
    assert_eq!(record["name"], "nightly");
    assert_eq!(record["command"], serde_json::json!(["sh", "-c", "exit 3"]));
    assert_eq!(record["exit"], serde_json::json!({"code": 3, "signal": null}));
    assert!(record["ended_at"].as_f64() >= record["started_at"].as_f64());
    let session = &fixture.sessions()[0];
    assert_eq!(Some(session.file_name().expect("named").to_str()), Some(record["id"].as_str()));
    let mode = |path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(session.clone()), 0o700);
    assert_eq!(mode(session.join("session.json")), 0o600);
    assert_eq!(mode(fixture.sessions_dir()), 0o700);
}

#[test]
fn death_by_a_signal_is_recorded() {
    let fixture = Fixture::new();
    fixture.output(&["run", "--quiet", "--", "sh", "-c", "kill -KILL $$"]);
    assert_eq!(fixture.record()["exit"], serde_json::json!({"code": null, "signal": 9}));
}

#[test]
fn the_record_is_there_while_the_program_runs() {
    let fixture = Fixture::new();
    let output = fixture.output(&["run", "--quiet", "--", "sh", "-c", "cat $MEMGUARD_SESSION/session.json"]);
    let record: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("a whole record");
    assert_eq!(record["state"], "running");
    assert_eq!(record["ended_at"], serde_json::Value::Null);
}

/// Goal: cleaning up never takes a session that runs. Method: a program that cleans up itself.
#[test]
fn cleaning_spares_the_live_session() {
    let fixture = Fixture::new();
    fixture.output(&["run", "--quiet", "--", "true"]);
    let ended = fixture.sessions();
    let clean = [env!("CARGO_BIN_EXE_memguard"), "clean", "--keep", "0"];
    let run = [&["run", "--quiet", "--"], &clean[..]].concat();
    assert_eq!(fixture.output(&run).status.code(), Some(0));
    let left = fixture.sessions();
    assert_eq!(left.len(), 1);
    assert_ne!(left, ended);
}

/// Goal: a disk that is full is told before anything is started. Method: a limit on the size of files.
#[test]
fn a_full_disk_is_told() {
    let fixture = Fixture::new();
    let prepared = fixture.memguard(&[]);
    let mut command = Command::new("sh");
    command.envs(prepared.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let script =
        format!("trap '' XFSZ; ulimit -f 0; '{}' run -- touch marker", env!("CARGO_BIN_EXE_memguard"));
    let output = command.args(["-c", &script]).current_dir(fixture.path()).output().expect("sh starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{stderr}");
    assert!(stderr.starts_with("memguard: cannot write ") && stderr.lines().count() == 1, "{stderr}");
    assert!(fixture.sessions().is_empty());
    assert!(!fixture.path().join("marker").exists());
}
