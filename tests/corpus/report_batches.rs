//! report_batches: gathers bookings for a report, prints it and drops them: eight batches in the run.
//!
//! Healthy: within a batch nothing is freed, afterwards all of it.

#[path = "service.rs"]
mod service;

struct Booking {
    account: String,
    lines: Vec<u8>,
}

fn main() {
    let mut service = service::Service::new(250.0);
    let mut bookings: Vec<Booking> = Vec::new();
    let (mut batch, mut printed) = (0, 0);
    while service.next() {
        let size = 6_000 + service.below(20_000) as usize;
        bookings.push(Booking { account: format!("account-{:06}", service.requests), lines: vec![9; size] });
        let now = (service.progress() * 8.0) as u64;
        if now > batch {
            batch = now;
            printed +=
                bookings.iter().map(|booking| booking.account.len() + booking.lines.len()).sum::<usize>();
            bookings = Vec::new();
        }
        service.work();
    }
    assert!(printed > 0);
    service.end(0, bookings.len() as u64);
}
