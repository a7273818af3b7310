//! Launcher, program: tests on real binaries, made by the compilers of this machine.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::obstacle::of_image;
use super::*;

const HELLO: &str = "int main(void) { return 0; }\n";
const OWN_MALLOC: &str = "#include <stddef.h>\nstatic char room[64];\nvoid *malloc(size_t n) { (void)n; return room; }\n\
                          void free(void *p) { (void)p; }\nint main(void) { return malloc(1) == NULL; }\n";

/// A folder with binaries.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Compiles a source; `None` where this compiler or what it needs is not installed.
    fn build(&self, name: &str, source: &str, compiler: &[&str]) -> Option<PathBuf> {
        let (text, out) = (self.path(&format!("{name}.c")), self.path(name));
        fs::write(&text, source).expect("written");
        let mut command = Command::new(compiler[0]);
        command.args(&compiler[1..]).arg(&text).arg("-o").arg(&out).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success()).then_some(out)
    }

    fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
        path
    }
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    let path = ("PATH", std::env::var("PATH").unwrap_or_default());
    let given = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
    std::iter::once(path).chain(given).map(|(name, value)| (name.into(), value.into())).collect()
}

fn recognised(command: &[&str], variables: &[(&str, &str)]) -> Option<Candidate> {
    let command: Vec<OsString> = command.iter().map(OsString::from).collect();
    Candidate::of(&command, &environment(variables))
}

fn obstacles(path: &Path) -> Vec<Obstacle> {
    recognised(&[path.to_str().expect("text")], &[]).expect("it is executable").obstacles
}

#[test]
fn an_ordinary_program_has_no_obstacle() {
    let bench = Bench::new();
    let program = bench.build("plain", HELLO, &["cc"]).expect("cc");
    assert_eq!(obstacles(&program), []);
    let candidate = recognised(&[program.to_str().expect("text")], &[]).expect("there");
    assert_eq!((candidate.way(), candidate.notice()), (Way::Hooks, None));
    assert!(candidate.image.expect("read").has_symbols);
}

#[test]
fn static_programs_are_told_apart() {
    let bench = Bench::new();
    for (name, flag) in [("fixed", "-static"), ("pie", "-static-pie")] {
        let program = bench.build(name, HELLO, &["cc", flag]).expect("a static C library");
        assert_eq!(obstacles(&program), [Obstacle::Static], "{name}");
    }
    let musl = bench.build("musl", HELLO, &["musl-gcc"]);
    assert!(musl.is_none_or(|program| obstacles(&program) == [Obstacle::Musl]));
}

#[test]
fn allocators_and_sanitizers_in_the_program_are_seen() {
    let bench = Bench::new();
    let own = bench.build("own", OWN_MALLOC, &["cc", "-fno-builtin"]).expect("cc");
    let own = obstacles(&own);
    assert_eq!(own, [Obstacle::Allocator("an allocator of its own", Reach::Everything)]);
    assert_eq!(own[0].way(), Way::Resources);
    let named = "void *_rjem_malloc(unsigned long n) { return n ? (void *)main : 0; }\n";
    let named = format!("int main(void);\n{named}{HELLO}");
    let named = bench.build("named", &named, &["cc"]).expect("cc");
    assert_eq!(obstacles(&named), [Obstacle::Allocator("jemalloc", Reach::Some)]);
    for (flag, name) in [("address", "AddressSanitizer"), ("thread", "ThreadSanitizer")] {
        let program = bench.build(flag, HELLO, &["cc", &format!("-fsanitize={flag}")]);
        assert!(program.is_none_or(|program| obstacles(&program) == [Obstacle::Sanitizer(name)]), "{name}");
    }
    let within = bench.build("within", HELLO, &["cc", "-fsanitize=address", "-static-libasan"]);
    let expected = [Obstacle::Sanitizer("AddressSanitizer")];
    assert!(within.is_none_or(|program| obstacles(&program).starts_with(&expected)));
}

/// Goal: a Go program is told from other static ones. Method: Go's own linker, where it is installed; else the section that it
/// writes.
#[test]
fn go_programs_are_told_apart() {
    let bench = Bench::new();
    let mark = "__attribute__((section(\".go.buildinfo\"))) const char mark[16] = \"x\";\n";
    let marked = format!("{mark}{HELLO}");
    let fixed = bench.build("go", &marked, &["cc", "-static"]).expect("a static C library");
    assert_eq!(obstacles(&fixed), [Obstacle::StaticGo]);
    let dynamic = bench.build("cgo", &marked, &["cc"]).expect("cc");
    assert_eq!(obstacles(&dynamic), [Obstacle::Go]);
    let source = bench.path("hello.go");
    fs::write(&source, "package main\nfunc main() {}\n").expect("written");
    let out = bench.path("hello");
    let mut go = Command::new("go");
    go.args(["build", "-o"]).arg(&out).arg(&source).env("CGO_ENABLED", "0").env("GO111MODULE", "off");
    go.env("GOCACHE", bench.path("cache")).stdout(Stdio::null()).stderr(Stdio::null());
    if go.status().is_ok_and(|status| status.success()) {
        assert_eq!(obstacles(&out), [Obstacle::StaticGo]);
    }
}

/// Goal: other machines' programs are told by their headers. Method: the headers of a program, changed.
#[test]
fn other_machines_are_seen() {
    let bench = Bench::new();
    let program = bench.build("plain", HELLO, &["cc"]).expect("cc");
    let whole = fs::read(&program).expect("readable");
    let changed = |at: usize, value: u8| {
        let mut bytes = whole.clone();
        bytes[at] = value;
        let path = bench.path(&format!("changed-{at}"));
        fs::write(&path, bytes).expect("written");
        Image::read(&path).map(|image| of_image(&image))
    };
    // EI_CLASS; the machine's low byte: RISC-V.
    assert_eq!(changed(4, 1), Some(vec![Obstacle::Foreign("a 32-bit program")]));
    assert_eq!(changed(18, 243), Some(vec![Obstacle::Foreign("built for another architecture")]));
    fs::write(bench.path("short"), &whole[..100]).expect("written");
    assert_eq!(Image::read(&bench.path("short")), None, "a damaged file is one of which nothing is known");
}

#[test]
fn scripts_lead_to_their_interpreters() {
    let bench = Bench::new();
    let fixed = bench.build("fixed", HELLO, &["cc", "-static"]).expect("a static C library");
    let folder = bench.0.path().to_str().expect("text").to_owned();
    let direct = bench.script("direct", &format!("#!{} -x\n", fixed.display()));
    let twice = bench.script("twice", &format!("#! {}\n", direct.display()));
    for script in [&direct, &twice] {
        let candidate = recognised(&[script.to_str().expect("text")], &[]).expect("found");
        assert_eq!(candidate.obstacles, [Obstacle::Static], "{}", script.display());
        assert!(candidate.name.contains("(run by fixed)"), "{}", candidate.name);
    }
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
    bench.script("through", "#!/usr/bin/env -S A=1 fixed\n");
    let found = recognised(&["through"], &[("PATH", &path)]).expect("found in PATH");
    assert_eq!(found.path, fs::canonicalize(&fixed).expect("there"));
    let shell = bench.script("shell", "exit 0\n");
    let found = recognised(&[shell.to_str().expect("text")], &[]).expect("the shell runs it");
    assert_eq!(found.path, fs::canonicalize("/bin/sh").expect("there"));
    let lost = bench.script("lost", "#!/nonexistent/interpreter\n");
    assert!(recognised(&[lost.to_str().expect("text")], &[]).is_none());
    assert!(recognised(&["no-such-command"], &[]).is_none());
    assert!(recognised(&["/nowhere/at/all"], &[]).is_none());
    let shell = recognised(&["sh"], &[]).expect("there is a shell");
    assert_eq!(shell.path, fs::canonicalize("/bin/sh").expect("there"));
    let looping = bench.path("loop");
    bench.script("loop", &format!("#!{}\n", looping.display()));
    assert!(recognised(&[looping.to_str().expect("text")], &[]).is_none());
}

#[test]
fn profilers_are_told_by_what_is_preloaded() {
    let first = |value: &str, more: &[(&str, &str)]| {
        let variables = [&[("LD_PRELOAD", value)][..], more].concat();
        recognised(&["sh"], &variables).expect("sh").obstacles.first().cloned()
    };
    let profiler = |name: &str| Some(Obstacle::Profiler(name.to_owned()));
    assert_eq!(first("/usr/lib/heaptrack/libheaptrack_preload.so", &[]), profiler("heaptrack"));
    assert_eq!(first("libc.so.6:/a/libasan.so.8", &[]), profiler("AddressSanitizer"));
    assert_eq!(first("/v/vgpreload_core-amd64-linux.so", &[]), None);
    assert_eq!(first("/v/vgpreload_core-amd64-linux.so:/v/vgpreload_memcheck.so", &[]), profiler("Valgrind"));
    assert_eq!(first("libtcmalloc.so.4", &[]), None, "an allocator is no profiler");
    assert_eq!(first("libtcmalloc.so.4", &[("HEAPPROFILE", "/t/p")]), profiler("tcmalloc's heap profiler"));
    assert_eq!(first("libjemalloc.so.2", &[("MALLOC_CONF", "abort:true")]), None);
    let on = [("MALLOC_CONF", "prof:true,lg_prof_sample:19")];
    assert_eq!(first("libjemalloc.so.2", &on), profiler("jemalloc's heap profiler"));
}

/// Goal: Valgrind's tools that leave the allocator alone are no obstacle. Method: a stand-in of that name.
#[test]
fn valgrind_is_told_by_its_tool() {
    let bench = Bench::new();
    let valgrind = bench.script("valgrind", "#!/bin/sh\n");
    let valgrind = valgrind.to_str().expect("text");
    let tool = |arguments: &[&str], variables: &[(&str, &str)]| {
        let command = [&[valgrind][..], arguments].concat();
        recognised(&command, variables).expect("found").obstacles
    };
    assert_eq!(tool(&["-q", "./a"], &[]), [Obstacle::Valgrind("memcheck".to_owned())]);
    assert_eq!(tool(&["--tool=massif", "./a"], &[]), [Obstacle::Valgrind("massif".to_owned())]);
    assert_eq!(tool(&["--tool=callgrind", "./a", "--tool=dhat"], &[]), []);
    assert_eq!(tool(&["./a"], &[("VALGRIND_OPTS", "--tool=none")]), []);
}

/// Goal: a program that would change its user is an obstacle for who is not that user, and root is none. Method: files of
/// root's with the bit or a capability, asked by another user through a test of its own; needs root to make them.
#[test]
fn what_root_executes_gains_nothing() {
    if !nix::unistd::getuid().is_root() {
        return;
    }
    let bench = Bench::new();
    let program = bench.build("plain", HELLO, &["cc"]).expect("cc");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).expect("set");
    assert_eq!(obstacles(&program), [], "root stays root");
    nix::unistd::chown(&program, Some(65534.into()), None).expect("given away");
    // The kernel takes the bit from a file that changes hands.
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).expect("set");
    let expected = [Obstacle::Privileged(privileges::Privilege::User(65534))];
    assert!(obstacles(&program) == expected || is_nosuid(&program));
}

fn is_nosuid(path: &Path) -> bool {
    use nix::sys::statvfs::{FsFlags, statvfs};
    statvfs(path).is_ok_and(|mount| mount.flags().contains(FsFlags::ST_NOSUID))
}
