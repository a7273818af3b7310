//! Inspect: sockets as the text files in `/proc/PID/net` list them. In: a process id, whose network namespace they
//! show. Out: filled tables, without times.
//!
//! Parsed here: the `procfs` crate gives up a whole file for one line it does not know, and cuts a Unix domain address
//! at a blank.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::ControlFlow;

use super::{Protocol, Socket, SocketState, SocketTable};
use crate::lines::for_each_line;

/// About 150 bytes for each of the sockets kept, and as many that are passed over.
const BYTES_MAX: u64 = 96 << 20;
/// `__SO_ACCEPTCON` in the flags of a Unix domain socket: it listens.
const ACCEPTS_CONNECTIONS: u32 = 1 << 16;

/// Adds the IP sockets of `/proc/PID/net/FILE` in the states of `mask`.
pub(super) fn ip(table: &mut SocketTable, pid: i32, file: &str, protocol: Protocol, mask: u32) {
    each_line(table, pid, file, |line| ip_socket(line, protocol, mask));
}

/// Adds the Unix domain sockets.
pub(super) fn unix(table: &mut SocketTable, pid: i32) {
    each_line(table, pid, "unix", unix_socket);
}

/// Adds the few sockets of other families.
pub(super) fn rest(table: &mut SocketTable, pid: i32) {
    ip(table, pid, "raw", Protocol::Raw, u32::MAX);
    ip(table, pid, "raw6", Protocol::Raw, u32::MAX);
    each_line(table, pid, "netlink", |line| other_socket(line, Protocol::Netlink, 4));
    each_line(table, pid, "packet", |line| other_socket(line, Protocol::Packet, 6));
}

pub(super) fn unix_protocol(kind: u32) -> Protocol {
    match kind {
        1 => Protocol::UnixStream,
        2 => Protocol::UnixDgram,
        5 => Protocol::UnixSeqpacket,
        _ => Protocol::Other,
    }
}

/// The first line is a header, which parses as no socket; so does whatever else is no socket.
fn each_line(table: &mut SocketTable, pid: i32, file: &str, socket: impl Fn(&str) -> Option<Socket>) {
    let _ = for_each_line(&format!("/proc/{pid}/net/{file}"), BYTES_MAX, |line| {
        if socket(line).is_none_or(|socket| table.push(socket)) {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
}

/// `0: 0100007F:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 25 ...`: number, local, remote, state,
/// queues, timer, retransmits, user, timeout, inode.
fn ip_socket(line: &str, protocol: Protocol, mask: u32) -> Option<Socket> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (local, remote, state, queues) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let state = u8::from_str_radix(state, 16).ok()?;
    if 1_u32.checked_shl(state.into())? & mask == 0 {
        return None;
    }
    let is_tcp = matches!(protocol, Protocol::Tcp | Protocol::Tcp6);
    let state = if is_tcp { SocketState::of_tcp(state) } else { SocketState::of_datagram(state) };
    let mut socket = Socket::new(fields.nth(4)?.parse().ok()?, protocol, state);
    socket.local = endpoint(local);
    socket.remote = endpoint(remote);
    let (send, receive) = queues.split_once(':')?;
    socket.set_queues(u64::from_str_radix(receive, 16).ok()?, u64::from_str_radix(send, 16).ok()?);
    Some(socket)
}

/// `0100007F:1F90`, or four such words for IPv6: each as this machine would read it from the packet; the port is plain.
fn endpoint(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |index: usize| {
        let digits = address.get(index * 8..index * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (index, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(index)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    let port = u16::from_str_radix(port, 16).ok().filter(|port| *port != 0)?;
    Some(SocketAddr::new(ip, port))
}

/// `0000000031c4cfe3: 00000003 00000000 00010000 0001 01  1669 /run/x`: address, references, protocol, flags, type,
/// state, inode, and the rest of the line is the name.
fn unix_socket(line: &str) -> Option<Socket> {
    let mut rest = line;
    let mut field = || {
        let trimmed = rest.trim_ascii_start();
        let (field, tail) = trimmed.split_once(' ').unwrap_or((trimmed, ""));
        rest = tail;
        (!field.is_empty()).then_some(field)
    };
    let (_address, _references, _protocol) = (field()?, field()?, field()?);
    let flags = u32::from_str_radix(field()?, 16).ok()?;
    let kind = u32::from_str_radix(field()?, 16).ok()?;
    let state = match field()? {
        "01" if flags & ACCEPTS_CONNECTIONS != 0 => SocketState::Listen,
        "01" => SocketState::Unconnected,
        "02" => SocketState::SynSent,
        "03" => SocketState::Established,
        _ => SocketState::Unknown,
    };
    let mut socket = Socket::new(field()?.parse().ok()?, unix_protocol(kind), state);
    socket.path = (!rest.is_empty()).then(|| rest.into());
    Some(socket)
}

/// A line whose last field is the inode and whose field number `queue` is the memory received data takes.
fn other_socket(line: &str, protocol: Protocol, queue: usize) -> Option<Socket> {
    let inode = line.split_ascii_whitespace().last()?.parse().ok()?;
    let mut socket = Socket::new(inode, protocol, SocketState::Unconnected);
    socket.receive_queue_bytes = line.split_ascii_whitespace().nth(queue)?.parse().ok()?;
    Some(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_socket_has_no_bytes_but_connections() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000080:00000003 00:00000000 00000000     0        0 25 1 0 100";
        let socket = ip_socket(line, Protocol::Tcp, u32::MAX).expect("a socket");
        assert_eq!((socket.inode, socket.state), (25, SocketState::Listen));
        assert_eq!(
            (socket.pending_connections, socket.receive_queue_bytes, socket.send_queue_bytes),
            (3, 0, 0)
        );
        assert_eq!(socket.remote, None);
        assert_eq!(ip_socket(line, Protocol::Tcp, 1 << 8), None, "not in the mask");
        if cfg!(target_endian = "little") {
            assert_eq!(socket.local, Some(SocketAddr::from(([127, 0, 0, 1], 8080))));
            let v6 = endpoint("00000000000000000000000001000000:0016");
            assert_eq!(v6, Some(SocketAddr::from((Ipv6Addr::LOCALHOST, 22))));
        }
    }

    #[test]
    fn a_unix_name_may_hold_blanks() {
        let line = "0000000031c4cfe3: 00000002 00000000 00010000 0001 01  1669 /run/a b";
        let socket = unix_socket(line).expect("a socket");
        assert_eq!(
            (socket.inode, socket.protocol, socket.state),
            (1669, Protocol::UnixStream, SocketState::Listen)
        );
        assert_eq!(socket.path.as_deref(), Some("/run/a b"));
        let unnamed = unix_socket("0: 2 0 0 0002 01 7").expect("a socket");
        assert_eq!((unnamed.protocol, unnamed.state), (Protocol::UnixDgram, SocketState::Unconnected));
        assert_eq!(unnamed.path, None);
    }

    #[test]
    fn hostile_lines_are_no_sockets() {
        for line in [
            "",
            " ",
            "x",
            "sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
            "0: a b FF c",
            "0: : : 01 : 0 0 0 0 x",
            "0: 0:0 0:0 01 1:1 0 0 0 0 99999999999999999999",
            "Num       RefCount Protocol Flags    Type St Inode Path",
            "0000000031c4cfe3: 00000002 00000000 00010000 0001 01",
        ] {
            assert_eq!(ip_socket(line, Protocol::Udp, u32::MAX), None, "{line:?}");
            assert_eq!(unix_socket(line), None, "{line:?}");
            assert_eq!(other_socket(line, Protocol::Netlink, 9), None, "{line:?}");
        }
        for text in ["", ":", "é:0", "0100007:1", "0100007é:1", "0100007F:0", "0100007F:10000", "zzzzzzzz:1"]
        {
            assert_eq!(endpoint(text), None, "{text:?}");
        }
    }
}
