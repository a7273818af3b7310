//! Launcher, collector: one session from its first look to its last report, whoever waits for its programs (`run`, or a
//! collector in the background). In: a session, settings, time. Out: the session's report, kept up to date.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use memguard_report::{Report, SessionInput, SummaryOptions, Thresholds, assemble, filter, follow, merge};

use crate::config::Settings;
use crate::errors;
use crate::rules::Rules;
use crate::session::{Session, SessionError, SessionLock};
use crate::terminal;
use crate::watch::{Ended, ReportFile, Verdict, Watch, unix_time_s};

/// The report is written at least this often while the programs run.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);

/// A session with somebody who watches it.
pub struct Collector {
    session: Session,
    watch: Watch,
    /// What a collector before this one has reported.
    earlier: Option<Report>,
    /// The last report, whoever made it; its processes may be left out.
    last: Option<Report>,
    rules: Rules,
    thresholds: Thresholds,
    began: Instant,
    /// The first thing that went wrong with the session's files, said once, at the end.
    trouble: Option<String>,
    verdict: Verdict,
    reported: Option<Instant>,
    _lock: SessionLock,
}

impl Collector {
    /// Begins to watch: everything that watched processes will look for is made.
    ///
    /// # Errors
    /// If the session's directory cannot be written to or the disk is full.
    #[allow(clippy::result_large_err)] // The session comes back, to be discarded.
    pub fn begin(
        session: Session,
        settings: &Settings,
        rules: Rules,
    ) -> Result<Self, (Session, SessionError)> {
        Self::begin_with(session, settings, rules, |dir| Watch::prepare(dir, settings))
    }

    /// Begins to watch from outside alone: nothing is made for hooks.
    ///
    /// # Errors
    /// If the session's directory cannot be written to.
    #[allow(clippy::result_large_err)] // As above.
    pub fn begin_outside(
        session: Session,
        settings: &Settings,
        rules: Rules,
    ) -> Result<Self, (Session, SessionError)> {
        Self::begin_with(session, settings, rules, |dir| Ok(Watch::resume(dir, settings)))
    }

    #[allow(clippy::result_large_err)] // As above.
    fn begin_with(
        session: Session,
        settings: &Settings,
        rules: Rules,
        watch: impl FnOnce(&Path) -> io::Result<Watch>,
    ) -> Result<Self, (Session, SessionError)> {
        let made = SessionLock::take(session.dir()).and_then(|lock| Ok((lock, watch(session.dir())?)));
        match made {
            Ok((lock, watch)) => Ok(Self::new(session, watch, lock, settings, rules)),
            Err(source) => {
                let path = session.dir().to_owned();
                Err((session, SessionError::Unwritable { path, source }))
            }
        }
    }

    /// Watches this process, and those of its descendants that have no hooks, from outside. What it holds now it held before.
    pub fn observe(&mut self, pid: i32) {
        self.watch.observe(pid);
        self.watch.look();
    }

    /// Takes over a session whose collector is gone: its segments are all there is, beside its last report.
    ///
    /// # Errors
    /// If another process collects it, or the session does not say how it was meant.
    pub fn resume(mut session: Session) -> Result<Self, SessionError> {
        let dir = session.dir().to_owned();
        let lock = SessionLock::take(&dir)
            .map_err(|source| SessionError::Unwritable { path: dir.clone(), source })?;
        let Some(settings) = session.record().settings.clone() else {
            return Err(SessionError::Damaged {
                id: session.record().id.clone(),
                why: "its record has no settings".to_owned(),
            });
        };
        session.taken_over()?;
        let earlier = ReportFile::in_session(&dir).read().ok();
        let watch = Watch::resume(&dir, &settings);
        // They were in order when the session began; what has changed since is no reason to leave it without a collector. The
        // marks of the last report stay then.
        let (rules, trouble) = match Rules::load(&settings) {
            Ok(rules) => (rules, None),
            Err(error) => (Rules::default(), Some(error.to_string())),
        };
        let mut collector = Self::new(session, watch, lock, &settings, rules);
        collector.trouble = trouble;
        collector.last.clone_from(&earlier);
        collector.earlier = earlier;
        Ok(collector)
    }

    fn new(session: Session, watch: Watch, lock: SessionLock, settings: &Settings, rules: Rules) -> Self {
        Self {
            session,
            watch,
            earlier: None,
            last: None,
            rules,
            thresholds: settings.thresholds.clone(),
            began: Instant::now(),
            trouble: None,
            verdict: Verdict::default(),
            reported: None,
            _lock: lock,
        }
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// How many watched processes live.
    pub fn living(&self) -> usize {
        self.watch.living()
    }

    /// Looks, and reports if something has changed or the last report is old.
    pub fn look(&mut self) {
        if self.watch.look() {
            let now = self.watch.verdict();
            let stale = self.reported.is_none_or(|at| at.elapsed() >= REPORT_INTERVAL);
            if now != self.verdict || stale {
                self.verdict = now;
                self.report();
            }
        }
    }

    /// The last look after the program has ended that was started here; the session goes on if others live.
    pub fn program_ended(&mut self, ended: &Ended) {
        self.watch.look_after_end(ended);
        self.session.program_ended(ended.exit);
    }

    /// All processes are gone: the last look, the last report, the session's end.
    pub fn end(&mut self) -> Report {
        self.watch.look_last();
        self.session.end();
        let report = self.report();
        // After the report: whoever sees that the session has ended finds its last one.
        if let Err(error) = self.session.write() {
            self.trouble.get_or_insert(error.to_string());
        }
        self.watch.remove_files();
        report
    }

    /// The last report of ours; another collector goes on with the session.
    pub fn pass_on(&mut self) -> Report {
        if let Err(error) = self.session.write() {
            self.trouble.get_or_insert(error.to_string());
        }
        self.report()
    }

    /// Writes the report as of now; gives what is sure enough to be shown.
    pub fn report(&mut self) -> Report {
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
        let mut report = assemble(&self.watch.facts(session), self.watch.library());
        if let Some(earlier) = &self.earlier {
            report = merge(earlier, report, self.watch.judges_after(self.began.elapsed()));
        }
        if let Some(last) = &self.last {
            follow(last, &mut report);
        }
        self.rules.mark(&mut report, unix_time_s());
        if let Err(error) = ReportFile::in_session(self.session.dir()).write(&report) {
            let path = self.session.dir().display();
            self.trouble.get_or_insert(format!("the report could not be kept in {path}: {error}"));
        }
        self.reported = Some(Instant::now());
        // What follows a report need not know its processes, which are most of it.
        let processes = std::mem::take(&mut report.processes);
        self.last = Some(report.clone());
        report.processes = processes;
        filter(report, &self.thresholds)
    }

    /// Tells on stderr what went wrong and what was found.
    pub fn summarise(&self, report: &Report) {
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

    /// Gives the session back without an end: what it was made for never started.
    pub fn discard(self) {
        self.session.discard();
    }
}
