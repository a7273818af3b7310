//! Launcher, `memguard doctor`: whether a command can be watched here, and if not, why and what to do. In: the command, the machine.
//! Out: one line for each check, a verdict, an exit code.
//!
//! Nothing is started and nothing is changed. A further check is an entry of [`checks::ALL`] and a file.

mod answer;
mod checks;
mod page;

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::args;
use crate::config::{self, Sources};
use crate::program::{Candidate, Environment};
use crate::session::Place;
use answer::{Extent, Line};

/// Who is examined.
pub struct Patient {
    /// The command; empty if the machine alone is examined.
    pub command: Vec<std::ffi::OsString>,
    /// The command, recognised.
    pub candidate: Option<Candidate>,
    /// Where sessions would lie.
    pub place: Place,
}

/// Examines, and says what was found: exit code 0 if the command can be watched in full, 1 in part, 2 not at all.
///
/// # Errors
/// If the configuration is wrong, or the answer cannot be written.
pub fn doctor(asked: &args::Doctor) -> Result<ExitCode> {
    let environment = std::env::vars_os().collect();
    let configured = config::load(&Sources { environment, ..Sources::default() })?;
    let patient = Patient {
        candidate: Candidate::of(&asked.command, &Environment::own()),
        command: asked.command.clone(),
        place: Place::find(asked.place.dir.as_deref().or(configured.dir.as_deref()))?,
    };
    let lines: Vec<Line> = checks::ALL
        .iter()
        .filter_map(|check| (check.ask)(&patient).map(|answer| Line { name: check.name, answer }))
        .collect();
    let extent = lines.iter().map(|line| line.answer.extent).min().unwrap_or(Extent::Full);
    let text = if asked.json {
        page::json(&patient.command, extent, &lines)
    } else {
        page::text(&patient.command, extent, &lines)
    };
    match std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        written => written.context("cannot write to the standard output")?,
    }
    Ok(ExitCode::from(match extent {
        Extent::Full => 0,
        Extent::Part => 1,
        Extent::None => 2,
    }))
}
