//! Inspect, references: which memory of a process may hold pointers, and copies of it. In: `/proc/PID/maps`, `pagemap`. Out:
//! areas, and their bytes as far as they are in memory.

use std::fs::File;
use std::io::{ErrorKind, IoSliceMut};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use super::Unscanned;
use crate::lines::for_each_line;

const PAGE_BYTES: u64 = 4096;
/// Copied at a time.
const CHUNK_PAGES: u64 = 64;
const MAPS_BYTES_MAX: u64 = 64 << 20;
/// Of `/proc/PID/pagemap`: the page is in memory; it is in the swap.
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;

/// A stretch of memory that may hold pointers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub start: u64,
    pub end: u64,
    is_shared: bool,
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

/// `start-end rw-p offset device inode path`: writable memory that is no device and no file on a disk that others share, and
/// memory without a file that can merely be read.
fn area(line: &str, is_ours: &dyn Fn(&str) -> bool) -> Option<Area> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let permissions = fields.next()?;
    let inode = fields.nth(2)?;
    let path = line.find(['/', '[']).and_then(|at| line.get(at..)).unwrap_or_default();
    let is_shared = permissions.ends_with('s');
    let is_file = inode != "0";
    let in_memory = ["/memfd:", "/dev/shm/", "/dev/zero", "/SYSV"].iter().any(|name| path.starts_with(name));
    let holds = permissions.starts_with('r')
        && (permissions.get(1..2) == Some("w") || !is_file)
        && (!is_shared || in_memory)
        && (!path.starts_with("/dev/") || in_memory)
        && !matches!(path, "[vdso]" | "[vvar]" | "[vvar_vclock]" | "[vsyscall]")
        && !is_ours(path);
    let number = |text| u64::from_str_radix(text, 16).ok();
    let may_be_heap =
        !is_shared && !is_file && permissions.starts_with("rw") && matches!(path, "" | "[heap]");
    holds.then_some(Area { start: number(start)?, end: number(end)?, is_shared, may_be_heap })
}

/// Copies of one process's memory.
pub(super) struct Copies {
    pid: i32,
    pages: File,
    buffer: Vec<u8>,
    left_bytes: u64,
    pub read_bytes: u64,
}

impl Copies {
    /// No more than `bytes_max` in all.
    pub fn new(pid: i32, bytes_max: u64) -> Result<Self, Unscanned> {
        let pages = File::open(format!("/proc/{pid}/pagemap")).map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => Unscanned::Denied,
            _ => Unscanned::Gone,
        })?;
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
            for (from, to) in self.present(start, end, area.is_shared)? {
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

    /// Runs of pages between two addresses that are in memory. Shared ones may be there without being in the process's
    /// tables.
    fn present(&self, start: u64, end: u64, is_shared: bool) -> Result<Vec<(u64, u64)>, Unscanned> {
        if is_shared {
            return Ok(vec![(start, end)]);
        }
        let mut entries = [0_u8; CHUNK_PAGES as usize * 8];
        let many = ((end - start) / PAGE_BYTES) as usize * 8;
        let entries = entries.get_mut(..many).unwrap_or_default();
        let read = self.pages.read_at(entries, start / PAGE_BYTES * 8).map_err(|_| Unscanned::Gone)?;
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for (index, entry) in entries.get(..read).unwrap_or_default().chunks_exact(8).enumerate() {
            let entry = u64::from_le_bytes(entry.try_into().unwrap_or_default());
            if entry & SWAPPED != 0 {
                return Err(Unscanned::Swapped);
            }
            let at = start + index as u64 * PAGE_BYTES;
            match runs.last_mut() {
                _ if entry & PRESENT == 0 => {}
                Some(last) if last.1 == at => last.1 = at + PAGE_BYTES,
                _ => runs.push((at, at + PAGE_BYTES)),
            }
        }
        Ok(runs)
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
