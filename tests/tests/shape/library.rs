//! Shape, the library as its programs see it: exports, needs, bindings.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use memguard_tests::product::{beside, library, portable_library, root};

use crate::output;

fn readelf(what: &str, file: &Path) -> String {
    output(Command::new("readelf").args(["--wide", what]).arg(file))
}

/// Goal: exactly the hooked functions are taken over, nothing else of ours can get into a program's way. Method: the
/// dynamic symbol table against `interposer/exports.txt`, for both builds.
#[test]
fn exports_are_the_listed_names() {
    let list = std::fs::read_to_string(root().join("interposer/exports.txt")).expect("the list");
    let listed: BTreeSet<&str> = list.lines().collect();
    assert!(list.lines().is_sorted(), "the list is sorted");
    // vfork returns twice on one stack: it needs an assembly entry.
    for (file, without) in [(library(), &[][..]), (portable_library(), &["vfork"])] {
        let table = output(Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(file));
        let exported: BTreeSet<&str> = table.lines().filter_map(|line| line.split(' ').next()).collect();
        let listed: BTreeSet<&str> = listed.iter().copied().filter(|name| !without.contains(name)).collect();
        let surplus: Vec<_> = exported.difference(&listed).collect();
        let missing: Vec<_> = listed.difference(&exported).collect();
        let name = file.display();
        assert!(
            surplus.is_empty() && missing.is_empty(),
            "{name} exports also {surplus:?}, but not {missing:?}"
        );
    }
}

/// Goal, method: the same for the libraries beside it.
#[test]
fn the_libraries_beside_it_export_the_listed_names() {
    for name in ["operators", "allocx"] {
        let list = root().join("interposer").join(name).join("exports.txt");
        let list = std::fs::read_to_string(list).expect("the list");
        let file = beside(&format!("libmemguard_{name}.so"));
        let table = output(Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(&file));
        let exported: BTreeSet<&str> = table.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(exported, list.lines().collect(), "{}", file.display());
        let dynamic = readelf("--dynamic", &file);
        for flag in ["SYMBOLIC", "BIND_NOW", "NODELETE"] {
            assert!(dynamic.contains(flag), "{} is not {flag}", file.display());
        }
        assert_eq!(dynamic.matches("(NEEDED)").count(), 1, "{} needs more than libc", file.display());
    }
}

/// Goal: the library drags nothing into a program that is not there already. Method: its NEEDED entries.
#[test]
fn nothing_but_libc_is_needed() {
    for (file, loader_too) in [(library(), false), (portable_library(), true)] {
        let dynamic = readelf("--dynamic", file);
        let needed = dynamic.lines().filter(|line| line.contains("(NEEDED)"));
        let mut needed: Vec<&str> = needed.filter_map(|line| line.split(['[', ']']).nth(1)).collect();
        // `__tls_get_addr`, which only the portable build calls, is the loader's; every program has it.
        needed.retain(|name| !(loader_too && name.starts_with("ld-linux")));
        assert_eq!(needed, ["libc.so.6"], "{}", file.display());
    }
}

/// Goal: no symbol is bound in the middle of a hook, where the loader's lock may be held. Method: the flags, and the
/// relocations, none of which may be lazy ones.
#[test]
fn every_symbol_is_bound_at_start() {
    for file in [library(), portable_library()] {
        let dynamic = readelf("--dynamic", file);
        let now = dynamic.lines().any(|line| line.contains("FLAGS_1") && line.contains("NOW"));
        let flags = dynamic.lines().any(|line| line.contains("(FLAGS)") && line.contains("BIND_NOW"));
        assert!(now && flags, "{} is not linked with -z now:\n{dynamic}", file.display());
    }
}

/// Goal: the library stays mapped until the process ends; a hook may always be running. Method: the flag.
#[test]
fn it_is_never_unloaded() {
    for file in [library(), portable_library()] {
        let dynamic = readelf("--dynamic", file);
        assert!(dynamic.contains("NODELETE"), "{}", file.display());
    }
}

/// Goal: reading our thread-local state never calls the loader, which may allocate. Method: no general-dynamic TLS in the
/// shipped build, seen in its imports and its flag.
#[cfg(target_arch = "x86_64")]
#[test]
fn thread_local_state_is_reached_without_a_call() {
    let imports = output(Command::new("nm").args(["-D", "--undefined-only"]).arg(library()));
    assert!(!imports.contains("__tls_get_addr"), "{imports}");
    assert!(readelf("--dynamic", library()).contains("STATIC_TLS"));
}
