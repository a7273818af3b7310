//! Inspect: what the kernel tells about one open descriptor, from `/proc/PID/fdinfo/N`: position, flags, and for
//! timers, epoll, inotify, eventfd and pidfd what is inside. Reading it changes nothing in the process.
//!
//! `procfs` does not parse these. The lines are those of the kernel's `show_fdinfo` functions.

use std::ops::ControlFlow;

use crate::lines::{for_each_line, value_of};

/// Registrations (epoll) or watches (inotify) kept; what is beyond is left out and [`FdInfo::is_cut`] says so.
const ENTRIES_MAX: usize = 65_536;
/// Enough for as many lines of inotify, the longest ones.
const BYTES_MAX: u64 = 32 << 20;

/// One look at one descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FdInfo {
    /// File position.
    pub position: u64,
    /// Status flags as `open` takes them (`O_APPEND`, ...), with close-on-exec.
    pub flags: u32,
    /// Inode of what is open; kernels before 5.14 do not say. All anonymous inodes (epoll, timerfd, ...) share one.
    pub inode: Option<u64>,
    /// What is inside.
    pub detail: FdDetail,
    /// Whether there is more in the file than was kept.
    pub is_cut: bool,
}

/// What is inside a descriptor, as far as the kernel has lines for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum FdDetail {
    /// Nothing more is told. An epoll without registrations and an inotify without watches look like this too.
    #[default]
    Plain,
    /// A timerfd.
    Timer {
        /// Expirations not read yet.
        ticks: u64,
        /// Period; 0 for one shot.
        interval_ns: u64,
        /// Time to the next expiration; 0 if it is disarmed.
        remaining_ns: u64,
        /// The clock it counts.
        clock: i32,
    },
    /// An epoll instance.
    Epoll {
        /// What is registered, in no useful order.
        registrations: Vec<EpollEntry>,
    },
    /// An inotify instance.
    Inotify {
        /// What is watched, newest first.
        watches: Vec<InotifyEntry>,
    },
    /// An eventfd.
    Eventfd {
        /// Its counter.
        count: u64,
    },
    /// A pidfd.
    Pidfd {
        /// The process in our PID namespace; -1 once it has been reaped, 0 if it is outside our namespace.
        pid: i32,
    },
}

/// One registration in an epoll instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpollEntry {
    /// The number it was registered under; the file may since have been closed under that number and live on under
    /// another, or the number may now be another file: compare `inode`.
    pub descriptor: u32,
    /// Events asked for (`EPOLLIN`, ...).
    pub events: u32,
    /// Inode of the registered file.
    pub inode: u64,
    /// Device of the registered file, as in `st_dev` (of the file system: overlayfs and btrfs report others in `stat`).
    pub device: u64,
    /// What the program stored with it.
    pub data: u64,
}

/// One watch in an inotify instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InotifyEntry {
    /// The watch descriptor.
    pub watch: u32,
    /// Inode of the watched file or directory.
    pub inode: u64,
    /// Its device, as in [`EpollEntry::device`].
    pub device: u64,
    /// Events asked for (`IN_CREATE`, ...).
    pub mask: u32,
}

/// Looks at one descriptor; `None` if it is closed or may not be seen.
pub fn fd_info(pid: i32, number: u32) -> Option<FdInfo> {
    let mut info = FdInfo::default();
    let whole = for_each_line(&format!("/proc/{pid}/fdinfo/{number}"), BYTES_MAX, |line| info.see(line))?;
    info.is_cut = !whole;
    Some(info)
}

impl FdInfo {
    /// Takes one line in. Unknown lines say nothing to us, broken ones are left out.
    fn see(&mut self, line: &str) -> ControlFlow<()> {
        if let Some(entry) = line.strip_prefix("tfd:") {
            return self.see_registration(entry);
        }
        if let Some(entry) = line.strip_prefix("inotify ") {
            return self.see_watch(entry);
        }
        if let Some(value) = value_of(line, "pos:") {
            self.position = value.parse().unwrap_or(0);
        } else if let Some(value) = value_of(line, "flags:") {
            self.flags = u32::from_str_radix(value, 8).unwrap_or(0);
        } else if let Some(value) = value_of(line, "ino:") {
            self.inode = value.parse().ok();
        } else if let Some(value) = value_of(line, "eventfd-count:") {
            self.detail = FdDetail::Eventfd { count: hex(value).unwrap_or(0) };
        } else if let Some(value) = value_of(line, "Pid:") {
            self.detail = FdDetail::Pidfd { pid: value.parse().unwrap_or(-1) };
        } else {
            self.see_timer(line);
        }
        ControlFlow::Continue(())
    }

    /// `clockid: 1`, which is the first of the five lines, then `ticks: 0`, `it_value: (6, 996761288)` and so on.
    fn see_timer(&mut self, line: &str) {
        if let Some(value) = value_of(line, "clockid:") {
            let clock = value.parse().unwrap_or(-1);
            self.detail = FdDetail::Timer { ticks: 0, interval_ns: 0, remaining_ns: 0, clock };
            return;
        }
        let FdDetail::Timer { ticks, interval_ns, remaining_ns, .. } = &mut self.detail else { return };
        if let Some(value) = value_of(line, "ticks:") {
            *ticks = value.parse().unwrap_or(0);
        } else if let Some(value) = value_of(line, "it_value:") {
            *remaining_ns = time_ns(value).unwrap_or(0);
        } else if let Some(value) = value_of(line, "it_interval:") {
            *interval_ns = time_ns(value).unwrap_or(0);
        }
    }

    /// `        4 events:       19 data:                4  pos:0 ino:96465 sdev:f`, all but the descriptor in hex.
    fn see_registration(&mut self, line: &str) -> ControlFlow<()> {
        if !matches!(self.detail, FdDetail::Epoll { .. }) {
            self.detail = FdDetail::Epoll { registrations: Vec::new() };
        }
        let FdDetail::Epoll { registrations } = &mut self.detail else { return ControlFlow::Continue(()) };
        if registrations.len() >= ENTRIES_MAX {
            return ControlFlow::Break(());
        }
        registrations.extend(registration(line));
        ControlFlow::Continue(())
    }

    /// `wd:c ino:99004b sdev:fe00000 mask:2 ignored_mask:0 ...`, all in hex.
    fn see_watch(&mut self, line: &str) -> ControlFlow<()> {
        if !matches!(self.detail, FdDetail::Inotify { .. }) {
            self.detail = FdDetail::Inotify { watches: Vec::new() };
        }
        let FdDetail::Inotify { watches } = &mut self.detail else { return ControlFlow::Continue(()) };
        if watches.len() >= ENTRIES_MAX {
            return ControlFlow::Break(());
        }
        watches.extend(watch(line));
        ControlFlow::Continue(())
    }
}

fn registration(line: &str) -> Option<EpollEntry> {
    Some(EpollEntry {
        descriptor: line.split_ascii_whitespace().next()?.parse().ok()?,
        events: u32::try_from(hex(field(line, "events:")?)?).ok()?,
        data: hex(field(line, "data:")?)?,
        inode: hex(field(line, "ino:")?)?,
        device: device(hex(field(line, "sdev:")?)?)?,
    })
}

fn watch(line: &str) -> Option<InotifyEntry> {
    Some(InotifyEntry {
        watch: u32::try_from(hex(field(line, "wd:")?)?).ok()?,
        inode: hex(field(line, "ino:")?)?,
        device: device(hex(field(line, "sdev:")?)?)?,
        mask: u32::try_from(hex(field(line, "mask:")?)?).ok()?,
    })
}

/// The word after `key`, whether there are blanks between or not.
fn field<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(key)?;
    rest.split_ascii_whitespace().next()
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

/// From the kernel's own numbering (12 bits major, 20 bits minor) to that of `stat`.
fn device(kernel: u64) -> Option<u64> {
    let kernel = u32::try_from(kernel).ok()?;
    Some(rustix::fs::makedev(kernel >> 20, kernel & 0xf_ffff))
}

/// `(6, 996761288)`: seconds and nanoseconds.
fn time_ns(text: &str) -> Option<u64> {
    let (seconds, ns) = text.strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
    let seconds: u64 = seconds.trim().parse().ok()?;
    Some(seconds.saturating_mul(1_000_000_000).saturating_add(ns.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
    use nix::sys::eventfd::EventFd;
    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
    use nix::sys::time::TimeSpec;
    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
    use std::os::fd::{AsFd, AsRawFd};
    use std::os::unix::fs::MetadataExt;
    use std::time::Duration;

    fn info_of(fd: impl AsFd) -> FdInfo {
        fd_info(std::process::id() as i32, fd.as_fd().as_raw_fd() as u32).expect("own descriptor")
    }

    fn parsed(text: &str) -> FdInfo {
        let mut info = FdInfo::default();
        for line in text.lines() {
            let _ = info.see(line);
        }
        info
    }

    #[test]
    fn a_file_has_a_position_and_an_inode() {
        let mut file = tempfile::tempfile().expect("a file");
        std::io::Write::write_all(&mut file, b"12345").expect("written");
        let info = info_of(&file);
        assert_eq!((info.position, info.detail, info.is_cut), (5, FdDetail::Plain, false));
        assert_eq!(info.inode, Some(file.metadata().expect("stat").ino()));
        assert_eq!(info.flags & 0o3, 0o2, "open for reading and writing");
        assert_eq!(fd_info(std::process::id() as i32, u32::MAX), None);
        assert_eq!(fd_info(-1, 0), None);
    }

    #[test]
    fn a_timer_has_an_interval_and_a_remaining_time() {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC).expect("a timer");
        let disarmed = FdDetail::Timer {
            ticks: 0,
            interval_ns: 0,
            remaining_ns: 0,
            clock: ClockId::CLOCK_MONOTONIC as i32,
        };
        assert_eq!(info_of(&timer).detail, disarmed);
        let start = TimeSpec::from(Duration::from_secs(10_000));
        let interval = TimeSpec::from(Duration::new(5, 100));
        timer.set(Expiration::IntervalDelayed(start, interval), TimerSetTimeFlags::empty()).expect("armed");
        let FdDetail::Timer { ticks, interval_ns, remaining_ns, .. } = info_of(&timer).detail else {
            panic!("not a timer")
        };
        assert_eq!((ticks, interval_ns), (0, 5_000_000_100));
        assert!((1..=10_000_000_000_000).contains(&remaining_ns));
    }

    #[test]
    fn an_epoll_names_what_is_registered() {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("an epoll");
        let (pipe, _writer) = nix::unistd::pipe().expect("a pipe");
        assert_eq!(info_of(&epoll.0).detail, FdDetail::Plain, "nothing is registered yet");
        epoll.add(&pipe, EpollEvent::new(EpollFlags::EPOLLIN, 0xabc_def0_1234)).expect("registered");
        let stat = nix::sys::stat::fstat(&pipe).expect("stat");
        let FdDetail::Epoll { registrations } = info_of(&epoll.0).detail else { panic!("not an epoll") };
        let [entry] = registrations.as_slice() else { panic!("{registrations:?}") };
        assert_eq!(entry.descriptor, pipe.as_raw_fd() as u32);
        assert_eq!(entry.data, 0xabc_def0_1234);
        assert_eq!((entry.inode, entry.device), (stat.st_ino, stat.st_dev));
        assert_ne!(entry.events & EpollFlags::EPOLLIN.bits() as u32, 0);
    }

    #[test]
    fn an_inotify_names_what_is_watched() {
        let directories: Vec<_> = (0..12).map(|_| tempfile::tempdir().expect("a directory")).collect();
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC).expect("an inotify");
        for directory in &directories {
            inotify.add_watch(directory.path(), AddWatchFlags::IN_CREATE).expect("watched");
        }
        let FdDetail::Inotify { mut watches } = info_of(&inotify).detail else { panic!("not an inotify") };
        watches.sort_by_key(|w| w.watch);
        assert_eq!(watches.iter().map(|w| w.watch).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
        for (watch, directory) in watches.iter().zip(&directories) {
            assert_eq!(watch.inode, std::fs::metadata(directory.path()).expect("stat").ino());
            assert_eq!(watch.mask, AddWatchFlags::IN_CREATE.bits());
        }
    }

    #[test]
    fn an_eventfd_has_its_count_and_a_pidfd_its_process() {
        let event = EventFd::from_value(0x1f).expect("an eventfd");
        assert_eq!(info_of(&event).detail, FdDetail::Eventfd { count: 0x1f });
        let process = rustix::process::Pid::from_raw(std::process::id() as i32).expect("own number");
        let pidfd =
            rustix::process::pidfd_open(process, rustix::process::PidfdFlags::empty()).expect("a pidfd");
        assert_eq!(info_of(&pidfd).detail, FdDetail::Pidfd { pid: process.as_raw_nonzero().get() });
    }

    #[test]
    fn hostile_text_gives_no_panic() {
        assert_eq!(parsed(""), FdInfo::default());
        assert_eq!(parsed("pos:\nflags:\nino:\n:::\n\n"), FdInfo::default());
        assert_eq!(parsed("pos:\t99999999999999999999999").position, 0);
        assert_eq!(
            parsed("ticks: 5\nit_value: (1, 2)").detail,
            FdDetail::Plain,
            "no timer without its first line"
        );
        let timer = parsed(
            "clockid: x\nticks: -1\nit_value: (18446744073709551615, 18446744073709551615)\nit_interval: (",
        );
        let far = FdDetail::Timer { ticks: 0, interval_ns: 0, remaining_ns: u64::MAX, clock: -1 };
        assert_eq!(timer.detail, far);
        for broken in
            ["tfd:", "tfd: 5", "tfd: x events: 1 data: 1 pos:0 ino:1 sdev:1", "tfd: 5 events: 1 data: zz"]
        {
            assert_eq!(parsed(broken).detail, FdDetail::Epoll { registrations: vec![] }, "{broken:?}");
        }
        for broken in ["inotify ", "inotify wd:", "inotify wd:fffffffffff ino:1 sdev:1 mask:1"] {
            assert_eq!(parsed(broken).detail, FdDetail::Inotify { watches: vec![] }, "{broken:?}");
        }
    }

    #[test]
    fn too_many_registrations_are_cut() {
        let mut info = FdInfo::default();
        let line = "tfd:        5 events:       19 data:                5  pos:0 ino:61af sdev:7";
        let seen = (0..ENTRIES_MAX + 10).take_while(|_| info.see(line).is_continue()).count();
        assert_eq!(seen, ENTRIES_MAX);
        let FdDetail::Epoll { registrations } = info.detail else { panic!("not an epoll") };
        let whole = EpollEntry { descriptor: 5, events: 0x19, inode: 0x61af, device: 7, data: 5 };
        assert_eq!((registrations.len(), registrations.first()), (ENTRIES_MAX, Some(&whole)));
    }
}
