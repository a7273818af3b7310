//! Inspect: memory, CPU time and identity of one process, from `/proc/PID/stat`.

use procfs::process::Process;

/// A process that cannot be mistaken for a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Process id in our PID namespace.
    pub pid: i32,
    /// Start time in clock ticks since boot.
    pub start_ticks: u64,
}

/// One look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Who it is.
    pub identity: Identity,
    /// Parent's process id.
    pub parent_pid: i32,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
    /// CPU time used so far by all threads, in ns.
    pub cpu_ns: u64,
    /// Whether it has ended and waits to be reaped.
    pub is_zombie: bool,
}

impl Stat {
    /// Looks at a process; `None` if there is none of that number (or it may not be seen).
    pub fn of(pid: i32) -> Option<Self> {
        let stat = Process::new(pid).ok()?.stat().ok()?;
        let ticks_ns = 1_000_000_000 / procfs::ticks_per_second();
        Some(Self {
            identity: Identity { pid, start_ticks: stat.starttime },
            parent_pid: stat.ppid,
            rss_bytes: stat.rss * procfs::page_size(),
            cpu_ns: (stat.utime + stat.stime) * ticks_ns,
            is_zombie: matches!(stat.state, 'Z' | 'X'),
        })
    }

    /// Looks at this very process.
    pub fn of_self() -> Option<Self> {
        Self::of(i32::try_from(std::process::id()).ok()?)
    }

    /// Looks again at a process seen before; `None` if it has ended, even if its number is in use again.
    pub fn again(identity: Identity) -> Option<Self> {
        Self::of(identity.pid).filter(|stat| stat.identity == identity && !stat.is_zombie)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen() {
        let stat = Stat::of_self().expect("own /proc entry");
        assert!(stat.rss_bytes > 100_000);
        assert_eq!(Stat::again(stat.identity).map(|s| s.identity), Some(stat.identity));
        let other = Identity { start_ticks: stat.identity.start_ticks + 1, ..stat.identity };
        assert_eq!(Stat::again(other), None, "a reused number is another process");
    }
}
