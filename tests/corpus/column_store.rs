//! column_store: loads a table of eight columns, each a vector that grows as rows come, in the first third of the run; then it answers
//! queries.
//!
//! Healthy: containers that grow while data is loaded, and stay as they are from then on.

#[path = "service.rs"]
mod service;

const ROWS: usize = 400_000;

fn append_row(columns: &mut [Vec<u64>; 8], row: u64) {
    for (number, column) in columns.iter_mut().enumerate() {
        if column.len() == column.capacity() {
            column.reserve_exact(column.len() / 8 + 512);
        }
        column.push(row * number as u64 + 1);
    }
}

fn main() {
    let mut service = service::Service::new(200.0);
    let mut columns: [Vec<u64>; 8] = Default::default();
    let mut sum = 0_u64;
    while service.next() {
        let due = ((service.progress() * 3.0).min(1.0) * ROWS as f64) as usize;
        while columns[0].len() < due {
            let row = columns[0].len() as u64;
            append_row(&mut columns, row);
        }
        if due > 0 {
            let row = service.below(due as u64) as usize;
            sum = columns.iter().fold(sum, |sum, column| sum.wrapping_add(column[row]));
        }
        service.work();
    }
    assert!(sum > 0);
    service.end(0, columns[0].len() as u64);
}
