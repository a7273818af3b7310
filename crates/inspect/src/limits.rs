//! Inspect: the limits of a process, from `/proc/PID/limits`, and what it holds of them.

use std::ops::ControlFlow;

use procfs::process::{LimitValue, Process};

use crate::lines::{for_each_line, value_of};
use crate::stat::with_line;
use crate::tasks::pids;

/// `status` and `meminfo` are a few kilobytes.
const BYTES_MAX: u64 = 64 << 10;

/// Soft limit of open descriptors; `None` if there is none, or it may not be seen.
pub fn open_files_limit(pid: i32) -> Option<u64> {
    value(Process::new(pid).ok()?.limits().ok()?.max_open_files.soft_limit)
}

/// The soft limits of a process that growth can run into; `None` where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResourceLimits {
    /// `RLIMIT_AS`, in bytes.
    pub address_space_bytes: Option<u64>,
    /// `RLIMIT_DATA`, in bytes.
    pub data_bytes: Option<u64>,
    /// `RLIMIT_NOFILE`.
    pub descriptors: Option<u64>,
    /// `RLIMIT_NPROC`, of all processes of its user together.
    pub user_tasks: Option<u64>,
}

/// The limits of a process; none if it has ended or may not be seen.
pub fn resource_limits(pid: i32) -> ResourceLimits {
    let Some(limits) = Process::new(pid).ok().and_then(|process| process.limits().ok()) else {
        return ResourceLimits::default();
    };
    ResourceLimits {
        address_space_bytes: value(limits.max_address_space.soft_limit),
        data_bytes: value(limits.max_data_size.soft_limit),
        descriptors: value(limits.max_open_files.soft_limit),
        user_tasks: value(limits.max_processes.soft_limit),
    }
}

fn value(limit: LimitValue) -> Option<u64> {
    match limit {
        LimitValue::Value(count) => Some(count),
        LimitValue::Unlimited => None,
    }
}

/// What a process has taken of its address space.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AddressSpace {
    /// All of it, in bytes: what `RLIMIT_AS` bounds.
    pub total_bytes: u64,
    /// Private and writable, in bytes: what `RLIMIT_DATA` bounds.
    pub data_bytes: u64,
    /// Its real user.
    pub user: u32,
}

/// The address space of a process; `None` if it has ended.
pub fn address_space(pid: i32) -> Option<AddressSpace> {
    let mut space = AddressSpace::default();
    let mut seen = 0;
    for_each_line(&format!("/proc/{pid}/status"), BYTES_MAX, |line| {
        if let Some(bytes) = kilobytes(line, "VmSize:") {
            space.total_bytes = bytes;
            seen += 1;
        } else if let Some(bytes) = kilobytes(line, "VmData:") {
            space.data_bytes = bytes;
            seen += 1;
        } else if let Some(ids) = value_of(line, "Uid:") {
            space.user = ids.split_ascii_whitespace().next().and_then(|id| id.parse().ok()).unwrap_or(0);
        }
        ControlFlow::Continue(())
    })?;
    (seen == 2).then_some(space)
}

/// Memory that the host can still give without swapping, in bytes.
pub fn host_available_bytes() -> Option<u64> {
    let mut available = None;
    for_each_line("/proc/meminfo", BYTES_MAX, |line| match kilobytes(line, "MemAvailable:") {
        Some(bytes) => {
            available = Some(bytes);
            ControlFlow::Break(())
        }
        None => ControlFlow::Continue(()),
    })?;
    available
}

/// Threads of all processes of a user. One file for each process of the machine: not for every look.
pub fn user_tasks(user: u32) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let mine = |pid: &i32| std::fs::metadata(format!("/proc/{pid}")).is_ok_and(|found| found.uid() == user);
    let processes = pids().unwrap_or_default().into_iter().filter(mine);
    processes.filter_map(|pid| with_line(pid, |line| line.threads)).sum()
}

fn kilobytes(line: &str, key: &str) -> Option<u64> {
    value_of(line, key)?.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

    #[test]
    fn the_limit_is_the_one_the_process_sees() {
        let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).expect("getrlimit");
        let own = std::process::id() as i32;
        assert_eq!(open_files_limit(own), Some(soft));
        assert_eq!(open_files_limit(-1), None);
        let limits = resource_limits(own);
        let soft = |resource| getrlimit(resource).map(|(soft, _)| Some(soft).filter(|n| *n != RLIM_INFINITY));
        assert_eq!(Ok(limits.address_space_bytes), soft(Resource::RLIMIT_AS));
        assert_eq!(Ok(limits.data_bytes), soft(Resource::RLIMIT_DATA));
        assert_eq!(Ok(limits.user_tasks), soft(Resource::RLIMIT_NPROC));
        assert_eq!(resource_limits(-1), ResourceLimits::default());
    }

    #[test]
    fn what_is_held_is_told() {
        let own = address_space(std::process::id() as i32).expect("own status");
        assert!(own.total_bytes > own.data_bytes && own.data_bytes > 4096, "{own:?}");
        assert_eq!(own.user, nix::unistd::getuid().as_raw());
        assert_eq!(address_space(-1), None);
        assert!(host_available_bytes().is_some_and(|bytes| bytes > 1 << 20));
        assert!(user_tasks(own.user) >= 1);
    }

    #[test]
    fn strange_numbers_are_none() {
        assert_eq!(kilobytes("VmSize:\t   12 kB", "VmSize:"), Some(12 << 10));
        for line in ["VmSize: 12", "VmSize: -1 kB", "VmSize: 99999999999999999999 kB", "VmSize:", "Vm"] {
            assert_eq!(kilobytes(line, "VmSize:"), None, "{line}");
        }
    }
}
