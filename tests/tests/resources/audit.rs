//! Resources, audit: sixty leaked in eight seconds, and a youngest suspect age of two.

use memguard_tests::report::Finding;
use memguard_tests::together::{ensure, together};

use crate::variant::Variant;

const SOURCES: [&str; 12] = [
    "leak_files.c",
    "leak_streams.c",
    "leak_sockets.c",
    "leak_descriptors.c",
    "leak_timers.c",
    "leak_unjoined.c",
    "leak_children.c",
    "leak_listeners.c",
    "leak_mappings.c",
    "leak_cpp_handles.cpp",
    "leak_rust_handles.rs",
    "leak_python.py",
];

/// Connections that are merely idle are asked for patience: many servers close them after a while.
fn arguments(variant: &Variant) -> &'static [&'static str] {
    if variant.to_string().ends_with("keep_idle") {
        &["--objects", "100", "--seconds", "16"]
    } else {
        &["--objects", "60", "--seconds", "8"]
    }
}

/// Goal: each leak is named by its kind, function and line, and nothing else is shown. Method: eight at a time; one that a
/// busy machine disturbed may try again.
#[test]
fn every_leak_is_found() {
    let variants: Vec<Variant> = SOURCES.into_iter().flat_map(Variant::leaking).collect();
    together(8, &variants, |variant| {
        let mut attempt = 1;
        loop {
            let watched = variant.watch(&["--quiet", "--aggressive"], arguments(variant))?;
            let report = watched.report();
            let found = variant.judge(&report).map(|found| found.map(Finding::confidence));
            if let Ok(Some(confidence)) = found {
                println!("{variant}: {confidence:.2} at attempt {attempt}: {report}");
                return Ok(());
            }
            ensure(attempt < 2, || format!("{found:?} after {attempt} attempts: {report}"))?;
            attempt += 1;
        }
    });
}
