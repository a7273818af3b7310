//! Test kit, processes: a program with its streams, waited for by events and never for ever. In: a [`Command`]. Out: what
//! it said and how it ended.
//!
//! It gets a process group of its own, and whatever is left of that group when the test is over is killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// No program of these tests takes this long unless it hangs.
pub const DEADLINE: Duration = Duration::from_mins(2);

/// A running program.
pub struct Process {
    name: String,
    pid: Pid,
    stdin: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    exit: Receiver<ExitStatus>,
    is_over: bool,
}

/// How a program ended and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code, or 128 + n for signal n.
    pub code: i32,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

impl Process {
    /// Starts a program with nothing to read.
    pub fn start(command: Command) -> Self {
        Self::spawn(command, Stdio::null())
    }

    /// Starts a program that is told what to do, line by line.
    pub fn converse(command: Command) -> Self {
        Self::spawn(command, Stdio::piped())
    }

    /// Runs a program to its end.
    pub fn run(command: Command) -> Ended {
        Self::start(command).finish()
    }

    fn spawn(mut command: Command, stdin: Stdio) -> Self {
        let name = format!("{command:?}");
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let pid = Pid::from_raw(child.id().cast_signed());
        let stdin = child.stdin.take();
        let (stdout, stderr) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let (line, lines) = channel();
        thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            let mut next = Vec::new();
            while reader.read_until(b'\n', &mut next).is_ok_and(|n| n != 0) {
                if line.send(std::mem::take(&mut next)).is_err() {
                    break;
                }
            }
        });
        let stderr = whole(stderr);
        let (ended, exit) = channel();
        thread::spawn(move || {
            let _ = ended.send(child.wait().expect("a child can be waited for"));
        });
        Self { name, pid, stdin, lines, stderr, exit, is_over: false }
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Tells it a line.
    pub fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("started with `converse`");
        writeln!(stdin, "{line}").unwrap_or_else(|error| panic!("{} does not listen: {error}", self.name));
    }

    /// The next line of its standard output, without its end; waits for it.
    pub fn line(&mut self) -> String {
        self.line_or_end().unwrap_or_else(|| panic!("{} says nothing more", self.name))
    }

    /// The same, or `None` if it has closed its output.
    pub fn line_or_end(&mut self) -> Option<String> {
        match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => Some(String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned()),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("{} says nothing more", self.name),
        }
    }

    /// Sends it (not its group) a signal.
    pub fn signal(&self, signal: Signal) {
        nix::sys::signal::kill(self.pid, signal).expect("it is not waited for yet");
    }

    /// Waits for its end alone; others may still hold its streams.
    pub fn wait(&mut self) -> i32 {
        let Ok(status) = self.exit.recv_timeout(DEADLINE) else {
            let _ = killpg(self.pid, Signal::SIGKILL);
            panic!("{} did not end within {DEADLINE:?}", self.name);
        };
        self.is_over = true;
        status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
    }

    /// Lets it read to the end of its input and waits for its end.
    pub fn finish(mut self) -> Ended {
        drop(self.stdin.take());
        let code = self.wait();
        self.rest(code)
    }

    /// Everything that was not read before, until all who hold its streams are gone.
    pub fn rest(mut self, code: i32) -> Ended {
        drop(self.stdin.take());
        let until = Instant::now() + DEADLINE;
        let mut stdout = Vec::new();
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => stdout.extend(line),
                Err(error) => {
                    let closed = error == RecvTimeoutError::Disconnected;
                    assert!(closed, "{} left somebody behind who holds its output", self.name);
                    break;
                }
            }
        }
        let stderr = self.stderr.recv_timeout(DEADLINE).unwrap_or_default();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ended { code, stdout: text(stdout), stderr: text(stderr) }
    }
}

impl Drop for Process {
    /// Whatever went wrong, nothing stays behind. Once the leader is reaped its number may be someone else's, but as
    /// long as one of the group lives, the number of the group is taken.
    fn drop(&mut self) {
        if !self.is_over {
            let _ = killpg(self.pid, Signal::SIGKILL);
        }
    }
}

fn whole(mut stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (send, receive) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let _ = send.send(bytes);
    });
    receive
}
