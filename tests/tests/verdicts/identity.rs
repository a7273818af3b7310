//! Verdicts, identity: what is decided about a finding holds for the next build of the program, too.

use std::fs;
use std::process::Command;

use memguard_tests::process::Process;
use memguard_tests::product;
use memguard_tests::report::Frame;
use memguard_tests::together::{ensure, together};
use memguard_tests::watched::{Place, words};

use crate::{audit, id};

/// Goal: the ids of a rebuilt program are those of the old one. Method: one source, built as it is without optimisation, and
/// optimised with other code and many lines before it, so that every line and every address differs.
#[test]
fn ids_outlast_a_rebuild() {
    let place = Place::new();
    let source = product::root().join("tests/tests/programs/forgetful.c");
    let header = product::root().join("tests/targets/target.h");
    let text = fs::read_to_string(source)
        .expect("the source")
        .replace("../../targets/target.h", header.to_str().expect("plain"));
    let moved = format!("{}\nint newer(int x) {{ return x * 7 + 1; }}\n{text}", "\n".repeat(100));
    let builds = [("before", "-O0", text), ("after", "-O2", moved)];
    for (name, level, text) in &builds {
        let file = place.path().join(format!("{name}.c"));
        fs::write(&file, text).expect("written");
        let mut compiler = Command::new("gcc");
        compiler
            .args(["-std=gnu11", "-g", "-pthread", level])
            .arg(&file)
            .arg("-o")
            .arg(place.path().join(name));
        assert!(compiler.status().expect("gcc starts").success());
    }
    let seen = together(2, &["before", "after"], |name| {
        let program = words(&place.path().join(name), &["600", "6"]);
        let own = Place::new();
        assert_eq!(Process::run(audit(&own, &["--quiet"], &program)).code, 0);
        let report = own.report();
        let ids = ["keep_buffer", "keep_thread"].map(|function| id(&report, function));
        ensure(ids[0] != ids[1], || report.to_string())?;
        let line = |function| report.findings_in(function)[0].place().and_then(Frame::line);
        Ok((ids, ["keep_buffer", "keep_thread"].map(line)))
    });
    let ((before, old_lines), (after, new_lines)) = (&seen[0], &seen[1]);
    assert_eq!(before, after);
    assert!(old_lines.iter().zip(new_lines).all(|(old, new)| old.is_some() && old < new), "{seen:?}");
}
