//! service: what service.h is for C, for the corpus' Rust programs: requests at random times, and the ledger.
//! In: --seconds S. Out: one line, "NAME: requests=R leaked=L held=H".
#![allow(dead_code)]

use std::process::exit;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The clock and the random numbers of a program.
pub struct Service {
    name: String,
    start: Instant,
    due_s: f64,
    gap_s: f64,
    seconds: f64,
    state: u64,
    pub requests: u64,
}

impl Service {
    /// `rate` is the mean number of requests a second.
    pub fn new(rate: f64) -> Self {
        let words: Vec<String> = std::env::args().collect();
        let name = words[0].rsplit('/').next().unwrap_or_default().to_owned();
        let seconds = match &words[1..] {
            [] => Some(6.0),
            [option, value] if option == "--seconds" => value.parse().ok().filter(|s: &f64| *s > 0.0),
            _ => None,
        };
        let Some(seconds) = seconds else {
            eprintln!("{name}: usage: {name} [--seconds S]");
            exit(2);
        };
        let state =
            name.bytes().fold(88_172_645_463_325_252, |h: u64, b| h.wrapping_mul(31).wrapping_add(b.into()));
        Self { name, start: Instant::now(), due_s: 0.0, gap_s: 1.0 / rate, seconds, state, requests: 0 }
    }

    pub fn now_s(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Share of the run that is over.
    pub fn progress(&self) -> f64 {
        (self.now_s() / self.seconds).min(1.0)
    }

    /// From now on requests come at this mean rate.
    pub fn rate(&mut self, rate: f64) {
        self.gap_s = 1.0 / rate;
    }

    /// Waits for the next request; false when the time is over.
    pub fn next(&mut self) -> bool {
        let now = self.now_s();
        self.due_s = (self.due_s + self.exponential(self.gap_s)).max(now - 1.0);
        if self.due_s - now > 0.0002 {
            sleep(Duration::from_secs_f64(self.due_s - now));
        }
        self.requests += 1;
        self.progress() < 1.0
    }

    /// A random number in [0, 1), the same on every run.
    pub fn uniform(&mut self) -> f64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) as f64 / 9_007_199_254_740_992.0
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        (self.uniform() * limit as f64) as u64
    }

    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.uniform()).ln()
    }

    /// The ordinary work of one request: memory taken and given back at once.
    pub fn work(&mut self) {
        let head = vec![1_u8; 64 + self.below(200) as usize];
        let body = vec![2_u8; 300 + self.below(4000) as usize];
        std::hint::black_box((&head, &body));
    }

    /// Says what was counted and ends the program at once: nothing is dropped, as when a service is told to stop.
    pub fn end(&self, leaked: u64, held: u64) -> ! {
        println!("{}: requests={} leaked={leaked} held={held}", self.name, self.requests);
        exit(0)
    }
}
