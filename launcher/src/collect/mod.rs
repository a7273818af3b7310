//! Launcher, `memguard collect`: a collector in the background. Not for people: the interposer starts it for a process that
//! has no session, and `run` for what outlives the program it started.
//!
//! ```text
//! memguard collect                  asked by a process (descriptor 3): finds or begins its session, answers, then watches
//! memguard collect --session DIR    watches this session until its last process is gone
//! ```

mod asker;
mod kin;
mod rendezvous;
mod ticker;

use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::args;
use crate::collector::Collector;
use crate::config::{self, Settings, Sources};
use crate::rules::Rules;
use crate::session::{Place, Session, SessionError, Store};
use asker::Asker;
use rendezvous::{Entry, Rendezvous};
use ticker::{Tick, Ticker};

pub use kin::{Bond, Kin};

/// Between the death of a collector and its return.
const RETURN_AFTER: Duration = Duration::from_millis(500);
/// A collector that dies again and again is given up.
const RETURNS_MAX: u32 = 20;
/// Asked to end, it waits so long for the programs, which are likely to have been asked too.
const FAREWELL: Duration = Duration::from_secs(10);

/// Does what the arguments say.
///
/// # Errors
/// If the session cannot be watched; nobody but a log sees it.
pub fn collect(asked: &args::Collect) -> Result<ExitCode> {
    match &asked.session {
        Some(dir) => watch(dir, asked.rendezvous.as_deref()),
        None => answer(),
    }
}

/// A session that was left by its collector (killed, or the machine went down): if its programs live it gets another
/// collector; if not, its tables are read to the end and its last report is made.
///
/// # Errors
/// If its files cannot be read or written.
pub fn recover(session: Session) -> Result<Session> {
    if !session.record().is_abandoned() || session.record().settings.is_none() {
        return Ok(session);
    }
    let dir = session.dir().to_owned();
    let mut collector = match Collector::resume(session) {
        Ok(collector) => collector,
        // Somebody else is just doing the same.
        Err(SessionError::Unwritable { source, .. }) if source.kind() == std::io::ErrorKind::ResourceBusy => {
            return Ok(Session::open(&dir)?);
        }
        Err(error) => return Err(error.into()),
    };
    collector.look();
    if collector.living() > 0 || Kin::new(Bond::Session(dir.clone())).live() {
        collector.pass_on();
        drop(collector);
        crate::errors::say("the session had lost its collector; another has taken over");
        start_in_background(&dir)?;
    } else {
        collector.end();
    }
    Ok(Session::open(&dir)?)
}

/// Starts a collector for a session in the background, which outlives us.
///
/// # Errors
/// If it cannot be started.
pub fn start_in_background(session_dir: &Path) -> Result<()> {
    worker(session_dir, None).spawn().context("cannot start a collector in the background")?;
    Ok(())
}

/// The process that asked gets its answer; then the session has its collector, for as long as it needs one.
fn answer() -> Result<ExitCode> {
    let asker = Asker::open().context("'memguard collect' is started by libmemguard.so, not by hand")?;
    let found = find_or_begin(&asker);
    let (session_dir, rendezvous) = match found {
        Ok(Some(begun)) => begun,
        Ok(None) => return Ok(ExitCode::SUCCESS),
        Err(error) => {
            asker.refuse(&crate::errors::chain(&error));
            return Err(error);
        }
    };
    drop(asker);
    // No file system is kept busy by us.
    let _ = std::env::set_current_dir("/");
    keep(&session_dir, &rendezvous);
    Ok(ExitCode::SUCCESS)
}

/// A session that needs a collector; none if the process was sent to one that has it.
fn find_or_begin(asker: &Asker) -> Result<Option<(PathBuf, Rendezvous)>> {
    let settings =
        config::load(&Sources { environment: std::env::vars_os().collect(), ..Sources::default() })?;
    let rules = Rules::load(&settings)?;
    let place = Place::find(settings.dir.as_deref())?;
    place.prepare()?;
    let key = rendezvous::key(asker.pid());
    let rendezvous = match Rendezvous::enter(place.path(), &key)? {
        Entry::Taken(session_dir) => {
            asker.send_to(&session_dir)?;
            return Ok(None);
        }
        Entry::Free(rendezvous) => rendezvous,
    };
    let store = Store::new(place);
    let abandoned = rendezvous.session().filter(|dir| {
        Session::open(dir).is_ok_and(|session| session.record().is_abandoned())
            && Kin::new(Bond::Library { key: key.clone(), session_dir: dir.clone() }).live()
    });
    let session_dir = match abandoned {
        Some(dir) => dir,
        None => begin(&store, asker, &settings, rules)?,
    };
    rendezvous.name(&session_dir)?;
    asker.send_to(&session_dir)?;
    Ok(Some((session_dir, rendezvous)))
}

fn begin(store: &Store, asker: &Asker, settings: &Settings, rules: Rules) -> Result<PathBuf> {
    let session = store.create(&asker.command(), None, settings)?;
    match Collector::begin(session, settings, rules) {
        // Whoever watches it opens it anew.
        Ok(collector) => Ok(collector.session().dir().to_owned()),
        Err((session, error)) => {
            session.discard();
            Err(error.into())
        }
    }
}

/// Has the session watched by a process of its own, and by another if that one is killed.
fn keep(session_dir: &Path, rendezvous: &Rendezvous) {
    for _ in 0..RETURNS_MAX {
        let Ok(status) = worker(session_dir, Some(rendezvous)).status() else { return };
        if status.signal().is_none() {
            return;
        }
        std::thread::sleep(RETURN_AFTER);
    }
}

fn worker(session_dir: &Path, rendezvous: Option<&Rendezvous>) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("memguard").args([
        OsString::from("collect"),
        OsString::from("--session"),
        session_dir.into(),
    ]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
    // It is no part of anything watched, whatever we were started from.
    command
        .env_remove("LD_PRELOAD")
        .env_remove(config::SESSION_VARIABLE)
        .env(config::COLLECTOR_VARIABLE, "1");
    match rendezvous {
        Some(rendezvous) => command.arg("--rendezvous").arg(rendezvous.path()),
        None => command.process_group(0),
    };
    command
}

/// Watches until the last process of the session is gone.
fn watch(session_dir: &Path, rendezvous: Option<&Path>) -> Result<ExitCode> {
    let mut ticker = Ticker::start()?;
    let session = Session::open(session_dir)?;
    let poll_interval =
        session.record().settings.as_ref().map_or(Duration::from_secs(1), |s| s.poll_interval);
    let mut collector = resume(session)?;
    let key = rendezvous.and_then(rendezvous::key_of_file);
    let session_dir_owned = session_dir.to_owned();
    let mut kin = Kin::new(match key {
        Some(key) => Bond::Library { key, session_dir: session_dir_owned },
        None => Bond::Session(session_dir_owned),
    });
    let mut asked_to_end: Option<Instant> = None;
    loop {
        let pause = if asked_to_end.is_some() { poll_interval.min(FAREWELL / 100) } else { poll_interval };
        if ticker.wait(pause)? == Tick::End {
            asked_to_end.get_or_insert_with(Instant::now);
        }
        collector.look();
        if collector.living() == 0 && !kin.live() && is_over(rendezvous, &mut kin, session_dir) {
            collector.end();
            return Ok(ExitCode::SUCCESS);
        }
        if asked_to_end.is_some_and(|since| since.elapsed() > FAREWELL) {
            // Not its end: whoever asks next takes it over.
            collector.report();
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// The collector before us may just be about to end.
fn resume(session: Session) -> Result<Collector> {
    const TRIES: u32 = 50;
    let dir = session.dir().to_owned();
    let mut session = session;
    for _ in 0..TRIES {
        match Collector::resume(session) {
            Err(SessionError::Unwritable { source, .. })
                if source.kind() == std::io::ErrorKind::ResourceBusy =>
            {
                std::thread::sleep(Duration::from_millis(100));
                session = Session::open(&dir)?;
            }
            resumed => return Ok(resumed?),
        }
    }
    anyhow::bail!("session {} is collected by another process", dir.display())
}

/// Nobody is sent to the session any more, and nobody was sent to it just before.
fn is_over(rendezvous: Option<&Path>, kin: &mut Kin, session_dir: &Path) -> bool {
    let Some(path) = rendezvous else { return true };
    if rendezvous::set_session(path, None).is_err() || !kin.live() {
        return true;
    }
    rendezvous::set_session(path, Some(session_dir)).is_err()
}
