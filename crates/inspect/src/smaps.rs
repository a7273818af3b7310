//! Inspect: every mapping of a process with what of it is in memory, from `/proc/PID/smaps`.
//! In: a process id. Out: [`Area`]s in order of address.
//!
//! The kernel walks the page tables for this: about a millisecond for a small process, tens of them for gigabytes or tens of
//! thousands of mappings. Not for every look. Parsed here: the `procfs` crate makes a table of strings of every mapping.

use std::ops::ControlFlow;

use crate::lines::for_each_line;
use crate::map_line::MapLine;

/// Some 100,000 mappings, more than the kernel allows by default.
const SMAPS_BYTES_MAX: u64 = 128 << 20;

/// One mapping.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "the kernel's flags, each with its own meaning")]
pub struct Area {
    /// First address.
    pub start: u64,
    /// First address behind it.
    pub end: u64,
    /// Whether it may be read or written; what may be neither is a guard, or reserved for later.
    pub is_accessible: bool,
    /// Whether it may be written.
    pub is_writable: bool,
    /// Whether it may be executed.
    pub is_executable: bool,
    /// Whether what is written is seen by others who map the same.
    pub is_shared: bool,
    /// Whether it is a mapping of a file, one without a name included.
    pub is_file: bool,
    /// The file, or the kernel's name in brackets; empty for plain memory.
    pub name: Box<str>,
    /// Bytes in memory.
    pub rss_bytes: u64,
    /// Of these, without a file behind them.
    pub anonymous_bytes: u64,
    /// Of these, such as the kernel may take back without writing them out (`MADV_FREE`).
    pub lazy_free_bytes: u64,
    /// Bytes swapped out.
    pub swap_bytes: u64,
}

impl Area {
    /// Its length in bytes.
    pub fn bytes(&self) -> u64 {
        self.end - self.start
    }

    /// Bytes that it takes of memory and swap.
    pub fn held_bytes(&self) -> u64 {
        self.rss_bytes.saturating_add(self.swap_bytes)
    }

    fn of(line: &MapLine<'_>) -> Self {
        let may = |letter: char| line.permissions.contains(letter);
        Self {
            start: line.start,
            end: line.end,
            is_accessible: may('r') || may('w') || may('x'),
            is_writable: may('w'),
            is_executable: may('x'),
            is_shared: may('s'),
            is_file: line.has_inode,
            name: line.path.into(),
            ..Self::default()
        }
    }

    fn take(&mut self, line: &str) {
        let Some((key, value)) = line.split_once(':') else { return };
        let place = match key {
            "Rss" => &mut self.rss_bytes,
            "Anonymous" => &mut self.anonymous_bytes,
            "LazyFree" => &mut self.lazy_free_bytes,
            "Swap" => &mut self.swap_bytes,
            _ => return,
        };
        let kib = value.trim().strip_suffix(" kB").and_then(|number| number.parse::<u64>().ok());
        *place = kib.unwrap_or(0).saturating_mul(1024);
    }
}

/// Every mapping, ascending; `None` if the process has ended, may not be traced by us, or has more than can be read.
pub fn areas(pid: i32) -> Option<Vec<Area>> {
    let mut areas = Vec::new();
    let whole = for_each_line(&format!("/proc/{pid}/smaps"), SMAPS_BYTES_MAX, |line| {
        add(&mut areas, line);
        ControlFlow::Continue(())
    })?;
    (whole && !areas.is_empty()).then_some(areas)
}

fn add(areas: &mut Vec<Area>, line: &str) {
    // Keys begin with a capital letter, addresses with a digit or a small one.
    if line.starts_with(|first: char| first.is_ascii_uppercase()) {
        if let Some(area) = areas.last_mut() {
            area.take(line);
        }
    } else if let Some(line) = MapLine::parse(line) {
        areas.push(Area::of(&line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SmapsRollup;

    #[test]
    fn the_parts_are_the_kernels_sums() {
        let memory = vec![1_u8; 8 << 20];
        let pid = std::process::id().cast_signed();
        let all = areas(pid).expect("own mappings");
        let sums = SmapsRollup::of(pid).expect("own sums");
        let here = memory.as_ptr() as u64;
        let area = all.iter().find(|area| (area.start..area.end).contains(&here)).expect("it is mapped");
        assert!(area.anonymous_bytes >= 8 << 20 && area.is_writable && !area.is_file && !area.is_shared);
        let rss: u64 = all.iter().map(|area| area.rss_bytes).sum();
        // Other tests run beside this one.
        assert!(rss.abs_diff(sums.rss_bytes) < 64 << 20, "{rss} {}", sums.rss_bytes);
        assert!(all.windows(2).all(|pair| pair[0].end <= pair[1].start));
        let code = the_parts_are_the_kernels_sums as *const () as u64;
        let code = all.iter().find(|area| (area.start..area.end).contains(&code)).expect("it is mapped");
        assert!(code.is_executable && code.is_file && code.rss_bytes > 0);
        assert_eq!(areas(-1), None);
        drop(std::hint::black_box(memory));
    }

    #[test]
    fn hostile_text_is_no_area() {
        let mut areas = Vec::new();
        for line in [
            "Rss: 4 kB",
            "",
            "garbage",
            "10-20 rw-p 0 0 0 ",
            "Rss:  x kB",
            "Swap: 8 kB",
            "Rss: 4",
            "Anonymous: 99999999999999999999 kB",
        ] {
            add(&mut areas, line);
        }
        let [area] = areas.as_slice() else { panic!("{areas:?}") };
        assert_eq!((area.rss_bytes, area.swap_bytes, area.anonymous_bytes), (0, 8192, 0));
    }
}
