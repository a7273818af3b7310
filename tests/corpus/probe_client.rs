//! probe_client: a monitor that sends a datagram per probe from a socket of its own. The socket's number is taken out with
//! into_raw_fd() for a C library that does not close it.

#[path = "service.rs"]
mod service;

use std::net::UdpSocket;
use std::os::fd::IntoRawFd;

#[inline(never)]
fn open_probe() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").expect("a port") // LEAK open_probe
}

fn probe(target: &UdpSocket) -> i32 {
    let socket = open_probe();
    socket.send_to(b"ping", target.local_addr().expect("bound")).expect("sent");
    socket.into_raw_fd() // the bug
}

fn main() {
    let mut service = service::Service::new(15.0);
    let target = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let mut lost = 0;
    while service.next() {
        lost += u64::from(probe(&target) >= 0);
        let mut word = [0; 8];
        target.recv_from(&mut word).expect("a datagram");
        service.work();
    }
    service.end(lost, 0);
}
