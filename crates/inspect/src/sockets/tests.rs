//! Goal: real sockets of this process are told as they are, and by both ways the same. Method: make them on the
//! loopback device, and wait for what the kernel does by reading, not by time.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use super::*;

fn me() -> i32 {
    std::process::id() as i32
}

fn inode(fd: impl AsFd) -> u64 {
    nix::sys::stat::fstat(fd).expect("stat").st_ino
}

fn connected() -> (TcpListener, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let (server, _) = listener.accept().expect("accepted");
    (listener, client, server)
}

/// Both ways: the diagnosis (or what stands in for it), and the text alone.
fn tables() -> [SocketTable; 2] {
    let mut text = SocketTable::default();
    for (file, protocol) in
        [("tcp", Protocol::Tcp), ("tcp6", Protocol::Tcp6), ("udp", Protocol::Udp), ("udp6", Protocol::Udp6)]
    {
        table_text::ip(&mut text, me(), file, protocol, TCP_STATES);
    }
    table_text::unix(&mut text, me());
    table_text::rest(&mut text, me());
    text.sort();
    [SocketTable::of(me()), text]
}

#[test]
fn a_connection_has_two_ends_and_bytes_in_its_queues() {
    let (listener, mut client, server) = connected();
    client.write_all(b"12345").expect("sent");
    // One byte is looked at and left, so that all five are known to have arrived.
    server.peek(&mut [0; 5]).expect("arrived");
    for table in tables() {
        let socket = table.get(inode(&server)).expect("the accepted socket");
        assert_eq!((socket.protocol, socket.state), (Protocol::Tcp, SocketState::Established));
        assert_eq!((socket.local, socket.remote), (server.local_addr().ok(), client.local_addr().ok()));
        assert_eq!(socket.receive_queue_bytes, 5);
        assert_eq!(table.get(inode(&listener)).map(|s| s.state), Some(SocketState::Listen));
        assert!(!table.is_cut());
    }
    if is_own_namespace(me()) {
        let table = SocketTable::tcp_in_states(me(), &[SocketState::Established]);
        let socket = table.get(inode(&server)).expect("the accepted socket");
        assert!(socket.last_received_ms.is_some() && socket.last_sent_ms.is_some());
        assert_eq!(table.get(inode(&listener)), None, "not asked for");
    }
}

#[test]
fn close_wait_lists_only_what_the_other_end_has_closed() {
    let (_listener, client, mut server) = connected();
    let (_other_listener, other_client, other_server) = connected();
    assert_eq!(SocketTable::close_wait(me()).get(inode(&server)), None, "near miss: both ends are open");
    drop(client);
    assert_eq!(server.read(&mut [0]).expect("the end"), 0);
    let table = SocketTable::close_wait(me());
    let socket = table.get(inode(&server)).expect("in close wait");
    assert_eq!(socket.state, SocketState::CloseWait);
    assert!(table.iter().all(|s| s.state == SocketState::CloseWait));
    assert_eq!(table.get(inode(&other_server)), None);
    assert_eq!(table.get(inode(&other_client)), None);
    let mut text = SocketTable::default();
    table_text::ip(&mut text, me(), "tcp", Protocol::Tcp, SocketState::CloseWait.bit());
    text.sort();
    assert_eq!(text.get(inode(&server)).map(|s| s.remote), Some(socket.remote));
    let gone = inode(&server);
    drop(server);
    assert_eq!(SocketTable::close_wait(me()).get(gone), None);
}

#[test]
fn connections_that_wait_to_be_accepted_are_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let _clients: Vec<_> = (0..3).map(|_| TcpStream::connect(address).expect("connected")).collect();
    // A connect returns before the other side has put it in its queue; an accept waits for one.
    let _first = listener.accept().expect("accepted");
    for table in tables() {
        let socket = table.get(inode(&listener)).expect("the listener");
        assert!(socket.pending_connections <= 2);
        assert_eq!((socket.receive_queue_bytes, socket.last_sent_ms), (0, None));
    }
}

#[test]
fn udp_is_unconnected_or_connected() {
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let other = UdpSocket::bind("127.0.0.1:0").expect("a port");
    other.connect(udp.local_addr().expect("bound")).expect("connected");
    for table in tables() {
        let socket = table.get(inode(&udp)).expect("the socket");
        assert_eq!((socket.protocol, socket.state), (Protocol::Udp, SocketState::Unconnected));
        assert_eq!(socket.local, udp.local_addr().ok());
        assert_eq!(table.get(inode(&other)).map(|s| s.state), Some(SocketState::Established));
    }
}

#[test]
fn unix_sockets_have_names_and_peers() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a socket");
    let listener = UnixListener::bind(&path).expect("bound");
    let (one, two) = UnixStream::pair().expect("a pair");
    let datagram = UnixDatagram::unbound().expect("a socket");
    for table in tables() {
        let socket = table.get(inode(&listener)).expect("the listener");
        assert_eq!((socket.protocol, socket.state), (Protocol::UnixStream, SocketState::Listen));
        assert_eq!(socket.path.as_deref(), path.to_str());
        assert_eq!(table.get(inode(&one)).map(|s| s.state), Some(SocketState::Established));
        let socket = table.get(inode(&datagram)).expect("the datagram socket");
        assert_eq!((socket.protocol, socket.state), (Protocol::UnixDgram, SocketState::Unconnected));
    }
    let mut table = SocketTable::default();
    if diagnosis::unix(&mut table) {
        table.sort();
        let socket = table.get(inode(&one)).expect("one end");
        assert_eq!((socket.peer_inode, socket.is_receive_shut), (Some(inode(&two)), Some(false)));
        drop(two);
        // A child that another test has forked may hold it a little longer, until it executes something.
        assert_eq!((&one).read(&mut [0]).expect("the end"), 0);
        let mut table = SocketTable::default();
        assert!(diagnosis::unix(&mut table));
        table.sort();
        let socket = table.get(inode(&one)).expect("one end");
        assert_eq!(
            (socket.peer_inode, socket.is_receive_shut),
            (None, Some(true)),
            "the other end has closed"
        );
    }
}

#[test]
fn netlink_sockets_are_seen() {
    let socket = rustix::net::socket(rustix::net::AddressFamily::NETLINK, rustix::net::SocketType::RAW, None);
    let socket = socket.expect("a socket");
    let address = rustix::net::netlink::SocketAddrNetlink::new(0, 0);
    rustix::net::bind(&socket, &address).expect("bound");
    assert_eq!(SocketTable::of(me()).get(inode(&socket)).map(|s| s.protocol), Some(Protocol::Netlink));
}

#[test]
fn asking_leaves_no_descriptor_open() {
    // Other tests open and close descriptors at the same time, so only sockets of this kind are counted.
    let diagnosis_sockets = || {
        let text = fs::read_to_string("/proc/self/net/netlink").unwrap_or_default();
        let own = std::process::id().to_string();
        text.lines().filter(|l| l.split_ascii_whitespace().nth(2) == Some(&own)).count()
    };
    let before = diagnosis_sockets();
    for _ in 0..50 {
        SocketTable::close_wait(me());
    }
    assert!(diagnosis_sockets() < before + 40);
}

#[test]
fn a_process_that_is_gone_has_an_empty_table() {
    assert!(SocketTable::of(-1).is_empty());
    assert!(SocketTable::close_wait(-1).is_empty());
}
