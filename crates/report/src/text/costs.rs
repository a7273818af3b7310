//! Report, text: where memory went, and what watching cost.
//! In: the document. Out: the last lines of the page.

use super::{PLAIN, QUIET, STRONG};
use crate::document::{Explained, Overhead, Report};
use crate::paragraph::Page;
use crate::units::{BYTES_PER_MB, number, size};

/// Growth below this is not worth a table, in MiB.
const GROWTH_MB_MIN: f64 = 1.0;
/// Parts are listed from this share of the growth on.
const PART_SHARE_MIN: f64 = 0.01;
/// Starting is worth a word from this share of the CPU time on, in percent.
const STARTING_PERCENT_MIN: f64 = 0.1;

pub fn render(page: &mut Page, report: &Report) {
    let memory = &report.memory;
    let growth_mb = memory.growth_mb.abs();
    if growth_mb > 0.0 {
        let change = if memory.growth_mb < 0.0 { "shrank" } else { "grew" };
        let title = format!("resident memory {change} by {}", size(growth_mb));
        page.line(&[(STRONG, "Where the memory went"), (PLAIN, &format!(": {title}"))]);
    }
    if growth_mb >= GROWTH_MB_MIN {
        let is_listed = |part: &&Explained| part.mb.abs() >= PART_SHARE_MIN * growth_mb;
        for part in memory.explained.iter().filter(is_listed) {
            page.paragraph(&format!("{:>9}  ", size(part.mb)), QUIET, PLAIN, &part.what);
        }
    }
    if growth_mb > 0.0 {
        page.gap();
    }
    page.paragraph("Watching cost  ", STRONG, PLAIN, &overhead(&report.overhead));
}

/// `0.3 % CPU in the program (0.1 % for starting processes), 0.1 % CPU beside it, 6 MiB; one heap sample in 512 KiB`.
fn overhead(overhead: &Overhead) -> String {
    let cpu = |value: Option<f64>| match value {
        Some(value) => format!("{} % CPU", number(value)),
        None => "CPU not measured".to_owned(),
    };
    let starting = overhead.starting_cpu_percent.filter(|percent| *percent >= STARTING_PERCENT_MIN);
    let starting = starting
        .map_or_else(String::new, |percent| format!(" ({} % for starting processes)", number(percent)));
    let mut text = format!(
        "{} in the program{starting}, {} beside it",
        cpu(overhead.program_cpu_percent()),
        cpu(overhead.collector_cpu_percent)
    );
    if let Some(memory_mb) = overhead.memory_mb {
        text = format!("{text}, {}", size(memory_mb));
    }
    match overhead.sample_bytes {
        0 => text,
        1 => format!("{text}; every allocation recorded"),
        bytes => format!("{text}; one heap sample in {}{}", in_words(bytes), thinned(overhead)),
    }
}

/// ` (thinned from one in 512 KiB, to one in 8 MiB at most, because hooks took more than 1 % of a program's CPU time)`.
fn thinned(overhead: &Overhead) -> String {
    let (base, peak) = (overhead.sample_bytes_base, overhead.sample_bytes_peak);
    if base == 0 || peak <= base {
        return String::new();
    }
    let at_most = if peak == overhead.sample_bytes {
        String::new()
    } else {
        format!(", to one in {} at most", in_words(peak))
    };
    let budget = match overhead.budget_percent {
        Some(budget) => format!("{} %", number(budget)),
        None => "the budget".to_owned(),
    };
    format!(
        " (thinned from one in {}{at_most}, because hooks took more than {budget} of a program's CPU time)",
        in_words(base)
    )
}

fn in_words(bytes: u64) -> String {
    size(bytes as f64 / BYTES_PER_MB)
}
