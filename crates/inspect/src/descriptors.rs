//! Inspect: the open descriptors of a process, from `/proc/PID/fd`. In: a process id. Out: how many, which numbers,
//! what each refers to.
//!
//! Read here and not with the `procfs` crate, which makes a path and an entry for each descriptor and takes twice the
//! time: this is done in every poll, for processes with 10,000 of them.

use std::ffi::CStr;
use std::fs;
use std::mem::{MaybeUninit, take};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{AtFlags, CWD, FileType, StatxFlags, readlinkat_raw, statfs, statx};

use crate::numbers::{numbers_at, open_directory, read_numbers};

/// The kernel's own default bound of descriptors in one process (`fs.nr_open`); what is beyond is not looked at.
const DESCRIPTORS_MAX: usize = 1 << 20;
/// The kernel gives at most a page.
const TARGET_BYTES_MAX: usize = 4096;
/// File system of POSIX message queues, `MQUEUE_MAGIC`.
const MESSAGE_QUEUE_FS: u64 = 0x1980_0202;

/// One open descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Its number.
    pub number: u32,
    /// What it refers to, as the link says: a path, `socket:[1234]`, ... Empty if it cannot be read.
    pub target: Box<str>,
}

/// Number of open descriptors; `None` if the process has ended.
///
/// Since 6.2 the kernel counts them itself and tells with the directory's size.
pub fn descriptor_count(pid: i32) -> Option<u64> {
    let path = format!("/proc/{pid}/fd");
    match fs::metadata(&path).ok()?.size() {
        0 => Some(numbers_at(&path, DESCRIPTORS_MAX)?.len() as u64),
        size => Some(size),
    }
}

/// Numbers of all open descriptors, ascending; without what they refer to.
pub fn descriptor_numbers(pid: i32) -> Option<Vec<u32>> {
    numbers_at(&format!("/proc/{pid}/fd"), DESCRIPTORS_MAX)
}

/// What one descriptor refers to; `None` if it is closed or may not be seen.
pub fn descriptor_target(pid: i32, number: u32) -> Option<Box<str>> {
    let target = fs::read_link(format!("/proc/{pid}/fd/{number}")).ok()?;
    Some(target.to_string_lossy().into())
}

/// All open descriptors, ascending. For one look; [`DescriptorLister`] for many.
pub fn descriptors(pid: i32) -> Option<Vec<Descriptor>> {
    let mut lister = DescriptorLister::default();
    lister.refresh(pid)?;
    Some(lister.list)
}

/// Lists the descriptors of one process again and again, and allocates only for what has changed.
///
/// `cargo run --release -p memguard-inspect --example cost` on a virtual machine with 2 cores and Linux 6.18: of 10,000
/// descriptors, 32 ms for all targets, 6 to 7 ms for the numbers alone, 7 ms with 500 targets; the count is 2 us.
/// The kernel's part of it is nearly all. A poll that must be cheaper reads some targets at a time.
#[derive(Debug, Default)]
pub struct DescriptorLister {
    list: Vec<Descriptor>,
    numbers: Vec<u32>,
    /// Where the next [`DescriptorLister::refresh_some`] goes on.
    reread_from: u32,
}

impl DescriptorLister {
    /// All open descriptors now, ascending; `None` if the process has ended, which forgets the list.
    pub fn refresh(&mut self, pid: i32) -> Option<&[Descriptor]> {
        self.reread_from = 0;
        self.refresh_some(pid, usize::MAX)
    }

    /// Like [`DescriptorLister::refresh`], but of the numbers known from before only `reread_max` are looked at again,
    /// in turn. A number that was closed and opened again in between may show its former target until then.
    pub fn refresh_some(&mut self, pid: i32, reread_max: usize) -> Option<&[Descriptor]> {
        let mut old = take(&mut self.list).into_iter().peekable();
        let directory = open_directory(&format!("/proc/{pid}/fd"))?;
        read_numbers(&directory, DESCRIPTORS_MAX, &mut self.numbers)?;
        self.list.reserve(self.numbers.len());
        let mut buffer = [MaybeUninit::uninit(); TARGET_BYTES_MAX];
        let mut reread_left = reread_max;
        // Zero, unless the budget ends before the numbers do.
        let reread_from = take(&mut self.reread_from);
        for &number in &self.numbers {
            // Both lists ascend, so the previous target of this number is the next one or not there.
            while old.next_if(|o| o.number < number).is_some() {}
            let known = old.next_if(|o| o.number == number);
            let is_due = number >= reread_from && reread_left > 0;
            let known = match known {
                Some(known) if !is_due => {
                    if number >= reread_from && self.reread_from == 0 {
                        self.reread_from = number;
                    }
                    self.list.push(known);
                    continue;
                }
                Some(known) => {
                    reread_left -= 1;
                    Some(known)
                }
                None => None,
            };
            let target = match read_target(&directory, number, &mut buffer) {
                Ok(bytes) => match known {
                    Some(known) if known.target.as_bytes() == bytes => known.target,
                    _ => String::from_utf8_lossy(bytes).into(),
                },
                // Closed since it was listed.
                Err(rustix::io::Errno::NOENT) => continue,
                Err(_) => Box::default(),
            };
            self.list.push(Descriptor { number, target });
        }
        Some(&self.list)
    }

    /// The list of the last [`DescriptorLister::refresh`].
    pub fn list(&self) -> &[Descriptor] {
        &self.list
    }
}

fn read_target(
    directory: impl AsFd,
    number: u32,
    buffer: &mut [MaybeUninit<u8>; TARGET_BYTES_MAX],
) -> rustix::io::Result<&[u8]> {
    let mut name = [0_u8; 11];
    let name = decimal_name(number, &mut name);
    readlinkat_raw(directory, name, buffer.as_mut_slice()).map(|(target, _)| &*target)
}

/// The number as a C string: 10 digits at most, and the end.
fn decimal_name(mut number: u32, buffer: &mut [u8; 11]) -> &CStr {
    let mut start = buffer.len() - 1;
    loop {
        start -= 1;
        buffer[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    CStr::from_bytes_with_nul(&buffer[start..]).unwrap_or(c"")
}

/// What a descriptor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DescriptorKind {
    /// A path in a file system; also a directory if only the text was looked at.
    File,
    /// A directory, which only [`DescriptorKind::look`] can tell.
    Directory,
    /// Shared memory with a name (`shm_open`).
    SharedMemory,
    /// A pipe; with [`DescriptorKind::look`] also a named one.
    Pipe,
    /// A socket.
    Socket {
        /// Its number in [`SocketTable`](crate::SocketTable).
        inode: u64,
    },
    /// A counter made with `eventfd`.
    Eventfd,
    /// An epoll instance.
    Epoll,
    /// A timer made with `timerfd_create`.
    Timerfd,
    /// Signals to be read, made with `signalfd`.
    Signalfd,
    /// An inotify instance.
    Inotify,
    /// A fanotify group.
    Fanotify,
    /// Memory without a name, made with `memfd_create`.
    Memfd,
    /// A process, opened with `pidfd_open`.
    Pidfd,
    /// An `io_uring`.
    IoUring,
    /// A POSIX message queue. The text of one looks like a file in `/`; only [`DescriptorKind::look`] can tell.
    MessageQueue,
    /// A terminal.
    Terminal,
    /// Another device.
    Device,
    /// None of these.
    Other,
}

impl DescriptorKind {
    /// From the text of the link alone.
    pub fn of_target(target: &str) -> Self {
        if target.starts_with('/') {
            return Self::of_path(target);
        }
        let (class, rest) = target.split_once(':').unwrap_or((target, ""));
        match class {
            "socket" => bracketed(rest)
                .and_then(|inode| inode.parse().ok())
                .map_or(Self::Other, |inode| Self::Socket { inode }),
            "pipe" => Self::Pipe,
            "pidfd" => Self::Pidfd,
            // inotify had no brackets for long.
            "anon_inode" => match bracketed(rest).unwrap_or(rest) {
                "eventfd" => Self::Eventfd,
                "eventpoll" => Self::Epoll,
                "timerfd" => Self::Timerfd,
                "signalfd" => Self::Signalfd,
                "inotify" => Self::Inotify,
                "fanotify" => Self::Fanotify,
                "pidfd" => Self::Pidfd,
                "io_uring" => Self::IoUring,
                _ => Self::Other,
            },
            // A path outside the root directory of this process.
            _ if target.starts_with("(unreachable)/") => Self::File,
            _ => Self::Other,
        }
    }

    fn of_path(path: &str) -> Self {
        if path.starts_with("/memfd:") {
            return Self::Memfd;
        }
        let Some(name) = path.strip_prefix("/dev/") else { return Self::File };
        let (first, _) = name.split_once('/').unwrap_or((name, ""));
        match first {
            "shm" => Self::SharedMemory,
            "mqueue" => Self::MessageQueue,
            "pts" | "ptmx" | "console" => Self::Terminal,
            _ if first.starts_with("tty") => Self::Terminal,
            // Shared anonymous memory is a deleted `/dev/zero` that never was a device.
            _ if path.ends_with(" (deleted)") => Self::File,
            _ => Self::Device,
        }
    }

    /// From the text and, where that says no more than "a path", from the file behind it. Never waits for a network
    /// file system, as far as that keeps to it; what cannot be looked at stays what the text says.
    pub fn look(pid: i32, descriptor: &Descriptor) -> Self {
        let kind = Self::of_target(&descriptor.target);
        if kind != Self::File {
            return kind;
        }
        let path = format!("/proc/{pid}/fd/{}", descriptor.number);
        let Ok(status) = statx(CWD, path.as_str(), AtFlags::STATX_DONT_SYNC, StatxFlags::TYPE) else {
            return kind;
        };
        match FileType::from_raw_mode(status.stx_mode.into()) {
            FileType::Directory => Self::Directory,
            FileType::CharacterDevice | FileType::BlockDevice => Self::Device,
            FileType::Fifo => Self::Pipe,
            FileType::RegularFile if is_message_queue(&path, &descriptor.target) => Self::MessageQueue,
            _ => kind,
        }
    }
}

/// Asks the file system for its kind, but only for names that a queue can have: right below `/`.
fn is_message_queue(path: &str, target: &str) -> bool {
    let is_possible = target.strip_prefix('/').is_some_and(|name| !name.contains('/'));
    is_possible && statfs(path).is_ok_and(|fs| fs.f_type as u64 == MESSAGE_QUEUE_FS)
}

fn bracketed(text: &str) -> Option<&str> {
    text.strip_prefix('[')?.strip_suffix(']')
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::eventfd::EventFd;
    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::process::{Child, Command, Stdio};

    fn me() -> i32 {
        std::process::id() as i32
    }

    /// A process whose first three descriptors are pipes, and that ends when its input is closed.
    fn cat() -> Child {
        Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("cat")
    }

    #[test]
    fn a_child_has_the_descriptors_it_was_given() {
        let mut child = cat();
        let pid = child.id() as i32;
        // Its answer shows that it runs, so that the descriptors of starting it are closed.
        std::io::Write::write_all(child.stdin.as_mut().expect("piped"), b"x").expect("written");
        std::io::Read::read_exact(child.stdout.as_mut().expect("piped"), &mut [0]).expect("answered");
        // It may have inherited more, from whatever started the tests.
        let numbers = descriptor_numbers(pid).expect("its numbers");
        assert!(numbers.starts_with(&[0, 1, 2]), "{numbers:?}");
        assert_eq!(descriptor_count(pid), Some(numbers.len() as u64));
        let list = descriptors(pid).expect("its descriptors");
        assert_eq!(list.iter().map(|d| d.number).collect::<Vec<_>>(), numbers);
        assert!(
            list.iter().take(3).all(|d| DescriptorKind::look(pid, d) == DescriptorKind::Pipe),
            "{list:?}"
        );
        drop(child.stdin.take());
        child.wait().expect("it ends");
        assert_eq!(descriptor_count(pid), None);
        assert_eq!(descriptors(pid), None);
        assert_eq!(DescriptorLister::default().refresh(pid), None);
    }

    #[test]
    fn a_lister_follows_what_opens_and_closes() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let number = file.as_file().as_raw_fd() as u32;
        let path = file.path().to_str().expect("UTF-8").to_owned();
        let find =
            |list: &[Descriptor]| list.iter().find(|d| d.number == number).map(|d| d.target.to_string());
        let mut lister = DescriptorLister::default();
        assert_eq!(find(lister.refresh(me()).expect("own list")), Some(path.clone()));
        assert!(lister.list().is_sorted_by_key(|d| d.number));
        let kept = lister.list().iter().find(|d| d.number == number).map(|d| d.target.as_ptr());
        lister.refresh(me()).expect("own list");
        assert_eq!(
            lister.list().iter().find(|d| d.number == number).map(|d| d.target.as_ptr()),
            kept,
            "not again"
        );
        fs::remove_file(&path).expect("removed");
        assert_eq!(find(lister.refresh(me()).expect("own list")), Some(format!("{path} (deleted)")));
        assert_eq!(descriptor_target(me(), number).as_deref(), Some(&*format!("{path} (deleted)")));
        drop(file);
        assert_ne!(find(lister.refresh(me()).expect("own list")), Some(format!("{path} (deleted)")));
    }

    #[test]
    fn known_targets_are_looked_at_again_in_turn() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let number = file.as_file().as_raw_fd() as u32;
        let is_deleted =
            |list: &[Descriptor]| list.iter().any(|d| d.number == number && d.target.ends_with(" (deleted)"));
        let mut lister = DescriptorLister::default();
        assert!(!is_deleted(lister.refresh_some(me(), 0).expect("own list")), "new, so it is read");
        fs::remove_file(file.path()).expect("removed");
        assert!(!is_deleted(lister.refresh_some(me(), 0).expect("own list")), "known, so it is not");
        // Other tests open and close descriptors meanwhile; there are far fewer of them than turns.
        assert!((0..2000).any(|_| is_deleted(lister.refresh_some(me(), 1).expect("own list"))));
        assert!(is_deleted(lister.refresh(me()).expect("own list")));
    }

    #[test]
    fn real_objects_are_told_apart() {
        let directory = File::open("/").expect("a directory");
        let device = File::open("/dev/null").expect("a device");
        let event = EventFd::new().expect("an eventfd");
        let (socket, _peer) = UnixStream::pair().expect("sockets");
        let socket_inode = nix::sys::stat::fstat(&socket).expect("stat").st_ino;
        for (fd, kind) in [
            (directory.as_fd(), DescriptorKind::Directory),
            (device.as_fd(), DescriptorKind::Device),
            (event.as_fd(), DescriptorKind::Eventfd),
            (socket.as_fd(), DescriptorKind::Socket { inode: socket_inode }),
        ] {
            let number = fd.as_raw_fd() as u32;
            let target = descriptor_target(me(), number).expect("own descriptor");
            assert_eq!(DescriptorKind::look(me(), &Descriptor { number, target }), kind);
        }
    }

    #[test]
    fn a_message_queue_is_not_taken_for_a_file() {
        use nix::mqueue::{MQ_OFlag, mq_open, mq_unlink};
        let name = format!("/memguard-inspect-{}", me());
        let mode = nix::sys::stat::Mode::S_IRUSR;
        let Ok(queue) = mq_open(&*name, MQ_OFlag::O_CREAT | MQ_OFlag::O_RDONLY, mode, None) else {
            return; // This kernel has none, or no more.
        };
        mq_unlink(&*name).expect("removed");
        let number = queue.as_raw_fd() as u32;
        let target = descriptor_target(me(), number).expect("own descriptor");
        assert_eq!(DescriptorKind::of_target(&target), DescriptorKind::File, "{target}");
        let kind = DescriptorKind::look(me(), &Descriptor { number, target });
        nix::mqueue::mq_close(queue).expect("closed");
        assert_eq!(kind, DescriptorKind::MessageQueue);
    }

    #[test]
    fn the_text_tells_the_kind() {
        use DescriptorKind as Kind;
        for (target, kind) in [
            ("socket:[123]", Kind::Socket { inode: 123 }),
            ("socket:[18446744073709551616]", Kind::Other),
            ("socket:[]", Kind::Other),
            ("socket:", Kind::Other),
            ("pipe:[1]", Kind::Pipe),
            ("anon_inode:[eventfd]", Kind::Eventfd),
            ("anon_inode:[eventpoll]", Kind::Epoll),
            ("anon_inode:[timerfd]", Kind::Timerfd),
            ("anon_inode:[signalfd]", Kind::Signalfd),
            ("anon_inode:inotify", Kind::Inotify),
            ("anon_inode:[inotify]", Kind::Inotify),
            ("anon_inode:[fanotify]", Kind::Fanotify),
            ("anon_inode:[io_uring]", Kind::IoUring),
            ("anon_inode:[pidfd]", Kind::Pidfd),
            ("anon_inode:[perf_event]", Kind::Other),
            ("anon_inode:", Kind::Other),
            ("pidfd:[9]", Kind::Pidfd),
            ("net:[4026531840]", Kind::Other),
            ("/memfd:name (deleted)", Kind::Memfd),
            ("/dev/shm/x", Kind::SharedMemory),
            ("/dev/mqueue/x", Kind::MessageQueue),
            ("/dev/pts/0", Kind::Terminal),
            ("/dev/ptmx", Kind::Terminal),
            ("/dev/ttyS0", Kind::Terminal),
            ("/dev/null", Kind::Device),
            ("/dev/zero (deleted)", Kind::File),
            ("/tmp/x (deleted)", Kind::File),
            ("/socket:[1]", Kind::File),
            ("(unreachable)/x", Kind::File),
            ("", Kind::Other),
            (":", Kind::Other),
            ("[", Kind::Other),
        ] {
            assert_eq!(Kind::of_target(target), kind, "{target:?}");
        }
    }

    #[test]
    fn every_number_has_a_name() {
        for number in [0, 9, 10, 12_345, u32::MAX] {
            assert_eq!(decimal_name(number, &mut [0; 11]).to_str(), Ok(&*number.to_string()));
        }
    }
}
