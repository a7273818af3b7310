//! Resources, `CLOSE_WAIT`: the leak that wakes people at three in the morning, in guard mode with everything else at its
//! default.

use memguard_tests::process::Process;
use memguard_tests::report::SHOWN;
use memguard_tests::targets::target;
use memguard_tests::watched::Place;

/// Goal: sockets whose peer has hung up are named with endpoint and place, once they are as old as is asked for. Method: a
/// youngest suspect age of three seconds, sixteen connections in eighteen seconds: twice what it takes where every look comes in
/// time. Within how many looks is for the simulator to say.
#[test]
fn a_peer_that_hangs_up_is_noticed_in_guard_mode() {
    let place = Place::new();
    let arguments = ["--what", "keep_connected", "--objects", "16", "--seconds", "18"];
    let command = [&[target("leak_sockets").into_os_string()][..], &arguments.map(Into::into)].concat();
    let mut run = place.run(&["--quiet"], &command);
    run.env("MEMGUARD_HANDLES_MAX_AGE_S", "3");
    let ended = Process::run(run);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let report = place.report();
    let shown = report.findings(SHOWN);
    let [finding] = shown.as_slice() else { panic!("{report}") };
    assert_eq!(finding.kind(), "socket-close-wait", "{report}");
    assert!(finding.confidence() >= 0.9, "{report}");
    assert!(finding.place().is_some_and(|place| place.is_in("keep_connected")), "{report}");
    let detail = finding.detail();
    assert!(detail.contains("CLOSE_WAIT") && detail.contains("TCP 127.0.0.1:"), "{detail}");
}

/// Goal: names of resources can be left out of what is recorded. Method: the same with `--redact`.
#[test]
fn endpoints_can_be_redacted() {
    let place = Place::new();
    let arguments = ["--what", "keep_connected", "--objects", "30", "--seconds", "6"];
    let command = [&[target("leak_sockets").into_os_string()][..], &arguments.map(Into::into)].concat();
    let ended = Process::run(place.run(&["--quiet", "--aggressive", "--redact"], &command));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let report = place.report();
    let shown = report.findings(SHOWN);
    let [finding] = shown.as_slice() else { panic!("{report}") };
    let detail = finding.detail();
    assert!(detail.contains("(redacted)") && !detail.contains("127.0.0.1"), "{detail}");
}
