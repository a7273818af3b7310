//! Verdicts, stored: a session that has ended, shown with and without what has been decided since.

use std::fs;

use memguard_tests::process::Process;
use memguard_tests::report::Report;
use memguard_tests::targets;
use memguard_tests::watched::plain;
use serde_json::Value;

use crate::{file, found, id, memguard, shown, text_of};

/// Goal: what is known is said at the end, what is suppressed not at all, and neither is lost. Method: one session, its own
/// report as baseline, suppressions made from it.
#[test]
fn a_report_shows_what_is_news() {
    let place = found();
    let baseline = text_of(&place.path().join("baseline.json"));
    assert_eq!(memguard(&place, &["report", "--json", "-o", &baseline]).code, 0);
    let all = shown(&place, &[]);
    let known = shown(&place, &["--baseline", &baseline]);
    assert_eq!(known.findings(0.0).len(), all.findings(0.0).len());
    assert!(known.findings(0.0).iter().all(|finding| finding.0["known"] == true), "{known}");
    let text = memguard(&place, &["report", "--baseline", &baseline]).stdout;
    assert!(text.starts_with("No new leaks found\n2 known by the baseline\n"), "{text}");
    for function in ["keep_buffer", "keep_thread"] {
        let line = text.lines().find(|line| line.contains(&id(&all, function)));
        assert!(line.is_some_and(|line| line.contains("forgetful.c:")), "{text}");
    }

    // The first makes the file, the second adds to it; a comment that somebody wrote in between stays.
    let rules = place.path().join("rules.toml");
    let name = text_of(&rules);
    let add = |id: &str| {
        memguard(&place, &["suppress", "latest", &id[..8], "--reason", "it's \"by design\"", "-o", &name])
    };
    let buffers = id(&all, "keep_buffer");
    let ended = add(&buffers);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
    assert!(ended.stdout.contains("at forgetful.c:"), "{ended:?}");
    let first = fs::read_to_string(&rules).expect("made");
    assert!(
        first.contains("\"keep_buffer\"") && first.contains("\"serve\"") && !first.contains("malloc"),
        "{first}"
    );
    fs::write(&rules, format!("{first}# mine")).expect("written");
    let one = shown(&place, &["--suppressions", &name]);
    assert!(one.findings_in("keep_buffer").is_empty() && !one.findings_in("keep_thread").is_empty(), "{one}");
    let by = &one.document["suppressed"]["by"][0];
    assert_eq!((&by["findings"], &by["ids"][0]), (&1.into(), &Value::from(buffers.as_str())));
    assert_eq!(by["reason"], "it's \"by design\"");
    assert_eq!(add(&id(&all, "keep_thread")).code, 0);
    let second = fs::read_to_string(&rules).expect("kept");
    assert!(second.starts_with(&format!("{first}# mine\n")), "{second}");
    let two = shown(&place, &["--suppressions", &name]);
    assert_eq!((two.findings(0.0).len(), &two.document["suppressed"]["findings"]), (0, &2.into()));
    let text = memguard(&place, &["report", "--suppressions", &name]).stdout;
    assert!(text.starts_with("No new leaks found\n2 suppressed\n"), "{text}");

    // Once is enough; a file of another tool is left alone.
    let ended = add(&buffers);
    assert!(ended.code == 2 && ended.stderr.contains("suppresses this finding already"), "{ended:?}");
    assert_eq!(fs::read_to_string(&rules).expect("kept"), second);
    let other = file(&place, "lsan.supp", "leak:vendor\n");
    let ended = memguard(&place, &["suppress", &buffers, "--reason", "r", "-o", &other]);
    assert!(ended.code == 2 && ended.stderr.contains("another tool's format"), "{ended:?}");
    assert_eq!(fs::read_to_string(&other).expect("kept"), "leak:vendor\n");
    for (id, told) in [("0000000000000000", "has no finding '0000000000000000'"), ("", "has no finding ''")] {
        let ended = memguard(&place, &["suppress", id, "--reason", "r", "-o", &name]);
        assert!(ended.code == 2 && ended.stderr.contains(told), "{ended:?}");
    }
    // What was of no use is told.
    let unused =
        file(&place, "unused.toml", "[[suppression]]\nname = 'u'\nreason = 'r'\nmodule = 'nowhere'\n");
    let told = shown(&place, &["--suppressions", &unused, "--suppressions", &name]);
    assert_eq!(told.document["suppressed"]["unused"][0]["name"], "u");
    assert_eq!(told.document["suppressed"]["unused"].as_array().map(Vec::len), Some(1));
}

/// Goal: a program that is watched by the library alone has its baseline, too. Method: the variable; the session's own report.
#[test]
fn a_baseline_holds_without_a_launcher() {
    let place = found();
    let baseline = text_of(&place.path().join("baseline.json"));
    assert_eq!(memguard(&place, &["report", "--json", "-o", &baseline]).code, 0);
    let elsewhere = place.path().join("elsewhere");
    let mut command = plain(targets::program("forgetful"));
    command.args(["600", "5"]).env("LD_PRELOAD", memguard_tests::product::library());
    command.env("MEMGUARD_DIR", &elsewhere).env("MEMGUARD_LIB", memguard_tests::product::library());
    // A path as people write it: the collector works in another folder.
    command
        .env("MEMGUARD_AGGRESSIVE", "1")
        .env("MEMGUARD_BASELINE", "baseline.json")
        .current_dir(place.path());
    command.env("PATH", path_with_launcher());
    let ended = Process::run(command);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let folder = fs::read_dir(&elsewhere).expect("a session").filter_map(Result::ok);
    let session = folder.map(|entry| entry.path()).find(|path| path.is_dir()).expect("a session");
    let record = session.join("session.json");
    memguard_tests::events::when_changed(&session, || {
        let record: Value = serde_json::from_slice(&fs::read(&record).ok()?).ok()?;
        (record["state"] == "ended").then_some(())
    });
    let report = Report::read(&session.join("report.json"));
    let found = report.findings_in("keep_buffer");
    assert!(found.first().is_some_and(|finding| finding.0["known"] == true), "{report}");
}

/// The collector is found beside the library, or on the path.
fn path_with_launcher() -> std::ffi::OsString {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let folder = memguard_tests::product::launcher().parent().expect("a folder").to_owned();
    std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&own))).expect("paths")
}
