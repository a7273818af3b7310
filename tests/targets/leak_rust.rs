//! leak_rust: a Rust service that leaks in two ways: `Box::leak` in `keep_forever`, `mem::forget` in `forget_reply`.
//!
//! Arguments as in target.h; --objects are shared evenly between the two functions. The report must name them, not
//! the frames of `alloc`, and show their names demangled.
//!
//! expect: leak keep_forever forget_reply

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

#[inline(never)]
fn keep_forever(size: usize) -> &'static [u8] {
    let buffer = vec![1_u8; size].into_boxed_slice(); // LEAK
    Box::leak(black_box(buffer))
}

#[inline(never)]
fn forget_reply(size: usize) -> usize {
    let reply = String::from_utf8(vec![b'x'; size]).expect("ascii"); // LEAK
    let length = black_box(&reply).len();
    std::mem::forget(reply);
    length
}

#[inline(never)]
fn healthy_work(request: usize) -> usize {
    let words: Vec<String> = (0..10).map(|i| format!("word {i} of request {request}")).collect();
    let lengths: HashMap<&str, usize> = words.iter().map(|w| (w.as_str(), w.len())).collect();
    black_box(lengths.values().sum())
}

fn main() {
    let (mut objects, mut size, mut seconds) = (300_usize, 4096_usize, 3.0_f64);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    for pair in arguments.chunks(2) {
        match pair {
            [name, value] if name == "--objects" => objects = value.parse().expect("--objects N"),
            [name, value] if name == "--size" => size = value.parse().expect("--size B"),
            [name, value] if name == "--seconds" => seconds = value.parse().expect("--seconds S"),
            _ => {
                eprintln!("leak_rust: bad argument {pair:?} (usage: --objects N --size B --seconds S)");
                std::process::exit(2);
            }
        }
    }
    let start = Instant::now();
    let mut worked = 0;
    for request in 0..objects {
        worked += if request % 2 == 0 { keep_forever(size).len() } else { forget_reply(size) };
        black_box(healthy_work(request));
        let due = Duration::from_secs_f64(seconds * (request + 1) as f64 / objects as f64);
        if let Some(ahead) = due.checked_sub(start.elapsed()) {
            std::thread::sleep(ahead);
        }
    }
    println!("leak_rust: {objects} buffers forgotten, {worked} bytes");
}
