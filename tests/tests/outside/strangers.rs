//! Outside, strangers: sanitizers, Valgrind, musl, privileged programs. Each runs as it does alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use memguard_tests::ability;
use memguard_tests::process::{Ended, Process};
use memguard_tests::watched::{Place, plain};

const SOURCE: &str = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n\
    int main(void) { char *text = malloc(16); strcpy(text, \"hello\"); puts(text); free(text); return 7; }\n";

fn built(place: &Place, name: &str, compiler: &[&str]) -> PathBuf {
    let (source, out) = (place.path().join("hello.c"), place.path().join(name));
    fs::write(&source, SOURCE).expect("written");
    let status = Command::new(compiler[0]).args(&compiler[1..]).arg(&source).arg("-o").arg(&out).status();
    assert!(status.expect("a compiler").success(), "{compiler:?}");
    out
}

/// What a command does alone, and under watch without and with a shell between.
fn thrice(place: &Place, program: &[&str]) -> [Ended; 3] {
    let mut alone = plain(program[0]);
    alone.args(&program[1..]);
    let script = format!("{}; exit $?", program.join(" "));
    let watched = Process::run(place.run(&[], program));
    let below = Process::run(place.run(&[], &["sh", "-c", &script]));
    [Process::run(alone), watched, below]
}

fn agree(ended: &[Ended; 3], reason: &str) {
    let [alone, watched, below] = ended;
    assert_eq!((watched.code, &watched.stdout), (alone.code, &alone.stdout), "{}", watched.stderr);
    assert_eq!((below.code, &below.stdout), (alone.code, &alone.stdout), "{}", below.stderr);
    assert!(watched.stderr.contains(reason), "{}", watched.stderr);
}

/// Goal: a program with a sanitizer runs as it does alone, also as a child of a program with hooks, and its owner learns why it is not
/// watched.
#[test]
fn sanitizers_are_left_alone() {
    let place = Place::new();
    let program = built(&place, "asan", &["gcc", "-fsanitize=address"]);
    let ended = thrice(&place, &[program.to_str().expect("text")]);
    agree(&ended, "AddressSanitizer");
    assert!(
        ended[2].stderr.contains("a sanitizer, Valgrind or another heap profiler"),
        "{}",
        ended[2].stderr
    );
}

/// Goal: the same for a program under Valgrind's memcheck.
#[test]
fn valgrind_is_left_alone() {
    if !ability::tool("valgrind") {
        return;
    }
    let place = Place::new();
    let program = built(&place, "plain", &["gcc"]);
    let ended = thrice(&place, &["valgrind", "-q", "--error-exitcode=9", program.to_str().expect("text")]);
    agree(&ended, "Valgrind's memcheck");
    assert!(
        ended[2].stderr.contains("a sanitizer, Valgrind or another heap profiler"),
        "{}",
        ended[2].stderr
    );
}

/// Goal: a program of musl's is not given a library of glibc's.
#[test]
fn musl_is_left_alone() {
    if !ability::tool("musl-gcc") {
        return;
    }
    let place = Place::new();
    let program = built(&place, "musl", &["musl-gcc"]);
    let mut alone = plain(&program);
    alone.env("LC_ALL", "C");
    let alone = Process::run(alone);
    let watched = Process::run(place.run(&[], &[&program]));
    assert_eq!((watched.code, &watched.stdout), (alone.code, &alone.stdout), "{}", watched.stderr);
    assert!(watched.stderr.contains("musl"), "{}", watched.stderr);
}

/// Goal: a program that gains rights is recognised by who would gain them. Method: copies with a set-user bit and with a capability,
/// examined as nobody.
#[test]
fn privileged_programs_are_recognised() {
    if !nix::unistd::getuid().is_root() || !ability::tool("setpriv") || !ability::tool("setcap") {
        return;
    }
    let place = Place::new();
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
    open(place.path(), 0o755);
    let setuid = built(&place, "setuid", &["gcc"]);
    open(&setuid, 0o4755);
    let capable = built(&place, "capable", &["gcc"]);
    let given = Command::new("setcap").arg("cap_net_bind_service=ep").arg(&capable).status();
    assert!(given.expect("setcap").success());
    let copy = place.path().join("memguard");
    fs::copy(memguard_tests::product::launcher(), &copy).expect("copied");
    let library = place.path().join("libmemguard.so");
    fs::copy(memguard_tests::product::library(), &library).expect("copied");
    for (program, word) in [(&setuid, "it is setuid"), (&capable, "it is given file capabilities")] {
        let mut command = place.command("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&copy);
        command.args(["doctor", "--dir", "/tmp/memguard-nobody-none", "--"]).arg(program);
        command.env("MEMGUARD_LIB", &library);
        let told = Process::run(command);
        assert_eq!(told.code, 1, "{}{}", told.stdout, told.stderr);
        assert!(told.stdout.contains(word), "{}", told.stdout);
        let as_root = Process::run(place.memguard(&["doctor", "--", program.to_str().expect("text")]));
        assert_eq!(as_root.code, 0, "root gains nothing: {}", as_root.stdout);
    }
}
