//! Shape, sources: unsafe code stays where it is allowed, every file says what it is, and nothing knows the machine it
//! was written on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use memguard_tests::product::root;

use crate::output;

/// Crates that have a reason for unsafe code. The launcher, `collect` and `segment` keep theirs in one module each.
const UNSAFE: [&str; 8] = [
    "crates/unwind",
    "crates/segment",
    "crates/collect",
    "interposer",
    "interposer/annex",
    "interposer/operators",
    "interposer/allocx",
    "launcher",
];

/// Not part of the product.
const OUTSIDE: [&str; 2] = ["examples", "tests/fuzz"];

/// Files under version control, relative to the root.
fn tracked() -> Vec<PathBuf> {
    let text = output(Command::new("git").args(["ls-files", "-z"]).current_dir(root()));
    let files: Vec<_> =
        text.split_terminator('\0').map(PathBuf::from).filter(|path| root().join(path).is_file()).collect();
    assert!(files.len() > 100, "git lists {} files", files.len());
    files
}

fn with_extension<'a>(
    files: &'a [PathBuf],
    extensions: &'a [&str],
) -> impl Iterator<Item = (&'a Path, String)> {
    let wanted = |path: &&PathBuf| path.extension().is_some_and(|own| extensions.iter().any(|e| own == *e));
    files
        .iter()
        .filter(wanted)
        .map(|path| (path.as_path(), fs::read_to_string(root().join(path)).expect("text")))
}

/// Goal: unsafe code needs a reason. Method: each crate's root file, which forbids it or is on the list.
#[test]
fn unsafe_code_is_forbidden_where_it_has_no_reason() {
    let files = tracked();
    let mut crates = 0;
    for (path, text) in with_extension(&files, &["rs"]) {
        let is_root = path.ends_with("src/lib.rs") || path.ends_with("src/main.rs");
        if !is_root || OUTSIDE.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        crates += 1;
        let folder = path.parent().and_then(Path::parent).expect("CRATE/src/lib.rs");
        let allowed = UNSAFE.iter().any(|known| folder == Path::new(known));
        let forbids = text.contains("#![forbid(unsafe_code)]");
        assert!(forbids || allowed, "{} does not forbid unsafe code", path.display());
    }
    assert!(crates >= 12, "only {crates} crates were seen");
}

/// Goal: the launcher's unsafe code stays in one place. Method: it is denied, and allowed once.
#[test]
fn the_launcher_allows_unsafe_code_once() {
    let files = tracked();
    let mut allowed = Vec::new();
    for (path, text) in with_extension(&files, &["rs"]).filter(|(path, _)| path.starts_with("launcher/src")) {
        if path.ends_with("main.rs") {
            assert!(text.contains("#![deny(unsafe_code)]"), "launcher/src/main.rs does not deny unsafe code");
        }
        allowed.extend(text.contains("allow(unsafe_code)").then(|| path.to_owned()));
    }
    assert!(allowed.len() <= 1, "unsafe code is allowed in {allowed:?}");
}

/// Goal: whoever opens a file learns what it is. Method: its first line, after `#!`.
#[test]
fn every_source_file_opens_with_a_header() {
    let files = tracked();
    let mut bare = Vec::new();
    for (path, text) in with_extension(&files, &["rs", "c", "h", "cpp", "sh", "py"]) {
        let mut lines = text.lines().skip_while(|line| line.starts_with("#!/"));
        let first = lines.next().unwrap_or_default();
        let openings: &[&str] = match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => &["//! "],
            Some("sh") => &["# "],
            Some("py") => &["\"\"\"", "# "],
            _ => &["/* ", "// "],
        };
        if !openings.iter().any(|opening| first.starts_with(opening)) {
            bare.push(path.to_owned());
        }
    }
    assert!(bare.is_empty(), "without a header: {bare:?}");
}

/// Goal: nothing depends on the machine it was written on. Method: paths below homes and work folders in any text; only
/// the home of a user called `u` is an example.
#[test]
fn no_file_names_a_machines_own_paths() {
    let own = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/")];
    let mut found = Vec::new();
    for path in tracked() {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for (line, number) in text.lines().zip(1..) {
            let line = line.replace(concat!("/ho", "me/u/"), "");
            if own.iter().any(|folder| line.contains(folder)) {
                found.push(format!("{}:{number}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
