//! random_cache: a cache of 300 web pages; when it is full a new one takes a random place.
//!
//! Healthy: a bounded cache whose entries have geometric lifetimes; a few get very old.

#[path = "service.rs"]
mod service;

struct Page {
    address: u64,
    body: Vec<u8>,
}

fn fetch_page(address: u64, size: usize) -> Page {
    Page { address, body: vec![1; size] }
}

fn main() {
    let mut service = service::Service::new(500.0);
    let mut pages: Vec<Page> = Vec::with_capacity(300);
    let mut hits = 0;
    while service.next() {
        let address = service.below(5_000);
        if pages.iter().any(|page| page.address == address) {
            hits += 1;
        } else {
            let size = 300 + service.below(2_000) as usize;
            let page = fetch_page(address, size);
            if pages.len() < 300 {
                pages.push(page);
            } else {
                let place = service.below(300) as usize;
                pages[place] = page;
            }
        }
        service.work();
    }
    assert!(hits > 0 && pages.iter().all(|page| page.body[0] == 1));
    service.end(0, pages.len() as u64);
}
