//! Launcher, `memguard demo`: a leaking service under watch, and its report. In: nothing. Out: half a minute later, the
//! report on the screen.
//!
//! The service is this very binary, started again with a hidden argument: a real program that allocates through libc,
//! watched like any other, with no compiler or source needed on the machine.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::args::{self, Command};
use crate::{errors, run};

pub mod service;

/// The hidden argument that makes this binary the demo's service.
pub const SERVICE_ARGUMENT: &str = "demo-service";
const NAME: &str = "demo";

/// Runs the demo.
///
/// # Errors
/// As for `run` and `report`.
pub fn demo(demo: &args::Demo) -> Result<ExitCode> {
    let own = std::env::current_exe().context("cannot find the memguard binary")?;
    errors::say("the demo service answers requests for 20 seconds and leaks in one place; watching it");
    let directory = demo.place.dir.iter().flat_map(|dir| [OsString::from("--dir"), dir.into()]);
    let mut words: Vec<OsString> =
        ["memguard", "run", "--quiet", "--name", NAME].map(OsString::from).to_vec();
    words.extend(directory.clone());
    words.extend([OsString::from("--"), own.into(), OsString::from(SERVICE_ARGUMENT)]);
    if let Ok(Command::Run(watch)) = args::parse(&words) {
        run::run(watch)?;
    }
    let mut words: Vec<OsString> = ["memguard", "report", NAME].map(OsString::from).to_vec();
    words.extend(directory);
    if let Ok(Command::Report(asked)) = args::parse(&words) {
        crate::report(&asked)?;
    }
    Ok(ExitCode::SUCCESS)
}
