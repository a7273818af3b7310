//! Launcher, tests: each mistake is one line on stderr that helps, the documented exit code, nothing started.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use crate::fixture::Fixture;

/// Checks the one line and the code, and that `marker`, which the command would have made, is not there.
pub fn check(fixture: &Fixture, output: &Output, code: i32, parts: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("memguard: "), "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "'{part}' is not in: {stderr}");
    }
    assert!(output.stdout.is_empty());
    assert!(!fixture.path().join("marker").exists(), "the program was started");
}

pub fn refused(arguments: &[&str], code: i32, parts: &[&str]) {
    let fixture = Fixture::new();
    let output = fixture.output(arguments);
    check(&fixture, &output, code, parts);
    assert!(fixture.sessions().is_empty(), "a session was left behind");
}

fn run_refused(fixture: &Fixture, command: &mut Command, parts: &[&str]) {
    let output = command.output().expect("memguard starts");
    check(fixture, &output, 125, parts);
}

#[test]
fn command_lines() {
    refused(&[], 2, &["memguard --help"]);
    refused(&["rum", "--", "touch", "marker"], 2, &["rum", "memguard --help"]);
    refused(&["run"], 125, &["memguard run -- ./service", "memguard run --help"]);
    refused(&["run", "--no-such", "--", "touch", "marker"], 125, &["--no-such", "memguard run --help"]);
    refused(&["run", "--no-such", "touch", "marker"], 125, &["--no-such"]);
    refused(&["report", "--format", "morse"], 2, &["morse", "text", "memguard report --help"]);
    refused(&["list", "--no-such"], 2, &["--no-such", "memguard list --help"]);
}

/// Goal: a number that cannot be watched is told with its reason. Method: no process, a thread, one that has ended, memguard
/// itself.
#[test]
fn processes_that_cannot_be_attached_to() {
    refused(&["attach"], 2, &["no process to watch", "memguard attach --help"]);
    refused(&["attach", "nonsense"], 2, &["nonsense", "memguard attach --help"]);
    refused(&["attach", "0"], 2, &["'0'"]);
    refused(&["attach", "2147483647"], 2, &["there is no process 2147483647"]);
    let (own, thread) = (std::process::id().to_string(), nix::unistd::gettid().to_string());
    if own != thread {
        refused(&["attach", &thread], 2, &[&format!("is a thread of process {own}")]);
    }
    let mut ended = Command::new("true").spawn().expect("true");
    let flags = nix::sys::wait::WaitPidFlag::WEXITED | nix::sys::wait::WaitPidFlag::WNOWAIT;
    let pid = nix::unistd::Pid::from_raw(ended.id() as i32);
    nix::sys::wait::waitid(nix::sys::wait::Id::Pid(pid), flags).expect("it ends, and stays to be reaped");
    refused(&["attach", &pid.to_string()], 2, &["has ended already"]);
    ended.wait().expect("reaped");
    let fixture = Fixture::new();
    let script = "exec \"$0\" attach $$";
    let mut shell = Command::new("sh");
    let memguard = fixture.memguard(&[]);
    shell.envs(memguard.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output =
        shell.args(["-c", script, env!("CARGO_BIN_EXE_memguard")]).current_dir(fixture.path()).output();
    check(&fixture, &output.expect("sh starts"), 2, &["is memguard itself"]);
}

#[test]
fn help_and_version_are_answers() {
    let fixture = Fixture::new();
    for (arguments, part) in [
        (["--version", ""], "memguard 0"),
        (["run", "--help"], "--poll-interval"),
        (["--help", ""], "report"),
    ] {
        let arguments: Vec<_> = arguments.into_iter().filter(|argument| !argument.is_empty()).collect();
        let output = fixture.output(&arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stderr.is_empty());
        assert!(crate::fixture::stdout(&output).contains(part), "{arguments:?}");
    }
}

#[test]
fn commands_that_cannot_be_executed() {
    refused(
        &["run", "--", "no-such-command-anywhere"],
        127,
        &["no-such-command-anywhere: command not found"],
    );
    refused(&["run", "--", "./missing"], 127, &["./missing: command not found"]);
    refused(&["run", "--", "/"], 126, &["cannot execute"]);
    let fixture = Fixture::new();
    fixture.write("plain", "text");
    check(&fixture, &fixture.output(&["run", "--", "./plain"]), 126, &["Permission denied"]);
    let script = fixture.write("script", "#!/no/such/interpreter\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("set");
    let path = script.to_str().expect("UTF-8");
    check(&fixture, &fixture.output(&["run", "--", path]), 126, &["interpreter"]);
    assert!(fixture.sessions().is_empty(), "a session was left behind");
}

#[test]
fn configuration_files() {
    let fixture = Fixture::new();
    let run = ["run", "--", "touch", "marker"];
    fixture.write("memguard.toml", "\npoll_intervall_s = 1\n");
    let parts = ["memguard.toml:2: ", "'poll_intervall_s'", "'poll_interval_s'"];
    run_refused(&fixture, &mut fixture.memguard(&run), &parts);
    fixture.write("memguard.toml", "sample_rate = 3");
    run_refused(
        &fixture,
        &mut fixture.memguard(&run),
        &["memguard.toml:1: sample_rate: found '3', expected"],
    );
    fixture.write("memguard.toml", "sample_rate = ");
    run_refused(&fixture, &mut fixture.memguard(&run), &["memguard.toml:1: not valid TOML"]);
    fs::remove_file(fixture.path().join("memguard.toml")).expect("removed");
    fs::create_dir(fixture.path().join("memguard.toml")).expect("created");
    run_refused(&fixture, &mut fixture.memguard(&run), &["memguard.toml: cannot read"]);
    let missing = ["run", "--config", "none.toml", "--", "touch", "marker"];
    run_refused(&fixture, &mut fixture.memguard(&missing), &["none.toml: cannot read", "No such file"]);
    assert!(fixture.sessions().is_empty(), "a session was left behind");
}

#[test]
fn the_users_configuration_file_is_read_last() {
    let fixture = Fixture::new();
    fs::create_dir_all(fixture.path().join("config/memguard")).expect("created");
    fixture.write("config/memguard/memguard.toml", "nonsense = 1");
    let run = ["run", "--", "touch", "marker"];
    run_refused(&fixture, &mut fixture.memguard(&run), &["config/memguard/memguard.toml:1: unknown key"]);
    fixture.write("memguard.toml", "threshold_mb = 5");
    assert_eq!(fixture.output(&["run", "--", "true"]).status.code(), Some(0));
}

#[test]
fn environment_and_options() {
    let fixture = Fixture::new();
    let run = ["run", "--", "touch", "marker"];
    let unknown = ["environment: unknown variable MEMGUARD_TRESHOLD_MB", "MEMGUARD_THRESHOLD_MB"];
    run_refused(&fixture, fixture.memguard(&run).env("MEMGUARD_TRESHOLD_MB", "1"), &unknown);
    let bad = ["environment MEMGUARD_SAMPLE_RATE: sample_rate: found 'some', expected"];
    run_refused(&fixture, fixture.memguard(&run).env("MEMGUARD_SAMPLE_RATE", "some"), &bad);
    let option = ["run", "--threshold", "-5", "--", "touch", "marker"];
    run_refused(&fixture, &mut fixture.memguard(&option), &["--threshold: threshold_mb: found '-5'"]);
    let cleanup = ["run", "--auto-cleanup", "handles", "--", "touch", "marker"];
    run_refused(
        &fixture,
        &mut fixture.memguard(&cleanup),
        &["--auto-cleanup: auto_cleanup: ", "not available"],
    );
    let both = ["run", "--sample-rate", "1", "--sample-bytes", "1MiB", "--", "touch", "marker"];
    run_refused(&fixture, &mut fixture.memguard(&both), &["--sample-bytes", "sample_rate", "keep one"]);
    let telemetry =
        fixture.memguard(&run).env("MEMGUARD_TELEMETRY_ENABLED", "true").output().expect("starts");
    check(&fixture, &telemetry, 125, &["telemetry is not available"]);
}

#[test]
fn folders_and_libraries() {
    let fixture = Fixture::new();
    fixture.write("file", "");
    let run = ["run", "--dir", "file/sessions", "--", "touch", "marker"];
    run_refused(&fixture, &mut fixture.memguard(&run), &["file/sessions", "Not a directory", "--dir"]);
    let run = ["run", "--", "touch", "marker"];
    let shared = ["shared by all users"];
    run_refused(&fixture, fixture.memguard(&run).env("MEMGUARD_DIR", "/tmp"), &shared);
    let missing = ["MEMGUARD_LIB=/no/such.so: No such file"];
    run_refused(&fixture, fixture.memguard(&run).env("MEMGUARD_LIB", "/no/such.so"), &missing);
    assert!(fixture.sessions().is_empty(), "a session was left behind");
}

#[test]
fn reports_that_cannot_be_given() {
    let fixture = Fixture::new();
    check(&fixture, &fixture.output(&["report"]), 2, &["no session in", "memguard run -- CMD"]);
    assert_eq!(fixture.output(&["run", "--quiet", "--", "true"]).status.code(), Some(0));
    check(&fixture, &fixture.output(&["report", "other"]), 2, &["no session 'other'", "memguard list"]);
    fs::write(fixture.sessions()[0].join("session.json"), "{").expect("written");
    check(&fixture, &fixture.output(&["report"]), 2, &["is damaged", "session.json"]);
    assert_eq!(fixture.output(&["list"]).status.code(), Some(0));
}
