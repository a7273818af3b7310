//! Launcher, `memguard attach`: a running process, watched from outside. In: its process id. Out: a session with its report, a
//! summary on stderr.
//!
//! The process is never touched: nothing is loaded into it, it is not traced, not stopped, and gets no signal. Only `/proc` and
//! the kernel's socket diagnosis are read.

mod error;
mod target;
mod wait;

use std::process::ExitCode;

use anyhow::Result;

use crate::args;
use crate::collector::Collector;
use crate::config::{self, Sources};
use crate::errors;
use crate::rules::Rules;
use crate::session::{Place, Store};
use target::Target;
use wait::{Event, Wait};

/// Watches the process until it ends, or we are asked to stop.
///
/// # Errors
/// If it cannot be watched; nothing of a session is left then.
pub fn attach(attach: args::Attach) -> Result<ExitCode> {
    let environment = std::env::vars_os().collect();
    let settings = config::load(&Sources { file: attach.config, environment, options: attach.keys.0 })?;
    let rules = Rules::load(&settings)?;
    let store = Store::new(Place::find(settings.dir.as_deref())?);
    let target = Target::find(attach.pid, &store)?;
    let mut wait = Wait::prepare(&target)?;
    let mut session = store.create(&target.command, attach.name.as_deref(), &settings)?;
    if let Err(error) = session.attach_to(target.identity.clone()) {
        session.discard();
        return Err(error.into());
    }
    let mut collector = match Collector::begin_outside(session, &settings, rules) {
        Ok(collector) => collector,
        Err((session, error)) => {
            session.discard();
            return Err(error.into());
        }
    };
    if !attach.quiet {
        let id = &collector.session().record().id;
        errors::say(&format!(
            "watching process {} ({}) from outside, session {id}; Ctrl-C ends the watch, not the process",
            target.pid, target.name
        ));
    }
    collector.observe(target.pid);
    while wait.next(settings.poll_interval)? == Event::Tick {
        collector.look();
    }
    let report = collector.end();
    if !attach.quiet {
        collector.summarise(&report);
    }
    Ok(ExitCode::SUCCESS)
}
