//! Outside, run: static programs and their like under `memguard run`.

use memguard_tests::process::Process;
use memguard_tests::report::SHOWN;
use memguard_tests::targets::target;
use memguard_tests::watched::{Place, plain, words};

/// Goal: a static program that forgets sockets whose peer has hung up is found out, with the endpoint and without a stack, and runs
/// as it does alone. Method: thirty connections in nine seconds in audit mode.
#[test]
fn close_wait_is_found_in_a_static_program() {
    let arguments = ["--what", "keep_connected", "--objects", "30", "--seconds", "9"];
    let program = words(&target("leak_sockets_static"), &arguments);
    let mut alone = plain(target("leak_sockets_static"));
    alone.args(arguments);
    let alone = Process::start(alone);
    let watched = Place::new().watch(&["--aggressive"], &program);
    let alone = alone.finish();
    assert_eq!((watched.ended.code, &watched.ended.stdout), (alone.code, &alone.stdout));
    let said = &watched.ended.stderr;
    assert!(said.contains("statically linked") && said.contains("watched from outside"), "{said}");
    let report = watched.report();
    let shown = report.findings(SHOWN);
    let [finding] = shown.as_slice() else { panic!("{report}") };
    assert_eq!(finding.kind(), "socket-close-wait", "{report}");
    assert!(finding.confidence() >= 0.9, "{report}");
    assert!(finding.location().contains("no stack"), "{}", finding.location());
    let detail = finding.detail();
    assert!(detail.contains("CLOSE_WAIT") && detail.contains("TCP 127.0.0.1:"), "{detail}");
    let process = &report.processes()[0];
    assert_eq!(process["observed"], true);
    assert!(process["descriptors"]["peak"].as_u64() >= Some(20), "{process}");
    assert_eq!(report.document["overhead"]["sample_bytes"], 0, "nothing is sampled");
}

/// Goal: healthy static programs give no reason for a finding.
#[test]
fn healthy_static_programs_are_silent() {
    let cases = [
        ("healthy_sockets_static", "per_request"),
        ("healthy_sockets_static", "keep_alive"),
        ("healthy_sockets_static", "idle_pool"),
        ("healthy_sockets_static", "close_wait_late"),
        ("healthy_threads_static", "batches"),
        ("healthy_threads_static", "bounded_pool"),
    ];
    // They wait most of the time: all at once.
    let running: Vec<_> = cases
        .iter()
        .map(|(name, what)| {
            let place = Place::new();
            let arguments = ["--what", what, "--objects", "200", "--seconds", "8"];
            let process = Process::start(place.run(&["--aggressive"], &words(&target(name), &arguments)));
            (name, what, place, process)
        })
        .collect();
    for (name, what, place, process) in running {
        let ended = process.finish();
        assert_eq!(ended.code, 0, "{name} {what}: {}", ended.stderr);
        let report = place.report();
        assert!(report.findings(SHOWN).is_empty(), "{name} {what}: {report}");
        assert_eq!(report.processes()[0]["observed"], true, "{name} {what}");
    }
}

/// Goal: with `--quiet` nothing shows that somebody looks on. Method: static programs that end well and badly, alone and watched.
#[test]
fn exit_codes_pass_through() {
    for (program, code) in [("leak_steady_static", 0), ("quiet_peer", 2)] {
        let arguments: &[&str] = if code == 0 { &["--seconds", "0"] } else { &["--nonsense"] };
        let mut alone = plain(target(program));
        alone.args(arguments);
        let alone = Process::run(alone);
        let watched = Place::new().watch(&["--quiet"], &words(&target(program), arguments));
        assert_eq!((watched.ended.code, &watched.ended.stdout), (alone.code, &alone.stdout), "{program}");
        assert_eq!(watched.ended.stderr, alone.stderr, "{program}: quiet says nothing");
    }
}
