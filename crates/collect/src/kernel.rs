//! Collect, kernel: what is asked of the kernel once for all processes of a session. In: a process. Out: the sockets of
//! its network namespace, as fresh as they need to be.

use memguard_inspect::SocketTable;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A table may be older than is asked for at most if reading it would take more than one in so many of the processor's time.
const AGED_SHARE: u32 = 50;

/// How fresh a table of sockets is to be.
#[derive(Debug, Clone, Copy)]
pub struct Freshness {
    /// Need not be younger than this.
    pub refresh: Duration,
    /// May be older if reading it takes more than one in so many of the processor's time: the kernel walks all its buckets for it,
    /// however few sockets there are.
    pub rest_share: u32,
    /// But not older than this, unless that would take more than one in [`AGED_SHARE`].
    pub age_max: Duration,
}

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
    /// The sockets that this process may hold.
    pub fn sockets(&mut self, pid: i32, wanted: &Freshness) -> Sockets<'_> {
        let namespace = std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        if self.tables.len() >= TABLES_MAX && !self.tables.contains_key(&namespace) {
            let oldest = self.tables.iter().min_by_key(|(_, kept)| kept.read).map(|(name, _)| name.clone());
            oldest.and_then(|name| self.tables.remove(&name));
        }
        let kept = self.tables.entry(namespace).or_insert_with(|| Kept::read(pid));
        if kept.read.elapsed() > age_max(wanted, kept.took) {
            *kept = Kept::read(pid);
        }
        Sockets { table: &kept.all, age: kept.read.elapsed() }
    }
}

/// How old a table may be that took so long.
fn age_max(wanted: &Freshness, took: Duration) -> Duration {
    let bound = wanted.age_max.max(took * AGED_SHARE);
    wanted.refresh.max((took * wanted.rest_share).min(bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a table that is cheap is fresh, a dear one takes its share of the time and no more, and none is forgotten.
    #[test]
    fn what_is_dear_is_read_rarely() {
        let seconds = Duration::from_secs;
        let wanted = Freshness { refresh: seconds(1), rest_share: 1000, age_max: seconds(30) };
        let age = |took_us| age_max(&wanted, Duration::from_micros(took_us));
        assert_eq!(age(700), Duration::from_secs(1));
        assert_eq!(age(5_000), Duration::from_secs(5));
        assert_eq!(age(29_000), seconds(29));
        assert_eq!(age(50_000), seconds(30));
        assert_eq!(age(1_000_000), Duration::from_secs(50));
    }

    /// Goal: one table serves many processes, and says how old it is.
    #[test]
    fn a_table_is_shared() {
        let mut kernel = Kernel::default();
        let pid = std::process::id() as i32;
        let hour = Duration::from_hours(1);
        let wanted = Freshness { refresh: hour, rest_share: 1, age_max: hour };
        let first = kernel.sockets(pid, &wanted).age;
        let second = kernel.sockets(pid, &wanted).age;
        assert!(second >= first && kernel.tables.len() == 1);
    }
}
