//! Segments and control pages with any damage: what the fuzz targets do (`tests/fuzz`), on a stable toolchain and on as
//! many inputs as an ordinary test may take.
#![cfg(not(loom))]

#[path = "../../../tests/fuzz/src/collect.rs"]
mod collect;
#[path = "../../../tests/fuzz/src/control.rs"]
mod control;
#[path = "../../../tests/fuzz/src/seeds.rs"]
#[allow(dead_code)] // the seed of the target that is not here
mod seeds;
#[path = "../../../tests/fuzz/src/segment.rs"]
mod segment;

use memguard_segment::{Layout, Segment};
use proptest::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// Damage: words by their place, and what stands there.
fn damage() -> impl Strategy<Value = Vec<(usize, u64)>> {
    let value = prop_oneof![
        any::<u64>(),
        0u64..32,
        (0u64..32).prop_map(|n| u64::MAX - n),
        (0u32..64).prop_map(|b| 1 << b)
    ];
    // Half of it in the header and the control words, where it hurts most.
    let place = prop_oneof![0usize..16, 256usize..304, 364usize..400, 0usize..512];
    prop::collection::vec((place, value), 0..40)
}

fn damaged(mut bytes: Vec<u8>, damage: &[(usize, u64)]) -> Vec<u8> {
    for (place, value) in damage {
        if let Some(word) = bytes.get_mut(8 * place..8 * place + 8) {
            word.copy_from_slice(&value.to_le_bytes());
        }
    }
    bytes
}

#[test]
fn the_seeds_are_the_files() {
    let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/seeds");
    for (file, bytes) in [
        ("segment/in-use", seeds::segment()),
        ("collect/in-use", seeds::segment()),
        ("control/in-use", seeds::control()),
        ("unwind/pushed", seeds::unwind()),
    ] {
        let path = seeds.join(file);
        if std::env::var_os("MEMGUARD_WRITE_SEEDS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        assert!(
            std::fs::read(&path).unwrap() == bytes,
            "{file} is stale: run this test with MEMGUARD_WRITE_SEEDS=1"
        );
    }
}

#[test]
fn the_seeds_are_sound() {
    let words = seeds::words(&seeds::segment());
    let opened = Segment::open(&words).unwrap();
    assert_eq!(*opened.layout(), Layout::new(seeds::SMALL).unwrap());
    assert_eq!(words.len(), 1024, "two pages");
    segment::run(&seeds::segment());
    control::run(&seeds::control());
    collect::run(&seeds::segment());
}

proptest! {
    #[test]
    fn damaged_segments_are_read(damage in damage(), cut in prop_oneof![Just(8192usize), 0usize..8300]) {
        let mut bytes = damaged(seeds::segment(), &damage);
        bytes.truncate(cut);
        segment::run(&bytes);
        collect::run(&bytes);
    }

    #[test]
    fn random_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..4200)) {
        segment::run(&bytes);
        control::run(&bytes);
        collect::run(&bytes);
        // With the header in order, so that it is opened.
        let valid = seeds::segment();
        let mut bytes = [&valid[..56.min(bytes.len())], bytes.get(56..).unwrap_or_default()].concat();
        bytes.resize(4096, 0);
        segment::run(&bytes);
        collect::run(&bytes);
    }

    #[test]
    fn damaged_control_pages_are_read(damage in damage()) {
        control::run(&damaged(seeds::control(), &damage));
    }

    /// Damage between the collector's looks.
    #[test]
    fn segments_are_damaged_while_they_are_collected(
        before in damage(),
        meanwhile in prop::collection::vec((0u16..4096, any::<u64>()), 0..32),
    ) {
        let mut bytes = damaged(seeds::segment(), &before);
        // Only what is in the header would keep it from being opened.
        bytes[..56].copy_from_slice(&seeds::segment()[..56]);
        for (place, value) in meanwhile {
            bytes.extend(place.to_le_bytes());
            bytes.extend(value.to_le_bytes());
        }
        collect::run(&bytes);
    }
}

/// Another thread writes anything anywhere while the segment is read: what was checked is what is used.
#[test]
fn a_segment_that_changes_all_the_time_is_read() {
    let words = seeds::words(&seeds::segment());
    let layout = Layout::new(seeds::SMALL).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = 0x9E37_79B9_7F4A_7C15u64;
            while !over.load(Ordering::Relaxed) {
                // xorshift64
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let value =
                    if random & 1 == 0 { random >> (random & 63) } else { u64::from(random as u32 & 7) };
                words[(random >> 32) as usize % words.len()].store(value, Ordering::Relaxed);
            }
        });
        for _ in 0..2_000 {
            let segment = Segment::with_layout(&words, &layout);
            segment::read(&segment);
            for _ in 0..2 * segment.ring().capacity() {
                if matches!(segment.ring().pop(), memguard_segment::Next::Unfinished) {
                    segment.ring().abandon();
                }
            }
        }
        over.store(true, Ordering::Relaxed);
    });
}
