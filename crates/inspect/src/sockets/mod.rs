//! Inspect: the sockets of a process's network namespace, by inode number: what they talk to, in which state, for how
//! long nothing was sent or received. In: a process id. Out: a table that `socket:[INODE]` is looked up in.
//!
//! The kernel's socket diagnosis answers over netlink and knows the times; it needs no privilege. A process in another
//! network namespace cannot be asked about that way, so its `/proc/PID/net` is read, without times. That is also what
//! happens where netlink is refused.
//!
//! Not in either: TCP sockets that were never bound or connected, sockets not yet accepted (no inode), MPTCP, vsock.

mod diagnosis;
mod table_text;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;

/// More sockets than this are not kept, and [`SocketTable::is_cut`] says so.
const SOCKETS_MAX: usize = 262_144;

/// What a socket speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// TCP over IPv4.
    Tcp,
    /// TCP on an IPv6 socket, which may carry IPv4 too.
    Tcp6,
    /// UDP over IPv4.
    Udp,
    /// UDP on an IPv6 socket.
    Udp6,
    /// Unix domain, stream.
    UnixStream,
    /// Unix domain, datagrams.
    UnixDgram,
    /// Unix domain, packets in sequence.
    UnixSeqpacket,
    /// Netlink.
    Netlink,
    /// Raw IP, either version.
    Raw,
    /// Packets of a network device.
    Packet,
    /// None of these.
    Other,
}

/// State of a socket; those of TCP where it is not TCP as well, as the kernel has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SocketState {
    /// Connected.
    Established,
    /// Connecting.
    SynSent,
    /// Being connected to.
    SynRecv,
    /// Closed here, not yet confirmed.
    FinWait1,
    /// Closed here, open there.
    FinWait2,
    /// Closed on both sides, kept for stray packets.
    TimeWait,
    /// TCP without a connection.
    Close,
    /// Closed there, and still open here: the program has not called `close` yet.
    CloseWait,
    /// Closed on both sides, not yet confirmed.
    LastAck,
    /// Waiting for connections.
    Listen,
    /// Closed on both sides at once.
    Closing,
    /// Not connected, where that is no fault (UDP, Unix domain).
    Unconnected,
    /// A state this version does not know.
    Unknown,
}

impl SocketState {
    /// From the kernel's number for TCP.
    fn of_tcp(number: u8) -> Self {
        match number {
            1 => Self::Established,
            2 => Self::SynSent,
            3 | 12 => Self::SynRecv,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            // 13 is "bound, not connected", which only the diagnosis tells apart.
            7 | 13 => Self::Close,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            _ => Self::Unknown,
        }
    }

    /// The same for protocols without connections, where "closed" is the normal state.
    fn of_datagram(number: u8) -> Self {
        match Self::of_tcp(number) {
            Self::Close => Self::Unconnected,
            state => state,
        }
    }

    /// The kernel's number as a bit.
    fn bit(self) -> u32 {
        let number = match self {
            Self::Established => 1,
            Self::SynSent => 2,
            Self::SynRecv => 3,
            Self::FinWait1 => 4,
            Self::FinWait2 => 5,
            Self::TimeWait => 6,
            Self::Close => return 1 << 7 | 1 << 13,
            Self::CloseWait => 8,
            Self::LastAck => 9,
            Self::Listen => 10,
            Self::Closing => 11,
            Self::Unconnected | Self::Unknown => return 0,
        };
        1 << number
    }
}

/// Every TCP state but "time wait", whose sockets belong to no process any more; a busy host has 28,000 of them.
const TCP_STATES: u32 = !(1 << 6);

/// One socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// Its number, as in `socket:[INODE]`.
    pub inode: u64,
    /// What it speaks.
    pub protocol: Protocol,
    /// Its state.
    pub state: SocketState,
    /// Own end, IP only; `None` if it has none yet.
    pub local: Option<SocketAddr>,
    /// Other end, IP only; `None` if it has none.
    pub remote: Option<SocketAddr>,
    /// Address of a Unix domain socket, `@` first if it is an abstract one; `None` without a name.
    pub path: Option<Box<str>>,
    /// The other end of a Unix domain socket, if it still exists and the kernel tells.
    pub peer_inode: Option<u64>,
    /// Bytes received that the program has not read.
    pub receive_queue_bytes: u64,
    /// Bytes the program has sent that the other side has not confirmed (TCP) or read (Unix domain).
    pub send_queue_bytes: u64,
    /// Connections that wait to be accepted; only a listening socket has some.
    pub pending_connections: u64,
    /// Whether nothing can be received any more, because the other end has closed or the program wanted it so; `None`
    /// if the kernel does not tell.
    pub is_receive_shut: Option<bool>,
    /// Time since data was last sent (or since the connection), in ms; TCP only.
    pub last_sent_ms: Option<u64>,
    /// Time since data was last received (or since the connection), in ms; TCP only. The end of the connection is not
    /// data.
    pub last_received_ms: Option<u64>,
}

impl Socket {
    fn new(inode: u64, protocol: Protocol, state: SocketState) -> Self {
        Self {
            inode,
            protocol,
            state,
            local: None,
            remote: None,
            path: None,
            peer_inode: None,
            receive_queue_bytes: 0,
            send_queue_bytes: 0,
            pending_connections: 0,
            is_receive_shut: None,
            last_sent_ms: None,
            last_received_ms: None,
        }
    }

    /// Queues mean something else for a listening socket: connections waiting, and how many may wait.
    fn set_queues(&mut self, receive: u64, send: u64) {
        if self.state == SocketState::Listen {
            self.pending_connections = receive;
        } else {
            self.receive_queue_bytes = receive;
            self.send_queue_bytes = send;
        }
    }
}

/// The sockets of one network namespace at one time.
///
/// `cargo run --release -p memguard-inspect --example cost` on a virtual machine with 2 cores and Linux 6.18 (262,144
/// buckets in the kernel's table, which every question walks):
///
/// | sockets on the host | [`SocketTable::close_wait`] | [`SocketTable::of`] |
/// |---|---|---|
/// | 13 | 0.4 ms | 0.7 ms |
/// | 100 | 0.4 ms | 0.8 ms |
/// | 10,000 | 1.4 to 1.8 ms | 16 to 18 ms |
/// | 10,000, of which 1,000 in "close wait" | 2.6 to 4.1 ms | 18 to 20 ms |
///
/// Reading `/proc/net/tcp` instead takes 4 ms for 100 and 23 ms for 10,000, whatever the states asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SocketTable {
    /// Ascending by inode.
    sockets: Vec<Socket>,
    is_cut: bool,
}

impl SocketTable {
    /// All sockets in the network namespace of this process, those of other processes included.
    pub fn of(pid: i32) -> Self {
        let mut table = Self::default();
        let is_ours = is_own_namespace(pid);
        for (protocol, protocol6, file) in
            [(Protocol::Tcp, Protocol::Tcp6, "tcp"), (Protocol::Udp, Protocol::Udp6, "udp")]
        {
            table.add_ip(pid, is_ours, protocol, file, TCP_STATES);
            table.add_ip(pid, is_ours, protocol6, &format!("{file}6"), TCP_STATES);
        }
        let before = table.sockets.len();
        if !(is_ours && diagnosis::unix(&mut table)) {
            table.sockets.truncate(before);
            table_text::unix(&mut table, pid);
        }
        table_text::rest(&mut table, pid);
        table.sort();
        table
    }

    /// Only the TCP sockets in these states: the kernel leaves the others out itself, which makes it cheap.
    pub fn tcp_in_states(pid: i32, states: &[SocketState]) -> Self {
        let mut table = Self::default();
        let mask = states.iter().fold(0, |mask, state| mask | state.bit());
        let is_ours = is_own_namespace(pid);
        table.add_ip(pid, is_ours, Protocol::Tcp, "tcp", mask);
        table.add_ip(pid, is_ours, Protocol::Tcp6, "tcp6", mask);
        table.sort();
        table
    }

    /// Only the TCP sockets whose other end has closed while ours is still open.
    pub fn close_wait(pid: i32) -> Self {
        Self::tcp_in_states(pid, &[SocketState::CloseWait])
    }

    /// The socket of that inode.
    pub fn get(&self, inode: u64) -> Option<&Socket> {
        let index = self.sockets.binary_search_by_key(&inode, |socket| socket.inode).ok()?;
        self.sockets.get(index)
    }

    /// All sockets, ascending by inode.
    pub fn iter(&self) -> std::slice::Iter<'_, Socket> {
        self.sockets.iter()
    }

    /// Number of sockets.
    pub fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// Whether sockets are missing because there were too many.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    fn add_ip(&mut self, pid: i32, is_ours: bool, protocol: Protocol, file: &str, mask: u32) {
        let before = self.sockets.len();
        if !(is_ours && diagnosis::ip(self, protocol, mask)) {
            // Half an answer is replaced by a whole one.
            self.sockets.truncate(before);
            table_text::ip(self, pid, file, protocol, mask);
        }
    }

    /// Keeps a socket; whether there is room for more. Without an inode it belongs to no descriptor.
    fn push(&mut self, socket: Socket) -> bool {
        if self.sockets.len() >= SOCKETS_MAX {
            self.is_cut = true;
        } else if socket.inode != 0 {
            self.sockets.push(socket);
        }
        !self.is_cut
    }

    fn sort(&mut self) {
        self.sockets.sort_unstable_by_key(|socket| socket.inode);
        // A socket that changed its place while the kernel walked its tables is told twice.
        self.sockets.dedup_by_key(|socket| socket.inode);
    }
}

impl<'a> IntoIterator for &'a SocketTable {
    type Item = &'a Socket;
    type IntoIter = std::slice::Iter<'a, Socket>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Whether the process is in the network namespace of ours; no if that cannot be seen.
fn is_own_namespace(pid: i32) -> bool {
    let namespace = |path: &str| fs::metadata(path).map(|m| (m.dev(), m.ino())).ok();
    let own = namespace("/proc/thread-self/ns/net");
    own.is_some() && own == namespace(&format!("/proc/{pid}/ns/net"))
}

#[cfg(test)]
mod tests;
