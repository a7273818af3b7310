//! Launcher, `memguard report` and `memguard list`: what earlier sessions found. In: a session's files. Out: text or
//! JSON on the standard output or in a file.

use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use memguard_report::{
    Report, ReportFinding, TextOptions, Thresholds, filter, fresh, read_report, render_json, render_text,
};

use crate::args::{self, Format};
use crate::collect;
use crate::config::Settings;
use crate::rules::Rules;
use crate::session::{Session, Store};
use crate::terminal;
use crate::watch;

/// Shows a session's report.
///
/// # Errors
/// If there is no such session, its report is missing, damaged or of another version, or there is something wrong with the
/// baseline or the suppressions.
pub fn report(store: &Store, asked: &args::Report, settings: &Settings) -> Result<()> {
    let rules = Rules::load(settings)?;
    let session = collect::recover(store.open(&asked.session)?)?;
    let mut report = read(&session)?;
    // Without rules of its own this shows the marks of the run.
    rules.mark(&mut report, watch::unix_time_s());
    let mut thresholds = thresholds(settings, &session);
    if let Some(least) = asked.min_confidence {
        thresholds.confidence = least;
    }
    let report = filter(report, &thresholds);
    let to_terminal = asked.output.is_none() && std::io::stdout().is_terminal();
    let text = match asked.format() {
        Format::Json => render_json(&report),
        Format::Text => {
            let options = TextOptions { columns: terminal::columns(), colour: terminal::colour(to_terminal) };
            render_text(&report, options)
        }
    };
    match &asked.output {
        Some(path) => write_file(path, &text),
        None => print(&text),
    }
}

/// Those configured here and now; else those of the run.
fn thresholds(settings: &Settings, session: &Session) -> Thresholds {
    let of_run = session.record().settings.as_ref().map(|settings| settings.thresholds.clone());
    let own = Some(settings.thresholds.clone()).filter(|own| *own != Thresholds::default());
    own.or(of_run).unwrap_or_default()
}

/// The report of a session, with everything that is suspected.
///
/// # Errors
/// If it is missing, damaged or of another version.
pub fn read(session: &Session) -> Result<Report> {
    let id = &session.record().id;
    let path = session.dir().join(watch::FILE_NAME);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && session.record().is_live() => {
            bail!("session {id} has just begun and has no report yet; try again in a few seconds")
        }
        Err(error) => return Err(error).with_context(|| format!("session {id} has no readable report")),
    };
    read_report(&bytes).with_context(|| format!("the report of session {id} ({})", path.display()))
}

fn write_file(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The finding of this id, or of an id that begins so.
///
/// # Errors
/// If there is none, or there are several.
pub fn finding_named<'a>(report: &'a Report, wanted: &str) -> Result<&'a ReportFinding> {
    let id = &report.session.id;
    let wanted = wanted.to_ascii_lowercase();
    let found: Vec<&ReportFinding> = report
        .findings
        .iter()
        .filter(|finding| !wanted.is_empty() && finding.id.starts_with(&wanted))
        .collect();
    match found.as_slice() {
        [finding] => Ok(finding),
        [] if report.findings.is_empty() => {
            bail!("session {id} has no findings; 'memguard list' shows others")
        }
        [] => {
            bail!("session {id} has no finding '{wanted}'; 'memguard report {id}' shows them with their ids")
        }
        several => {
            let ids: Vec<_> =
                several.iter().map(|finding| format!("{} ({})", finding.id, finding.location)).collect();
            bail!(
                "'{wanted}' is the beginning of {} findings, write more of it: {}",
                ids.len(),
                ids.join(", ")
            )
        }
    }
}

/// A reader that stops reading (`memguard report | head`) is no error.
///
/// # Errors
/// If the standard output cannot be written to.
pub fn print(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to the standard output"),
    }
}

/// Lists the sessions, newest first.
///
/// # Errors
/// If the folder of the sessions cannot be read.
pub fn list(store: &Store, settings: &Settings) -> Result<()> {
    let mut rows = Vec::new();
    for entry in store.list()? {
        let (state, findings, command) = match &entry.record {
            Err(why) => ("damaged".to_owned(), String::new(), why.clone()),
            Ok(record) => {
                let state = match (&record.exit, record.is_live()) {
                    (_, true) => "running".to_owned(),
                    (Some(exit), _) => match (exit.code, exit.signal) {
                        (_, Some(signal)) => format!("signal {signal}"),
                        (code, None) => format!("exit {}", code.unwrap_or(0)),
                    },
                    (None, false) if record.is_abandoned() => "cut off".to_owned(),
                    (None, false) => "ended".to_owned(),
                };
                let report = store.open(&entry.id).ok().and_then(|session| {
                    let thresholds = thresholds(settings, &session);
                    Some(filter(read(&session).ok()?, &thresholds))
                });
                let watched = report.as_ref().is_some_and(|report| !report.processes.is_empty());
                let findings = report.map_or_else(
                    || "no report".to_owned(),
                    |report| match fresh(&report).count() {
                        _ if !watched => "unwatched".to_owned(),
                        0 => "clean".to_owned(),
                        1 => "1 leak".to_owned(),
                        n => format!("{n} leaks"),
                    },
                );
                (state, findings, record.command.join(" "))
            }
        };
        rows.push([entry.id.clone(), state, findings, command]);
    }
    if rows.is_empty() {
        return print("no sessions yet; start one with: memguard run -- CMD\n");
    }
    print(&table(&["SESSION", "STATE", "FOUND", "COMMAND"], &rows))
}

/// Text in columns; the last may hold anything.
pub fn table(head: &[&str; 4], rows: &[[String; 4]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(head[column].len())
    };
    let widths = [width(0), width(1), width(2)];
    let line = |cells: [&str; 4]| {
        let [a, b, c, d] = cells;
        let [wa, wb, wc] = widths;
        // A command may hold anything; a list has one line for each session.
        let d: String = d.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!("{a:wa$}  {b:wb$}  {c:wc$}  {d}").trim_end().to_owned() + "\n"
    };
    let head = line(*head);
    rows.iter().fold(head, |text, row| text + &line([&row[0], &row[1], &row[2], &row[3]]))
}
