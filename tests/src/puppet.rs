//! Test kit, the puppet: a program that does what it is told and answers when it is done, so that tests wait for
//! answers and never for time. In: words of `tests/tests/programs/puppet.c`. Out: its answers, its end.

use std::path::PathBuf;
use std::process::Command;

use nix::unistd::Pid;

use crate::process::{Ended, Process};
use crate::targets;
use crate::watched::Place;

/// A puppet, perhaps watched.
pub struct Puppet {
    /// What was started: the puppet or `memguard run`.
    pub process: Process,
    /// The puppet's own process.
    pub pid: Pid,
}

impl Puppet {
    /// The program's file.
    pub fn program() -> PathBuf {
        targets::program("puppet")
    }

    /// Starts it under watch.
    pub fn watched(place: &Place, options: &[&str]) -> Self {
        Self::start(place.run(options, &[Self::program()]))
    }

    /// Starts a command that leads to it, and waits until it is ready.
    pub fn start(command: Command) -> Self {
        let mut process = Process::converse(command);
        let ready = process.line();
        let pid = ready.strip_prefix("ready ").and_then(|pid| pid.parse().ok());
        let pid = Pid::from_raw(pid.unwrap_or_else(|| panic!("the puppet says '{ready}'")));
        Self { process, pid }
    }

    /// Tells it something and waits for the answer.
    pub fn ask(&mut self, order: &str) -> String {
        self.process.say(order);
        self.process.line()
    }

    /// Tells it something that it is to answer in these words.
    pub fn tell(&mut self, order: &str, answer: &str) {
        let said = self.ask(order);
        assert_eq!(said, answer, "the answer to '{order}'");
    }

    /// Makes sure that it is recorded: a test of what watching does to it would be empty otherwise.
    pub fn must_be_recorded(&self, place: &Place) {
        let recordings = place.recordings();
        assert!(recordings.iter().any(|recording| recording.samples() > 0), "the puppet is not recorded");
    }

    /// Sends it away with this exit code.
    pub fn exit(mut self, code: i32) -> Ended {
        self.process.say(&format!("exit {code}"));
        self.process.finish()
    }
}
