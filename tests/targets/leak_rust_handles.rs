//! leak_rust_handles: a Rust service that forgets what it opened: `mem::forget` takes their `drop` away.
//!
//! forget_file        a file for each request
//! forget_socket      a datagram socket for each request
//! forget_connection  a connection that the peer closed
//! forget_child       a child process that is never waited for
//!
//! expect: leak forget_file forget_socket forget_connection forget_child
//! kind: forget_file file-not-closed
//! kind: forget_socket socket-not-closed
//! kind: forget_connection socket-close-wait
//! kind: forget_child zombie-not-reaped

mod variants;

use std::fs::File;
use std::hint::black_box;
use std::mem::forget;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;

#[inline(never)]
fn forget_file(_request: usize) {
    let file = File::open("/etc/passwd").expect("it is there"); // LEAK
    forget(black_box(file));
}

#[inline(never)]
fn forget_socket(_request: usize) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port"); // LEAK
    forget(black_box(socket));
}

#[inline(never)]
fn forget_connection(_request: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("known");
    let connection = TcpStream::connect(address).expect("it listens"); // LEAK
    drop(listener.accept().expect("it came"));
    forget(black_box(connection));
}

#[inline(never)]
fn forget_child(_request: usize) {
    let child = Command::new("/bin/true").spawn().expect("it starts"); // LEAK
    forget(black_box(child));
}

fn main() {
    variants::run(
        "leak_rust_handles",
        &[
            ("forget_file", forget_file),
            ("forget_socket", forget_socket),
            ("forget_connection", forget_connection),
            ("forget_child", forget_child),
        ],
    );
}
