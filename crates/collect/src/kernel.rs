//! Collect, kernel: what is asked of the kernel once for all processes of a session. In: a process. Out: the sockets of
//! its network namespace, as fresh as they need to be.

use memguard_inspect::SocketTable;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The whole table is read again so often at most, and rests for so many times as long as reading it took.
const REST_SHARE: u32 = 50;

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
    took: Duration,
}

impl Kernel {
    /// The sockets that this process may hold. `refresh_ns` is how old the table may be.
    pub fn sockets(&mut self, pid: i32, refresh: Duration) -> &SocketTable {
        let namespace = std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let fresh = || {
            let began = Instant::now();
            let all = SocketTable::of(pid);
            Kept { all, read: began, took: began.elapsed() }
        };
        if self.tables.len() >= TABLES_MAX && !self.tables.contains_key(&namespace) {
            let oldest = self.tables.iter().min_by_key(|(_, kept)| kept.read).map(|(name, _)| name.clone());
            oldest.and_then(|name| self.tables.remove(&name));
        }
        let kept = self.tables.entry(namespace).or_insert_with(fresh);
        if kept.read.elapsed() > refresh.max(kept.took * REST_SHARE) {
            *kept = fresh();
        }
        &kept.all
    }
}
