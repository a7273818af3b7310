//! Launcher, tests: signals reach the program once, and stopping looks as it does without us.
//!
//! Nothing here waits for time to pass: each step waits for a line of the program or a change of its state.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::fixture::Fixture;

/// A shell script under watch, in a process group of its own.
struct Watched {
    launcher: Child,
    lines: BufReader<ChildStdout>,
    _fixture: Fixture,
}

impl Watched {
    /// Starts the script and waits for its first line, "ready".
    fn start(script: &str) -> Self {
        let fixture = Fixture::new();
        let mut command = fixture.memguard(&["run", "--quiet", "--", "sh", "-c", script]);
        let mut launcher = command.stdout(Stdio::piped()).process_group(0).spawn().expect("memguard starts");
        let lines = BufReader::new(launcher.stdout.take().expect("piped"));
        let mut watched = Self { launcher, lines, _fixture: fixture };
        assert_eq!(watched.line(), "ready");
        watched
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.launcher.id() as i32)
    }

    fn send(&self, signal: Signal) {
        kill(self.pid(), signal).expect("sent");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("readable");
        line.trim_end().to_owned()
    }

    fn exit_code(mut self) -> Option<i32> {
        self.launcher.wait().expect("waitable").code()
    }
}

impl Drop for Watched {
    /// Whatever went wrong, nothing of the group stays behind.
    fn drop(&mut self) {
        // Once the launcher is reaped its number may be someone else's.
        if matches!(self.launcher.try_wait(), Ok(None)) {
            let _ = killpg(self.pid(), Signal::SIGKILL);
            let _ = self.launcher.wait();
        }
    }
}

/// Says "ready", then waits; the background process lets the shell run its traps at once.
const WAIT: &str = "sleep 1000 >/dev/null 2>&1 & echo ready; while :; do wait; done";

#[test]
fn what_a_supervisor_sends_is_passed_on() {
    for (signal, name) in [
        (Signal::SIGTERM, "TERM"),
        (Signal::SIGINT, "INT"),
        (Signal::SIGHUP, "HUP"),
        (Signal::SIGQUIT, "QUIT"),
        (Signal::SIGUSR1, "USR1"),
        (Signal::SIGUSR2, "USR2"),
        (Signal::SIGWINCH, "WINCH"),
        (Signal::SIGABRT, "ABRT"),
    ] {
        let mut watched = Watched::start(&format!("trap 'echo got {name}; kill $!; exit 9' {name}; {WAIT}"));
        watched.send(signal);
        assert_eq!(watched.line(), format!("got {name}"));
        assert_eq!(watched.exit_code(), Some(9), "{name}");
    }
}

#[test]
fn a_signal_that_ends_the_program_ends_us_alike() {
    let mut watched = Watched::start("echo ready; echo $$; exec sleep 1000");
    watched.line();
    watched.send(Signal::SIGTERM);
    assert_eq!(watched.exit_code(), Some(128 + 15));
}

/// Goal: `kill 0` in a script reaches the script once. Method: count; a later signal with a higher number, read
/// after it in any case, asks for the count.
#[test]
fn what_the_program_sends_to_its_group_does_not_come_back() {
    let script = format!(
        "n=0; trap 'n=$((n+1))' TERM; trap 'echo $n; trap - TERM; kill $!; exit 0' WINCH; kill -TERM 0; {WAIT}"
    );
    let mut watched = Watched::start(&script);
    watched.send(Signal::SIGWINCH);
    assert_eq!(watched.line(), "1");
    assert_eq!(watched.exit_code(), Some(0));
}

/// Goal: a shell sees the job stop and go on. Method: wait for the launcher's own changes of state.
#[test]
fn stopping_and_continuing_include_us() {
    let mut watched = Watched::start(&format!("trap 'echo on; kill $!; exit 4' CONT; {WAIT}"));
    watched.send(Signal::SIGTSTP);
    let stopped = waitpid(watched.pid(), Some(WaitPidFlag::WUNTRACED)).expect("waitable");
    assert_eq!(stopped, WaitStatus::Stopped(watched.pid(), Signal::SIGSTOP));
    watched.send(Signal::SIGCONT);
    assert_eq!(watched.line(), "on");
    assert_eq!(watched.exit_code(), Some(4));
}

/// Goal: Ctrl-C on a terminal reaches the program once, not a second time through us. Method: `script` gives a
/// terminal; the program counts, and a later signal, read after it in any case, asks for the count.
#[test]
fn ctrl_c_arrives_once() {
    let fixture = Fixture::new();
    let traps = "n=0; trap 'n=$((n+1)); echo int' INT; trap 'echo n=$n; kill $!; exit 6' WINCH";
    let program = format!("{traps}; sleep 1000 >/dev/null 2>&1 & echo $PPID; while :; do wait; done");
    let program = fixture.write("program", &program);
    let line = format!("exec '{}' run --quiet -- sh '{}'", env!("CARGO_BIN_EXE_memguard"), program.display());
    let prepared = fixture.memguard(&[]);
    let mut script = Command::new("script");
    script.envs(prepared.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(fixture.path());
    let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script starts");
    let mut terminal = script.stdin.take().expect("piped");
    let mut lines = BufReader::new(script.stdout.take().expect("piped")).lines();
    let mut line = || lines.next().expect("a line").expect("readable").trim().to_owned();

    let launcher = Pid::from_raw(line().parse().expect("the launcher's number"));
    terminal.write_all(b"\x03").expect("typed");
    assert!(line().ends_with("int"));
    kill(launcher, Signal::SIGWINCH).expect("sent");
    assert_eq!(line(), "n=1");
    assert_eq!(script.wait().expect("waitable").code(), Some(6));
}
