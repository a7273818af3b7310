//! Launcher, tests: fingerprints. Listed, explained, checked before anything is started, learned.

use std::fs;

use serde_json::{Value, json};

use crate::bad_input::{check, refused};
use crate::fixture::{Fixture, stdout};

const OWN: &str = r#"[[fingerprint]]
name = "own-leak"
title = "A leak of our own"
pattern = "leaks"
frames = ['keep']
explanation = "It stays."
fix = "free it"
"#;

/// Goal: what there is can be looked up. Method: the list, one of it, both for programs.
#[test]
fn fingerprints_are_listed_and_explained() {
    let fixture = Fixture::new();
    let list = stdout(&fixture.output(&["patterns"]));
    assert!(list.starts_with("NAME "), "{list}");
    assert!(list.lines().count() > 40, "{list}");
    let line = list.lines().find(|line| line.starts_with("openssl-ssl-new ")).expect("listed");
    assert!(line.contains("api-result-not-freed") && line.contains("built in"), "{line}");
    let one = stdout(&fixture.output(&["patterns", "openssl-ssl-new"]));
    for part in ["openssl-ssl-new: ", "mend ", "SSL_free()", "calls ", "<- the finding's place", "https://"] {
        assert!(one.contains(part), "'{part}' is not in {one}");
    }
    let json: Value = serde_json::from_str(&stdout(&fixture.output(&["patterns", "--json"]))).expect("JSON");
    assert_eq!(json["schema"], "memguard.patterns/1");
    assert_eq!(json["fingerprints"].as_array().expect("a list").len() + 1, list.lines().count());
    fs::create_dir(fixture.path().join("own")).expect("made");
    fixture.write("own/leak.toml", OWN);
    let list = stdout(&fixture.output(&["patterns", "--patterns-dir", "own"]));
    assert!(list.lines().any(|line| line.starts_with("own-leak ") && line.contains(" own ")), "{list}");
    let json =
        fixture.memguard(&["patterns", "own-leak", "--json"]).env("MEMGUARD_PATTERNS_DIR", "own").output();
    let json: Value = serde_json::from_str(&stdout(&json.expect("starts"))).expect("JSON");
    assert_eq!(json["fingerprints"][0]["frames"], json!(["keep"]));
}

/// Goal: a wrong fingerprint stops everything before the program starts, with one line.
#[test]
fn wrong_fingerprints_are_refused_before_the_start() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path().join("own")).expect("made");
    let run = ["run", "--patterns-dir", "own", "--", "touch", "marker"];
    fixture.write("own/leak.toml", &OWN.replace("fix =", "fixx ="));
    let parts = ["--patterns-dir: ", "own/leak.toml:7: fingerprint 'own-leak': unknown key `fixx`"];
    check(&fixture, &fixture.output(&run), 125, &parts);
    fixture.write("own/leak.toml", &OWN.replace("'keep'", "'keep['"));
    check(&fixture, &fixture.output(&run), 125, &["frames: 'keep[' is not a regular expression: "]);
    let preload =
        fixture.memguard(&["run", "--", "touch", "marker"]).env("MEMGUARD_PATTERNS_DIR", "none").output();
    let parts = ["environment MEMGUARD_PATTERNS_DIR: ", "none: cannot be read: No such file or directory"];
    check(&fixture, &preload.expect("starts"), 125, &parts);
    assert!(fixture.sessions().is_empty(), "a session was left behind");
    fixture.write("own/leak.toml", OWN);
    assert_eq!(
        fixture.output(&["run", "--patterns-dir", "own:own", "--", "touch", "marker"]).status.code(),
        Some(125)
    );
    assert_eq!(fixture.output(&["run", "--patterns-dir", "own", "--", "true"]).status.code(), Some(0));
    let record = fixture.record();
    let kept = record["settings"]["patterns_dir"][0].as_str().expect("a path");
    assert_eq!(kept, fixture.path().join("own").to_str().expect("UTF-8"), "whoever takes over finds them");
    refused(
        &["patterns", "openssl-ssl-mew"],
        2,
        &["no fingerprint 'openssl-ssl-mew'; did you mean 'openssl-ssl-new'?"],
    );
    refused(&["patterns", "--patterns-dir", "/dev/null"], 2, &["--patterns-dir: /dev/null"]);
}

/// A finding as reports have it.
fn finding(id: &str, functions: &[&str]) -> Value {
    let frame = |function: &&str| {
        json!({"function": function, "file": null, "line": null, "module": "server", "inlined": false,
               "role": if *function == "_start" { "runtime" } else { "application" }})
    };
    json!({"id": id, "pattern": "leaks", "kind": "heap-growth", "location": functions.first(), "size_mb": 1.0,
        "size_mb_interval": [1.0, 1.0], "count": 10.0, "detail": "ten blocks", "confidence": 0.8, "suggested_fix": "free them",
        "growth_mb_per_hour": 1.0, "growth_per_hour": 1.0, "first_seen": 1.0, "last_seen": 2.0, "process": 1, "processes": [1],
        "cost_usd_per_month": 0.1, "stack": functions.iter().map(frame).collect::<Vec<_>>(), "evidence": [],
        "cleanup": {"enabled": false, "done": 0, "reverted": 0}})
}

/// A fixture with one session that has these findings.
fn with_findings(findings: &[Value]) -> Fixture {
    let fixture = Fixture::new();
    assert_eq!(fixture.output(&["run", "--quiet", "--name", "one", "--", "true"]).status.code(), Some(0));
    let path = fixture.sessions()[0].join("report.json");
    let mut report: Value = serde_json::from_slice(&fs::read(&path).expect("a report")).expect("JSON");
    report["findings"] = json!(findings);
    fs::write(&path, report.to_string()).expect("written");
    fixture
}

/// Goal: what is learned is a file that loads, goes where it is asked to, and replaces nothing.
#[test]
fn a_finding_is_learned() {
    let fixture = with_findings(&[
        finding("0123456789abcdef", &["keep.constprop.0", "serve", "main", "_start"]),
        finding("0123ffffffffffff", &["server+0x1234", "main"]),
        finding("aaaaaaaaaaaaaaaa", &["_start"]),
    ]);
    let text = stdout(&fixture.output(&["learn", "0123456", "--fix", "free() it in serve()"]));
    assert!(text.contains("name = \"true-keep-constprop-0\"") && text.contains("    \"keep\","), "{text}");
    assert!(text.contains("fix = \"free() it in serve()\""), "{text}");
    let learn = ["learn", "one", "0123456789ABCDEF", "--name", "own-keep", "--patterns-dir"];
    // The folder is made by hand: a folder of fingerprints that is not there is a mistake everywhere.
    check(&fixture, &fixture.output(&[&learn[..], &["own"]].concat()), 2, &["own: cannot be read"]);
    fs::create_dir(fixture.path().join("own")).expect("made");
    let output = fixture.output(&[&learn[..], &["own"]].concat());
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        said.contains("own/own-keep.toml: fingerprint own-keep; 'memguard run --patterns-dir "),
        "{said}"
    );
    let explained = stdout(&fixture.output(&["patterns", "own-keep", "--patterns-dir", "own"]));
    assert!(
        explained.contains("keep, serve, main") && explained.contains("mend       free them"),
        "{explained}"
    );

    check(
        &fixture,
        &fixture.output(&[&learn[..], &["own"]].concat()),
        2,
        &["there is a fingerprint 'own-keep' already (", "--name"],
    );
    let file = ["learn", "0123456", "--name", "other", "-o", "own/own-keep.toml"];
    check(&fixture, &fixture.output(&file), 2, &["own/own-keep.toml is there already", "-o"]);
    let taken = ["learn", "0123456", "--name", "libc-strdup"];
    check(&fixture, &fixture.output(&taken), 2, &["there is a fingerprint 'libc-strdup' already (built in)"]);
    check(
        &fixture,
        &fixture.output(&["learn", "0123"]),
        2,
        &["'0123' is the beginning of 2 findings", "0123456789abcdef (keep"],
    );
    check(&fixture, &fixture.output(&["learn", "bbbb"]), 2, &["has no finding 'bbbb'", "'memguard report "]);
    check(&fixture, &fixture.output(&["learn", ""]), 2, &["has no finding ''"]);
    check(&fixture, &fixture.output(&["learn", "two", "0123456"]), 2, &["no session 'two'"]);
    check(&fixture, &fixture.output(&["learn", "0123ff"]), 2, &["has no name (server+0x1234)", "symbols"]);
    check(&fixture, &fixture.output(&["learn", "aaaa"]), 2, &["has no function of the program on its stack"]);
    check(&fixture, &fixture.output(&["learn", "0123456", "--name", "A b"]), 2, &["'A b'", "small letters"]);
    check(&fixture, &fixture.output(&["learn", "0123456", "--fix", " "]), 2, &["--fix"]);
    check(&fixture, &fixture.output(&["learn"]), 2, &["no finding to learn from", "memguard learn --help"]);
    check(&with_findings(&[]), &with_findings(&[]).output(&["learn", "0"]), 2, &["has no findings"]);
}
