//! Test kit, targets: the programs that are watched. In: `tests/targets` (built by `scripts/build-targets.sh`) and the
//! tests' own `tests/tests/programs`. Out: paths of programs, and what a target's source says of itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::product;

/// The folder with everything built, made once a run; later runs build only what has changed.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let out = product::target_dir().join("targets");
        let script = product::root().join("scripts/build-targets.sh");
        let output = Command::new("sh").arg(script).arg(&out).output().expect("sh starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        out.canonicalize().expect("it was made")
    })
}

/// A program of `tests/targets`.
pub fn target(name: &str) -> PathBuf {
    let path = folder().join(name);
    assert!(path.is_file(), "there is no target {name}");
    path
}

/// A program or library (`NAME.so`) of the tests' own, compiled from `tests/tests/programs/NAME.c`.
pub fn program(name: &str) -> PathBuf {
    let stem = name.strip_suffix(".so");
    let source = product::root().join("tests/tests/programs").join(format!("{}.c", stem.unwrap_or(name)));
    let own = folder().join("own");
    fs::create_dir_all(&own).expect("a folder for programs");
    let path = own.join(name);
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    if modified(&path) < modified(&source) {
        // Under another name first: tests beside this one may be starting it.
        let draft = tempfile::NamedTempFile::new_in(&own).expect("a file").into_temp_path();
        let kind: &[&str] = if stem.is_some() { &["-shared", "-fPIC"] } else { &[] };
        let mut compiler = Command::new("gcc");
        compiler.args(["-std=gnu11", "-g", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread"]).args(kind);
        let output = compiler.arg(&source).arg("-o").arg(&draft).output().expect("gcc starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        draft.persist(&path).expect("renamed");
    }
    path
}

/// What the source of a target says must be seen of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// These functions leak, each at the line given.
    Leak(Vec<Leak>),
    /// The same, but nothing more than their live bytes is asked for.
    Recorded(Vec<Leak>),
    /// Nothing is reported.
    Silence,
    /// It ends with this status, watched or not.
    Exit(i32),
}

/// One leak as the source marks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// The function's name.
    pub function: String,
    /// Base name of the source file.
    pub file: String,
    /// The line that is marked with `LEAK`.
    pub line: u64,
}

/// Reads the expectation from a target's source. The leaking lines are marked in `marked_in`, mostly the same file.
pub fn expectation(source: &str, marked_in: &str) -> Expectation {
    let read = |name: &str| {
        let path = product::root().join("tests/targets").join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    expectation_in(source, &read(source), marked_in, &read(marked_in))
}

/// The same from texts.
pub fn expectation_in(source: &str, text: &str, marked_in: &str, marked: &str) -> Expectation {
    let mut bare = text.lines().map(|line| line.trim_start_matches([' ', '*', '/', '!']));
    let said = bare.find_map(|line| line.strip_prefix("expect: "));
    let mut said = said.unwrap_or_else(|| panic!("{source} has no line 'expect:'")).split_whitespace();
    match said.next() {
        Some(kind @ ("leak" | "recorded")) => {
            let numbered = marked.lines().zip(1..);
            let lines: Vec<u64> =
                numbered.filter(|(line, _)| is_marked(line)).map(|(_, number)| number).collect();
            let functions: Vec<&str> = said.collect();
            assert_eq!(functions.len(), lines.len(), "{marked_in} marks lines {lines:?} for {functions:?}");
            let leak = |(function, line): (&str, u64)| Leak {
                function: function.to_owned(),
                file: marked_in.to_owned(),
                line,
            };
            let leaks = functions.into_iter().zip(lines).map(leak).collect();
            if kind == "leak" { Expectation::Leak(leaks) } else { Expectation::Recorded(leaks) }
        }
        Some("silence") => Expectation::Silence,
        Some("exit") => {
            Expectation::Exit(said.next().and_then(|code| code.parse().ok()).expect("expect: exit N"))
        }
        other => panic!("{source} expects {other:?}"),
    }
}

/// What the header of a source says after a word such as `kind:`, one entry a line that has it.
pub fn said(source: &str, word: &str) -> Vec<Vec<String>> {
    let path = product::root().join("tests/targets").join(source);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let bare = text.lines().map(|line| line.trim_start_matches([' ', '*', '/', '!', '#']));
    let said = bare.filter_map(|line| line.strip_prefix(word));
    said.map(|rest| rest.split_whitespace().map(str::to_owned).collect()).collect()
}

fn is_marked(line: &str) -> bool {
    line.ends_with("/* LEAK */") || line.ends_with("// LEAK") || line.ends_with("# LEAK")
}
