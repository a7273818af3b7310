//! linker_job: reads object after object into tables of symbols and relocations, resolves them all, and exits without dropping them.
//!
//! Healthy: a busy job; memory is kept to the end because the end is near.

#[path = "service.rs"]
mod service;

use std::collections::HashMap;

struct Object {
    code: Vec<u8>,
    relocations: Vec<(u32, u64)>,
}

fn read_object(service: &mut service::Service, number: u64) -> Object {
    let size = 1_000 + service.below(6_000) as usize;
    let code = (0..size).map(|at| (at as u64 * 31 + number) as u8).collect();
    let relocations = (0..60).map(|at| (at * 16, service.below(50_000))).collect();
    Object { code, relocations }
}

fn main() {
    let mut service = service::Service::new(1.0);
    let mut objects = Vec::new();
    let mut symbols: HashMap<u64, (usize, String)> = HashMap::new();
    let mut sum = 0_u64;
    while service.progress() < 1.0 {
        service.requests += 1;
        let number = service.requests;
        let object = read_object(&mut service, number);
        for at in 0..20 {
            let symbol = number * 20 + at;
            symbols.insert(symbol, (objects.len(), format!("_ZN4demo8symbol{symbol}Ev")));
        }
        objects.push(object);
        // Each object is checked against what is there so far: many passes over recent code.
        for _ in 0..30 {
            for object in objects.iter().rev().take(8) {
                sum = sum
                    .wrapping_add(object.code.iter().fold(0, |a: u64, b| a.wrapping_mul(33) ^ u64::from(*b)));
                sum = sum.wrapping_add(
                    object.relocations.iter().filter(|(_, s)| symbols.contains_key(s)).count() as u64,
                );
            }
        }
    }
    assert!(sum > 0);
    service.end(0, objects.len() as u64 + symbols.len() as u64);
}
