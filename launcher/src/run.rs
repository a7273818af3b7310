//! Launcher, `memguard run`: one program under watch. In: the command line. Out: the program's own exit code, a
//! session with its report, a summary on stderr.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};
use memguard_report::{Report, fresh};
use nix::sys::resource::{Resource, getrlimit};

use crate::collect::{self, Bond, Kin};
use crate::collector::Collector;
use crate::config::{self, Settings, Sources};
use crate::program::{Candidate, Environment, Way};
use crate::rules::Rules;
use crate::session::{Place, Store};
use crate::spawn::{self, Event, Program, ProgramExit, Supervisor};
use crate::watch::Ended;
use crate::{args, errors};

/// Address space that the launcher needs for symbols and reports of large programs, in bytes.
pub const ADDRESS_SPACE_MIN: u64 = 192 << 20;

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
    let rules = Rules::load(&settings)?;
    check_address_space(&run.command)?;
    let candidate = Candidate::of(&run.command, &Environment::own());
    let way = candidate.as_ref().map_or(Way::Hooks, Candidate::way);
    let library = (way != Way::Alone).then(spawn::find_library).transpose()?;
    let store = Store::new(Place::find(settings.dir.as_deref())?);
    let session = store.create(&run.command, run.name.as_deref(), &settings)?;
    let executed = candidate.as_ref().map(|candidate| candidate.path.clone());
    let session_dir = session.dir().to_owned();
    let program = Program { command: run.command, executed, library, session_dir };
    let begin = if way == Way::Alone { Collector::begin_outside } else { Collector::begin };
    let mut collector = match begin(session, &settings, rules) {
        Ok(collector) => collector,
        Err((session, error)) => {
            session.discard();
            return Err(error.into());
        }
    };
    let mut supervisor = match Supervisor::start(&program) {
        Ok(supervisor) => supervisor,
        Err(error) => {
            collector.discard();
            return Err(error.into());
        }
    };
    if matches!(way, Way::Alone | Way::Outside) {
        collector.observe(supervisor.pid().as_raw());
    }
    if let Some(line) = candidate.as_ref().and_then(Candidate::notice).filter(|_| !run.quiet) {
        errors::say(&line);
    }
    let exit = until_end(&mut collector, &mut supervisor, &settings)?;
    let ended = Ended { pid: supervisor.pid().as_raw().unsigned_abs(), exit, cpu_ns: supervisor.cpu_ns() };
    collector.program_ended(&ended);
    let (report, lives_on) =
        if way == Way::Alone { (collector.end(), false) } else { end_or_pass_on(&mut collector, &program) };
    if !run.quiet {
        collector.summarise(&report);
    }
    if lives_on {
        let dir = program.session_dir;
        drop(collector);
        if let Err(error) = collect::start_in_background(&dir) {
            errors::say(&errors::chain(&error));
        }
    }
    // The last line, also of a quiet run: a failure has a reason.
    if let Some(why) = run.fail_on_leak.filter(|_| exit.success()).and_then(|least| failure(&report, least)) {
        errors::say(&why);
        return Ok(ExitCode::from(errors::EXIT_LEAK));
    }
    Ok(ExitCode::from(exit.exit_code()))
}

/// Why `--fail-on-leak` fails the run, if it does: a finding that is shown, that nobody has decided about, and that is sure
/// enough.
fn failure(report: &Report, least: f64) -> Option<String> {
    let mut sure: Vec<_> = fresh(report).filter(|finding| finding.confidence >= least).collect();
    sure.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let first = sure.first()?;
    let more = match sure.len() - 1 {
        0 => String::new(),
        1 => ", and 1 more finding".to_owned(),
        n => format!(", and {n} more findings"),
    };
    Some(format!(
        "exit code {} because of {} at {}, confidence {:.2}, id {}{more} (--fail-on-leak={least})",
        errors::EXIT_LEAK,
        first.kind,
        first.location,
        first.confidence,
        first.id,
    ))
}

/// Looks and reports until the program has ended.
fn until_end(
    collector: &mut Collector,
    supervisor: &mut Supervisor,
    settings: &Settings,
) -> Result<ProgramExit> {
    loop {
        match supervisor.wait(settings.poll_interval)? {
            Event::Exited(exit) => return Ok(exit),
            Event::Signal(_) => {}
            Event::Tick => collector.look(),
        }
    }
}

/// The program has ended. Daemons that it started may live on: then the session does too, in the hands of a collector in the
/// background. As the first process of a container we take everything with us.
fn end_or_pass_on(collector: &mut Collector, program: &Program) -> (Report, bool) {
    let mut kin = Kin::new(Bond::Session(program.session_dir.clone()));
    if nix::unistd::getpid().as_raw() != 1 && (collector.living() > 0 || kin.live()) {
        return (collector.pass_on(), true);
    }
    (collector.end(), false)
}
