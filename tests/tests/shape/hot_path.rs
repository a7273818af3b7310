//! Shape, the hot path: what an unsampled call pays in the shipped library.
//!
//! Method: the disassembly of a hook from its entry on, falling through every conditional jump; it must reach the
//! jump to the real function, through a pointer, within so many instructions.
#![cfg(target_arch = "x86_64")]

use std::process::Command;

use memguard_tests::product::library;

use crate::output;

/// The instructions from the entry of a function to its first unconditional jump, that one included.
fn fast_path(function: &str) -> Vec<String> {
    let only = format!("--disassemble={function}");
    let text = output(Command::new("objdump").args(["--no-show-raw-insn", &only]).arg(library()));
    let body =
        text.split_once(&format!("<{function}>:\n")).unwrap_or_else(|| panic!("no {function} in {text}")).1;
    let instructions =
        body.lines().filter_map(|line| line.split_once(":\t")).map(|(_, text)| text.trim().to_owned());
    let mut path = Vec::new();
    for instruction in instructions {
        let last = instruction.starts_with("jmp") || instruction.starts_with("ret");
        path.push(instruction);
        if last {
            return path;
        }
    }
    panic!("{function} does not end: {path:#?}")
}

fn check(function: &str, instructions_max: usize) {
    let path = fast_path(function);
    assert!(path.len() <= instructions_max, "{function} takes {} instructions: {path:#?}", path.len());
    assert!(
        path.last().is_some_and(|last| last.starts_with("jmp") && last.contains('*')),
        "{function}: {path:#?}"
    );
    let calls =
        path.iter().any(|instruction| instruction.starts_with("call") || instruction.starts_with("push"));
    assert!(!calls, "{function} calls or saves something: {path:#?}");
}

#[test]
fn malloc_takes_a_few_instructions() {
    check("malloc", 6);
}

#[test]
fn free_takes_a_few_instructions() {
    check("free", 7);
}

#[test]
fn the_rest_of_the_family_is_as_short() {
    check("calloc", 8);
    check("realloc", 11);
    check("posix_memalign", 6);
    check("aligned_alloc", 6);
    check("free_sized", 7);
}
