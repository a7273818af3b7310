//! Life in production: who is watched without anybody having asked twice, and what is left when somebody dies.
//!
//! * `preload`: nothing but `LD_PRELOAD`
//! * `container`: the same as the first process of a container, on a read-only root, as another user, under a system call filter
//! * `tree`: workers, daemons, programs that replace each other, and how each ended
//! * `death`: of the collector, of the program, of both, for lack of memory
//! * `privacy`: who may read what is recorded

mod container;
mod death;
mod preload;
mod privacy;
mod tree;

use std::path::{Path, PathBuf};
use std::process::Command;

use memguard_tests::events;
use memguard_tests::product;
use memguard_tests::report::{Report, SHOWN};
use memguard_tests::watched::Place;
use serde_json::Value;

/// A command under nothing but the preloaded library.
fn preloaded(place: &Place, words: &[&str]) -> Command {
    let mut command = place.command(words[0]);
    command.args(&words[1..]).env("LD_PRELOAD", product::library());
    command
}

/// The record of a session.
fn record(session: &Path) -> Value {
    let text = std::fs::read(session.join("session.json")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// The session, once nobody collects it any more.
fn ended_session(place: &Place) -> PathBuf {
    let session = place.session();
    events::when_changed(&session, || (record(&session)["state"] == "ended").then_some(()));
    session
}

/// The report of the session when it has ended.
fn last_report(place: &Place) -> Report {
    Report::read(&ended_session(place).join("report.json"))
}

/// That there is one finding worth showing, in the function that forgets.
fn must_find_what_is_forgotten(report: &Report) {
    let shown = report.findings(SHOWN);
    assert_eq!(shown.len(), 1, "{:#}", report.document);
    assert_eq!(report.findings_in("forget").len(), 1, "{:#}", report.document);
}
