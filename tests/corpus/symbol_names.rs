//! symbol_names: a query engine that wants names of 'static lifetime, and makes them with Box::leak() for each query anew instead of
//! looking them up in a table.

#[path = "service.rs"]
mod service;

#[inline(never)]
fn static_name(column: u64, query: u64) -> &'static str {
    let name = format!("table_{}.column_{column}.query_{query}.aggregate_sum_over_window", column % 7);
    Box::leak(name.into_boxed_str()) // LEAK static_name
}

fn plan(query: u64, columns: u64) -> usize {
    (0..columns).map(|column| static_name(column, query).len()).sum()
}

fn main() {
    let mut service = service::Service::new(60.0);
    let (mut leaked, mut length) = (0, 0);
    while service.next() {
        let columns = 1 + service.below(4);
        leaked += columns;
        length += plan(service.requests, columns);
        service.work();
    }
    assert!(length > 0);
    service.end(leaked, 0);
}
