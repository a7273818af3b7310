//! Launcher: the `memguard` command. One `match` from the command line to what is done.
//! In: arguments, environment. Out: the watched program's exit code, reports, lists.
#![deny(unsafe_code)]

mod args;
mod attach;
mod collect;
mod collector;
mod config;
mod demo;
mod doctor;
mod errors;
mod learn;
mod patterns;
mod peers;
mod program;
mod replay;
mod rules;
mod run;
mod session;
mod show;
mod spawn;
mod suppress;
mod terminal;
mod until;
mod watch;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use args::Command;
use config::{Settings, Sources};
use session::{Place, Store};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|argument| argument == demo::SERVICE_ARGUMENT) {
        demo::service::serve();
        return ExitCode::SUCCESS;
    }
    let command = match args::parse(&arguments) {
        Ok(command) => command,
        Err(reply) => return answer(&reply),
    };
    let done = match command {
        Command::Run(run) => return run::run(run).unwrap_or_else(|error| errors::run_failed(&error)),
        Command::Attach(attach) => {
            return attach::attach(attach).unwrap_or_else(|error| errors::command_failed(&error));
        }
        Command::Doctor(doctor) => {
            return doctor::doctor(&doctor).unwrap_or_else(|error| errors::command_failed(&error));
        }
        Command::Demo(demo) => return demo::demo(&demo).unwrap_or_else(|error| errors::run_failed(&error)),
        Command::Report(asked) => report(&asked),
        Command::Suppress(suppress) => {
            store(&suppress.place).and_then(|store| suppress::suppress(&store, &suppress))
        }
        Command::Patterns(asked) => patterns::patterns(&asked),
        Command::Learn(asked) => store(&asked.place).and_then(|store| learn::learn(&store, &asked)),
        Command::Replay(asked) => replay::replay(&asked),
        Command::List(list) => {
            sessions(&list.place, &[]).and_then(|(store, settings)| show::list(&store, &settings))
        }
        Command::Clean(clean) => self::clean(&clean),
        Command::Collect(asked) => {
            return collect::collect(&asked).unwrap_or_else(|error| errors::run_failed(&error));
        }
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

fn clean(clean: &args::Clean) -> Result<()> {
    let age_min = Duration::from_secs(u64::from(clean.older_than.unwrap_or(0)) * 24 * 3600);
    for id in store(&clean.place)?.clean(clean.keep, age_min)? {
        writeln!(std::io::stdout(), "removed {id}")?;
    }
    Ok(())
}

/// `memguard report`.
fn report(asked: &args::Report) -> Result<()> {
    let baseline = asked.baseline.clone().into_iter().collect();
    let files = [("baseline", baseline), ("suppressions", asked.suppressions.clone())];
    let (store, settings) = sessions(&asked.place, &files)?;
    show::report(&store, asked, &settings)
}

/// The sessions where `run` would put them.
fn store(place: &args::Place) -> Result<Store> {
    Ok(sessions(place, &[])?.0)
}

/// The same with what is configured here; `files` are options that name files, by their keys.
fn sessions(place: &args::Place, files: &[(&str, Vec<String>)]) -> Result<(Store, Settings)> {
    let environment = std::env::vars_os().collect();
    let named = files.iter().filter(|(_, files)| !files.is_empty());
    let options = named.filter_map(|(name, files)| {
        let key = config::KEYS.iter().find(|key| key.name == *name)?;
        Some((key, files.join(&key.kind.separator().to_string())))
    });
    let settings = config::load(&Sources { environment, options: options.collect(), ..Sources::default() })?;
    let store = Store::new(Place::find(place.dir.as_deref().or(settings.dir.as_deref()))?);
    Ok((store, settings))
}
