//! Collect, kernel: what is asked of the kernel once for all processes of a session. In: a process. Out: the sockets of
//! its network namespace, as fresh as they need to be.

use memguard_inspect::SocketTable;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A table is never older than this, unless reading it takes a part of the time that matters.
const AGE_MAX: Duration = Duration::from_secs(30);
/// That part: one in so many, of the processor's time.
const AGED_SHARE: u32 = 50;

/// Tables kept. Namespaces come and go with containers.
const TABLES_MAX: usize = 8;

/// Tables of sockets by network namespace.
#[derive(Debug, Default)]
pub struct Kernel {
    tables: HashMap<Option<PathBuf>, Kept>,
}

#[derive(Debug)]
struct Kept {
    all: SocketTable,
    read: Instant,
    /// Processor time that reading it took.
    took: Duration,
}

impl Kept {
    fn read(pid: i32) -> Self {
        let (read, began_ns) = (Instant::now(), memguard_inspect::thread_cpu_ns());
        let all = SocketTable::of(pid);
        let took = memguard_inspect::thread_cpu_since(began_ns);
        Self { all, read, took }
    }
}

/// The sockets of a network namespace as they were a moment ago.
#[derive(Debug, Clone, Copy)]
pub struct Sockets<'a> {
    /// All of them.
    pub table: &'a SocketTable,
    /// How long ago that was.
    pub age: Duration,
}

impl Kernel {
    /// The sockets that this process may hold. The table is older than `refresh` if reading it would take more than one in
    /// `rest_share` of the processor's time: the kernel walks all its buckets for it, however few sockets there are.
    pub fn sockets(&mut self, pid: i32, refresh: Duration, rest_share: u32) -> Sockets<'_> {
        let namespace = std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        if self.tables.len() >= TABLES_MAX && !self.tables.contains_key(&namespace) {
            let oldest = self.tables.iter().min_by_key(|(_, kept)| kept.read).map(|(name, _)| name.clone());
            oldest.and_then(|name| self.tables.remove(&name));
        }
        let kept = self.tables.entry(namespace).or_insert_with(|| Kept::read(pid));
        if kept.read.elapsed() > age_max(refresh, kept.took, rest_share) {
            *kept = Kept::read(pid);
        }
        Sockets { table: &kept.all, age: kept.read.elapsed() }
    }
}

/// How old a table may be that took so long.
fn age_max(refresh: Duration, took: Duration, rest_share: u32) -> Duration {
    let bound = AGE_MAX.max(took * AGED_SHARE);
    refresh.max((took * rest_share).min(bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a table that is cheap is fresh, a dear one takes its share of the time and no more, and none is forgotten.
    #[test]
    fn what_is_dear_is_read_rarely() {
        let age = |took_us| age_max(Duration::from_secs(1), Duration::from_micros(took_us), 1000);
        assert_eq!(age(700), Duration::from_secs(1));
        assert_eq!(age(5_000), Duration::from_secs(5));
        assert_eq!(age(29_000), Duration::from_secs(29));
        assert_eq!(age(50_000), AGE_MAX);
        assert_eq!(age(1_000_000), Duration::from_secs(50));
    }

    /// Goal: one table serves many processes, and says how old it is.
    #[test]
    fn a_table_is_shared() {
        let mut kernel = Kernel::default();
        let pid = std::process::id() as i32;
        let first = kernel.sockets(pid, Duration::from_hours(1), 1).age;
        let second = kernel.sockets(pid, Duration::from_hours(1), 1).age;
        assert!(second >= first && kernel.tables.len() == 1);
    }
}
