//! Inspect: which addresses of a process are mapped. In: a process id. Out: ranges, merged where they touch, ascending.

use std::ops::ControlFlow;

use crate::lines::for_each_line;
use crate::map_line::MapLine;

/// Some 500,000 mappings.
const MAPS_BYTES_MAX: u64 = 64 << 20;

/// Start and end of what is mapped; `None` if the process has ended.
pub fn mapped_ranges(pid: i32) -> Option<Vec<(u64, u64)>> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for_each_line(&format!("/proc/{pid}/maps"), MAPS_BYTES_MAX, |line| {
        if let Some(MapLine { start, end, .. }) = MapLine::parse(line) {
            match ranges.last_mut() {
                Some(last) if last.1 == start => last.1 = end,
                _ => ranges.push((start, end)),
            }
        }
        ControlFlow::Continue(())
    })?;
    Some(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_this_code_mapped() {
        let ranges = mapped_ranges(std::process::id().cast_signed()).expect("own maps");
        let here = this_process_has_this_code_mapped as *const () as u64;
        assert!(ranges.iter().any(|(start, end)| (*start..*end).contains(&here)));
        assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }
}
