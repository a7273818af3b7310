//! Collect, descriptors: what the kernel lists, joined with what the hooks booked. In: the process's descriptor table, the
//! kernel's list, sockets' states. Out: holdings.
//!
//! The kernel decides what is open; the table says since when and from where. Three disagreements are in order:
//!
//! * the kernel lists what the table lacks: inherited, or opened past the hooks. It counts from the second list that
//!   shows it, as a descriptor that is just being opened or closed is in one of the two alone;
//! * the table lacks what it had, and the kernel still lists the same object: another process that shares this one's
//!   memory (a child made by a raw `clone`) has closed its own copy. What was known stays;
//! * the table has what the kernel lacks: closed past the hooks, gone.

use crate::redaction::Redaction;
use memguard_inspect::{
    Descriptor as Listed, DescriptorKind, FdDetail, FdInfo, Protocol, Socket, SocketState, SocketTable,
    fd_info,
};
use memguard_model::{Class, Condition, Holding, Origin, StackId};
use memguard_segment::{Descriptor as Booked, DescriptorTable};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// `fdinfo` is read of so many descriptors a look at most; the others' turn comes later.
const DETAILS_MAX: usize = 256;

/// One process at one look.
pub struct View<'a> {
    /// What the hooks booked; read after `listed`.
    pub table: DescriptorTable<'a>,
    /// What the kernel lists.
    pub listed: &'a [Listed],
    /// When that list was begun, on the process clock in ns.
    pub listed_at_ns: u64,
    /// Process id.
    pub pid: i32,
    /// Sockets of the process's network namespace.
    pub sockets: &'a SocketTable,
    /// When they were so, on the process clock in ns.
    pub sockets_at_ns: u64,
    /// Whether `fdinfo` is read on this look.
    pub with_details: bool,
    /// What names may say.
    pub redaction: Redaction,
}

#[derive(Debug)]
struct Known {
    target: Box<str>,
    kind: DescriptorKind,
    /// As booked, to notice that it is another one of the same name.
    booked: Option<Booked>,
    holding: Holding,
    /// Lists that have shown it.
    seen: u32,
    position: Option<u64>,
    /// What its name was made of, if it is a socket that the table has.
    shown: Option<(SocketState, Option<SocketAddr>, Option<SocketAddr>, bool)>,
    unread_since_ns: Option<u64>,
    detailed_at_ns: u64,
    is_disputed: bool,
}

/// All descriptors of a process as they are known.
#[derive(Debug, Default)]
pub struct Descriptors {
    known: BTreeMap<u32, Known>,
    listed_before: bool,
    disputed: u64,
}

impl Descriptors {
    /// Descriptors that another process closed in this one's name.
    pub fn disputed(&self) -> u64 {
        self.disputed
    }

    /// Joins a list with the table; what is held now.
    pub fn join(&mut self, view: &View<'_>) -> Vec<Holding> {
        let mut before = std::mem::take(&mut self.known);
        for listed in view.listed {
            let known = before.remove(&listed.number);
            let known = self.one(view, listed, known);
            self.known.insert(listed.number, known);
        }
        self.listed_before = true;
        if view.with_details {
            self.details(view);
        }
        self.conditions(view);
        let certain = |known: &&Known| known.booked.is_some() || known.seen > 1;
        self.known.values().filter(certain).map(|known| known.holding.clone()).collect()
    }

    fn one(&mut self, view: &View<'_>, listed: &Listed, known: Option<Known>) -> Known {
        let booked = view.table.get(listed.number);
        let same = known.filter(|known| known.target == listed.target);
        match (same, booked) {
            (Some(mut known), booked) if booked == known.booked => {
                known.seen = known.seen.saturating_add(1);
                known
            }
            // A timer was read.
            (Some(mut known), Some(booked)) if known.is_read_since(booked) => {
                known.booked = Some(booked);
                known.holding.used_ns = Some(booked.owner);
                known.unread_since_ns = None;
                known
            }
            // A stream has taken it over, or it is another of the same name.
            (Some(known), Some(booked)) if known.booked.is_some_and(|b| b.born_ns == booked.born_ns) => {
                Known {
                    holding: Holding { class: class(booked, known.kind), ..known.holding },
                    booked: Some(booked),
                    ..known
                }
            }
            (Some(mut known), None) if known.booked.is_some() => {
                // From now on only the kernel vouches for it.
                self.disputed += u64::from(!std::mem::replace(&mut known.is_disputed, true));
                known.seen = known.seen.saturating_add(1);
                known
            }
            (_, booked) => self.fresh(view, listed, booked),
        }
    }

    fn fresh(&self, view: &View<'_>, listed: &Listed, booked: Option<Booked>) -> Known {
        let kind = DescriptorKind::look(view.pid, listed);
        let origin = match booked {
            Some(_) => Origin::Hooked,
            None if self.listed_before => Origin::Unhooked,
            None => Origin::Inherited,
        };
        let holding = Holding {
            id: u64::from(listed.number),
            class: booked.map_or_else(|| class_of_kind(kind), |booked| class(booked, kind)),
            origin,
            stack: StackId(booked.map_or(0, |booked| booked.stack)),
            born_ns: booked.map_or(view.listed_at_ns, |booked| booked.born_ns),
            size_bytes: 0,
            condition: Condition::Ordinary,
            used_ns: None,
            name: name(listed, kind, view),
        };
        Known {
            target: listed.target.clone(),
            kind,
            booked,
            holding,
            seen: 1,
            position: None,
            shown: None,
            unread_since_ns: None,
            detailed_at_ns: 0,
            is_disputed: false,
        }
    }

    /// Reads `fdinfo` of those that have waited longest for it: of timers always, of files that are not young any more.
    fn details(&mut self, view: &View<'_>) {
        let now_ns = view.listed_at_ns;
        let mut due: Vec<(u64, u32)> = self
            .known
            .iter()
            .filter(|(_, known)| matches!(known.kind, DescriptorKind::Timerfd | DescriptorKind::File))
            .map(|(number, known)| (known.detailed_at_ns, *number))
            .collect();
        due.sort_unstable();
        for (_, number) in due.into_iter().take(DETAILS_MAX) {
            let Some(known) = self.known.get_mut(&number) else { continue };
            known.detailed_at_ns = now_ns;
            if let Some(info) = fd_info(view.pid, number) {
                known.learn(&info, now_ns);
            }
        }
    }

    /// What the socket table says of the sockets.
    fn conditions(&mut self, view: &View<'_>) {
        for known in self.known.values_mut() {
            let DescriptorKind::Socket { inode } = known.kind else { continue };
            let Some(socket) = view.sockets.get(inode) else { continue };
            let shown = (socket.state, socket.local, socket.remote, socket.path.is_some());
            if known.shown.replace(shown) != Some(shown) {
                known.holding.name = socket_name(socket, view.redaction);
            }
            known.holding.condition = match (socket.state, known.holding.condition) {
                (SocketState::Listen, _) => Condition::Listening,
                (SocketState::CloseWait, Condition::CloseWait { since_ns }) => {
                    Condition::CloseWait { since_ns }
                }
                (SocketState::CloseWait, _) => Condition::CloseWait { since_ns: view.sockets_at_ns },
                _ => Condition::Ordinary,
            };
            let idle_ms = match (socket.last_sent_ms, socket.last_received_ms) {
                (Some(sent), Some(received)) => Some(sent.min(received)),
                (one, other) => one.or(other),
            };
            if let Some(idle_ms) = idle_ms {
                // Of a table that is some seconds old: who was in use then is taken to have been in use since.
                let used_ns = view.listed_at_ns.saturating_sub(idle_ms.saturating_mul(1_000_000));
                known.holding.used_ns = Some(used_ns.max(known.holding.born_ns));
            }
        }
    }

    /// Descriptors of this kind, with what is known of them.
    pub fn of_kind(&self, kind: DescriptorKind) -> impl Iterator<Item = u32> + '_ {
        self.known.iter().filter(move |(_, known)| known.kind == kind).map(|(number, _)| *number)
    }

    /// Whether the file with this inode is still open under the number. Only sockets and pipes have an inode of their own;
    /// any other open descriptor is taken for it.
    pub fn holds(&self, number: u32, inode: u64) -> bool {
        self.known.get(&number).is_some_and(|known| match known.kind {
            DescriptorKind::Socket { inode: own } => own == inode,
            DescriptorKind::Pipe => inode_in(&known.target).is_none_or(|own| own == inode),
            _ => true,
        })
    }

    /// Whether any of them is a socket.
    pub fn has_sockets(&self) -> bool {
        self.known.values().any(|known| matches!(known.kind, DescriptorKind::Socket { .. }))
    }
}

impl Known {
    /// Whether this is the same timer, read once more.
    fn is_read_since(&self, booked: Booked) -> bool {
        let same = |before: Booked| before.born_ns == booked.born_ns && before.class == booked.class;
        booked.class == Some(Class::Timerfd) && self.booked.is_some_and(same)
    }

    fn learn(&mut self, info: &FdInfo, now_ns: u64) {
        let FdDetail::Timer { ticks, interval_ns, .. } = info.detail else {
            if self.position.is_some_and(|before| before != info.position) {
                self.holding.used_ns = Some(now_ns);
            }
            self.position = Some(info.position);
            return;
        };
        // The kernel counts no further than the first expiration until somebody reads.
        self.holding.condition = if ticks == 0 {
            self.unread_since_ns = None;
            Condition::Ordinary
        } else {
            let since_ns = *self.unread_since_ns.get_or_insert(now_ns);
            Condition::Unread { since_ns, ticks, interval_ns }
        };
        self.holding.name = match interval_ns {
            0 => Arc::from("one-shot timerfd"),
            _ => Arc::from(format!("timerfd every {} ms", interval_ns / 1_000_000)),
        };
    }
}

/// What it is by the door it came through; the kernel knows better where a door gives several things.
fn class(booked: Booked, kind: DescriptorKind) -> Class {
    match (booked.class, kind) {
        (Some(Class::File), DescriptorKind::Memfd | DescriptorKind::SharedMemory) => Class::Memfd,
        (Some(Class::File), DescriptorKind::Directory) => Class::Directory,
        (Some(class), _) => class,
        (None, kind) => class_of_kind(kind),
    }
}

fn class_of_kind(kind: DescriptorKind) -> Class {
    match kind {
        DescriptorKind::File => Class::File,
        DescriptorKind::Directory => Class::Directory,
        DescriptorKind::Pipe => Class::Pipe,
        DescriptorKind::Socket { .. } => Class::Socket,
        DescriptorKind::Eventfd => Class::Eventfd,
        DescriptorKind::Epoll => Class::Epoll,
        DescriptorKind::Timerfd => Class::Timerfd,
        DescriptorKind::Signalfd => Class::Signalfd,
        DescriptorKind::Inotify => Class::Inotify,
        DescriptorKind::Memfd | DescriptorKind::SharedMemory => Class::Memfd,
        _ => Class::OtherDescriptor,
    }
}

fn name(listed: &Listed, kind: DescriptorKind, view: &View<'_>) -> Arc<str> {
    let is_nameless = !listed.target.starts_with('/') || kind == DescriptorKind::Memfd;
    if is_nameless { Arc::from(&*listed.target) } else { view.redaction.path(&listed.target) }
}

/// `TCP 127.0.0.1:80 to 127.0.0.1:5000, CLOSE_WAIT`
fn socket_name(socket: &Socket, redaction: Redaction) -> Arc<str> {
    let end = |end: &Option<SocketAddr>| end.map_or_else(String::new, |end| end.to_string());
    let local = socket.path.as_deref().map_or_else(|| end(&socket.local), str::to_owned);
    let remote = end(&socket.remote);
    let protocol = match socket.protocol {
        Protocol::Tcp | Protocol::Tcp6 => "TCP",
        Protocol::Udp | Protocol::Udp6 => "UDP",
        Protocol::UnixStream | Protocol::UnixDgram | Protocol::UnixSeqpacket => "unix",
        Protocol::Netlink => "netlink",
        _ => "socket",
    };
    let state = match socket.state {
        SocketState::Established => "connected",
        SocketState::CloseWait => "CLOSE_WAIT",
        SocketState::Listen => "listening",
        SocketState::SynSent | SocketState::SynRecv => "connecting",
        SocketState::Close | SocketState::Unconnected | SocketState::Unknown => "not connected",
        SocketState::FinWait1
        | SocketState::FinWait2
        | SocketState::TimeWait
        | SocketState::LastAck
        | SocketState::Closing => "closing",
    };
    let from = if local.is_empty() { String::new() } else { format!(" {}", redaction.address(&local)) };
    let to = if remote.is_empty() { String::new() } else { format!(" to {}", redaction.address(&remote)) };
    Arc::from(format!("{protocol}{from}{to}, {state}"))
}

/// `pipe:[123]`
fn inode_in(target: &str) -> Option<u64> {
    target.strip_suffix(']')?.rsplit_once('[')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use memguard_segment::{AtomicU64, Capacities, Layout, Segment};

    const SMALL: Capacities = Capacities {
        live_buckets: 1,
        stacks: 2,
        frames: 8,
        modules: 1,
        ring_slots: 4,
        descriptors: 16,
        object_buckets: 1,
    };

    /// A process whose table and whose kernel's list are made by hand; its numbers are beyond those of this test.
    struct Bench {
        words: Vec<AtomicU64>,
        descriptors: Descriptors,
        sockets: SocketTable,
        now_ns: u64,
    }

    impl Bench {
        fn new() -> Self {
            let layout = Layout::new(SMALL).expect("a layout");
            let words = (0..layout.words).map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
            Segment::format(&words, &layout).expect("a segment");
            Self {
                words,
                descriptors: Descriptors::default(),
                sockets: SocketTable::default(),
                now_ns: 1_000_000_000,
            }
        }

        fn table(&self) -> DescriptorTable<'_> {
            Segment::open(&self.words).expect("a segment").descriptors()
        }

        fn open(&self, number: u32, class: Class, born_ns: u64) {
            let booked = Booked { class: Some(class), stack: 7, born_ns, owner: 0 };
            self.table().open(number, &booked).expect("within the table");
        }

        /// One look at these descriptors.
        fn look(&mut self, listed: &[(u32, &str)]) -> Vec<Holding> {
            let listed: Vec<Listed> = listed
                .iter()
                .map(|(number, target)| Listed { number: *number, target: (*target).into() })
                .collect();
            self.now_ns += 1_000_000_000;
            let segment = Segment::open(&self.words).expect("a segment");
            let view = View {
                table: segment.descriptors(),
                listed: &listed,
                listed_at_ns: self.now_ns,
                // Nobody's.
                pid: i32::MAX,
                sockets: &self.sockets,
                sockets_at_ns: self.now_ns,
                with_details: false,
                redaction: Redaction::Off,
            };
            self.descriptors.join(&view)
        }
    }

    fn only(held: &[Holding]) -> &Holding {
        assert_eq!(held.len(), 1, "{held:?}");
        &held[0]
    }

    /// Goal: what a hook booked and the kernel lists has both their knowledge.
    #[test]
    fn both_agree() {
        let mut bench = Bench::new();
        bench.open(5, Class::Accepted, 42);
        let held = bench.look(&[(5, "socket:[77]")]);
        let held = only(&held);
        assert_eq!(
            (held.class, held.origin, held.stack, held.born_ns),
            (Class::Accepted, Origin::Hooked, StackId(7), 42)
        );
        assert!(
            bench.descriptors.holds(5, 77)
                && !bench.descriptors.holds(5, 78)
                && !bench.descriptors.holds(6, 77)
        );
    }

    /// Goal: what was there before is inherited; what comes past the hooks counts from the second list on, without a stack.
    #[test]
    fn inherited_and_unhooked() {
        let mut bench = Bench::new();
        assert!(
            bench.look(&[(4, "pipe:[1]")]).is_empty(),
            "one list alone may be a moment between two steps"
        );
        let held = bench.look(&[(4, "pipe:[1]"), (6, "/dev/shm/x")]);
        assert_eq!((only(&held).class, only(&held).origin), (Class::Pipe, Origin::Inherited));
        let held = bench.look(&[(4, "pipe:[1]"), (6, "/dev/shm/x")]);
        assert_eq!(
            (held[1].class, held[1].origin, held[1].stack),
            (Class::Memfd, Origin::Unhooked, StackId(0))
        );
        assert_eq!(held[1].born_ns, bench.now_ns - 1_000_000_000, "born at the list that showed it first");
    }

    /// Goal: what the kernel does not list is gone, whatever the table says.
    #[test]
    fn closed_past_the_hooks() {
        let mut bench = Bench::new();
        bench.open(5, Class::File, 42);
        assert_eq!(bench.look(&[(5, "/tmp/a")]).len(), 1);
        assert!(bench.look(&[]).is_empty());
    }

    /// Goal: a child that shares the memory closes its own copy: what was known of ours stays, and is counted once.
    #[test]
    fn a_close_of_somebody_else_is_no_close() {
        let mut bench = Bench::new();
        bench.open(5, Class::File, 42);
        bench.look(&[(5, "/tmp/a")]);
        bench.table().close(5);
        for _ in 0..3 {
            let held = bench.look(&[(5, "/tmp/a")]);
            assert_eq!((only(&held).origin, only(&held).born_ns), (Origin::Hooked, 42));
        }
        assert_eq!(bench.descriptors.disputed(), 1);
        // Another file under the number is another descriptor.
        assert!(bench.look(&[(5, "/tmp/b")]).is_empty());
        assert_eq!(only(&bench.look(&[(5, "/tmp/b")])).origin, Origin::Unhooked);
    }

    /// Goal: a number that was closed and opened again between two lists is another descriptor, even of the same file; a
    /// stream that takes a descriptor over is the same one.
    #[test]
    fn reused_and_adopted() {
        let mut bench = Bench::new();
        bench.open(5, Class::File, 42);
        bench.look(&[(5, "/tmp/a")]);
        bench.table().close(5);
        bench.open(5, Class::File, 99);
        assert_eq!(only(&bench.look(&[(5, "/tmp/a")])).born_ns, 99);
        bench.table().adopt(5, Class::Stream, 1234);
        let held = bench.look(&[(5, "/tmp/a")]);
        assert_eq!((only(&held).class, only(&held).born_ns), (Class::Stream, 99));
    }

    /// Goal: a timer counts as unread from the first expiration that was seen, until somebody reads it.
    #[test]
    fn timers_are_unread_until_they_are_read() {
        let timer = |ticks| FdInfo {
            detail: FdDetail::Timer { ticks, interval_ns: 20_000_000, remaining_ns: 0, clock: 1 },
            ..FdInfo::default()
        };
        let mut bench = Bench::new();
        bench.open(5, Class::Timerfd, 42);
        bench.look(&[(5, "anon_inode:[timerfd]")]);
        let known = bench.descriptors.known.get_mut(&5).expect("it is known");
        known.learn(&timer(0), 10);
        assert_eq!(known.holding.condition, Condition::Ordinary);
        known.learn(&timer(1), 20);
        known.learn(&timer(1), 30);
        let unread = Condition::Unread { since_ns: 20, ticks: 1, interval_ns: 20_000_000 };
        assert_eq!(known.holding.condition, unread);
        bench.table().used(5, Class::Timerfd, 40);
        bench.look(&[(5, "anon_inode:[timerfd]")]);
        let known = bench.descriptors.known.get_mut(&5).expect("it is known");
        assert_eq!(known.holding.used_ns, Some(40));
        known.learn(&timer(1), 50);
        assert_eq!(
            known.holding.condition,
            Condition::Unread { since_ns: 50, ticks: 1, interval_ns: 20_000_000 }
        );
    }

    /// Goal: names can be left out.
    #[test]
    fn redacted_names() {
        assert_eq!(&*Redaction::On.path("/home/u/secret"), "(redacted)");
        assert_eq!(Redaction::On.address(""), "");
        assert_eq!(Redaction::Off.address("10.0.0.7:5432"), "10.0.0.7:5432");
    }
}
