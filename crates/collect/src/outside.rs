//! Collect, outside: a process that runs without hooks. In: who it is. Out: a [`ProcessReader`] whose tables are empty, so that
//! everything known of it is the kernel's word.

use crate::memory::Memory;
use crate::process::ProcessReader;
use memguard_inspect::{Identity, monotonic_ns};
use memguard_segment::{AtomicU64, Capacities, HeaderWord, Invalid, Layout, Segment, State};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Tables that nobody writes to.
const EMPTY: Capacities = Capacities {
    live_buckets: 1,
    stacks: 2,
    frames: 8,
    modules: 1,
    ring_slots: 4,
    descriptors: 16,
    object_buckets: 1,
};

/// A process without hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outsider<'a> {
    /// Who it is.
    pub identity: Identity,
    /// Its parent's process id.
    pub parent_pid: i32,
    /// Its program file; empty where that may not be seen.
    pub exe: &'a Path,
}

impl Outsider<'_> {
    /// Begins to watch it: its process clock starts now.
    pub fn reader(&self) -> Result<ProcessReader, Invalid> {
        let layout = Layout::new(EMPTY).ok_or(Invalid::Capacities)?;
        let words: Box<[AtomicU64]> = (0..layout.words).map(|_| AtomicU64::new(0)).collect();
        let segment = Segment::format(&words, &layout).ok_or(Invalid::Capacities)?;
        segment.set(HeaderWord::Pid, u64::from(self.identity.pid.unsigned_abs()));
        segment.set(HeaderWord::ParentPid, u64::from(self.parent_pid.unsigned_abs()));
        segment.set(HeaderWord::OriginMonotonicNs, monotonic_ns());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        segment.set(HeaderWord::OriginRealtimeNs, now.as_nanos() as u64);
        segment.set_exe(self.exe.as_os_str().as_bytes());
        segment.set(HeaderWord::State, State::Active as u64);
        Ok(ProcessReader::of(Memory::Own(words), layout))
    }
}
