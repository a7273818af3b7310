//! Report: what a finding counts.
//! In: its pattern. Out: the word, in singular and plural.

use crate::document::ReportFinding;
use crate::units::{number, size};

/// `97 descriptors`, `1 thread`; `None` for patterns whose count says nothing.
pub fn counted(pattern: &str, count: f64) -> Option<String> {
    let (one, many) = noun(pattern)?;
    let count = count.round();
    Some(format!("{} {}", number(count), if (count - 1.0).abs() < 0.5 { one } else { many }))
}

/// Whether its size in memory says nothing: what is scarce is the number of things.
pub fn is_number(finding: &ReportFinding) -> bool {
    !matches!(finding.pattern.as_str(), "leaks" | "caches" | "cycles" | "mappings" | "fragmentation")
}

/// What is scarce: bytes of memory, else the number of things.
pub fn held(finding: &ReportFinding) -> String {
    let number = counted(&finding.pattern, finding.count).filter(|_| is_number(finding));
    number.unwrap_or_else(|| size(finding.size_mb))
}

fn noun(pattern: &str) -> Option<(&'static str, &'static str)> {
    Some(match pattern {
        "leaks" => ("block", "blocks"),
        "handles" => ("descriptor", "descriptors"),
        "timers" => ("timer", "timers"),
        "threads" => ("thread", "threads"),
        "listeners" => ("registration", "registrations"),
        "processes" => ("process", "processes"),
        "mappings" => ("mapping", "mappings"),
        "fragmentation" => return None,
        _ => ("object", "objects"),
    })
}
