//! price_history: a ticker that pushes each quote onto one vector "for the daily report". The report was abolished.

#[path = "service.rs"]
mod service;

#[derive(Clone, Copy)]
struct Quote {
    at: f64,
    bid: f64,
    ask: f64,
    volume: u64,
}

#[derive(Default)]
struct History {
    quotes: Vec<Quote>,
}

impl History {
    #[inline(never)]
    fn push_quote(&mut self, quote: Quote) {
        // A slower growth than the usual doubling, as of an append-only store.
        if self.quotes.len() == self.quotes.capacity() {
            self.quotes.reserve_exact(self.quotes.len() / 10 + 16); // LEAK push_quote
        }
        self.quotes.push(quote); // LEAK push_quote
    }
}

fn main() {
    let mut service = service::Service::new(250.0);
    let mut history = History::default();
    while service.next() {
        for level in 0..8 {
            let bid = 100.0 + service.uniform();
            history.push_quote(Quote { at: service.now_s(), bid, ask: bid + 0.01, volume: level });
        }
        service.work();
    }
    let spread: f64 =
        history.quotes.iter().map(|q| q.ask - q.bid + q.at * 0.0 + (q.volume as f64) * 0.0).sum();
    assert!(spread > 0.0);
    service.end(history.quotes.len() as u64, 0);
}
