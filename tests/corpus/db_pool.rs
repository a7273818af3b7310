//! db_pool: a pool of connections to a database, here the other ends of socket pairs. It opens a connection when all are in use, up to
//! ten, and closes one that has been used 150 times.
//!
//! Healthy: descriptors come and go, ten at the most.

#[path = "service.rs"]
mod service;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

struct Connection {
    near: UnixStream,
    far: UnixStream,
    uses: u32,
}

impl Connection {
    fn open() -> Self {
        let (near, far) = UnixStream::pair().expect("a pair");
        Self { near, far, uses: 0 }
    }

    fn query(&mut self) {
        let mut answer = [0; 6];
        self.near.write_all(b"SELECT").expect("it is open");
        self.far.read_exact(&mut answer).expect("it is open");
        self.uses += 1;
    }
}

fn main() {
    let mut service = service::Service::new(200.0);
    let mut idle: Vec<Connection> = Vec::new();
    let mut busy: Vec<(f64, Connection)> = Vec::new();
    while service.next() {
        let now = service.now_s();
        while let Some(at) = busy.iter().position(|(until, _)| *until <= now) {
            let (_, connection) = busy.swap_remove(at);
            if connection.uses < 150 {
                idle.push(connection);
            }
        }
        if busy.len() < 10 {
            let mut connection = idle.pop().unwrap_or_else(Connection::open);
            connection.query();
            busy.push((now + service.exponential(0.02), connection));
        }
        service.work();
    }
    service.end(0, (idle.len() + busy.len()) as u64);
}
