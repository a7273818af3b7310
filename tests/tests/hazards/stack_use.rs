//! Hazards, stacks: hooks take little of the program's, which may have little left (a child of `clone`, a coroutine).

use memguard_tests::process::Process;
use memguard_tests::targets;
use memguard_tests::watched::{Place, plain};

/// What a hook may take beyond what the call takes anyway, in bytes.
const MORE_BYTES_MAX: u64 = 1024;

fn bytes_by_call(stdout: &str) -> Vec<(String, u64)> {
    let call = |line: &str| {
        let (name, bytes) = line.split_once(' ').expect("a name and a number");
        (name.to_owned(), bytes.parse().expect("a number"))
    };
    stdout.lines().map(call).collect()
}

/// Goal: a call on a stack with a kilobyte to spare is safe, walk of the stack included. Method: a program that measures
/// itself, alone and with every call recorded.
#[test]
fn hooks_take_less_than_a_kilobyte_of_the_programs_stack() {
    let program = targets::program("stack_use");
    let alone = bytes_by_call(&Process::run(plain(&program)).stdout);
    let watched = Place::new().watch(&["--quiet", "--aggressive"], &[&program]);
    let watched = bytes_by_call(&watched.ended.stdout);
    assert_eq!(alone.len(), 6);
    for ((name, alone), (_, watched)) in alone.iter().zip(&watched) {
        println!("{name}: {alone} bytes alone, {watched} watched");
        assert!(*watched <= alone + MORE_BYTES_MAX, "{name}: {watched} bytes of stack, {alone} alone");
    }
}
