//! Outside, doctor: the exit code and the words for real programs.

use memguard_tests::process::Process;
use memguard_tests::targets::target;
use memguard_tests::watched::Place;
use serde_json::Value;

/// Goal: in full, in part, not at all are told apart by the exit code, and nothing is changed. Method: a dynamic program, a static
/// one, one that is not there.
#[test]
fn the_exit_code_is_the_verdict() {
    let place = Place::new();
    let plain = target("leak_steady");
    let fixed = target("leak_steady_static");
    let cases = [
        (plain.to_str(), 0, "in full"),
        (fixed.to_str(), 1, "in part"),
        (Some("/nonexistent"), 2, "cannot be"),
    ];
    for (program, code, words) in cases {
        let program = program.expect("text");
        let told = Process::run(place.memguard(&["doctor", "--", program]));
        assert_eq!(told.code, code, "{program}: {}{}", told.stdout, told.stderr);
        assert!(told.stdout.trim_end().ends_with(words) || told.stdout.contains(words), "{}", told.stdout);
        assert!(told.stderr.is_empty(), "{}", told.stderr);
    }
    assert!(place.sessions().is_empty());
}

/// Goal: each check says what was found and, if something is amiss, what to do; JSON and text agree.
#[test]
fn json_has_every_check() {
    let place = Place::new();
    let program = target("leak_steady_static");
    let told = Process::run(place.memguard(&["doctor", "--json", "--", program.to_str().expect("text")]));
    let document: Value = serde_json::from_str(&told.stdout).expect("JSON");
    assert_eq!(document["schema"], "memguard.doctor/1");
    assert_eq!(document["watched"], "part");
    let checks = document["checks"].as_array().expect("checks");
    let named = |name: &str| checks.iter().find(|check| check["name"] == name).expect("a check of that name");
    assert_eq!(named("linking")["state"], "fail");
    assert_eq!(named("debug symbols")["state"], "ok", "it is built with -g");
    for check in checks {
        assert_eq!(check["state"] == "ok", check["remedy"].is_null(), "{check}");
    }
}

/// Goal: what hinders everything is seen. Method: a library that is not there, a folder that is not ours to write, a limit.
#[test]
fn the_machine_is_examined() {
    let place = Place::new();
    let fails = |mut command: std::process::Command, name: &str| {
        command.arg("--json");
        let told = Process::run(command);
        assert_eq!(told.code, 2, "{name}: {}", told.stdout);
        let document: Value = serde_json::from_str(&told.stdout).expect("JSON");
        let checks = document["checks"].as_array().expect("checks").clone();
        let failed = checks.iter().find(|check| check["state"] == "fail").expect("one fails");
        assert_eq!(failed["name"], name, "{document:#}");
    };
    let mut without_library = place.memguard(&["doctor"]);
    without_library.env("MEMGUARD_LIB", "/nonexistent/libmemguard.so");
    fails(without_library, "interposer");
    fails(place.memguard(&["doctor", "--dir", "/dev/null/memguard"]), "sessions");
    let small = place.led_by(&["sh", "-c", "ulimit -f 1; exec \"$@\"", "sh"], &place.memguard(&["doctor"]));
    fails(small, "file size");
}
