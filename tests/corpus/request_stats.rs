//! request_stats: counts requests by user agent and path in a HashMap. Paths hold identifiers, so that most keys are new and none is
//! ever removed.

#[path = "service.rs"]
mod service;

use std::collections::HashMap;

#[derive(Default)]
struct Stats {
    counts: HashMap<String, [u64; 16]>,
}

impl Stats {
    #[inline(never)]
    fn count(&mut self, agent: u64, path: u64) -> u64 {
        let key = format!("agent/{agent} GET /accounts/{path:08}/statements?page=1&order=descending"); // LEAK count
        let counted = self.counts.entry(key).or_default(); // LEAK count
        counted[(path % 16) as usize] += 1;
        counted.iter().sum()
    }
}

fn main() {
    let mut service = service::Service::new(160.0);
    let mut stats = Stats::default();
    let mut most = 0;
    while service.next() {
        let path = if service.uniform() < 0.35 { service.below(20) } else { service.requests + 1_000 };
        most = most.max(stats.count(path % 3, path));
        service.work();
    }
    assert!(most > 1, "no key came again");
    service.end(stats.counts.len() as u64, 0);
}
