//! Launcher, `memguard run`: one program under watch. In: the command line. Out: the program's own exit code, a
//! session with its report, a summary on stderr.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use memguard_report::{MIN_CONFIDENCE_DEFAULT, Report, SessionInput, SummaryOptions, assemble, filter};

use nix::sys::resource::{Resource, getrlimit};

use crate::args;
use crate::config::{self, Settings, Sources};
use crate::errors;
use crate::session::{Place, Session, SessionError, Store};
use crate::spawn::{self, Event, Program, ProgramExit, Supervisor};
use crate::terminal;
use crate::watch::{ReportFile, Watch};

/// The report is written at least this often while the program runs.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);

/// Address space that the launcher needs for symbols and reports of large programs, in bytes.
const ADDRESS_SPACE_MIN: u64 = 192 << 20;

/// A launcher that runs out of memory in the middle would take the program's exit code with it.
fn check_address_space(command: &[OsString]) -> Result<()> {
    let (soft, _) = getrlimit(Resource::RLIMIT_AS)?;
    if soft < ADDRESS_SPACE_MIN {
        let program = command.first().map(|word| word.to_string_lossy()).unwrap_or_default();
        bail!(
            "the address space limit (ulimit -v {}) is too low for memguard itself, which needs {}; set it for the \
             program alone: memguard run -- sh -c 'ulimit -v {}; exec {program} ...'",
            soft / 1024,
            ADDRESS_SPACE_MIN / 1024,
            soft / 1024,
        );
    }
    Ok(())
}

/// Runs the program to its end.
///
/// # Errors
/// If it could not be started; nothing of a session is left then.
pub fn run(run: args::Run) -> Result<ExitCode> {
    let environment = std::env::vars_os().collect();
    let settings = config::load(&Sources { file: run.config, environment, options: run.keys.0 })?;
    check_address_space(&run.command)?;
    let library = spawn::find_library()?;
    let store = Store::new(Place::find(settings.dir.as_deref())?);
    let session = store.create(&run.command, run.name.as_deref())?;
    let program = Program { command: run.command, library, session_dir: session.dir().to_owned() };
    let (watch, mut supervisor) = match start(&session, &settings, &program) {
        Ok(started) => started,
        Err(error) => {
            session.discard();
            return Err(error);
        }
    };
    let mut watching = Watching { session, watch, trouble: None, reported: None };
    let exit = watching.until_end(&mut supervisor, &settings)?;
    let report = watching.end(supervisor.pid().as_raw().unsigned_abs(), exit);
    if !run.quiet {
        watching.summarise(&report);
    }
    let leaks = run.fail_on_leak.is_some_and(|least| report.findings.iter().any(|f| f.confidence >= least));
    Ok(ExitCode::from(if leaks && exit.success() { errors::EXIT_LEAK } else { exit.exit_code() }))
}

fn start(session: &Session, settings: &Settings, program: &Program) -> Result<(Watch, Supervisor)> {
    let watch = Watch::prepare(session.dir(), settings)
        .map_err(|source| SessionError::Unwritable { path: session.dir().to_owned(), source })?;
    Ok((watch, Supervisor::start(program)?))
}

/// A session while its program runs.
struct Watching {
    session: Session,
    watch: Watch,
    /// The first thing that went wrong with the session's files, said once, at the end.
    trouble: Option<String>,
    reported: Option<Instant>,
}

impl Watching {
    /// Looks and reports until the program has ended.
    fn until_end(&mut self, supervisor: &mut Supervisor, settings: &Settings) -> Result<ProgramExit> {
        let mut verdict = Vec::new();
        loop {
            match supervisor.wait(settings.poll_interval)? {
                Event::Exited(exit) => return Ok(exit),
                Event::Signal(_) => {}
                Event::Tick => {
                    if self.watch.look() {
                        let now = self.watch.verdict();
                        let stale = self.reported.is_none_or(|at| at.elapsed() >= REPORT_INTERVAL);
                        if now != verdict || stale {
                            verdict = now;
                            self.report();
                        }
                    }
                }
            }
        }
    }

    /// The last look, the last report, the session's end.
    fn end(&mut self, pid: u32, exit: ProgramExit) -> Report {
        self.watch.finish(pid, exit);
        self.watch.remove_files();
        if let Err(error) = self.session.end(exit) {
            self.trouble.get_or_insert(error.to_string());
        }
        self.report()
    }

    /// Writes the report as of now; gives what is sure enough to be shown.
    fn report(&mut self) -> Report {
        let record = self.session.record();
        let session = SessionInput {
            id: record.id.clone(),
            name: record.name.clone().unwrap_or_else(|| record.id.clone()),
            command: record.command.clone(),
            host: record.host.clone(),
            started_at: record.started_at,
            ended_at: record.ended_at,
            exit: record.exit.map(|exit| memguard_report::Exit { code: exit.code, signal: exit.signal }),
        };
        let report = assemble(&self.watch.facts(session));
        if let Err(error) = ReportFile::in_session(self.session.dir()).write(&report) {
            let path = self.session.dir().display();
            self.trouble.get_or_insert(format!("the report could not be kept in {path}: {error}"));
        }
        self.reported = Some(Instant::now());
        filter(report, MIN_CONFIDENCE_DEFAULT)
    }

    fn summarise(&self, report: &Report) {
        use std::io::Write;
        if self.watch.watched() == 0 && self.watch.troubles().is_empty() {
            errors::say(
                "the program was not watched: it did not load libmemguard.so (statically linked, setuid, \
                 or not built for glibc)",
            );
        }
        for trouble in self.watch.troubles().iter().chain(&self.trouble) {
            errors::say(trouble);
        }
        let colour = terminal::colour(std::io::stderr().is_terminal());
        let text =
            memguard_report::render_summary(report, SummaryOptions { columns: terminal::columns(), colour });
        // A closed stderr is no reason to fail.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}
