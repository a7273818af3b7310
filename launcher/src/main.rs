//! Launcher: the `memguard` command. One `match` from the command line to what is done.
//! In: arguments, environment. Out: the watched program's exit code, reports, lists.
#![deny(unsafe_code)]

mod args;
mod config;
mod errors;
mod session;
mod spawn;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};

use args::Command;
use config::{Settings, Sources};
use session::{Place, Session, Store};
use spawn::{Event, Program, ProgramExit, Supervisor};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let command = match args::parse(&arguments) {
        Ok(command) => command,
        Err(reply) => return answer(&reply),
    };
    let done = match command {
        Command::Run(run) => return self::run(run).unwrap_or_else(|error| errors::run_failed(&error)),
        Command::Report(report) => self::report(&report),
        Command::List(list) => self::list(&list.place),
        Command::Demo(_) => Err(anyhow::anyhow!("the demo is not built yet")),
        Command::Clean(clean) => self::clean(&clean),
    };
    done.map_or_else(|error| errors::command_failed(&error), |()| ExitCode::SUCCESS)
}

fn answer(reply: &args::Reply) -> ExitCode {
    if reply.exit_code == 0 {
        let _ = std::io::stdout().write_all(reply.text.as_bytes());
    } else {
        errors::say(&reply.text);
    }
    ExitCode::from(reply.exit_code)
}

fn run(run: args::Run) -> Result<ExitCode> {
    let environment = std::env::vars_os().collect();
    let settings = config::load(&Sources { file: run.config, environment, options: run.keys.0 })?;
    let library = spawn::find_library()?;
    let store = Store::new(Place::find(settings.dir.as_deref())?);
    let mut session = store.create(&run.command, run.name.as_deref())?;
    let program = Program { command: run.command, library, session_dir: session.dir().to_owned() };
    let mut supervisor = match Supervisor::start(&program) {
        Ok(supervisor) => supervisor,
        Err(error) => {
            session.discard();
            return Err(error.into());
        }
    };
    let exit = watch(&mut supervisor, &settings)?;
    if let Err(error) = session.end(exit) {
        errors::say(&error.to_string());
    }
    if !run.quiet {
        errors::say(&format!("session {}", session.record().id));
    }
    let leaks = run.fail_on_leak.is_some_and(|_| false);
    Ok(ExitCode::from(if leaks && exit.success() { errors::EXIT_LEAK } else { exit.exit_code() }))
}

fn watch(supervisor: &mut Supervisor, settings: &Settings) -> Result<ProgramExit> {
    loop {
        match supervisor.wait(settings.poll_interval)? {
            Event::Exited(exit) => return Ok(exit),
            Event::Tick | Event::Signal(_) => {}
        }
    }
}

fn report(report: &args::Report) -> Result<()> {
    let session: Session = store(&report.place)?.open(&report.session)?;
    bail!("session {} has no report yet", session.record().id)
}

fn list(place: &args::Place) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for entry in store(place)?.list()? {
        let line = match &entry.record {
            Ok(record) if record.is_live() => format!("{}  running", entry.id),
            Ok(_) => format!("{}  ended", entry.id),
            Err(why) => format!("{}  damaged: {why}", entry.id),
        };
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn clean(clean: &args::Clean) -> Result<()> {
    let age_min = Duration::from_secs(u64::from(clean.older_than.unwrap_or(0)) * 24 * 3600);
    for id in store(&clean.place)?.clean(clean.keep, age_min)? {
        writeln!(std::io::stdout(), "removed {id}")?;
    }
    Ok(())
}

/// The sessions where `run` would put them.
fn store(place: &args::Place) -> Result<Store> {
    let environment = std::env::vars_os().collect();
    let configured = config::load(&Sources { environment, ..Sources::default() })?;
    Ok(Store::new(Place::find(place.dir.as_deref().or(configured.dir.as_deref()))?))
}
