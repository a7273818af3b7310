//! Inspect: the limits of a process, from `/proc/PID/limits`.

use procfs::process::{LimitValue, Process};

/// Soft limit of open descriptors; `None` if there is none, or it may not be seen.
pub fn open_files_limit(pid: i32) -> Option<u64> {
    match Process::new(pid).ok()?.limits().ok()?.max_open_files.soft_limit {
        LimitValue::Value(count) => Some(count),
        LimitValue::Unlimited => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::resource::{Resource, getrlimit};

    #[test]
    fn the_limit_is_the_one_the_process_sees() {
        let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).expect("getrlimit");
        assert_eq!(open_files_limit(std::process::id() as i32), Some(soft));
        assert_eq!(open_files_limit(-1), None);
    }
}
