//! Interpreters and debuggers: node, java, perl, ruby, bash and gdb do real work under watch as they do it without, and none
//! of them is suspected.
//!
//! Method: each program runs plainly, under `memguard run` and with `--aggressive`. It prints only what does not vary, and ends
//! with a code of its own, so that an early end is seen.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use memguard_tests::ability;
use memguard_tests::process::Process;
use memguard_tests::product::root;
use memguard_tests::report::SHOWN;
use memguard_tests::watched::{Place, plain};

/// A program beside this file.
fn beside(name: &str) -> PathBuf {
    root().join("tests/tests/interpreters").join(name)
}

/// A program that is not ours alone: its command, what it needs, and how it ends.
fn check(tools: &[&str], command: &[OsString], code: i32) {
    if !tools.iter().all(|tool| ability::tool(tool)) {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut alone = plain(&command[0]);
    alone.args(&command[1..]).current_dir(folder.path());
    let alone = Process::run(alone);
    assert_eq!(alone.code, code, "alone: {alone:?}");
    assert!(alone.stdout.ends_with("done\n"), "alone: {alone:?}");

    for options in [&["--quiet"][..], &["--quiet", "--aggressive"]] {
        let watched = Place::new().watch(options, command);
        let ended = &watched.ended;
        assert_eq!((ended.code, &ended.stdout), (alone.code, &alone.stdout), "{options:?}: {}", ended.stderr);
        let report = watched.report();
        assert!(!report.processes().is_empty(), "{options:?}: it was not watched");
        // Audit judges after seconds, and these programs are young and fill their caches.
        if options.len() == 1 {
            assert!(report.findings(SHOWN).is_empty(), "it is healthy: {report}");
        }
    }
}

fn words<const N: usize>(words: [&str; N]) -> Vec<OsString> {
    words.map(OsString::from).to_vec()
}

/// Goal: event loop, http, worker threads and child processes. Method: a server that answers its own requests.
#[test]
fn node() {
    let program = beside("server.js");
    check(&["node"], &[vec!["node".into()], vec![program.into()]].concat(), 41);
}

/// Goal: a virtual machine with its own signals, stacks and code. Method: the compiler, then the program that it compiled.
#[test]
fn java() {
    let build = tempfile::tempdir().expect("a temporary folder");
    let script = r#"javac -d "$1" "$2" && exec java -cp "$1" Workers"#;
    let mut command = words(["sh", "-c", script, "sh"]);
    command.extend([build.path().into(), beside("Workers.java").into()]);
    check(&["java", "javac"], &command, 42);
}

/// Goal: fork, pipes and sockets of perl.
#[test]
fn perl() {
    check(&["perl"], &[vec!["perl".into()], vec![beside("children.pl").into()]].concat(), 43);
}

/// Goal: threads, fork, pipes and sockets of ruby.
#[test]
fn ruby() {
    check(&["ruby"], &[vec!["ruby".into()], vec![beside("children.rb").into()]].concat(), 44);
}

/// Goal: job control, pipelines, traps and coprocesses of bash.
#[test]
fn bash() {
    check(&["bash"], &[vec!["bash".into()], vec![beside("jobs.sh").into()]].concat(), 45);
}

/// Goal: a debugger and the program that it debugs are both watched, and see each other as before. Method: breakpoints, a
/// watchpoint, a call into the program, threads and a signal, in batch mode.
#[test]
fn gdb() {
    let build = tempfile::tempdir().expect("a temporary folder");
    let program = build.path().join("debuggee");
    let compiled = Command::new("cc")
        .args(["-g", "-O0", "-pthread", "-o"])
        .args([&program, &beside("debuggee.c")])
        .status();
    assert!(compiled.is_ok_and(|status| status.success()), "cc compiles a program");
    let mut script = fs::read_to_string(beside("debuggee.gdb")).expect("a script");
    if ability::tool("gdb") && !gdb_can_call(&program) {
        eprintln!("gdb cannot call into a program on this processor: that line is left out");
        script = script.replace("print twice(n)\n", "");
    }
    let script_file = build.path().join("debuggee.gdb");
    fs::write(&script_file, script).expect("written");
    let mut command = words(["gdb", "-batch", "-nx", "-x"]);
    command.extend([script_file.into(), program.into()]);
    check(&["gdb", "cc"], &command, 46);
}

/// Whether gdb can write all registers of this processor ("Couldn't write extended state status" where it is older than that).
fn gdb_can_call(program: &Path) -> bool {
    let mut gdb = plain("gdb");
    gdb.args(["-batch", "-nx", "-ex", "break in_thread", "-ex", "run", "-ex", "print twice(2)"]).arg(program);
    Process::run(gdb).stdout.contains("$1 = 4")
}
