//! stuck_workers: starts a thread per long poll. A thread whose client is gone waits for a message that nobody can send any more,
//! because the sender is kept in a table.

#[path = "service.rs"]
mod service;

use std::sync::mpsc::{channel, Sender};
use std::thread;

#[inline(never)]
fn start_poll(table: &mut Vec<Sender<u8>>, gone: bool) {
    let (sender, receiver) = channel::<u8>();
    let poll =
        thread::Builder::new().stack_size(128 * 1024).spawn(move || receiver.recv().unwrap_or_default()); // LEAK start_poll
    let poll = poll.expect("a thread");
    if gone {
        table.push(sender); // the bug
    } else {
        sender.send(1).expect("it waits");
        poll.join().expect("it ends");
    }
}

fn main() {
    let mut service = service::Service::new(25.0);
    let mut table = Vec::new();
    while service.next() {
        let gone = service.uniform() < 0.4;
        start_poll(&mut table, gone);
        service.work();
    }
    service.end(table.len() as u64, 0);
}
