//! Launcher, `memguard replay`: recordings are judged again, in virtual time. In: files that `run --record` left. Out: what
//! was shown when, and what holds at the end, as text or JSON on the standard output.

use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use memguard_recording::{End, Replay};
use serde_json::{Value, json};

use crate::args;
use crate::show;

/// Judges each file.
///
/// # Errors
/// If one cannot be read, is no recording, or is damaged; those before it are shown.
pub fn replay(asked: &args::Replay) -> Result<()> {
    let mut documents = Vec::new();
    for path in &asked.files {
        let told = told(path).with_context(|| path.display().to_string())?;
        if asked.json {
            documents.push(told.document);
        } else {
            show::print(&told.text)?;
        }
    }
    if asked.json {
        let document = json!({ "schema": "memguard.replay/1", "recordings": documents });
        show::print(&(serde_json::to_string_pretty(&document)? + "\n"))?;
    }
    Ok(())
}

/// What there is to say of one recording.
struct Told {
    text: String,
    document: Value,
}

fn told(path: &Path) -> Result<Told> {
    let mut replay = Replay::open(File::open(path)?)?;
    let mut text = String::new();
    let mut events = Vec::new();
    let header = replay.header().clone();
    let mode = if header.aggressive { "aggressive" } else { "guard" };
    writeln!(text, "{}: process {}, {}, {mode}", path.display(), header.pid, printable(&header.exe))?;
    while let Some(seen) = replay.look()? {
        for seen in seen {
            let (at_s, location) = (seen.at_ns as f64 / 1e9, replay.place(seen.site));
            let kind = json!(seen.kind);
            let what = if seen.is_withdrawn() { "withdrawn" } else { "shown" };
            writeln!(
                text,
                "  {at_s:>10.1} s  {what:9}  {:.2}  {}  {}",
                seen.confidence,
                kind.as_str().unwrap_or_default(),
                printable(&location)
            )?;
            events.push(json!({ "at_s": at_s, "what": what, "kind": kind, "location": location, "confidence": seen.confidence }));
        }
    }
    let end = match replay.end() {
        Some(End::Full) => "the recording was full",
        Some(End::CutOff) => "the recording breaks off",
        Some(End::Process) | None => "the process ended",
    };
    let end_s = replay.now_ns() as f64 / 1e9;
    writeln!(text, "  {end_s:>10.1} s  {end}")?;
    let shown = replay.findings().iter().filter(|finding| finding.confidence >= 0.5);
    for finding in shown.clone() {
        let kind = json!(finding.kind);
        let (kind, place) = (kind.as_str().unwrap_or_default(), replay.place(finding.site));
        writeln!(
            text,
            "  at the end  {:.2}  {kind}  {}: {}",
            finding.confidence,
            printable(&place),
            finding.detail
        )?;
    }
    if shown.count() == 0 {
        writeln!(text, "  at the end nothing is shown")?;
    }
    let finding = |finding: &memguard_detect::Finding| {
        json!({
            "pattern": finding.pattern, "kind": finding.kind, "location": replay.place(finding.site),
            "confidence": finding.confidence, "size_mb": finding.size_bytes / 1e6, "count": finding.count,
        })
    };
    let document = json!({
        "file": path.display().to_string(), "pid": header.pid, "exe": header.exe, "mode": mode,
        "ended_at_s": end_s, "is_complete": replay.end() == Some(End::Process), "events": events,
        "findings": replay.findings().iter().map(finding).collect::<Vec<_>>(),
    });
    Ok(Told { text, document })
}

/// Names come from a file that anybody may have made.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
