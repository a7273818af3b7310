//! pipeline: a reader sends log lines over a channel with room for thousands to a writer that stores them in small pieces and is slower.
//!
//! With `fixed` the channel has sixteen places, and the reader waits.

#[path = "service.rs"]
mod service;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

#[inline(never)]
fn read_line(number: u64) -> Vec<u8> {
    vec![b'l'; 500 + (number % 700) as usize] // LEAK read_line
}

fn main() {
    let mut service = service::Service::new(200.0);
    let (sender, receiver) = mpsc::sync_channel::<Vec<u8>>(if cfg!(fixed) { 16 } else { 5_000 });
    let waiting = Arc::new(AtomicU64::new(0));
    let writer = thread::spawn({
        let waiting = waiting.clone();
        move || {
            for line in receiver {
                waiting.fetch_sub(1, Ordering::Relaxed);
                thread::sleep(Duration::from_micros(if cfg!(fixed) { 500 } else { 8_000 }));
                std::hint::black_box(line.len());
            }
        }
    });
    while service.next() {
        service.work();
        let line = read_line(service.requests);
        waiting.fetch_add(1, Ordering::Relaxed);
        sender.send(line).expect("the writer lives");
    }
    let backlog = waiting.load(Ordering::Relaxed);
    assert!(!writer.is_finished());
    service.end(if cfg!(fixed) { 0 } else { backlog }, 0);
}
