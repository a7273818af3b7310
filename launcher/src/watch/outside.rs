//! Launcher, watch: processes that run without hooks. In: the program's process id. Out: it and its descendants, as far as none
//! of them carries the interposer and speaks for itself.

use std::collections::{BTreeSet, HashMap};
use std::fs;

use memguard_collect::{Outsider, ProcessReader};
use memguard_inspect::{Identity, Stat, child_pids};

use crate::peers;

/// Processes of one session that are looked for.
const PROCESSES_MAX: usize = 4096;
/// A descendant is watched from this look on: most live shorter, and one that was just forked will execute something else.
const LOOKS_MIN: u32 = 2;

/// The processes that are watched from outside.
#[derive(Debug, Default)]
pub struct Outside {
    root: Option<i32>,
    /// Every process met, with the looks that have met it; [`u32::MAX`] once it is watched or speaks for itself.
    met: HashMap<Identity, u32>,
}

impl Outside {
    /// Begins with this process, and watches it at once.
    pub fn begin(&mut self, pid: i32) {
        self.root = Some(pid);
    }

    /// Those that are to be watched from now on. `hooked` have tables of their own.
    pub fn fresh(&mut self, hooked: &BTreeSet<i32>) -> Vec<ProcessReader> {
        let Some(root) = self.root else { return Vec::new() };
        let mut met = HashMap::new();
        let mut fresh = Vec::new();
        for stat in tree(root) {
            let Identity { pid, .. } = stat.identity;
            let mut looks = self.met.get(&stat.identity).map_or(1, |looks| looks.saturating_add(1));
            if looks != u32::MAX && (pid == root || looks >= LOOKS_MIN) {
                looks = u32::MAX;
                if !hooked.contains(&pid) && !peers::has_interposer(pid) {
                    let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
                    let outsider =
                        Outsider { identity: stat.identity, parent_pid: stat.parent_pid, exe: &exe };
                    fresh.extend(outsider.reader().ok());
                }
            }
            met.insert(stat.identity, looks);
        }
        self.met = met;
        fresh
    }
}

/// A process and its descendants that have not ended.
fn tree(root: i32) -> Vec<Stat> {
    let mut found: Vec<Stat> = Stat::of(root).filter(|stat| !stat.is_zombie).into_iter().collect();
    let mut next = 0;
    while next < found.len() && found.len() < PROCESSES_MAX {
        let children = child_pids(found[next].identity.pid).unwrap_or_default();
        found.extend(children.into_iter().filter_map(Stat::of).filter(|stat| !stat.is_zombie));
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// Goal: a process is watched once, from the first look on if it is the program, from the second if it is a descendant,
    /// and not at all if it has tables of its own. Method: this process as the program, a child that waits for input.
    #[test]
    fn the_tree_is_watched_once() {
        let own = std::process::id() as i32;
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat");
        let pid = child.id() as i32;
        let pids = |fresh: Vec<ProcessReader>| fresh.iter().map(ProcessReader::pid).collect::<Vec<_>>();
        let (mut outside, mut hooked) = (Outside::default(), Outside::default());
        assert!(outside.fresh(&BTreeSet::new()).is_empty(), "nobody is watched unasked");
        outside.begin(own);
        hooked.begin(own);
        let first = pids(outside.fresh(&BTreeSet::new()));
        assert!(first.contains(&own) && !first.contains(&pid), "{first:?}");
        let second = pids(outside.fresh(&BTreeSet::new()));
        assert!(second.contains(&pid) && !second.contains(&own), "{second:?}");
        assert!(!pids(outside.fresh(&BTreeSet::new())).contains(&pid), "once is enough");
        let speaks = BTreeSet::from([pid]);
        hooked.fresh(&speaks);
        assert!(!pids(hooked.fresh(&speaks)).contains(&pid));
        drop(child.stdin.take());
        child.wait().expect("it ends");
    }
}
