//! Inspect: sockets as the kernel's socket diagnosis (`NETLINK_SOCK_DIAG`) tells them. In: what to ask for. Out: filled
//! tables, and whether the kernel answered to the end.
//!
//! The messages are those of `netlink-packet-sock-diag`. The socket itself is `rustix`'s: `netlink-sys` would bring in
//! a log and a buffer crate for one `send` and one `recv`.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP};
use netlink_packet_sock_diag::inet::{self, ExtensionFlags, InetRequest, InetResponse, SocketId};
use netlink_packet_sock_diag::unix::{self, ShowFlags, UnixRequest, UnixResponse};
use rustix::io::retry_on_intr;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

use super::{Protocol, Socket, SocketState, SocketTable};

/// What the kernel fills at a time, at most.
const BUFFER_BYTES: usize = 32 * 1024;
/// The kernel answers while we ask; that long means that it does not.
const TIMEOUT: Duration = Duration::from_millis(500);
/// Length of a message's header, and what messages are aligned to.
const HEADER_BYTES: usize = 16;
const ALIGNMENT_BYTES: usize = 4;
/// Where `struct tcp_info` has the two times. Its start is the same since 2.4; the crate's own structure wants the end
/// as well, which older kernels lack.
const LAST_DATA_SENT: usize = 44;
const LAST_DATA_RECEIVED: usize = 52;

/// Adds the IP sockets of one protocol in the states of `mask`.
pub(super) fn ip(table: &mut SocketTable, protocol: Protocol, mask: u32) -> bool {
    let (family, number) = match protocol {
        Protocol::Tcp => (AF_INET, IPPROTO_TCP),
        Protocol::Tcp6 => (AF_INET6, IPPROTO_TCP),
        Protocol::Udp => (AF_INET, IPPROTO_UDP),
        Protocol::Udp6 => (AF_INET6, IPPROTO_UDP),
        _ => return false,
    };
    let request = SockDiagMessage::InetRequest(InetRequest {
        family,
        protocol: number,
        extensions: if number == IPPROTO_TCP { ExtensionFlags::INFO } else { ExtensionFlags::empty() },
        states: inet::StateFlags::from_bits_retain(mask),
        socket_id: if family == AF_INET { SocketId::new_v4() } else { SocketId::new_v6() },
    });
    dump(request, |message| match message {
        SockDiagMessage::InetResponse(response) => table.push(ip_socket(protocol, &response)),
        _ => true,
    })
}

/// Adds the Unix domain sockets.
pub(super) fn unix(table: &mut SocketTable) -> bool {
    let request = SockDiagMessage::UnixRequest(UnixRequest {
        state_flags: unix::StateFlags::from_bits_retain(u32::MAX),
        inode: 0,
        show_flags: ShowFlags::NAME | ShowFlags::PEER | ShowFlags::RQLEN,
        cookie: [0xff; 8],
    });
    dump(request, |message| match message {
        SockDiagMessage::UnixResponse(response) => table.push(unix_socket(&response)),
        _ => true,
    })
}

fn ip_socket(protocol: Protocol, response: &InetResponse) -> Socket {
    let header = &response.header;
    let is_tcp = matches!(protocol, Protocol::Tcp | Protocol::Tcp6);
    let state =
        if is_tcp { SocketState::of_tcp(header.state) } else { SocketState::of_datagram(header.state) };
    let mut socket = Socket::new(header.inode.into(), protocol, state);
    let id = &header.socket_id;
    let end = |address, port| (port != 0).then_some(SocketAddr::new(address, port));
    socket.local = end(id.source_address, id.source_port);
    socket.remote = end(id.destination_address, id.destination_port);
    socket.set_queues(header.recv_queue.into(), header.send_queue.into());
    for attribute in &response.nlas {
        match attribute {
            inet::nlas::Nla::TcpInfo(info) if !matches!(state, SocketState::Listen | SocketState::Close) => {
                socket.last_sent_ms = u32_at(info, LAST_DATA_SENT).map(u64::from);
                socket.last_received_ms = u32_at(info, LAST_DATA_RECEIVED).map(u64::from);
            }
            inet::nlas::Nla::Shutdown(sides) => socket.is_receive_shut = Some(sides & 1 != 0),
            _ => {}
        }
    }
    socket
}

fn unix_socket(response: &UnixResponse) -> Socket {
    let header = &response.header;
    let protocol = super::table_text::unix_protocol(header.kind.into());
    let mut socket = Socket::new(header.inode.into(), protocol, SocketState::of_datagram(header.state));
    socket.path = response.name().map(|name| match name {
        unix::nlas::UnixDiagName::Pathname(path) => path.to_string_lossy().into(),
        unix::nlas::UnixDiagName::Abstract(name) => format!("@{}", String::from_utf8_lossy(name)).into(),
    });
    socket.peer_inode = response.peer().filter(|inode| *inode != 0).map(u64::from);
    socket.is_receive_shut = response.shutdown_state().map(|sides| sides & 1 != 0);
    for attribute in &response.nlas {
        if let unix::nlas::Nla::ReceiveQueueLength(receive, send) = attribute {
            socket.set_queues((*receive).into(), (*send).into());
        }
    }
    socket
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

/// Asks, and hands every answer to `see` until that wants no more. Whether the kernel answered to the end (or for as
/// long as was wanted).
fn dump(request: SockDiagMessage, mut see: impl FnMut(SockDiagMessage) -> bool) -> bool {
    let Some(socket) = ask(request) else { return false };
    let mut buffer = vec![0_u8; BUFFER_BYTES];
    loop {
        let filled = match retry_on_intr(|| recv(&socket, buffer.as_mut_slice(), RecvFlags::TRUNC)) {
            Ok((filled, length)) if filled == length && length > 0 => filled,
            // Refused, too late, or longer than any dump is.
            _ => return false,
        };
        let answer = buffer.get(..filled).map_or(Answer::Broken, |data| see_messages(data, &mut see));
        match answer {
            Answer::More => {}
            Answer::Done => return true,
            Answer::Broken => return false,
        }
    }
}

/// Sends the question; the answers come on the socket, which is closed in the end by its drop.
fn ask(request: SockDiagMessage) -> Option<OwnedFd> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(request));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    let protocol = Some(netlink::SOCK_DIAG);
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol).ok()?;
    set_socket_timeout(&socket, Timeout::Recv, Some(TIMEOUT)).ok()?;
    // Without an address it goes to the kernel.
    retry_on_intr(|| send(&socket, &bytes, SendFlags::empty())).ok()?;
    Some(socket)
}

/// What came of one filled buffer.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    More,
    Done,
    Broken,
}

fn see_messages(mut data: &[u8], see: &mut impl FnMut(SockDiagMessage) -> bool) -> Answer {
    while !data.is_empty() {
        let Some(length) = u32_at(data, 0).map(|length| length as usize) else { return Answer::Broken };
        let Some(bytes) = data.get(..length).filter(|_| length >= HEADER_BYTES) else {
            return Answer::Broken;
        };
        match NetlinkMessage::<SockDiagMessage>::deserialize(bytes).map(|message| message.payload) {
            Ok(NetlinkPayload::InnerMessage(message)) => {
                if !see(message) {
                    return Answer::Done;
                }
            }
            Ok(NetlinkPayload::Done(done)) if done.code == 0 => return Answer::Done,
            Ok(NetlinkPayload::Done(_) | NetlinkPayload::Error(_) | NetlinkPayload::Overrun(_)) => {
                return Answer::Broken;
            }
            // One socket that cannot be understood is left out.
            Ok(_) | Err(_) => {}
        }
        data = data.get(length.next_multiple_of(ALIGNMENT_BYTES)..).unwrap_or_default();
    }
    Answer::More
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(data: &[u8]) -> Answer {
        see_messages(data, &mut |_| true)
    }

    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = ((HEADER_BYTES + payload.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn hostile_answers_end_the_dump() {
        assert_eq!(answer(&[]), Answer::More);
        assert_eq!(answer(&[1]), Answer::Broken);
        assert_eq!(answer(&[0; 64]), Answer::Broken, "a length of 0 would never end");
        assert_eq!(answer(&[0xff; 64]), Answer::Broken);
        let (error, done, socket) = (2, 3, 20);
        assert_eq!(answer(&message(error, &(-2_i32).to_ne_bytes())), Answer::Broken);
        assert_eq!(answer(&message(done, &(-2_i32).to_ne_bytes())), Answer::Broken);
        assert_eq!(answer(&message(done, &0_i32.to_ne_bytes())), Answer::Done);
        for length in 0..90 {
            for family in [AF_INET, AF_INET6, 1, 99] {
                let mut payload = vec![0xff; length];
                if let Some(first) = payload.first_mut() {
                    *first = family;
                }
                assert_eq!(answer(&message(socket, &payload)), Answer::More, "{family} {length}");
            }
        }
    }

    #[test]
    fn times_beyond_the_end_are_none() {
        assert_eq!(u32_at(&[0; 47], LAST_DATA_SENT), None);
        assert_eq!(u32_at(&[0; 48], LAST_DATA_SENT), Some(0));
        assert_eq!(u32_at(&[], usize::MAX), None);
    }
}
