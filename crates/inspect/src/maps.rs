//! Inspect: where the memory of a process is: its loaded modules, its number of mappings, and the kernel's sums.
//! In: a process id. Out: paths, a count, bytes.
//!
//! `/proc/PID/maps` is read here and not with the `procfs` crate, which keeps every mapping: a process may have 65,530
//! and more.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use procfs::process::Process;

use crate::lines::for_each_line;
use crate::map_line::MapLine;

/// Some 500,000 mappings.
const MAPS_BYTES_MAX: u64 = 64 << 20;
const MODULES_MAX: usize = 16_384;
const STATUS_BYTES_MAX: u64 = 64 << 10;

/// Distinct files that are mapped executable: the program and its libraries, ascending.
///
/// A file replaced on disk since it was loaded ends in ` (deleted)`.
pub fn loaded_modules(pid: i32) -> Option<Vec<Box<str>>> {
    let mut modules = BTreeSet::<Box<str>>::new();
    for_each_line(&format!("/proc/{pid}/maps"), MAPS_BYTES_MAX, |line| {
        if let Some(path) = executable_file(line)
            && !modules.contains(path)
        {
            modules.insert(path.into());
        }
        if modules.len() < MODULES_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Some(modules.into_iter().collect())
}

/// The program file of a process.
///
/// # Errors
/// `NotFound` if there is no such process, `PermissionDenied` if it is there and tells us nothing.
pub fn executable(pid: i32) -> std::io::Result<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/exe"))
}

/// Processes that may know themselves by other numbers than we do: those in other PID namespaces, and those that do not tell.
/// Asks every process: not for every question.
pub fn strangers() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let ours = fs::read_link("/proc/self/ns/pid").ok();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| ours.is_none() || fs::read_link(format!("/proc/{pid}/ns/pid")).ok() != ours).collect()
}

/// The process that knows itself by this number, in whatever PID namespace, and has this file mapped. (Its children have
/// inherited the mapping.) It is the one of this number here, or one of the [`strangers`].
pub fn process_mapping(file: &Path, own_number: i32, strangers: &[i32]) -> Option<i32> {
    let wanted = file.to_str()?;
    let mut pids = std::iter::once(&own_number).chain(strangers.iter().filter(|pid| **pid != own_number));
    pids.find(|pid| innermost_number(**pid) == Some(own_number) && has_mapped(**pid, wanted)).copied()
}

/// The last file with this ending, in the order of addresses, that a process has mapped shared and writable.
pub fn shared_file(pid: i32, ending: &str) -> Option<Box<str>> {
    let mut found = None;
    for_each_line(&format!("/proc/{pid}/maps"), MAPS_BYTES_MAX, |line| {
        if let Some(mapping) = MapLine::parse(line).filter(|mapping| mapping.permissions == "rw-s") {
            let path = mapping.path.strip_suffix(" (deleted)").unwrap_or(mapping.path);
            if path.ends_with(ending) {
                found = Some(path.into());
            }
        }
        ControlFlow::Continue(())
    })?;
    found
}

/// The number of a process in its own PID namespace.
fn innermost_number(pid: i32) -> Option<i32> {
    let mut number = None;
    for_each_line(&format!("/proc/{pid}/status"), STATUS_BYTES_MAX, |line| {
        match line.strip_prefix("NSpid:") {
            Some(numbers) => {
                number = numbers.split_ascii_whitespace().next_back().and_then(|last| last.parse().ok());
                ControlFlow::Break(())
            }
            None => ControlFlow::Continue(()),
        }
    })?;
    number
}

fn has_mapped(pid: i32, wanted: &str) -> bool {
    let mut found = false;
    let read = for_each_line(&format!("/proc/{pid}/maps"), MAPS_BYTES_MAX, |line| {
        found = line.ends_with(wanted) && line.contains(" rw-s ");
        if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    read.is_some() && found
}

/// Path of an executable mapping of a file.
fn executable_file(line: &str) -> Option<&str> {
    let line = MapLine::parse(line)?;
    (line.permissions.contains('x') && line.has_inode && line.path.starts_with('/')).then_some(line.path)
}

/// Number of mappings; the kernel allows `vm.max_map_count` of them.
pub fn mapping_count(pid: i32) -> Option<u64> {
    let mut file = File::open(format!("/proc/{pid}/maps")).ok()?.take(MAPS_BYTES_MAX);
    let mut buffer = [0_u8; 16 * 1024];
    let mut count = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Some(count),
            Ok(n) => count += buffer.iter().take(n).filter(|b| **b == b'\n').count() as u64,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// Sums over all mappings, in bytes.
///
/// The kernel walks all page tables of the process for this: milliseconds per GiB, and not for every poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SmapsRollup {
    /// Resident memory.
    pub rss_bytes: u64,
    /// Resident memory, each page divided by the number of processes that share it.
    pub pss_bytes: u64,
    /// Resident memory without a file: heap, stacks.
    pub anonymous_bytes: u64,
    /// The part of `pss_bytes` that is cached files.
    pub pss_file_bytes: u64,
    /// The part of `pss_bytes` that is shared memory: `/dev/shm`, memfd, System V.
    pub pss_shared_memory_bytes: u64,
    /// Resident pages that another process maps too.
    pub shared_bytes: u64,
    /// Resident pages only this process maps.
    pub private_bytes: u64,
    /// Resident memory the kernel may take back without writing it out (`MADV_FREE`).
    pub lazy_free_bytes: u64,
    /// Resident anonymous memory in huge pages.
    pub anonymous_huge_bytes: u64,
    /// Memory swapped out.
    pub swap_bytes: u64,
}

impl SmapsRollup {
    /// Looks at a process; `None` if it has ended or may not be traced by us.
    pub fn of(pid: i32) -> Option<Self> {
        let rollup = Process::new(pid).ok()?.smaps_rollup().ok()?;
        let sums = &rollup.memory_map_rollup.0.first()?.extension.map;
        let bytes = |key: &str| sums.get(key).copied().unwrap_or(0);
        Some(Self {
            rss_bytes: bytes("Rss"),
            pss_bytes: bytes("Pss"),
            anonymous_bytes: bytes("Anonymous"),
            pss_file_bytes: bytes("Pss_File"),
            pss_shared_memory_bytes: bytes("Pss_Shmem"),
            shared_bytes: bytes("Shared_Clean").saturating_add(bytes("Shared_Dirty")),
            private_bytes: bytes("Private_Clean").saturating_add(bytes("Private_Dirty")),
            lazy_free_bytes: bytes("LazyFree"),
            anonymous_huge_bytes: bytes("AnonHugePages"),
            swap_bytes: bytes("Swap"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> i32 {
        std::process::id() as i32
    }

    #[test]
    fn this_program_is_among_its_modules_once() {
        let program = std::env::current_exe().expect("own path");
        let modules = loaded_modules(me()).expect("own maps");
        assert_eq!(modules.iter().filter(|m| Some(&***m) == program.to_str()).count(), 1);
        assert!(modules.is_sorted());
        assert!(mapping_count(me()) > Some(modules.len() as u64));
        assert_eq!(loaded_modules(-1), None);
        assert_eq!(mapping_count(-1), None);
    }

    #[test]
    fn only_executable_files_are_modules() {
        let of = executable_file;
        assert_eq!(of("7f00-7f01 r-xp 00000000 fd:00 12     /usr/lib/my lib.so"), Some("/usr/lib/my lib.so"));
        assert_eq!(of("7f00-7f01 r-xp 00000000 fd:00 12     /x.so (deleted)"), Some("/x.so (deleted)"));
        assert_eq!(of("7f00-7f01 r--p 00000000 fd:00 12     /usr/lib/lib.so"), None);
        assert_eq!(of("7f00-7f01 r-xp 00000000 00:00 0                  [vdso]"), None);
        assert_eq!(of("7f00-7f01 rwxp 00000000 00:00 0 "), None);
        for hostile in ["", " ", "x", "7f00-7f01 r-xp", "a b c d e", "a  x  c  d  e"] {
            assert_eq!(of(hostile), None, "{hostile:?}");
        }
    }

    #[test]
    fn the_sums_fit_together() {
        let memory = vec![1_u8; 8 << 20];
        let sums = SmapsRollup::of(me()).expect("own sums");
        assert!(sums.anonymous_bytes >= memory.len() as u64);
        assert_eq!(sums.rss_bytes, sums.shared_bytes + sums.private_bytes);
        assert!(sums.pss_bytes <= sums.rss_bytes);
        assert_eq!(SmapsRollup::of(-1), None);
        drop(std::hint::black_box(memory));
    }
}
