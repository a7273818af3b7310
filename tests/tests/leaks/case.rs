//! Leaks, one case: a target, what its source says of it, and whether a report says the same.

use std::fmt;

use memguard_tests::process::Process;
use memguard_tests::report::{Finding, Report, SHOWN};
use memguard_tests::targets::{Expectation, Leak, expectation, target};
use memguard_tests::watched::{Place, Watched, plain, words};

/// A target and where its source is.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// The program's name.
    pub program: &'static str,
    /// The source that says what to expect.
    pub source: &'static str,
    /// The source whose lines are marked.
    pub marked_in: &'static str,
    /// Lines by which the compiler's own idea of the place may differ from the mark.
    pub slack_lines: u64,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program)
    }
}

impl Case {
    /// A program made of one source.
    pub const fn new(program: &'static str, source: &'static str) -> Self {
        Self { program, source, marked_in: source, slack_lines: 0 }
    }

    /// Whose leaking lines are in another file.
    pub const fn marked_in(self, file: &'static str) -> Self {
        Self { marked_in: file, ..self }
    }

    /// Whose compiler is not exact.
    pub const fn with_slack(self, lines: u64) -> Self {
        Self { slack_lines: lines, ..self }
    }

    /// What its source marks.
    pub fn leaks(&self) -> Vec<Leak> {
        match expectation(self.source, self.marked_in) {
            Expectation::Leak(leaks) => leaks,
            other => panic!("{} does not leak: {other:?}", self.program),
        }
    }

    /// Runs it under watch. It must say and answer what it says and answers alone.
    pub fn watch(&self, options: &[&str], arguments: &[&str]) -> Result<Watched, String> {
        let program = target(self.program);
        let watched = Place::new().watch(options, &words(&program, arguments));
        let ended = &watched.ended;
        if ended.code != 0 || !ended.stdout.starts_with(self.program_said()) {
            return Err(format!("it ended with {ended:?}"));
        }
        Ok(watched)
    }

    /// Every target's first word is its source's name.
    fn program_said(&self) -> &'static str {
        self.source.split('.').next().unwrap_or_default()
    }

    /// The surest finding for each leak, or why there is none. A finding that is shown anywhere else is an error, too.
    pub fn judge<'a>(&self, report: &'a Report) -> Result<Vec<Option<Finding<'a>>>, String> {
        let leaks = self.leaks();
        let fits = |finding: &Finding<'_>, leak: &Leak| {
            let Some(place) = finding.place().filter(|place| place.is_in(&leak.function)) else {
                return false;
            };
            let near = place.line().is_some_and(|line| line.abs_diff(leak.line) <= self.slack_lines);
            near && place.file() == Some(&leak.file) && finding.location().starts_with(&leak.file)
        };
        let stranger = report.findings(SHOWN).into_iter().find(|f| !leaks.iter().any(|leak| fits(f, leak)));
        if let Some(stranger) = stranger {
            return Err(format!("[{stranger}] is not one of {leaks:?}"));
        }
        let surest = |leak: &Leak| report.findings_in(&leak.function).into_iter().find(|f| fits(f, leak));
        Ok(leaks.iter().map(surest).collect())
    }
}

/// How a program ends and what it says without anyone watching.
pub fn alone(program: &str, arguments: &[&str]) -> (i32, String) {
    let mut command = plain(target(program));
    command.args(arguments);
    let ended = Process::run(command);
    (ended.code, ended.stdout)
}
