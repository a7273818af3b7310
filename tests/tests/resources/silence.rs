//! Resources, silence: healthy programs that look like leaking ones for a while.

use memguard_tests::report::SHOWN;
use memguard_tests::together::{ensure, together};

use crate::variant::Variant;

const SOURCES: [&str; 11] = [
    "healthy_files.c",
    "healthy_sockets.c",
    "healthy_descriptors.c",
    "healthy_timers.c",
    "healthy_threads.c",
    "healthy_children.c",
    "healthy_listeners.c",
    "healthy_mappings.c",
    "healthy_cpp_handles.cpp",
    "healthy_rust_handles.rs",
    "healthy_python.py",
];

/// Goal: same output, nothing shown. Method: as long and as many as in the leaking programs.
#[test]
fn near_misses_are_silent() {
    let variants: Vec<Variant> = SOURCES.into_iter().flat_map(Variant::healthy).collect();
    together(8, &variants, |variant| {
        let arguments = ["--objects", "60", "--seconds", "8"];
        let watched = variant.watch(&["--quiet", "--aggressive"], &arguments)?;
        let report = watched.report();
        println!("{variant}: {report}");
        let alone = variant.alone(&["--objects", "60", "--seconds", "0"]);
        ensure(watched.ended.stdout == alone, || format!("it says {}", watched.ended.stdout))?;
        ensure(report.findings(SHOWN).is_empty(), || report.to_string())
    });
}
