//! Launcher, sessions: whether the launcher that began a session still runs.
//! In: `/proc`. Out: [`Identity`], which no later process shares, and whether it is alive.

use std::fs;

use serde::{Deserialize, Serialize};

/// A process, told apart from every other that will ever have its number on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Process number.
    pub pid: u32,
    /// Start time, clock ticks since boot.
    pub start_ticks: u64,
    /// Which boot the ticks count from.
    pub boot_id: String,
}

impl Identity {
    /// The calling process.
    pub fn own() -> Self {
        let pid = std::process::id();
        Self { pid, start_ticks: start_ticks(pid).unwrap_or(0), boot_id: boot_id() }
    }

    /// A process; `None` if there is none of that number.
    pub fn of(pid: u32) -> Option<Self> {
        Some(Self { pid, start_ticks: start_ticks(pid)?, boot_id: boot_id() })
    }

    /// Whether this process runs now, as far as this machine can tell.
    pub fn is_alive(&self) -> bool {
        self.boot_id == boot_id() && start_ticks(self.pid) == Some(self.start_ticks)
    }
}

fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// `None` also if it has ended and nobody has waited for it yet: it does nothing any more.
fn start_ticks(pid: u32) -> Option<u64> {
    let stat = memguard_inspect::Stat::of(i32::try_from(pid).ok()?)?;
    (!stat.is_zombie).then_some(stat.identity.start_ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_used_again_is_someone_else() {
        let own = Identity::own();
        assert!(own.is_alive());
        assert!(!Identity { start_ticks: own.start_ticks + 1, ..own.clone() }.is_alive());
        assert!(!Identity { boot_id: "earlier".to_owned(), ..own }.is_alive());
    }
}
