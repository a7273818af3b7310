//! sort_service: sorts batches of records without a pause; each batch is read, sorted, merged with the one before and dropped.
//!
//! Healthy: busy, with tens of megabytes alive that are replaced by the second.

#[path = "service.rs"]
mod service;

fn read_batch(service: &mut service::Service, count: usize) -> Vec<String> {
    (0..count).map(|_| format!("{:016x}-{:04}", service.below(u64::MAX / 2), service.below(10_000))).collect()
}

fn merge(left: &[String], right: &[String]) -> Vec<String> {
    let mut merged: Vec<String> = left.iter().chain(right).step_by(2).cloned().collect();
    merged.sort_unstable();
    merged
}

fn main() {
    let mut service = service::Service::new(1.0);
    let mut before: Vec<String> = Vec::new();
    while service.progress() < 1.0 {
        service.requests += 1;
        let count = 50_000 + service.below(50_000) as usize;
        let mut batch = read_batch(&mut service, count);
        batch.sort_unstable();
        before = merge(&before, &batch);
        before.truncate(80_000);
    }
    service.end(0, before.len() as u64);
}
