//! Report: what a finding counts.
//! In: its pattern. Out: the word, in singular and plural.

use crate::units::number;

/// `97 descriptors`, `1 thread`; `None` for patterns whose count says nothing.
pub fn counted(pattern: &str, count: f64) -> Option<String> {
    let (one, many) = noun(pattern)?;
    let count = count.round();
    Some(format!("{} {}", number(count), if (count - 1.0).abs() < 0.5 { one } else { many }))
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
