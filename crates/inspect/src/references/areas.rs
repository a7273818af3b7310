//! Inspect, references: which memory of a process may hold pointers, and copies of it. In: `/proc/PID/maps`, `pagemap`. Out:
//! areas, and their bytes as far as they are in memory.

use std::io::IoSliceMut;
use std::ops::ControlFlow;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use super::Unscanned;
use crate::lines::for_each_line;
use crate::map_line::MapLine;
use crate::pagemap::{Pagemap, Residence};

const PAGE_BYTES: u64 = 4096;
/// Copied at a time.
const CHUNK_PAGES: u64 = 64;
const MAPS_BYTES_MAX: u64 = 64 << 20;

/// A stretch of memory that may hold pointers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub start: u64,
    pub end: u64,
    /// Memory without a file, of this process alone: an allocator may have made it.
    pub may_be_heap: bool,
}

/// Lists them; `is_ours` names files whose mappings are left out. `None` if the process has ended.
pub(super) fn areas(pid: i32, is_ours: &dyn Fn(&str) -> bool) -> Option<Vec<Area>> {
    let mut areas = Vec::new();
    for_each_line(&format!("/proc/{pid}/maps"), MAPS_BYTES_MAX, |line| {
        areas.extend(area(line, is_ours));
        ControlFlow::Continue(())
    })?;
    (!areas.is_empty()).then_some(areas)
}

/// Writable memory that is no device and no file on a disk that others share, and memory without a file that can merely be
/// read.
fn area(line: &str, is_ours: &dyn Fn(&str) -> bool) -> Option<Area> {
    let MapLine { start, end, permissions, has_inode, path } = MapLine::parse(line)?;
    let is_shared = permissions.ends_with('s');
    let in_memory = ["/memfd:", "/dev/shm/", "/dev/zero", "/SYSV"].iter().any(|name| path.starts_with(name));
    let holds = permissions.starts_with('r')
        && (permissions.get(1..2) == Some("w") || !has_inode)
        && (!is_shared || in_memory)
        && (!path.starts_with("/dev/") || in_memory)
        && !matches!(path, "[vdso]" | "[vvar]" | "[vvar_vclock]" | "[vsyscall]")
        && !is_ours(path);
    let may_be_heap =
        !is_shared && !has_inode && permissions.starts_with("rw") && matches!(path, "" | "[heap]");
    holds.then_some(Area { start, end, may_be_heap })
}

/// Copies of one process's memory.
pub(super) struct Copies {
    pid: i32,
    pages: Pagemap,
    buffer: Vec<u8>,
    left_bytes: u64,
    pub read_bytes: u64,
}

impl Copies {
    /// No more than `bytes_max` in all.
    pub fn new(pid: i32, bytes_max: u64) -> Result<Self, Unscanned> {
        let refused =
            || if Path::new(&format!("/proc/{pid}")).exists() { Unscanned::Denied } else { Unscanned::Gone };
        let pages = Pagemap::of(pid).ok_or_else(refused)?;
        let buffer = vec![0; (CHUNK_PAGES * PAGE_BYTES) as usize];
        Ok(Self { pid, pages, buffer, left_bytes: bytes_max, read_bytes: 0 })
    }

    /// Hands over what is in memory of an area, in order: address and bytes. Stops early if it is told to.
    pub fn each(
        &mut self,
        area: &Area,
        mut see: impl FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Unscanned> {
        let mut start = area.start;
        while start < area.end {
            let end = area.end.min(start + CHUNK_PAGES * PAGE_BYTES);
            // Those in the process's tables alone: to read another, shared ones too, would make a page where there was none.
            let Residence { runs, is_swapped } = self.pages.residence(start, end).ok_or(Unscanned::Gone)?;
            if is_swapped {
                return Err(Unscanned::Swapped);
            }
            for (from, to) in runs {
                let bytes = to - from;
                self.left_bytes = self.left_bytes.checked_sub(bytes).ok_or(Unscanned::TooLarge)?;
                self.read_bytes += bytes;
                let many = self.copy(from, bytes as usize)?;
                if see(from, self.buffer.get(..many).unwrap_or_default()).is_break() {
                    return Ok(());
                }
            }
            start = end;
        }
        Ok(())
    }

    /// Copies as much as there still is.
    fn copy(&mut self, start: u64, bytes: usize) -> Result<usize, Unscanned> {
        let into = self.buffer.get_mut(..bytes).unwrap_or_default();
        let remote = [RemoteIoVec { base: start as usize, len: into.len() }];
        match process_vm_readv(Pid::from_raw(self.pid), &mut [IoSliceMut::new(into)], &remote) {
            Ok(many) => Ok(many),
            // Unmapped meanwhile.
            Err(Errno::EFAULT) => Ok(0),
            Err(Errno::EPERM | Errno::ENOSYS) => Err(Unscanned::Denied),
            Err(_) => Err(Unscanned::Gone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_memory_is_read() {
        let of = |line: &str| area(line, &|path| path.ends_with("libmemguard.so"));
        let is = |line: &str| of(line).is_some();
        assert!(is("1000-2000 rw-p 00000000 00:00 0 "));
        assert!(is("1000-2000 rw-p 00003000 08:01 77                         /usr/bin/a b"));
        assert!(is("1000-2000 r--p 00000000 00:00 0 "));
        assert!(is("1000-2000 rw-s 00000000 00:01 9                          /memfd:x (deleted)"));
        assert!(!is("1000-2000 rw-s 00000000 08:01 9                          /data/base"));
        assert!(!is("1000-2000 rw-s 00000000 00:05 9                          /dev/dri/card0"));
        assert!(!is("1000-2000 r--p 00003000 08:01 77                         /usr/bin/a"));
        assert!(!is("1000-2000 rw-p 00003000 08:01 77                         /usr/lib/libmemguard.so"));
        assert!(!is("1000-2000 ---p 00000000 00:00 0 "));
        assert!(!is("1000-2000 r--p 00000000 00:00 0                          [vvar]"));
        assert!(!is("nonsense"));
        let heap = of("1000-2000 rw-p 00000000 00:00 0                          [heap]").expect("it holds");
        let stack = of("1000-2000 rw-p 00000000 00:00 0                          [stack]").expect("it holds");
        assert!(heap.may_be_heap && !stack.may_be_heap);
    }
}
