//! Launcher, the demo's service: answers made-up requests and forgets one buffer in a hundred. In: nothing. Out: about
//! 20 seconds later, 60 MB that nobody will ever give back, beside a cache and a session table that are in order.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const RUN_TIME: Duration = Duration::from_secs(20);
const REQUESTS_PER_S: u64 = 5_000;
/// One request in so many fails and takes the path with the leak.
const FAILING_ONE_IN: u64 = 100;
const AUDIT_BYTES: usize = 64 << 10;
const CACHE_ENTRIES: usize = 2_000;

/// Serves until the time is up.
pub fn serve() {
    let mut server = Server { cache: VecDeque::new(), answered: 0 };
    let started = Instant::now();
    while started.elapsed() < RUN_TIME {
        let due = started.elapsed().as_millis() as u64 * REQUESTS_PER_S / 1000;
        while server.answered < due {
            server.handle_request(server.answered);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

struct Server {
    cache: VecDeque<Vec<u8>>,
    answered: u64,
}

impl Server {
    #[inline(never)]
    fn handle_request(&mut self, number: u64) {
        let request = parse_request(number);
        if number.is_multiple_of(FAILING_ONE_IN) {
            report_failure(&request);
        } else {
            self.remember_answer(&request);
        }
        self.answered += 1;
    }

    /// A cache that lets go of its oldest entry: grows, then stays. Not a leak.
    #[inline(never)]
    fn remember_answer(&mut self, request: &[u8]) {
        self.cache.push_back(request.repeat(4));
        if self.cache.len() > CACHE_ENTRIES {
            self.cache.pop_front();
        }
    }
}

/// Given back at the end of each request. Not a leak.
#[inline(never)]
fn parse_request(number: u64) -> Vec<u8> {
    format!("GET /item/{number} HTTP/1.1\r\nHost: demo\r\n\r\n").into_bytes()
}

/// The leak: the audit buffer of a failed request is never freed.
#[inline(never)]
fn report_failure(request: &[u8]) {
    let mut audit = Vec::with_capacity(AUDIT_BYTES);
    audit.extend_from_slice(request);
    audit.resize(AUDIT_BYTES, 0);
    std::mem::forget(std::hint::black_box(audit));
}
