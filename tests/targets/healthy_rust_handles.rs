//! healthy_rust_handles: a Rust service that drops what it opened.
//!
//! files                a file for each request
//! connections          both ends of a connection for each request
//! detached_threads     the `JoinHandle` is dropped: the thread is detached, which is no leak
//! joined_threads       scoped
//! children             waited for
//!
//! expect: silence
//! what: files connections detached_threads joined_threads children

mod variants;

use std::fs::File;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;

fn files(_request: usize) {
    let mut text = String::new();
    File::open("/etc/passwd").expect("it is there").read_to_string(&mut text).expect("text");
    black_box(text);
}

fn connections(_request: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut client = TcpStream::connect(listener.local_addr().expect("known")).expect("it listens");
    let (mut served, _) = listener.accept().expect("it came");
    let mut word = [0; 5];
    client.write_all(b"hello").expect("sent");
    served.read_exact(&mut word).expect("received");
    black_box(word);
}

fn detached_threads(request: usize) {
    drop(thread::spawn(move || black_box(request)));
}

fn joined_threads(request: usize) {
    thread::scope(|scope| {
        scope.spawn(|| black_box(request));
        scope.spawn(|| black_box(request + 1));
    });
}

fn children(_request: usize) {
    assert!(Command::new("/bin/true").status().expect("it starts").success());
}

fn main() {
    variants::run(
        "healthy_rust_handles",
        &[
            ("files", files),
            ("connections", connections),
            ("detached_threads", detached_threads),
            ("joined_threads", joined_threads),
            ("children", children),
        ],
    );
}
