//! Shape, layers: lower ones never import higher ones.

use std::collections::{BTreeMap, BTreeSet};

use memguard_tests::product::cargo;
use serde_json::Value;

use crate::output;

/// Who may import whom, without the `memguard-` that all names begin with. `sampling` is arithmetic that knows nobody:
/// estimators are needed on the other side as well.
const TABLE: [(&str, &[&str]); 17] = [
    ("segment", &[]),
    ("sampling", &[]),
    ("unwind", &[]),
    ("symbolize", &[]),
    ("model", &["segment", "sampling"]),
    ("inspect", &["segment"]),
    ("annex", &[]),
    ("operators", &["annex"]),
    ("allocx", &["annex"]),
    ("interposer", &["segment", "sampling", "unwind", "annex"]),
    ("collect", &["segment", "model", "inspect"]),
    ("detect", &["model", "sampling"]),
    ("patterns", &["detect", "symbolize"]),
    ("recording", &["model", "detect"]),
    ("simulate", &["detect", "model", "sampling"]),
    ("report", &["detect", "model", "patterns", "symbolize"]),
    (
        "launcher",
        &[
            "segment",
            "sampling",
            "unwind",
            "model",
            "inspect",
            "collect",
            "detect",
            "recording",
            "symbolize",
            "patterns",
            "report",
        ],
    ),
];

/// Only they may import everything, or are left alone.
const OUTSIDE: [&str; 1] = ["tests"];

fn short(name: &str) -> Option<&str> {
    if name == "memguard" { Some("launcher") } else { name.strip_prefix("memguard-") }
}

/// Goal: the table above holds. Method: what cargo knows of the workspace; tests of a crate may import more.
#[test]
fn lower_layers_never_import_higher_ones() {
    let text = output(cargo().args(["metadata", "--format-version", "1", "--no-deps", "--offline"]));
    let metadata: Value = serde_json::from_str(&text).expect("JSON");
    let mut imports: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let Some(name) = package["name"].as_str().and_then(short) else {
            panic!("a stranger: {}", package["name"])
        };
        let dependencies = package["dependencies"].as_array().expect("dependencies").iter();
        let built = dependencies.filter(|dependency| dependency["kind"] != "dev");
        let own = built.filter_map(|dependency| short(dependency["name"].as_str()?));
        imports.insert(name, own.collect());
    }
    for outside in OUTSIDE {
        assert!(imports.remove(outside).is_some(), "no package {outside}");
    }
    let known: BTreeSet<&str> = TABLE.iter().map(|(name, _)| *name).collect();
    assert_eq!(imports.keys().copied().collect::<BTreeSet<_>>(), known, "a package is not in the table");
    for (name, allowed) in TABLE {
        let surplus: Vec<_> = imports[name].iter().filter(|import| !allowed.contains(import)).collect();
        assert!(surplus.is_empty(), "{name} must not import {surplus:?}");
    }
}
