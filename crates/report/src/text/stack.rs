//! Report, text: a call stack.
//! In: a finding's frames. Out: one line each, the application's emphasised, long runs of the others folded.

use super::{PLAIN, QUIET, STRONG};
use crate::document::{FrameRole, ReportFinding, StackFrame};
use crate::paragraph::{Page, elided, elided_left};

/// A run of allocator and runtime frames longer than this is folded into one line.
const RUN_MAX: usize = 2;
/// Lines of a stack: beyond, its middle is left out.
const LINES_MAX: usize = 24;
/// Of those, lines kept at the outer end.
const LINES_OUTER: usize = 4;

/// The function that the finding's place lies in: the innermost of the application.
pub fn location_function(finding: &ReportFinding) -> Option<String> {
    let frame = finding.stack.iter().find(|frame| frame.role == FrameRole::Application)?;
    Some(frame.function.clone())
}

pub fn render(page: &mut Page, label: &str, finding: &ReportFinding) {
    let lines = lines(&finding.stack);
    let indent = " ".repeat(label.chars().count());
    let room = page.columns().saturating_sub(label.chars().count());
    let names = lines.iter().filter_map(|line| match line {
        Line::Frame(frame) => Some(frame.function.chars().count()),
        Line::Note(_) => None,
    });
    let name_width = names.max().unwrap_or(0).min(room * 3 / 5);
    for (index, line) in lines.iter().enumerate() {
        let lead = if index == 0 { label } else { &indent };
        match line {
            Line::Note(text) => page.line(&[(QUIET, lead), (QUIET, text)]),
            Line::Frame(frame) => {
                let (name_style, place_style) = match frame.role {
                    FrameRole::Application => (STRONG, PLAIN),
                    FrameRole::Allocator | FrameRole::Runtime => (QUIET, QUIET),
                };
                let name = format!("{:name_width$}", elided(&frame.function, name_width));
                let place = elided_left(&place(frame), room.saturating_sub(name_width + 2));
                page.line(&[(QUIET, lead), (name_style, &name), (PLAIN, "  "), (place_style, &place)]);
            }
        }
    }
}

enum Line<'a> {
    Frame(&'a StackFrame),
    Note(String),
}

fn lines(stack: &[StackFrame]) -> Vec<Line<'_>> {
    let any_application = stack.iter().any(|frame| frame.role == FrameRole::Application);
    let mut lines = Vec::new();
    for run in stack.chunk_by(|left, right| is_application(left) == is_application(right)) {
        let foldable = any_application && run.first().is_some_and(|frame| !is_application(frame));
        if foldable && run.len() > RUN_MAX {
            lines.push(Line::Note(folded(run)));
        } else {
            lines.extend(run.iter().map(Line::Frame));
        }
    }
    if lines.len() > LINES_MAX {
        let outer = lines.len() - LINES_OUTER;
        let inner = LINES_MAX - LINES_OUTER - 1;
        let note = Line::Note(format!("… {} more frames …", outer - inner));
        lines.splice(inner..outer, [note]);
    }
    lines
}

fn is_application(frame: &StackFrame) -> bool {
    frame.role == FrameRole::Application
}

/// `… 5 runtime frames (malloc … std::thread::spawn)`
fn folded(run: &[StackFrame]) -> String {
    let kind =
        if run.iter().all(|frame| frame.role == FrameRole::Allocator) { "allocator" } else { "runtime" };
    let name =
        |frame: Option<&StackFrame>| frame.map(|frame| elided(&frame.function, 24)).unwrap_or_default();
    format!("… {} {kind} frames, {} to {}", run.len(), name(run.first()), name(run.last()))
}

fn place(frame: &StackFrame) -> String {
    let mut place = match (&frame.file, frame.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.clone(),
        // An unnamed frame already begins with its module.
        _ if frame.function.starts_with(frame.module.as_str()) => String::new(),
        _ => frame.module.clone(),
    };
    if frame.inlined {
        place.push_str(" (inlined)");
    }
    place
}
