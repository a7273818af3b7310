//! Inspect: memory, CPU time, threads and identity of one process, from `/proc/PID/stat`.
//!
//! The line is parsed here: it is read for every child of a process, and the `procfs` crate opens the directory and
//! asks for its owner first, which makes it half as dear again.

use std::fs::File;
use std::io::Read;

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
    /// CPU time of its children that it has waited for, and of those that they had waited for, in ns.
    pub children_cpu_ns: u64,
    /// Number of threads.
    pub threads: u64,
    /// The kernel's letter for what the main thread does: `R`unning, `S`leeping, `D`isk, s`T`opped, `Z`ombie, ...
    pub state: char,
    /// Whether it has ended and waits to be reaped.
    pub is_zombie: bool,
    /// Whether the kernel is taking it down: its memory is being given back, not by the program.
    pub is_ending: bool,
}

impl Stat {
    /// Looks at a process; `None` if there is none of that number (or it may not be seen).
    pub fn of(pid: i32) -> Option<Self> {
        with_line(pid, |line| line.stat(pid))
    }

    /// Looks at this very process.
    pub fn of_self() -> Option<Self> {
        Self::of(i32::try_from(std::process::id()).ok()?)
    }

    /// Looks again at a process seen before; `None` if it has ended, even if its number is in use again.
    pub fn again(identity: Identity) -> Option<Self> {
        Self::of(identity.pid).filter(|stat| stat.identity == identity && !stat.is_zombie)
    }

    /// Looks at a process that has ended and waits to be reaped, with its CPU time of a whole life; `None` before and afterwards.
    pub fn of_zombie(pid: i32) -> Option<Self> {
        Self::of(pid).filter(|stat| stat.is_zombie)
    }
}

/// The kernel's flag of a thread that is exiting.
const PF_EXITING: u64 = 0x4;

/// Time that the first thread of a process was ready to run and had no processor, in ns; `None` where the kernel does not
/// count it. A process that works off a job on a busy machine uses little of a processor, and waits for more.
pub fn processor_wait_ns(pid: i32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Hands the parsed line of a process to `see`.
pub(crate) fn with_line<T>(pid: i32, see: impl FnOnce(&StatLine<'_>) -> T) -> Option<T> {
    // 52 fields of at most 20 digits and a name of at most 64 bytes.
    let mut buffer = [0_u8; 2048];
    let mut file = File::open(format!("/proc/{pid}/stat")).ok()?;
    let mut filled = 0;
    while !buffer[..filled].ends_with(b"\n") {
        match file.read(buffer.get_mut(filled..)?).ok()? {
            0 => break,
            n => filled += n,
        }
    }
    let text = String::from_utf8_lossy(buffer.get(..filled)?);
    Some(see(&StatLine::parse(&text)?))
}

/// The fields used, as the kernel counts them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StatLine<'a> {
    pub(crate) name: &'a str,
    pub(crate) state: char,
    pub(crate) parent_pid: i32,
    pub(crate) start_ticks: u64,
    flags: u64,
    cpu_ticks: u64,
    children_ticks: u64,
    pub(crate) threads: u64,
    rss_pages: u64,
}

impl<'a> StatLine<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        // A name may hold blanks and parentheses; the last one ends it, as only numbers follow.
        let (head, tail) = text.rsplit_once(')')?;
        let (_, name) = head.split_once('(')?;
        let mut fields = tail.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent_pid = fields.next()?.parse().ok()?;
        // Numbered as in proc(5), where the state is field 3: flags are 9, user time is 14, that of children 16, threads 20, start 22, memory 24.
        let flags = fields.nth(9 - 5)?.parse().ok()?;
        let user: u64 = fields.nth(14 - 10)?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        let children_user: u64 = fields.next()?.parse().ok()?;
        let children_system: u64 = fields.next()?.parse().ok()?;
        let threads = fields.nth(20 - 18)?.parse().ok()?;
        let start_ticks = fields.nth(22 - 21)?.parse().ok()?;
        let rss_pages = fields.nth(24 - 23)?.parse().ok()?;
        let cpu_ticks = user.saturating_add(system);
        let children_ticks = children_user.saturating_add(children_system);
        Some(Self {
            name,
            state,
            parent_pid,
            start_ticks,
            flags,
            cpu_ticks,
            children_ticks,
            threads,
            rss_pages,
        })
    }

    fn stat(&self, pid: i32) -> Stat {
        let ticks_ns = 1_000_000_000 / procfs::ticks_per_second().max(1);
        Stat {
            identity: Identity { pid, start_ticks: self.start_ticks },
            parent_pid: self.parent_pid,
            rss_bytes: self.rss_pages.saturating_mul(procfs::page_size()),
            cpu_ns: self.cpu_ticks.saturating_mul(ticks_ns),
            children_cpu_ns: self.children_ticks.saturating_mul(ticks_ns),
            threads: self.threads,
            state: self.state,
            is_zombie: matches!(self.state, 'Z' | 'X'),
            // The first thread alone may end before the others.
            is_ending: self.flags & PF_EXITING != 0 && self.threads <= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn this_process_is_seen() {
        let stat = Stat::of_self().expect("own /proc entry");
        assert!(stat.rss_bytes > 100_000);
        assert!(stat.threads >= 1);
        assert!(stat.state.is_ascii_uppercase() && !stat.is_ending);
        assert_eq!(Stat::again(stat.identity).map(|s| s.identity), Some(stat.identity));
        let other = Identity { start_ticks: stat.identity.start_ticks + 1, ..stat.identity };
        assert_eq!(Stat::again(other), None, "a reused number is another process");
    }

    #[test]
    fn waiting_is_counted_or_it_is_said() {
        let pid = i32::try_from(std::process::id()).expect("a process id");
        let (before, after) = (processor_wait_ns(pid), processor_wait_ns(pid));
        assert!(before <= after && before.is_some() == Path::new("/proc/self/schedstat").exists());
        assert_eq!(processor_wait_ns(-1), None);
    }

    #[test]
    fn it_agrees_with_the_procfs_crate() {
        let stat = Stat::of_self().expect("own /proc entry");
        let theirs = procfs::process::Process::myself().and_then(|p| p.stat()).expect("own /proc entry");
        assert_eq!(stat.identity, Identity { pid: theirs.pid, start_ticks: theirs.starttime });
        assert_eq!(stat.parent_pid, theirs.ppid);
        assert!(stat.cpu_ns / 1_000_000_000 <= theirs.utime + theirs.stime);
    }

    #[test]
    fn hostile_lines_are_none_and_a_hostile_name_is_a_name() {
        for text in ["", "1", "1 (", "1 (a)", "1 (a) S", ")(", "1 (a) S 1 1 1 1 1 1 1 1 1 1 1 1"] {
            assert_eq!(StatLine::parse(text), None, "{text:?}");
        }
        let text = "7 (a) Z 9 (b) S 5 7 7 0 -1 0 0 0 0 0 3 4 5 6 20 0 2 0 99 1000 6 18446744073709551615";
        let line = StatLine::parse(text).expect("a whole line");
        assert_eq!((line.name, line.state, line.parent_pid), ("a) Z 9 (b", 'S', 5));
        assert_eq!((line.cpu_ticks, line.children_ticks), (7, 11));
        assert_eq!((line.threads, line.start_ticks, line.rss_pages), (2, 99, 6));
        assert!(!line.stat(7).is_ending, "a first thread that has ended is not the process");
        let alone = StatLine { flags: 0x40_0004, threads: 1, ..line };
        assert!(alone.stat(7).is_ending);
        let huge = "7 (a) S 5 7 7 0 -1 0 0 0 0 0 99999999999999999999 4 0 0 20 0 2 0 99 1000 6";
        assert_eq!(StatLine::parse(huge), None);
    }
}
