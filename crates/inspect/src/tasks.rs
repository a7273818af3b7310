//! Inspect: the threads and the children of a process. In: a process id. Out: numbers, names, states.
//!
//! Lists of numbers cost one pass over a directory; names and states cost a file each, so a caller that polls compares
//! the numbers and asks only about the new ones.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;

use crate::lines::for_each_line;
use crate::numbers::numbers_at;
use crate::stat::with_line;

/// More threads, children or processes than this are not looked at.
const TASKS_MAX: usize = 262_144;
/// A number and a blank for each of them.
const CHILDREN_BYTES_MAX: u64 = 8 * TASKS_MAX as u64;

/// One thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadEntry {
    /// Its number.
    pub tid: i32,
    /// Its name, at most 15 bytes.
    pub name: Box<str>,
}

/// One child process, running or not yet reaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildEntry {
    /// Its number.
    pub pid: i32,
    /// The kernel's letter for its state; `Z` has ended and waits to be reaped.
    pub state: char,
    /// Its name, at most 15 bytes.
    pub name: Box<str>,
    /// Start time in clock ticks since boot; tells a reused number apart.
    pub start_ticks: u64,
}

/// Number of threads; `None` if the process has ended.
///
/// The link count of the directory is two more than the threads, and costs the kernel nothing; the line in `stat`
/// would have it add up the times of every thread.
pub fn thread_count(pid: i32) -> Option<u64> {
    links(&format!("/proc/{pid}/task"))?.checked_sub(2).filter(|count| *count > 0)
}

/// Numbers of all threads, ascending.
pub fn thread_ids(pid: i32) -> Option<Vec<i32>> {
    pids_at(&format!("/proc/{pid}/task"))
}

/// Name of one thread; `None` if it has ended.
pub fn thread_name(pid: i32, tid: i32) -> Option<Box<str>> {
    let name = fs::read(format!("/proc/{pid}/task/{tid}/comm")).ok()?;
    Some(String::from_utf8_lossy(name.strip_suffix(b"\n").unwrap_or(&name)).into())
}

/// All threads with their names, ascending; one file for each, so not for every poll of a process with thousands.
pub fn threads(pid: i32) -> Option<Vec<ThreadEntry>> {
    let entries = thread_ids(pid)?
        .into_iter()
        .filter_map(|tid| Some(ThreadEntry { tid, name: thread_name(pid, tid)? }));
    Some(entries.collect())
}

/// Numbers of all children, unreaped ones included, ascending; `None` if the process has ended.
///
/// The kernel lists children under the thread that started them. With fewer threads than processes in the system these
/// lists are read, else all processes are asked for their parent. The lists are not a snapshot: while children end, the
/// kernel may leave out others, so one that is missing once is not proof of its end.
pub fn child_pids(pid: i32) -> Option<Vec<i32>> {
    let threads = thread_count(pid)?;
    let mut children = match links("/proc") {
        Some(processes) if threads > processes => by_parent(pid)?,
        _ => by_thread(pid).or_else(|| by_parent(pid))?,
    };
    children.sort_unstable();
    children.dedup();
    Some(children)
}

/// Looks at one process as a child of whomever; `None` if it has been reaped.
pub fn child(pid: i32) -> Option<ChildEntry> {
    with_line(pid, |line| ChildEntry {
        pid,
        state: line.state,
        name: line.name.into(),
        start_ticks: line.start_ticks,
    })
}

/// All children, unreaped ones included, ascending by number; empty if there are none or the process has ended.
pub fn children(pid: i32) -> Vec<ChildEntry> {
    child_pids(pid).unwrap_or_default().into_iter().filter_map(child).collect()
}

/// `None` if the kernel keeps no such lists (or the process has ended).
fn by_thread(pid: i32) -> Option<Vec<i32>> {
    let mut children = Vec::new();
    let mut is_known = false;
    for tid in thread_ids(pid)? {
        // All numbers are on one line without an end.
        let whole = for_each_line(&format!("/proc/{pid}/task/{tid}/children"), CHILDREN_BYTES_MAX, |line| {
            let room = TASKS_MAX.saturating_sub(children.len());
            children.extend(line.split_ascii_whitespace().take(room).filter_map(|n| n.parse::<i32>().ok()));
            ControlFlow::Continue(())
        });
        is_known |= whole.is_some();
    }
    is_known.then_some(children)
}

fn by_parent(pid: i32) -> Option<Vec<i32>> {
    let is_child = |other: &i32| with_line(*other, |line| line.parent_pid == pid).unwrap_or(false);
    Some(pids()?.into_iter().filter(is_child).collect())
}

/// Numbers of all processes, ascending.
pub(crate) fn pids() -> Option<Vec<i32>> {
    pids_at("/proc")
}

fn pids_at(path: &str) -> Option<Vec<i32>> {
    Some(numbers_at(path, TASKS_MAX)?.into_iter().filter_map(|n| i32::try_from(n).ok()).collect())
}

fn links(path: &str) -> Option<u64> {
    Some(fs::metadata(path).ok()?.nlink())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    use nix::unistd::{Pid, gettid};
    use std::process::{Command, Stdio};
    use std::sync::mpsc::channel;

    fn me() -> i32 {
        std::process::id() as i32
    }

    #[test]
    fn a_named_thread_is_seen_while_it_lives() {
        let (report, started) = channel();
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new()
            .name("seen-thread".into())
            .spawn(move || {
                report.send(gettid().as_raw()).expect("the test waits");
                let _ = stopped.recv();
            })
            .expect("a thread");
        let tid = started.recv().expect("its number");
        assert_eq!(thread_name(me(), tid).as_deref(), Some("seen-thread"));
        assert!(thread_ids(me()).expect("own threads").contains(&tid));
        assert!(
            threads(me()).expect("own threads").contains(&ThreadEntry { tid, name: "seen-thread".into() })
        );
        assert!(thread_count(me()) >= Some(2));
        drop(stop);
        thread.join().expect("it ends");
    }

    #[test]
    fn the_count_is_that_of_a_process_whose_threads_are_known() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat");
        let pid = child.id() as i32;
        assert_eq!(thread_count(pid), Some(1));
        assert_eq!(thread_ids(pid), Some(vec![pid]));
        drop(child.stdin.take());
        child.wait().expect("it ends");
        assert_eq!(thread_count(pid), None);
        assert_eq!(child_pids(pid), None);
        assert_eq!(children(pid), vec![]);
    }

    #[test]
    fn a_zombie_is_a_child_until_it_is_reaped() {
        let mut process = Command::new("true").spawn().expect("true");
        let pid = process.id() as i32;
        let wait = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        waitid(Id::Pid(Pid::from_raw(pid)), wait).expect("it ends, and stays to be reaped");
        let seen = children(me()).into_iter().find(|c| c.pid == pid).expect("the zombie");
        assert_eq!((seen.state, &*seen.name), ('Z', "true"));
        assert!(by_parent(me()).expect("/proc").contains(&pid));
        process.wait().expect("reaped");
        assert!(!child_pids(me()).expect("own children").contains(&pid));
        assert_eq!(child(pid), None);
    }
}
