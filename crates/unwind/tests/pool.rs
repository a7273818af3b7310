//! Unwind, the pool: who gets which working memory. In: leases by hint. Out: each is held by one at a time.

use memguard_unwind::{Pool, WALKERS_MAX};

/// Goal: a pool of one serves one at a time, and grows while that one is held. Method: leases before, during and after growth.
#[test]
fn it_grows_under_a_lease() {
    let pool = Pool::new();
    assert!(pool.lease(0).is_none());
    pool.fill(1);
    let mut first = pool.lease(5).expect("the only one");
    first.frames[0] = 7;
    assert!(pool.lease(0).is_none());
    pool.fill(WALKERS_MAX);
    pool.fill(WALKERS_MAX + 1);
    assert_eq!(pool.count(), WALKERS_MAX);
    let others: Vec<_> = (1..WALKERS_MAX).map(|hint| pool.lease(hint).expect("a free one")).collect();
    let mut numbers: Vec<usize> = others.iter().map(memguard_unwind::Lease::number).collect();
    numbers.push(first.number());
    numbers.sort_unstable();
    assert_eq!(numbers, (0..WALKERS_MAX).collect::<Vec<_>>());
    assert!(pool.lease(0).is_none());
    assert_eq!(first.frames[0], 7);
    drop(first);
    assert_eq!(pool.lease(0).map(|lease| lease.frames[0]), Some(7));
}

/// Goal: growth waits for nobody and makes nothing twice. Method: threads that fill and walk at the same time.
#[test]
fn all_may_fill_it() {
    let pool = Pool::new();
    std::thread::scope(|scope| {
        for hint in 0..4 {
            let pool = &pool;
            scope.spawn(move || {
                for _ in 0..1000 {
                    pool.fill(WALKERS_MAX);
                    if let Some(mut lease) = pool.lease(hint) {
                        let id = 1 + hint as u64;
                        lease.frames[..8].fill(id);
                        std::hint::black_box(&mut lease.frames);
                        assert_eq!(lease.frames[..8], [id; 8]);
                    }
                }
            });
        }
    });
    assert!((0..WALKERS_MAX).map(|hint| pool.lease(hint)).all(|lease| lease.is_some()));
}
