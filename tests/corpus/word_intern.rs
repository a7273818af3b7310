//! word_intern: an indexer that interns words. There are 700 of them, in Zipf's proportions: common ones come at once, the rarest late.
//!
//! Healthy: a table of a bounded vocabulary. What is interned stays for ever, and there is an end to it: with the load of this
//! service the last tenth of the words is met in the first half of the run.

#[path = "service.rs"]
mod service;

use std::collections::HashSet;

const VOCABULARY: f64 = 700.0;

fn word(rank: u64) -> String {
    format!("word-of-rank-{rank}-in-the-vocabulary-of-this-index")
}

fn main() {
    let mut service = service::Service::new(500.0);
    let mut table: HashSet<Box<str>> = HashSet::new();
    let mut seen = 0_u64;
    while service.next() {
        for _ in 0..40 {
            // Density falls as one over rank.
            let rank = VOCABULARY.powf(service.uniform()) as u64;
            let word = word(rank);
            seen += word.len() as u64;
            if !table.contains(word.as_str()) {
                table.insert(word.into_boxed_str());
            }
        }
        service.work();
    }
    assert!(seen > 0);
    service.end(0, table.len() as u64);
}
